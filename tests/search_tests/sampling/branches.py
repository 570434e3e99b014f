"""A space of branches, and what trainings of it give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from search.front.pareto import ReferencePoint, hypervolume
from search.sampling.branch_costs import Spent
from search.sampling.branch_effects import Values
from search.sampling.branching import MIN_NEW, Brancher
from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.config.trial import TrialConfig
from tests.search_tests import analytic

SPACE = analytic.analytic_space()
EPOCHS = 5
REFERENCE = ReferencePoint()


def config_of(**changes: Any) -> TrialConfig:
    params = {**SPACE.defaults(), "pruning_schedule": "none", **changes}
    names = {"final_sparsity", "pruning_begin", "pruning_end", "pruning_frequency"}
    return analytic.make_config({k: v for k, v in params.items() if k not in names - set(changes)})


def points_of(config: TrialConfig) -> dict[QuantizationScheme, Values]:
    return {
        scheme: analytic.make_point(config.with_quantization(scheme)).values
        for scheme in POST_TRAINING_SCHEMES
    }


class OneTraining:
    """One good training, and what it is compared with."""

    front: list[Values]

    def brancher(self, gain_of_new: float, n_new: int = MIN_NEW) -> Brancher:
        brancher = Brancher(EPOCHS, SPACE)
        parent = config_of()
        self.front = list(points_of(parent).values())
        brancher.note(0, parent, points_of(parent), gain=0.05, took=Spent(10.0))
        for number in range(1, n_new):
            brancher.note(number, config_of(filters_1=8 * number), {}, gain=0.0, took=Spent(10.0))
        for number in range(n_new, 2 * n_new):
            brancher.note(number, config_of(dropout=0.5), {}, gain=gain_of_new, took=Spent(10.0))
        return brancher

    def hypervolume(self, points: Iterable[Values]) -> float:
        return hypervolume([*self.front, *points], REFERENCE)

    def propose(self, brancher: Brancher, kept: tuple[int, ...] = (0,)) -> object:
        return brancher.propose(kept, self.hypervolume)
