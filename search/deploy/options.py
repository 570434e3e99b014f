"""The options of a training in full, each declared once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from search.options import check_options, option
from spaces.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RetrainOptions:
    """What a person asks of ``search retrain``, beside the export and the folder.

    Those that the training itself reads are handed to its process by name: see
    :class:`workers.deploy.full_training.FullTraining`.

    Raises:
        ConfigError: If a value breaks its rule.
    """

    epochs: int | None = option(
        None,
        "count",
        "Epochs of training; of a trial that goes on from another's weights, those of the first "
        "training, and the others are longer by the same factor.",
        shown="the trial's",
        python="Train so many epochs instead of the trial's; the model is then another one. Of a "
        "trial that goes on from another's weights, it is the first training that has so many, "
        "and the others are longer or shorter by the same factor.",
    )
    patience: int | None = option(
        None,
        "count",
        "End after so many epochs that are no better, with the best weights.",
        shown="train to the end",
        python="End training after so many epochs without a better validation accuracy, and take "
        "the best epoch's weights (of those whose pruning is done); None for the last epoch's.",
    )
    data: str | Path | None = option(
        None,
        "path",
        "Data to train on.",
        shown="the trial's",
        python="Train on this data instead of where the export says it lies.",
    )
    with_validation: bool = option(
        False,
        "switch",
        "Train on the validation pictures too: more to learn from, where pictures are few. "
        "Only the test split says then what the model is worth.",
        python="Whether to train on the validation pictures too, which have done their work; the "
        "model is then another one, and only the test split says what it is worth.",
    )
    weights: str | Path | None = option(
        None,
        "path",
        "The weights that it starts from, where they have moved.",
        shown="the trial's",
        python="File of the weights that it starts from, where it is not where the export says.",
    )
    seeds: int = option(
        0,
        "count",
        "Train it from so many other seeds too, and report how much is luck.",
        low=0,
    )
    float_model: bool = option(
        True,
        "switch",
        "Do not train it without pruning too, to compare with: half the time.",
        flag="--no-float",
        python="Train the same network without pruning too, where it is pruned, to compare with.",
    )
    tta: bool = option(
        False,
        "switch",
        "Test-time augmentation: measure float models on shifted pictures too.",
    )
    onnx: bool = option(
        False,
        "switch",
        "Write model.onnx too, where ONNX Runtime labels every validation picture as LiteRT does.",
    )
    task: str | None = option(
        None, "text", "The task, where it is code of your own: a file runs none unasked."
    )
    device: str | None = option(None, "text", "The device, where it is code of your own.")
    force: bool = option(False, "switch", "Overwrite the files of an earlier retraining.")

    def __post_init__(self) -> None:
        """Check every value, and the two that exclude each other."""
        check_options(self)
        if self.with_validation and self.patience is not None:
            raise ConfigError(
                "Only one of patience and with_validation can be given: patience goes by pictures "
                f"that are not learned from; got (patience={self.patience}, with_validation=True)."
            )


@dataclass(frozen=True, kw_only=True)
class FinalistOptions:
    """What a person asks of ``search finalists``, beside the study and its trials.

    Raises:
        ConfigError: If a value breaks its rule.
    """

    points: int = option(
        5,
        "count",
        "Points to train: the most accurate, the best compromise, and those that add most to the "
        "hypervolume.",
    )
    seeds: int = option(
        3, "count", "Other seeds to train each from. Two are the fewest that tell luck from merit."
    )
    epochs: int | None = option(
        None,
        "count",
        "Epochs of each training; where several lead to a model, of the first, and the others are "
        "longer by the same factor.",
        shown="the trial's",
    )
    patience: int | None = option(
        None,
        "count",
        "End a training after so many epochs that are no better, with the best weights.",
        shown="train to the end",
    )
    workers: int | None = option(
        None, "count", "Trainings side by side, one core each.", shown="one a core"
    )
    data: str | Path | None = option(
        None, "path", "Data to train on, where it has moved.", shown="the study's"
    )
    task: str | None = option(
        None, "text", "The task, where it is code of your own: a study runs none unasked."
    )
    device: str | None = option(None, "text", "The device, where it is code of your own.")

    def __post_init__(self) -> None:
        """Check every value."""
        check_options(self)
