"""Samplers of Optuna that ``search`` has no name for, and what a careful user would tell one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import optuna
from optuna.samplers import BaseSampler

from search.front.pareto import SIGNS, gains
from search.sampling.mirror import Mirror
from search.sampling.samplers import make_sampler
from search.study import create_or_resume

if TYPE_CHECKING:
    from benchmarks.replay.simulation import Policy

POPULATION_SIZE = 50


def any_sampler(name: str, seed: int, points_per_trial: int = 1, **others: Any) -> BaseSampler:
    """Return one of our samplers, or ``nsga3`` or ``optuna-gp`` of Optuna."""
    if name == "nsga3":
        return optuna.samplers.NSGAIIISampler(
            seed=seed, population_size=POPULATION_SIZE * max(1, points_per_trial)
        )
    if name == "optuna-gp":  # It needs torch.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=10)
    return make_sampler(name, seed, points_per_trial, **others)


class LogMirror(Mirror):
    """Tells any sampler the logarithms of error, size and latency."""

    def _scaled(self, values: Sequence[float] | None) -> tuple[float, ...] | None:
        if values is None:
            return None
        return tuple((gains([values], self._reference)[0] * -SIGNS).tolist())


@contextmanager
def told_by(policy: Policy) -> Iterator[None]:
    """While it lasts, studies are opened with a policy's sampler."""
    mirror = LogMirror if policy.log_metrics else Mirror
    with (
        patch.object(create_or_resume, "make_sampler", any_sampler),
        patch.object(create_or_resume, "Mirror", mirror),
    ):
        yield
