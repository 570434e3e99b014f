"""How weights are trained: the training recipe of a configuration.

What a recipe may hold grows. So that configurations stored before stay what they are, hash
included, a field added later is written only where it differs from its default
(``UNLESS_DEFAULT``), which is what training did before there was the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from spaces.config.checks import is_int, is_number, require
from spaces.config.documents import UNLESS_DEFAULT

Optimizer = Literal["adam", "sgd", "rmsprop", "adamw"]
LearningRateSchedule = Literal["cosine", "constant", "cosine_warmup", "plateau"]
ClassWeights = Literal["none", "balanced"]

OPTIMIZERS: tuple[str, ...] = get_args(Optimizer)
"""``adam`` decouples its weight decay already, which makes it the same as ``adamw``; that name
is there for who looks for it."""

LR_SCHEDULES: tuple[str, ...] = get_args(LearningRateSchedule)
CLASS_WEIGHTS: tuple[str, ...] = get_args(ClassWeights)

MIXING = ("mixup", "cutmix")
"""Augmentations which mix two pictures, and their labels with them."""

AUGMENTATIONS = ("flip", "shift", "rotation", "zoom", "colour", "randaugment", *MIXING)
"""What a policy of augmentation is made of, joined by ``+``. ``none`` is the empty policy."""

DEFAULT_STRENGTH = 0.5
"""What most papers and tutorials would use."""

RECIPE_DEFAULTS: dict[str, Any] = {
    "augmentation": "none",
    "augmentation_strength": DEFAULT_STRENGTH,
    "label_smoothing": 0.0,
    "lr_schedule": "cosine",
    "ema": 0.0,
    "class_weights": "none",
}
"""Parts of the recipe that a study may search, and what training did before they were there."""


def augmentation_parts(policy: str) -> tuple[str, ...]:
    """Return what a policy is made of; nothing for ``none``.

    Raises:
        ConfigError: If it is not one of ``AUGMENTATIONS``, or several joined by ``+``, each
            once, with one that mixes pictures at most.
    """
    if policy == "none":
        return ()
    parts = tuple(policy.split("+")) if isinstance(policy, str) else ()
    require(
        bool(parts) and set(parts) <= set(AUGMENTATIONS) and len(set(parts)) == len(parts),
        f"augmentation is none, or some of ({', '.join(AUGMENTATIONS)}) joined by +",
        augmentation=policy,
    )
    require(
        len(set(parts) & set(MIXING)) <= 1,
        "augmentation has one of (mixup, cutmix) at most",
        augmentation=policy,
    )
    return parts


@dataclass(frozen=True)
class TrainingConfig:
    """How the weights are trained.

    Attributes:
        learning_rate: Initial (highest) learning rate, above 0.
        batch_size: Images a step, at least 1.
        optimizer: One of ``OPTIMIZERS``.
        weight_decay: Decoupled weight decay of the optimizer, at least 0.
        epochs: Passes over the training images, at least 1 (a branch may have 0). Pruning
            happens within them; quantization-aware training comes on top.
        qat_epochs: Epochs of quantization-aware training, used by schemes which train.
        augmentation: How training pictures are changed at random: ``none``, or some of
            ``AUGMENTATIONS`` joined by ``+`` (see ``workers.training.augment``).
        augmentation_strength: How much, in (0, 1]; what it means to each of them stands there.
        label_smoothing: Share of every label that is spread over all classes, in [0, 1).
        lr_schedule: One of ``LR_SCHEDULES`` (see ``workers.training.learning_rates``).
        ema: The weights that count are a moving average over the latest steps: its time
            constant as a fraction of training, in [0, 1). 0 takes the last weights.
        class_weights: ``balanced`` weighs the losses so that every class counts the same,
            however many pictures it has; ``none`` counts every picture the same.
        from_model: Whether what the model's own code says of its training, in ``compile`` and
            in the ``fit`` of its HyperModel, goes before all of these (see
            ``workers.training.compiled``). ``learning_rate`` is then 1 unless the model leaves it
            open.
        as_written: Whether the model's own code is followed where earlier versions guessed: what
            it puts out and takes is looked at (see ``workers.training.interface``), the loss of
            ``compile`` is taken as it is, and callbacks of ``fit`` are called.
        weights: SHA-256 of the file whose weights training starts from; empty for random ones
            (see ``workers.training.start_weights``).
        frozen_share: Part of the epochs, from the first on, in which layers that started from a
            file are not trained, in [0, 1).
        fine_tuning_factor: By which the learning rate of these layers is multiplied afterwards,
            in (0, 1].
    """

    learning_rate: float
    batch_size: int
    optimizer: str = "adam"
    weight_decay: float = 0.0
    epochs: int = 10
    qat_epochs: int = 2
    augmentation: str = field(default="none", metadata=UNLESS_DEFAULT)
    augmentation_strength: float = field(default=DEFAULT_STRENGTH, metadata=UNLESS_DEFAULT)
    label_smoothing: float = field(default=0.0, metadata=UNLESS_DEFAULT)
    lr_schedule: str = field(default="cosine", metadata=UNLESS_DEFAULT)
    ema: float = field(default=0.0, metadata=UNLESS_DEFAULT)
    class_weights: str = field(default="none", metadata=UNLESS_DEFAULT)
    from_model: bool = field(default=False, metadata=UNLESS_DEFAULT)
    as_written: bool = field(default=False, metadata=UNLESS_DEFAULT)
    weights: str = field(default="", metadata=UNLESS_DEFAULT)
    frozen_share: float = field(default=0.0, metadata=UNLESS_DEFAULT)
    fine_tuning_factor: float = field(default=1.0, metadata=UNLESS_DEFAULT)

    def __post_init__(self) -> None:
        rate, batch_size, decay = self.learning_rate, self.batch_size, self.weight_decay
        require(is_number(rate) and rate > 0, "0 < learning_rate", learning_rate=rate)
        require(is_int(batch_size) and batch_size >= 1, "1 <= batch_size", batch_size=batch_size)
        require(is_number(decay) and decay >= 0, "0 <= weight_decay", weight_decay=decay)
        require(is_int(self.epochs) and self.epochs >= 0, "0 <= epochs", epochs=self.epochs)
        require(
            is_int(self.qat_epochs) and self.qat_epochs >= 1,
            "1 <= qat_epochs",
            qat_epochs=self.qat_epochs,
        )
        for name, known in (
            ("optimizer", OPTIMIZERS),
            ("lr_schedule", LR_SCHEDULES),
            ("class_weights", CLASS_WEIGHTS),
        ):
            value = getattr(self, name)
            require(value in known, f"{name} in ({', '.join(known)})", **{name: value})
        augmentation_parts(self.augmentation)
        strength = self.augmentation_strength
        require(
            is_number(strength) and 0 < strength <= 1,
            "0 < augmentation_strength <= 1",
            augmentation_strength=strength,
        )
        require(
            self.weights == "" or re.fullmatch("[0-9a-f]{64}", self.weights) is not None,
            "weights is a SHA-256 of 64 hex digits, or empty",
            weights=self.weights,
        )
        factor = self.fine_tuning_factor
        require(
            is_number(factor) and 0 < factor <= 1,
            "0 < fine_tuning_factor <= 1",
            fine_tuning_factor=factor,
        )
        for name in ("label_smoothing", "ema", "frozen_share"):
            value = getattr(self, name)
            require(is_number(value) and 0 <= value < 1, f"0 <= {name} < 1", **{name: value})
        # 1 and 1.0 are equal, but not in the JSON that is hashed.
        for name in (
            "learning_rate",
            "weight_decay",
            "augmentation_strength",
            "label_smoothing",
            "ema",
            "frozen_share",
            "fine_tuning_factor",
        ):
            object.__setattr__(self, name, float(getattr(self, name)))
