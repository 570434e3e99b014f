"""Which point of a front to take: rules, limits, and what to say if no point keeps them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from search.front.pareto import (
    MIN_LATENCY_MS,
    MIN_SIZE_BYTES,
    SIGNS,
    ReferencePoint,
    Values,
    as_rows,
    counting,
)
from search.units import format_accuracy, format_latency, format_size
from spaces.errors import ConfigError
from workers.messages.result import Limits

PickRule = Literal["knee", "accuracy", "size", "latency"]
PICK_RULES: tuple[PickRule, ...] = get_args(PickRule)


def pick(
    values: Values,
    rule: PickRule,
    limits: Limits | None = None,
    ram_bytes: Sequence[float | None] | None = None,
    *,
    at_least: float | None = None,
    reference: ReferencePoint | None = None,
    lead_errors: npt.NDArray[np.float64] | None = None,
) -> int:
    """Return the index of the point that a rule picks among those which keep the limits.

    ``accuracy``, ``size`` and ``latency`` pick the best in that objective; ties go to the
    better in the others. ``knee`` picks the best compromise: the point closest to the ideal one
    that would be best in everything (Zeleny, "Compromise programming", 1973). It compares
    ratios (logarithms of error, size and latency), each scaled to the range of the points which
    keep the limits. Accuracy weighs as much as size and latency together: those two mostly rise
    and fall as one, and would outvote it. Of the point that it would be, smaller ones count as
    accurate if they are less so by no more than one standard error (after the rule of Breiman,
    Friedman, Olshen and Stone, 1984): which of them is ahead on other pictures, nobody knows.

    Args:
        values: Points, as a rule those on a front.
        rule: One of ``PICK_RULES``.
        limits: What the point must keep; None for no limits.
        ram_bytes: RAM of each point; unknown RAM keeps no limit on it.
        at_least: Accuracy that ``knee`` does not go below, where a point that keeps the limits
            has it: what somebody has already.
        reference: Where the study's hypervolume is measured from: what counts nothing there is no
            compromise, unless nothing counts.
        lead_errors: ``[points, points]``: standard error of each one's lead in accuracy over each
            other, NaN where not known; None to take every lead for real.

    Raises:
        ConfigError: If there are no points, or none keeps the limits; the text says how close
            they come.
    """
    if rule not in PICK_RULES:
        raise ConfigError(f"`pick in ({', '.join(PICK_RULES)})` must hold, but got {rule!r}.")
    rows = as_rows(values)
    if len(rows) == 0:
        raise ConfigError("There is no point to pick: no trial that keeps all limits is complete.")
    limits = limits or Limits()
    measured = _with_ram(rows, ram_bytes)
    kept = np.flatnonzero(_kept(measured, _checks(limits)))
    if len(kept) == 0:
        raise ConfigError(_nothing_keeps(measured, limits))
    losses = (rows * SIGNS)[kept]
    column = {"accuracy": 0, "size": 1, "latency": 2}.get(rule)
    if column is None:
        reference = reference or ReferencePoint()
        worth = counting(rows[kept], reference)
        if worth.any():
            kept, losses = kept[worth], losses[worth]
        too_low = rows[kept, 0] < (-math.inf if at_least is None else at_least)
        scale = rows[kept]
        distances = _squared_distances(scale, scale, reference.error_floor)
        order = np.lexsort((losses[:, 0], distances, too_low))
        if lead_errors is not None:
            best = order[0]
            leads = scale[best, 0] - scale[:, 0]
            is_smaller = (scale[:, 1] < scale[best, 1]) & (too_low <= too_low[best])
            same = is_smaller & (leads > 0) & (leads <= lead_errors[kept[best], kept])
            as_good = scale.copy()
            as_good[same, 0] = scale[best, 0]
            distances = _squared_distances(as_good, scale, reference.error_floor)
            order = np.lexsort((losses[:, 0], distances, ~same & (np.arange(len(kept)) != best)))
    else:
        # Accuracy is the first to break a tie: it is what people regret.
        ties = [other for other in (0, 1, 2) if other != column]
        order = np.lexsort((losses[:, ties[1]], losses[:, ties[0]], losses[:, column]))
    return int(kept[order[0]])


def _squared_distances(
    rows: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], least_error: float
) -> npt.NDArray[np.float64]:
    """Return how far each point lies from the best in everything, see :func:`pick`.

    Args:
        rows: The points.
        scale: Points whose range is the unit, and the best of which in everything is meant.
        least_error: What an error of 0 counts as.
    """
    low = (logs := _logarithms(scale, least_error)).min(axis=0)
    width = logs.max(axis=0) - low
    scaled = (_logarithms(rows, least_error) - low) / np.where(width > 0, width, 1)
    distances: npt.NDArray[np.float64] = scaled**2 @ np.array([0.5, 0.25, 0.25])
    return distances


def _logarithms(rows: npt.NDArray[np.float64], least_error: float) -> npt.NDArray[np.float64]:
    """Return logarithms of error, size and latency."""
    logs: npt.NDArray[np.float64] = np.log10(
        np.column_stack(
            [
                np.maximum(1 - rows[:, 0], least_error),
                np.maximum(rows[:, 1], MIN_SIZE_BYTES),
                np.maximum(rows[:, 2], MIN_LATENCY_MS),
            ]
        )
    )
    return logs


def _with_ram(
    rows: npt.NDArray[np.float64], ram_bytes: Sequence[float | None] | None
) -> npt.NDArray[np.float64]:
    """Return the points with a fourth column, which is infinite where RAM is not known."""
    known = [None] * len(rows) if ram_bytes is None else ram_bytes
    column = [np.inf if ram is None else float(ram) for ram in known]
    return np.column_stack([rows, column])


class _Check(NamedTuple):
    """One limit: which column must stay on which side of it."""

    option: str
    column: int
    bound: float
    format: Callable[[float], str]

    def keeps(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        kept: npt.NDArray[np.bool_] = rows[:, self.column] * self._sign <= self.bound * self._sign
        return kept

    def closest(self, rows: npt.NDArray[np.float64]) -> str:
        """Return the best value of this column, as people read it."""
        best = float((rows[:, self.column] * self._sign).min() * self._sign)
        return self.format(best) if np.isfinite(best) else "unknown"

    @property
    def _sign(self) -> float:
        return float(SIGNS[self.column]) if self.column < len(SIGNS) else 1.0


def _checks(limits: Limits) -> list[_Check]:
    checks = [
        ("--min-accuracy", 0, limits.min_accuracy, format_accuracy),
        ("--max-size", 1, limits.max_size_bytes, format_size),
        ("--max-latency", 2, limits.max_latency_ms, format_latency),
        ("--max-ram", 3, limits.max_ram_bytes, format_size),
    ]
    return [_Check(*check) for check in checks if check[2] is not None]  # type: ignore[arg-type]


def _kept(rows: npt.NDArray[np.float64], checks: Sequence[_Check]) -> npt.NDArray[np.bool_]:
    mask = np.ones(len(rows), dtype=bool)
    for check in checks:
        mask &= check.keeps(rows)
    return mask


def _nothing_keeps(rows: npt.NDArray[np.float64], limits: Limits) -> str:
    """Say for each limit how close the points come to it that keep all the others."""
    checks = _checks(limits)
    asked = " and ".join(f"{check.option} {check.format(check.bound)}" for check in checks)
    closest = []
    for check in checks:
        others = [other for other in checks if other is not check]
        rest = rows[_kept(rows, others)]
        if len(rest):
            condition = " with the rest kept" if others else ""
            closest.append(f"{check.option} {check.closest(rest)}{condition}")
    if not closest:
        closest = [f"{check.option} {check.closest(rows)} alone" for check in checks]
    return f"No point keeps {asked}. Closest: {', or '.join(closest)}."
