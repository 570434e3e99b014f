"""What ``search run`` names: a model with searched hyperparameters, and its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spaces.config.trial import ParamValue, TrainingConfig
from spaces.data.dataset import Dataset
from spaces.data.request import DataRequest
from spaces.errors import ConfigError, TaskError

RECIPE_FIELDS = {
    "augmentation": "augmentations",
    "label_smoothing": "label_smoothings",
    "lr_schedule": "lr_schedules",
    "ema": "emas",
    "class_weights": "class_weights",
}
"""Parameters of the training recipe, and the fields of a task that tell what is searched."""


@dataclass(frozen=True)
class Task:
    """A model family, its data, and the defaults of a search over them.

    Attributes:
        name: Short name; the study is called so unless ``--study`` says otherwise.
        description: One line for ``search tasks``.
        model: A KerasTuner ``HyperModel`` class (called with ``input_shape`` and
            ``n_classes``), an instance of one, a function ``build(hp)``, or
            ``"package.module:NAME"`` of any of these. With a name, TensorFlow is imported
            only where models are built.
        load_data: Turns a :class:`DataRequest` into a :class:`~spaces.data.dataset.Dataset`.
        data_help: One line: which data it takes, and what it does without ``--data``.
        epochs: Epochs of a new training.
        learning_rate: Lowest and highest learning rate searched.
        batch_sizes: Batch sizes searched.
        optimizers: Optimizers searched.
        max_weight_decay: Highest weight decay searched; 0 takes it out of the space.
        augmentations: Policies of augmentation searched, as ``spaces.config.training`` has them,
        such
            as ``none`` or ``flip+shift``; only those which leave a picture what its label says.
            Here and below, the first one is the default, and a single one is used throughout.
        label_smoothings: Shares of label smoothing searched.
        lr_schedules: Learning-rate schedules searched.
        emas: Time constants of the weights' moving average searched, as fractions of training.
        class_weights: Whether classes are weighed, searched: ``none``, ``balanced``.
        max_sparsity: Highest final sparsity searched, in (0, 1); 0 takes pruning out of it.
        baseline: Values of parameters of the configuration that a person made by hand, which
            every front is read against; what is not named has its default, or is off. A study
            begins with it. Empty for the defaults.
        baseline_note: One line: where the baseline comes from and what it reached there.
        families: Values of the parameter ``family`` that the model declares, for those who list
            tasks without building networks; empty if it declares none.
        adapt: Called with the task and its data before anything is searched; returns the task
            with other epochs, batch sizes or ranges, where these depend on the data. The model
            and ``load_data`` must stay what they are. None for a task that suits any data.
    """

    name: str
    description: str
    model: Any
    load_data: Callable[[DataRequest], Dataset]
    data_help: str = ""
    epochs: int = 10
    learning_rate: tuple[float, float] = (3e-4, 2e-2)
    batch_sizes: tuple[int, ...] = (16, 32, 64, 128)
    optimizers: tuple[str, ...] = ("adam", "sgd")
    max_weight_decay: float = 1e-2
    augmentations: tuple[str, ...] = ("none",)
    label_smoothings: tuple[float, ...] = (0.0,)
    lr_schedules: tuple[str, ...] = ("cosine",)
    emas: tuple[float, ...] = (0.0,)
    class_weights: tuple[str, ...] = ("none",)
    max_sparsity: float = 0.95
    baseline: Mapping[str, ParamValue] = field(default_factory=dict)
    baseline_note: str = ""
    families: tuple[str, ...] = ()
    adapt: Callable[[Task, Dataset], Task] | None = None

    def __post_init__(self) -> None:
        if not self.name or any(sign in self.name for sign in "/\\ \n"):
            raise TaskError(f"A task's name is one word, but got {self.name!r}.")
        if self.epochs < 1:
            raise TaskError(f"Task {self.name!r}: `1 <= epochs` must hold, but got {self.epochs}.")
        low, high = self.learning_rate
        if not 0 < low <= high:
            raise TaskError(
                f"Task {self.name!r}: `0 < low <= high` must hold for learning_rate, but got "
                f"({low=}, {high=})."
            )
        if not 0 <= self.max_sparsity < 1:
            raise TaskError(
                f"Task {self.name!r}: `0 <= max_sparsity < 1` must hold, but got "
                f"{self.max_sparsity}."
            )
        for name, field_name in RECIPE_FIELDS.items():
            self._check_recipe(name, getattr(self, field_name), field_name)

    def _check_recipe(self, name: str, values: Any, field_name: str) -> None:
        """Refuse what no training can use, before there is a study with it."""
        if not isinstance(values, (tuple, list)) or not values:
            raise TaskError(
                f"Task {self.name!r}: {field_name} must be a tuple of one or more values, but got "
                f"{values!r}."
            )
        for value in values:
            try:
                TrainingConfig(1e-3, 32, **{name: value})
            except ConfigError as error:
                raise TaskError(f"Task {self.name!r}, {field_name}: {error}") from error

    def adapted_to(self, dataset: Dataset) -> Task:
        """Return the task as it is searched on these data."""
        return self if self.adapt is None else self.adapt(self, dataset)
