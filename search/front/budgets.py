"""The user's table: the best accuracy that can be had within so many kilobytes.

A hypervolume tells programs how far a search has come. A person asks what the best accuracy is
within 8, 16 or 32 kB, or within the limits that the study has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.front.finalists import Finalist, Mean
from search.front.pareto import SIGNS, Values, as_rows
from search.front.study_front import FrontPoint, StudyFront

BUDGETS_BYTES = (2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000)
"""Sizes that are asked for: each twice the one before, up to where small devices end."""


@dataclass(frozen=True)
class BudgetRow:
    """The best model within a budget, by the study's metric.

    Attributes:
        max_bytes: Largest size; None for the study's own limits, whatever the size.
        point: The model; None if none is as small.
        accuracy_low: Lower end of the 95 % interval (Wilson) of its accuracy; None without it.
        accuracy_high: Upper end.
        test: Mean accuracy on the test split, trained again from other seeds; None if it was not.
    """

    max_bytes: int | None
    point: FrontPoint | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    test: Mean | None = None


def best_within(
    values: Values, budgets_bytes: Sequence[float] = BUDGETS_BYTES
) -> tuple[int | None, ...]:
    """Return for each budget the index of the most accurate point that is no larger.

    Of points as accurate the smallest is taken, then the fastest; None where none is as small.
    All points of a study give the same accuracies as those on its front.

    Args:
        values: Points: accuracy, size_bytes, latency_ms of each.
        budgets_bytes: Largest sizes.
    """
    rows = as_rows(values)
    order = np.lexsort((rows * SIGNS).T[::-1])  # By accuracy, then size, then latency.
    sizes = rows[order, 1]
    found: list[int | None] = []
    for budget in budgets_bytes:
        small = np.flatnonzero(sizes <= budget)
        found.append(int(order[small[0]]) if len(small) else None)
    return tuple(found)


def budget_rows(front: StudyFront, finalists: Sequence[Finalist] = ()) -> tuple[BudgetRow, ...]:
    """Return the user's table of a study.

    One row for each of :data:`BUDGETS_BYTES` below the study's limit on size, if it has one,
    and the last for all that keeps its limits.

    Args:
        front: The study's front.
        finalists: Those of its points that were trained again.
    """
    tests = {one.trial: one.test for one in finalists}
    limit = front.limits.max_size_bytes
    budgets = [b for b in BUDGETS_BYTES if limit is None or b < limit]
    best = best_within([point.values for point in front.points], [*budgets, np.inf])
    rows = []
    for budget, index in zip([*budgets, None], best, strict=True):
        if index is None:
            rows.append(BudgetRow(budget))
        else:
            point = front.points[index]
            low, high = front.accuracy_context.interval(point.accuracy)
            rows.append(BudgetRow(budget, point, low, high, tests.get(point.trial)))
    return tuple(rows)
