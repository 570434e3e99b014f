"""The point of a front that is most like another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from search.front.pareto import MIN_ERROR, MIN_LATENCY_MS, MIN_SIZE_BYTES, Values, as_rows

if TYPE_CHECKING:
    from search.front.read import FrontPoint, StudyFront


def nearest_point(
    front: StudyFront, values: tuple[float, float, float], keep: Callable[[FrontPoint], bool]
) -> FrontPoint | None:
    """Return the point that comes nearest to some values, by the ratios of each objective.

    Twice the error counts as much as twice the size and twice the latency.

    Args:
        front: Whose points are looked at.
        values: Accuracy, size and latency.
        keep: Which points may be returned.

    Returns:
        The point; None if there is none.
    """
    points = [point for point in front.points if keep(point)]
    if not points:
        return None
    there = _logarithms([point.values for point in points])
    distances = ((there - _logarithms([values])) ** 2).sum(axis=1)
    return points[int(distances.argmin())]


def _logarithms(values: Values) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    rows = as_rows(values)
    lowest = np.array([MIN_ERROR, MIN_SIZE_BYTES, MIN_LATENCY_MS])
    losses = np.column_stack([1 - rows[:, 0], rows[:, 1], rows[:, 2]])
    return np.asarray(np.log(np.maximum(losses, lowest)))
