"""Which samplers there are, and how each is made: Optuna's, and our own.

They propose on a mirror of the study (``search.sampling.mirror``). NSGA-II finds points that were
derived from another trial's training in the population of that trial. Our own sampler takes all
points of a training for one observation.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping

from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

from search.front.pareto import ReferencePoint
from search.sampling.gp_sampler import SurrogateSampler
from spaces.errors import ConfigError
from workers.messages.limits import Limits

SAMPLERS: Mapping[str, str] = {
    "gp": "models what a training gives, picks what promises the largest gain of hypervolume",
    "tpe": "models where good points lie, parameters together (multivariate TPE)",
    "nsga2": "breeds new points from the best ones (NSGA-II)",
    "random": "draws at random",
}
"""Samplers by name, with one line on each."""

MAX_GOOD_POINTS = 25
"""Points that TPE models as good, at most."""

_N_STARTUP_TRIALS = 10
_N_STARTUP_TRAININGS = 4  # Each gives points of all schemes, and the start design is spread well.

MAX_GENERATION = 50
"""Points of a generation of NSGA-II, at most: Optuna's own default."""

MIN_GENERATION = 10
TRAININGS_OF_A_GENERATION = 8
"""Where a training gives a point for every scheme, as many trainings make a generation; until the
first one is there, points are drawn at random."""


def sampler_seed(seed: int, n_trials: int) -> int:
    """Return a seed for a sampler that starts when a study has ``n_trials`` trials.

    A resumed study must not draw the numbers again that it drew at its start.
    """
    digest = hashlib.sha256(f"sampler {seed} {n_trials}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def make_sampler(
    name: str,
    seed: int,
    points_per_trial: int = 1,
    *,
    reference: ReferencePoint | None = None,
    limits: Limits | None = None,
) -> BaseSampler:
    """Return a sampler by its name.

    Args:
        name: One of ``SAMPLERS``.
        seed: Seed of its random numbers.
        points_per_trial: Points that one training gives as a rule.
        reference: Where the study's hypervolume is measured from.
        limits: Limits of the study.

    Raises:
        ConfigError: If there is no sampler of that name.
    """
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "nsga2":
        n_points = TRAININGS_OF_A_GENERATION * points_per_trial
        n_points = min(MAX_GENERATION, max(MIN_GENERATION, n_points))
        return NSGAIISampler(seed=seed, population_size=n_points)
    if name == "gp":
        return SurrogateSampler(
            seed,
            n_startup=_N_STARTUP_TRAININGS,
            fan_out=points_per_trial > 1,
            reference=reference,
            limits=limits,
        )
    if name == "tpe":
        with warnings.catch_warnings():
            # `group` is experimental and `gamma` is to go in Optuna 6; we pin Optuna 5. Without
            # a cap on the number of good points an ask grows with the square of their number.
            warnings.simplefilter("ignore")
            return TPESampler(
                seed=seed,
                multivariate=True,
                group=True,  # Conditional parameters are modelled with those they come with.
                constant_liar=True,  # Trials under way repel new ones.
                n_startup_trials=_N_STARTUP_TRIALS,
                gamma=_n_good_points,
            )
    raise ConfigError(f"`sampler in ({', '.join(SAMPLERS)})` must hold, but got {name!r}.")


def _n_good_points(n: int) -> int:
    return min(-(-n // 10), MAX_GOOD_POINTS)
