"""How often the sampler's guess of an error holds what recorded trainings had.

Its Gaussian process learns from some trainings of a recording, as ``gp`` does, and guesses the
others. Of a normal distribution 95 % would lie within 1.96 deviations and 68 % within one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.replay.recordings import Recording
from benchmarks.replay.surrogate import ALWAYS
from search.sampling.gaussian_process import Array
from search.sampling.gp_sampler import MAX_SPREAD, error_process
from search.sampling.space_moves import as_numbers
from search.sampling.trainings import filled

N_STEPS = 40


@dataclass(frozen=True)
class Intervals:
    """Means over all schemes and splits.

    Attributes:
        within_95: Share of errors that lie within 1.96 deviations.
        within_68: Share that lies within one.
        squared: Mean square of the distance in deviations: 1 where those are right.
        unexplained: Root mean square error, as a part of the deviation of all errors.
    """

    within_95: float
    within_68: float
    squared: float
    unexplained: float


def intervals(recording: Recording, n_known: int, n_splits: int, seed: int = 0) -> Intervals:
    """Return how well guesses from ``n_known`` trainings hold the others.

    Args:
        recording: Trainings.
        n_known: How many are learned from.
        n_splits: How often they are drawn.
        seed: Of the draws.
    """
    inputs, errors = _table(recording)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_splits):
        order = rng.permutation(len(inputs))
        known, others = order[:n_known], order[n_known:]
        highest = np.median(errors[known], axis=0) + MAX_SPREAD
        outputs, true = (np.minimum(errors[at], highest) for at in (known, others))
        process = error_process()
        process.search_scales(inputs[known], outputs, N_STEPS)
        process.observe(inputs[known], outputs)
        means, deviations = process.predict_with_deviation(inputs[others])
        deviations = np.sqrt(deviations**2 + process.noise * outputs.var(axis=0))
        off = np.abs(true - means) / deviations
        rest = math.sqrt(((true - means) ** 2).mean()) / float(true.std())
        found.append([(off < 1.96).mean(), (off < 1).mean(), (off**2).mean(), rest])
    return Intervals(*np.mean(found, axis=0).tolist())


def _table(recording: Recording) -> tuple[Array, Array]:
    """Return configurations as numbers, and logarithms of errors by scheme."""
    floor = 0.5 / recording.about["settings"]["n_val"]
    schemes = ("float32", *ALWAYS)
    errors = np.array(
        [
            [
                math.log(max(1 - row["points"][s][0], floor)) if s in row["points"] else math.nan
                for s in schemes
            ]
            for row in recording.rows
        ]
    )
    space = recording.trained_space
    inputs = np.array([as_numbers(space, row["params"]) for row in recording.rows])
    return inputs, filled(errors)
