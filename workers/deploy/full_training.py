"""What is asked of a training in full, and what it is trained and measured with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaces.config.trial import TrialConfig
from spaces.data.request import DataRequest, Progress
from spaces.errors import DataError
from spaces.tasks.registry import resolve_task
from workers.training.start_weights import remember
from workers.training.weight_files import read_weight_file
from workers.trial.prepare import load_task_data

if TYPE_CHECKING:
    from workers.deploy.comparison import Bench


@dataclass(frozen=True, kw_only=True)
class FullTraining:
    """What is asked of a training in full, as plain data.

    Every field is an option of ``search retrain`` of the same name, which declares its default
    and its rule; a field that is added here is handed over without a word more.

    Attributes:
        epochs: Train so many epochs instead of the trial's.
        data: Train on this data instead of the exported path.
        task: The task to load, where its file has moved; None for the exported one.
        device: The device to measure on, where its file has moved; None for the exported one.
        float_model: Whether to train the same configuration without pruning too, where it prunes,
            to compare with.
        tta: Whether to measure the float models with test-time augmentation too.
        seeds: From how many other seeds to train it too.
        patience: Epochs without a better validation accuracy after which training ends, with the
            best weights; None to train to the last epoch and take its weights.
        with_validation: Whether to train on the validation split too. Nothing is told then of
            what is measured on it.
        onnx: Whether to write the deployed model as ONNX too, where that says the same.
        weights: File of the weights that it starts from, where it has moved; None for the
            exported path.
    """

    epochs: int | None
    data: str | None
    task: str | None
    device: str | None
    float_model: bool
    tta: bool
    seeds: int
    patience: int | None
    with_validation: bool = False
    onnx: bool = False
    weights: str | None = None


def bench_of(
    progress: Progress,
    export: dict[str, Any],
    exported: TrialConfig,
    cache_dir: str,
    asked: FullTraining,
) -> Bench:
    """Load what is trained and measured with: task, data and device.

    Args:
        progress: Called after every epoch.
        export: The exported file's content, checked already.
        exported: Its configuration.
        cache_dir: Where decoded images are kept.
        asked: Which task, data and device to take instead of the exported ones.

    Raises:
        DataError: If the data is not what the trial was trained on, and was not named anew; or the
            weights that it started from are gone or others.
    """
    from workers.deploy.comparison import Bench, mirrored_shows_the_same
    from workers.devices.registry import check_device, get_device
    from workers.hypermodels.describe import load_hypermodel
    from workers.training.early_stopping import EarlyStopping

    _remember_weights(export, exported, asked.weights)
    with_ram = export.get("measured", {}).get("ledger", {}).get("arena_bytes") is not None
    target = get_device(asked.device or export["device"], with_ram=with_ram)
    check_device(target, export["size_metric"])
    loaded = resolve_task(asked.task or exported.task)
    path = asked.data if asked.data is not None else export.get("data_path")
    about = export.get("data", {})
    request = DataRequest(
        path=None if path is None else Path(path),
        cache_dir=Path(cache_dir),
        progress=progress,
        group_by=about.get("group_by"),
        # Exports of earlier versions do not say: theirs was the only rule.
        split_rule=about.get("split_rule", "by_name"),
    )
    dataset = load_task_data(loaded, request)
    if dataset.fingerprint != exported.data_fingerprint and asked.data is not None:
        dataset = load_task_data(loaded, replace(request, split_rule="sized"))
    if dataset.fingerprint != exported.data_fingerprint and asked.data is None:
        raise DataError(
            f"The data at {path or 'the task itself'} must be what the trial was trained on "
            f"({exported.data_fingerprint}), but got {dataset.fingerprint}. Bring it back, or "
            f"name the data to train on with --data."
        )
    source_fingerprint = dataset.fingerprint
    if asked.with_validation:
        dataset = dataset.learning_from_validation(Path(cache_dir))
    return Bench(
        load_hypermodel(loaded.model, dataset.input_shape, dataset.n_classes, dataset),
        dataset,
        target,
        export["size_metric"],
        source_fingerprint=source_fingerprint,
        flips=mirrored_shows_the_same(loaded),
        progress=progress,
        early_stopping=None if asked.patience is None else EarlyStopping(asked.patience),
        baseline_ms=(export.get("measured", {}).get("latency") or {}).get("baseline_ms"),
    )


def _remember_weights(export: dict[str, Any], config: TrialConfig, named: str | None) -> None:
    """Have the weights at hand that a configuration starts from.

    Raises:
        DataError: If they are gone, or are others, or it starts from none.
    """
    wanted = config.training.weights
    if not wanted:
        if named is not None:
            raise DataError(
                "The exported configuration starts from random weights, so --weights has nothing "
                "to say: leave it out. `search run TASK --weights FILE` searches with them."
            )
        return
    path = named or export.get("weights_path")
    if path is None:
        raise DataError(
            f"The exported configuration starts from weights of a file ({wanted[:12]}, SHA-256): "
            "name it with --weights."
        )
    file = read_weight_file(path)
    if file.sha256 != wanted:
        raise DataError(
            f"The weights in {path} must be those that the trial started from ({wanted[:12]}, "
            f"SHA-256), but got {file.sha256[:12]}. Bring them back, or name them with --weights."
        )
    remember(file)
