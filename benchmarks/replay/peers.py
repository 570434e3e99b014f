"""Samplers of Optuna that ``search`` has no name for, and what a careful user would tell one."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from optuna.samplers import BaseSampler, GPSampler, NSGAIIISampler, NSGAIISampler
from optuna.trial import FrozenTrial, Trial

from search.front.pareto import SIGNS, gains
from search.sampling.mirror import Mirror
from search.sampling.samplers import make_sampler
from search.storage import attributes
from search.study import create_or_resume

if TYPE_CHECKING:
    from benchmarks.replay.simulation import Policy

POPULATION_SIZE = 50
OPTUNA_GP = "optuna-gp"


def missing_for(sampler: str) -> str:
    """Return what has to be installed for a sampler to run; empty if nothing has."""
    if sampler == OPTUNA_GP and importlib.util.find_spec("torch") is None:
        return (
            "torch, which is none of our dependencies: pip install torch (the CPU build will do)"
        )
    return ""


class _NSGAIII(NSGAIIISampler):
    """Keeps generations where the mirror copies them to the points of other schemes."""

    @classmethod
    def _get_generation_key(cls) -> str:
        return attributes.GENERATION


def any_sampler(
    name: str,
    seed: int,
    points_per_trial: int = 1,
    *,
    population: int | None = None,
    **others: Any,
) -> BaseSampler:
    """Return one of our samplers, or ``nsga3`` or ``optuna-gp`` of Optuna.

    Args:
        name: Of the sampler.
        seed: Of its random numbers.
        points_per_trial: Points that one training gives as a rule.
        population: Points of a generation, where there are generations; None for the default.
        others: What our own samplers want to know.
    """
    if name == "nsga3":
        return _NSGAIII(seed=seed, population_size=population or POPULATION_SIZE)
    if name == "nsga2" and population is not None:
        return NSGAIISampler(seed=seed, population_size=population)
    if name == OPTUNA_GP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return GPSampler(seed=seed, n_startup_trials=10, warn_independent_sampling=False)
    return make_sampler(name, seed, points_per_trial, **others)


class PeerMirror(Mirror):
    """What peers of ours need beside: NSGA-III breeds from the start of a study as NSGA-II does.

    Optuna's GPSampler gets one point of a training, its trial's own, as TPE does: its processes
    take time with the cube of their points, and with all schemes there are five times as many.
    """

    def _population(self, trial: Trial) -> dict[str, Any]:
        if not isinstance(self._sampler, _NSGAIII):
            return super()._population(trial)
        frozen = self._storage.get_trial(trial.number)
        return {attributes.GENERATION: self._sampler.get_trial_generation(self._study, frozen)}

    def add(self, trial: FrozenTrial) -> None:
        """Add an ended trial, unless it is one of a training that GPSampler knows."""
        if isinstance(self._sampler, GPSampler) and attributes.DERIVED_FROM in trial.user_attrs:
            return
        super().add(trial)


class LogMirror(PeerMirror):
    """Tells any sampler the logarithms of error, size and latency."""

    def _scaled(self, values: Sequence[float] | None) -> tuple[float, ...] | None:
        if values is None:
            return None
        return tuple((gains([values], self._reference)[0] * -SIGNS).tolist())


@contextmanager
def told_by(policy: Policy) -> Iterator[None]:
    """While it lasts, studies are opened with a policy's sampler."""
    mirror = LogMirror if policy.log_metrics else PeerMirror
    make = partial(any_sampler, population=policy.population)
    with (
        patch.object(create_or_resume, "make_sampler", make),
        patch.object(create_or_resume, "Mirror", mirror),
    ):
        yield
