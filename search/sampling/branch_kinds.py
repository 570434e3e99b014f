"""What a branch may do: prune, train quantization-aware, or train on; and its configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from search.sampling.training_on import lasts
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrialConfig
from spaces.space.search_space import SearchSpace
from workers.messages.limits import Limits

SPARSITIES = (0.5, 0.7, 0.85)
"""What branches prune to: about a half, a third and a sixth of the weights."""

MAX_LINEAGE = 6
"""Trainings that lead to a model, at most; retraining does all of them again, which takes as long
as 32 first ones if each of them trained on. One small network on generated fruit had 88.3, 90.8,
93.3 and 94.2 % after four of the same length, and still gained."""


@dataclass(frozen=True)
class Kind:
    """What a branch does.

    Attributes:
        name: ``prune 0.5``, ``train on`` or ``qat``.
        sparsity: What it prunes to; 0 if it does not.
    """

    name: str
    sparsity: float = 0.0

    @property
    def words(self) -> str:
        """What it did, for people."""
        if self.sparsity:
            return f"pruned to {100 * self.sparsity:.0f} %"
        return "trained on" if self.name == "train on" else "trained quantization-aware"


def pruning_to(sparsity: float) -> Kind:
    """Return what a branch does that prunes to some sparsity."""
    return Kind(f"prune {sparsity:g}", sparsity)


QAT = Kind("qat")
TRAIN_ON = Kind("train on")
KINDS = (*(pruning_to(sparsity) for sparsity in SPARSITIES), TRAIN_ON, QAT)
SPARSEST = pruning_to(0.93)
"""Only where there is a limit on sizes: it leaves a sixth of the bytes of a large network's int8
weights. Without such a limit it was not tried."""


_FEWER = 0.9
"""A branch that prunes leaves at most so much of the weights that are left: less is not worth a
trial."""


def sparsest(limits: Limits) -> tuple[Kind, ...]:
    """Return what else branches do within limits."""
    return (SPARSEST,) if limits.max_size_bytes else ()


def branch_config(
    parent: TrialConfig, kind: Kind, epochs: int, space: SearchSpace
) -> TrialConfig | None:
    """Return the configuration of a branch; None if a study of this space has none such.

    Args:
        parent: Configuration of the trial whose weights it starts from.
        kind: What it does.
        epochs: Of a whole training. Pruning takes a third of them, training on as many as all
            that led to the parent; or these, where a model's own code says when its first
            training ends, as that may have been long before.
        space: What the study searches.
    """
    if len(parent.lineage) >= MAX_LINEAGE:
        return None
    schemes = space["quantization"].choices if "quantization" in space else ()
    if kind is QAT:
        if QuantizationScheme.QAT_INT8.value not in schemes:
            return None
        return replace(
            parent,
            training=replace(parent.training, epochs=0),
            quantization=QuantizationScheme.QAT_INT8,
            branched_from=parent,
        )
    if kind is TRAIN_ON:
        if parent.training.epochs == 0:  # Its weights are its parent's.
            return None
        more = epochs if parent.training.from_model else round(lasts(parent.total_epochs))
        return replace(
            parent,
            training=replace(parent.training, epochs=more),
            pruning=_pruned_to(parent.pruning.final_sparsity),
            quantization=QuantizationScheme.FLOAT32,
            branched_from=parent,
        )
    left = 1 - parent.pruning.final_sparsity
    if "final_sparsity" not in space or 1 - kind.sparsity > _FEWER * left:
        return None
    if not space["final_sparsity"].contains(kind.sparsity):
        return None
    return replace(
        parent,
        training=replace(parent.training, epochs=max(1, math.ceil(epochs / 3))),
        pruning=_pruned_to(kind.sparsity),
        quantization=QuantizationScheme.FLOAT32,
        branched_from=parent,
    )


def _pruned_to(sparsity: float) -> PruningConfig:
    """Return how a branch is pruned; what its parent was pruned already stays so meanwhile."""
    return PruningConfig("polynomial", sparsity, 0.0, 0.5, 0.05) if sparsity else PruningConfig()


def branch_sparsity(
    config: TrialConfig, epochs: int, space: SearchSpace, limits: Limits | None = None
) -> float:
    """Return the most that a branch could prune a training to; 0 if there is no such branch."""
    kinds = (*KINDS, *sparsest(limits or Limits()))
    pruned = (k.sparsity for k in kinds if k.sparsity and branch_config(config, k, epochs, space))
    return max(pruned, default=0.0)


def kind_of(config: TrialConfig) -> Kind:
    """Return the kind of a branch."""
    if config.training.epochs == 0:
        return QAT
    parent = config.branched_from
    if parent is not None and config.pruning.final_sparsity == parent.pruning.final_sparsity:
        return TRAIN_ON
    return pruning_to(config.pruning.final_sparsity)


def is_trained_on(config: TrialConfig) -> bool:
    """Whether any step that leads to a configuration trained on."""
    return any(kind_of(step) is TRAIN_ON for step in config.lineage if step.branched_from)
