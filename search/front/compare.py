"""Two studies side by side: hypervolume, who dominates whom, and the gain at equal size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.front.pareto import SIGNS, ReferencePoint, as_rows, hypervolume
from search.front.study_front import StudyFront
from spaces.errors import ConfigError

N_SIZES = 8
"""Sizes at which two fronts are compared at most."""


@dataclass(frozen=True)
class SizeGain:
    """The best accuracies that two studies have up to one size.

    Attributes:
        size_bytes: The size that models may have.
        accuracies: Of either study; None where it has nothing that small.
    """

    size_bytes: float
    accuracies: tuple[float | None, float | None]

    @property
    def gain(self) -> float | None:
        """By how much the second is more accurate; None where one has nothing."""
        first, second = self.accuracies
        return None if first is None or second is None else second - first


@dataclass(frozen=True)
class Comparison:
    """Two fronts, measured by one measure.

    Attributes:
        fronts: The two studies.
        reference: The reference point of both hypervolumes: the laxer one of theirs.
        hypervolumes: Of either front.
        joint_hypervolume: Of both fronts together.
        n_dominated: For either front, how many of its points one of the other dominates.
        n_equal: How many points of the first front the second has just so.
        gains: Best accuracies up to some sizes, the smallest size first.
        differences: In what the two do not compare; a sentence each.
    """

    fronts: tuple[StudyFront, StudyFront]
    reference: ReferencePoint
    hypervolumes: tuple[float, float]
    joint_hypervolume: float
    n_dominated: tuple[int, int]
    n_equal: int
    gains: tuple[SizeGain, ...]
    differences: tuple[str, ...]


def compare_fronts(first: StudyFront, second: StudyFront) -> Comparison:
    """Compare the fronts of two studies.

    Raises:
        ConfigError: If their first objectives or their sizes are different metrics: then no
            figure of one says anything about the other.
    """
    for name, was, other in (
        ("--metric", first.metric, second.metric),
        ("--size", first.size_metric, second.size_metric),
    ):
        if was != other:
            raise ConfigError(
                f"Studies compare only under one {name}, but {first.study!r} has {was} and "
                f"{second.study!r} {other}."
            )
    a, b = (as_rows([point.values for point in front.points]) for front in (first, second))
    reference = max((first.reference, second.reference), key=lambda r: (r.error, r.size_bytes))
    return Comparison(
        fronts=(first, second),
        reference=reference,
        hypervolumes=(hypervolume(a, reference), hypervolume(b, reference)),
        joint_hypervolume=hypervolume(np.concatenate([a, b]), reference),
        n_dominated=(_n_dominated(a, b), _n_dominated(b, a)),
        n_equal=int(sum((b == row).all(axis=1).any() for row in a)),
        gains=tuple(
            SizeGain(size, (_best_up_to(a, size), _best_up_to(b, size))) for size in _sizes(a, b)
        ),
        differences=tuple(_differences(first, second)),
    )


def _n_dominated(rows: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> int:
    """Return how many rows one of the others dominates."""
    losses, of_others = rows * SIGNS, others * SIGNS
    return sum(
        bool(((of_others <= loss).all(axis=1) & (of_others < loss).any(axis=1)).any())
        for loss in losses
    )


def _best_up_to(rows: npt.NDArray[np.float64], size_bytes: float) -> float | None:
    small = rows[rows[:, 1] <= size_bytes]
    return float(small[:, 0].max()) if len(small) else None


def _sizes(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> Sequence[float]:
    """Return doubled sizes in kB from the smallest model to the largest, not too many."""
    sizes = np.concatenate([a[:, 1], b[:, 1]])
    if not len(sizes):
        return ()
    low = math.floor(math.log2(max(sizes.min(), 1.0) / 1000))
    # Beyond the largest model nothing changes.
    high = max(low, math.ceil(math.log2(max(sizes.max(), 1.0) / 1000)))
    step = max(1, math.ceil((high - low + 1) / N_SIZES))
    powers = list(range(high, low - 1, -step))[::-1]
    return [1000 * 2.0**power for power in powers if 1000 * 2.0**power >= sizes.min()]


def _differences(first: StudyFront, second: StudyFront) -> list[str]:
    found = []
    for what, was, other in (
        ("Latencies are of different devices", first.device, second.device),
        ("Accuracies are of different data", first.data_name, second.data_name),
        ("Tasks are different", first.task, second.task),
        ("Accuracies are of different numbers of samples", first.n_val, second.n_val),
        ("Classes are different", len(first.class_names), len(second.class_names)),
    ):
        if was != other:
            found.append(f"{what}: {was} and {other}.")
    return found
