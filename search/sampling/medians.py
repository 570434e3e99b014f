"""The median of values of which some count more."""

from __future__ import annotations

from collections.abc import Iterable


def weighted_median(pairs: Iterable[tuple[float, float]]) -> float:
    """Return the value up to which lies half of all weight.

    Args:
        pairs: Values and their weights, at least one.
    """
    ordered = sorted(pairs)
    half = sum(weight for _, weight in ordered) / 2
    reached = 0.0
    for value, weight in ordered:
        reached += weight
        if reached >= half:
            return value
    raise ValueError("There is no median of nothing.")
