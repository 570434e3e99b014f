"""Trainings that branches may start from, and what was tried of each."""

from __future__ import annotations

from dataclasses import dataclass, field

from search.sampling.branch_costs import Spent
from search.sampling.branch_effects import Effect, Values
from search.sampling.branch_kinds import Kind
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrialConfig

MUCH_THE_SAME = 0.015
"""Sparsities that differ by so little are not both tried on one network."""


@dataclass
class Parent:
    """A training that branches may start from.

    Attributes:
        config: What it was.
        points: Values of its models.
        first: What the training took that its lineage began with.
        left: What it has left to learn (:func:`search.sampling.training_on.left_to_learn`).
        tried: The kinds of branches it had.
        branches: Configurations that its branches would have, by kind.
        added_to: Hypervolume of the front for which ``added`` was worked out.
        added: What its branches would add to that front, by kind and by what they would change.
    """

    config: TrialConfig
    points: dict[QuantizationScheme, Values]
    first: Spent
    left: float = 1.0
    tried: set[Kind] = field(default_factory=set)
    branches: dict[Kind, TrialConfig | None] = field(default_factory=dict)
    added_to: float = 0.0
    added: dict[tuple[Kind, Effect], float] = field(default_factory=dict)

    def has_tried(self, kind: Kind) -> bool:
        """Whether a branch did that, or pruned it to nearly as much."""
        pruned_to = [other.sparsity for other in self.tried if other.sparsity]
        is_near = any(abs(kind.sparsity - other) < MUCH_THE_SAME for other in pruned_to)
        return kind in self.tried or is_near
