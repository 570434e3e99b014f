"""The frozen configuration of one trial: all that decides which model comes out of it.

A :class:`TrialConfig` travels to workers, into the database and into exported files. Two
equal configurations, run with the same library versions on the same kind of machine, give
the same ``.tflite``, byte for byte; so everything that matters is in here and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

from spaces.config.checks import is_int, is_number, require
from spaces.config.documents import UNLESS_DEFAULT, from_plain, to_plain
from spaces.config.schemes import QuantizationScheme
from spaces.config.training import OPTIMIZERS as OPTIMIZERS
from spaces.config.training import TrainingConfig as TrainingConfig
from spaces.errors import ConfigError

ParamValue = bool | int | float | str
"""What one searched parameter can hold."""

PruningScheduleName = Literal["none", "constant", "polynomial"]

PRUNING_SCHEDULES: tuple[str, ...] = get_args(PruningScheduleName)


@dataclass(frozen=True)
class PruningConfig:
    """When and how far weights are pruned, in fractions of training.

    Fractions, because a schedule in steps means something else at every batch size. The
    training loop turns them into steps. See Zhu and Gupta, "To prune, or not to prune"
    (2017), for the polynomial schedule.

    Attributes:
        schedule: ``none``, ``constant`` (the full sparsity from ``begin`` on) or
            ``polynomial`` (a cubic ramp from ``begin`` to ``end``).
        final_sparsity: Fraction of zero weights in the prunable layers, in (0, 1); 0 with
            ``none``.
        begin: Start, as a fraction of training, in [0, 1).
        end: End of the mask updates, as a fraction of training, in (begin, 1].
        frequency: Distance between two mask updates, as a fraction of training, in (0, 1].
    """

    schedule: str = "none"
    final_sparsity: float = 0.0
    begin: float = 0.0
    end: float = 1.0
    frequency: float = 0.05

    def __post_init__(self) -> None:
        require(
            self.schedule in PRUNING_SCHEDULES,
            f"schedule in ({', '.join(PRUNING_SCHEDULES)})",
            schedule=self.schedule,
        )
        for name in ("final_sparsity", "begin", "end", "frequency"):
            require(
                is_number(getattr(self, name)),
                f"{name} is a number",
                **{name: getattr(self, name)},
            )
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.schedule == "none":
            require(
                self.final_sparsity == 0,
                "final_sparsity == 0 without a pruning schedule",
                final_sparsity=self.final_sparsity,
            )
            return
        require(
            0 < self.final_sparsity < 1,
            "0 < final_sparsity < 1",
            final_sparsity=self.final_sparsity,
        )
        require(
            0 <= self.begin < self.end <= 1,
            "0 <= begin < end <= 1",
            begin=self.begin,
            end=self.end,
        )
        require(0 < self.frequency <= 1, "0 < frequency <= 1", frequency=self.frequency)

    @property
    def is_active(self) -> bool:
        """Whether any weight is pruned at all."""
        return self.schedule != "none"


@dataclass(frozen=True)
class TrialConfig:
    """One configuration, complete: equal configurations give equal models.

    Attributes:
        task: What ``search run`` names: ``fruit``, ``package.module:TASK`` or a file path.
        data_fingerprint: Content hash of the data set it is trained on.
        hyperparameters: The values that the model's ``build(hp)`` asks for, sorted by name.
        training: How the weights are trained.
        pruning: When and how far weights are pruned.
        quantization: Number format of the converted model.
        seed: Seeds initial weights, shuffling and dropout, in [0, 2**31).
        threads: TensorFlow threads; part of the configuration, because another number gives
            other weights.
        branched_from: A branch starts from the weights that this configuration's training
            ends with (before any quantization), instead of random ones. It is the same network
            on the same data; None for a training of its own.
    """

    task: str
    data_fingerprint: str
    hyperparameters: tuple[tuple[str, ParamValue], ...]
    training: TrainingConfig
    pruning: PruningConfig = PruningConfig()
    quantization: QuantizationScheme = QuantizationScheme.FLOAT32
    seed: int = 0
    threads: int = 1
    # Only where there is one, so that hashes stay what they were without branches.
    branched_from: TrialConfig | None = field(default=None, metadata=UNLESS_DEFAULT)

    def __post_init__(self) -> None:
        require(bool(self.task), "task is not empty", task=self.task)
        for name, value in self.hyperparameters:
            require(
                isinstance(name, str) and (isinstance(value, (bool, str)) or is_number(value)),
                "a hyperparameter is a finite number, a boolean or a string",
                **{str(name): value},
            )
        names = [name for name, _ in self.hyperparameters]
        require(
            len(set(names)) == len(names), "each hyperparameter stands once", hyperparameters=names
        )
        object.__setattr__(self, "hyperparameters", tuple(sorted(self.hyperparameters)))
        try:
            object.__setattr__(self, "quantization", QuantizationScheme(self.quantization))
        except ValueError:
            known = ", ".join(scheme.value for scheme in QuantizationScheme)
            raise ConfigError(
                f"`quantization in ({known})` must hold, but got "
                f"(quantization={self.quantization!r})."
            ) from None
        require(is_int(self.seed) and 0 <= self.seed < 2**31, "0 <= seed < 2**31", seed=self.seed)
        require(is_int(self.threads) and self.threads >= 1, "1 <= threads", threads=self.threads)
        if self.branched_from is None:
            require(self.training.epochs >= 1, "1 <= epochs", epochs=self.training.epochs)
        else:
            self._check_branch(self.branched_from)

    def _check_branch(self, parent: TrialConfig) -> None:
        for name in ("task", "data_fingerprint", "hyperparameters", "seed", "threads"):
            require(
                getattr(self, name) == getattr(parent, name),
                f"a branch has the {name} of what it branched from",
                **{name: getattr(self, name), f"branched_from.{name}": getattr(parent, name)},
            )
        # Quantization comes after the weights that a branch starts from.
        parent = parent.with_quantization(QuantizationScheme.FLOAT32)
        object.__setattr__(self, "branched_from", parent)

    @property
    def lineage(self) -> tuple[TrialConfig, ...]:
        """Trainings that lead here, the first one first and this one last."""
        before = () if self.branched_from is None else self.branched_from.lineage
        return (*before, self)

    @property
    def hyperparameter_dict(self) -> dict[str, ParamValue]:
        """The model's hyperparameters as a new dictionary."""
        return dict(self.hyperparameters)

    @cached_property
    def hash(self) -> str:
        """Sixteen hex digits that stay the same across processes, machines and versions."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def with_quantization(self, scheme: QuantizationScheme) -> TrialConfig:
        """Return the same training under another quantization scheme."""
        return replace(self, quantization=scheme)

    def with_data_fingerprint(self, fingerprint: str) -> TrialConfig:
        """Return the same trainings, all of them, on other data."""
        before = self.branched_from
        if before is not None:
            before = before.with_data_fingerprint(fingerprint)
        return replace(self, data_fingerprint=fingerprint, branched_from=before)

    @property
    def total_epochs(self) -> int:
        """Epochs of all trainings that lead to it, as planned, without quantization-aware ones."""
        return sum(step.training.epochs for step in self.lineage)

    def with_epochs(self, epochs: int) -> TrialConfig:
        """Return the same configuration with a first training of another length.

        What follows it is longer by the same factor, at least one epoch: a network that was
        pruned in half the epochs of its training is so afterwards, too. A step without epochs,
        which only trains quantization-aware, stays as it is.

        Args:
            epochs: Of the first training, at least 1.
        """
        return self._stretched(epochs, self.lineage[0].training.epochs)

    def _stretched(self, epochs: int, of: int) -> TrialConfig:
        before = self.branched_from
        longer = math.ceil(self.training.epochs * epochs / of)
        return replace(
            self,
            training=replace(self.training, epochs=longer),
            branched_from=None if before is None else before._stretched(epochs, of),
        )

    def with_seed(self, seed: int) -> TrialConfig:
        """Return the same trainings, all of them, from another seed."""
        before = self.branched_from
        return replace(
            self, seed=seed, branched_from=None if before is None else before.with_seed(seed)
        )

    def without_compression(self) -> TrialConfig:
        """Return the same trainings, all of them, without pruning, in float32."""
        before = self.branched_from
        return replace(
            self,
            pruning=PruningConfig(),
            quantization=QuantizationScheme.FLOAT32,
            branched_from=None if before is None else before.without_compression(),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; :meth:`from_dict` turns it back."""
        data: dict[str, Any] = to_plain(self)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrialConfig:
        """Rebuild a configuration from plain data.

        Raises:
            ConfigError: If a key is missing or unknown, or a value breaks a rule.
        """
        return from_plain(cls, data, "configuration")
