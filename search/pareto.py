"""Which points are worth keeping: Pareto front, hypervolume, and rules to pick one point.

Pure functions on arrays. Values are natural and in the order of
``spaces.objectives.OBJECTIVES``: accuracy (more is better), ``size_bytes`` and ``latency_ms``
(less is better); signs are turned here and nowhere else.

The hypervolume is measured in coordinates in which equal steps matter equally: the error
``1 - accuracy``, and the logarithms of size and latency (halving a size is worth the same at
1 MB as at 10 kB).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from search.units import format_accuracy, format_latency, format_size
from spaces.errors import ConfigError
from spaces.objectives import OBJECTIVES
from workers.result import Limits

Values: TypeAlias = npt.NDArray[np.float64] | Sequence[Sequence[float]]
"""Points, one a row: accuracy, size_bytes, latency_ms."""

PickRule = Literal["knee", "accuracy", "size", "latency"]
PICK_RULES: tuple[PickRule, ...] = get_args(PickRule)

_SIGNS = np.array([-1.0 if o.direction == "maximize" else 1.0 for o in OBJECTIVES])

# Where one unit of the normalized hypervolume ends: no network that labels anything comes
# below, so that 1.0 is out of reach and numbers stay comparable for good.
_BEST_SIZE_BYTES = 1e3
_BEST_LATENCY_MS = 1e-3

# Logarithms need a floor; no model is smaller than a byte or faster than a nanosecond.
_MIN_SIZE_BYTES = 1.0
_MIN_LATENCY_MS = 1e-6
_MIN_ERROR = 1e-3


@dataclass(frozen=True)
class ReferencePoint:
    """The worst point that still counts; fixed for a study, or curves could not be compared.

    A point that is worse in any one objective adds nothing to the hypervolume.

    Attributes:
        error: Highest ``1 - accuracy``, in (0, 1].
        size_bytes: Largest size, above 1 kB.
        latency_ms: Longest latency, above 1 microsecond.
    """

    error: float = 1.0
    size_bytes: float = 100e6
    latency_ms: float = 10_000.0

    def __post_init__(self) -> None:
        if not (
            0 < self.error <= 1
            and _BEST_SIZE_BYTES < self.size_bytes < math.inf
            and _BEST_LATENCY_MS < self.latency_ms < math.inf
        ):
            raise ConfigError(
                "`0 < error <= 1, 1000 < size_bytes, 0.001 < latency_ms` must hold for a "
                f"reference point, but got {self}."
            )

    @classmethod
    def for_classes(cls, n_classes: int) -> ReferencePoint:
        """Return the default of a task: guessing among ``n_classes``, 100 MB, 10 s.

        No better than guessing is worth nothing, however small. Size and latency are far
        beyond what this program is for, so that in practice only the accuracy cuts points off.
        """
        return cls(error=1 - 1 / n_classes)

    def to_dict(self) -> dict[str, float]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ReferencePoint:
        """Rebuild a reference point from plain data."""
        return cls(**{field.name: float(data[field.name]) for field in fields(cls)})


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether point ``a`` is nowhere worse than ``b`` and somewhere better."""
    losses_a, losses_b = np.asarray(a) * _SIGNS, np.asarray(b) * _SIGNS
    return bool(np.all(losses_a <= losses_b) and np.any(losses_a < losses_b))


def pareto_mask(values: Values) -> npt.NDArray[np.bool_]:
    """Return which rows no other row dominates; of equal rows only the first.

    Takes O(n log n) steps.
    """
    losses = _rows(values) * _SIGNS
    mask = np.zeros(len(losses), dtype=bool)
    # In lexicographic order a row can only be dominated by rows before it, and the first
    # objective needs no further look. `lexsort` is stable: of equal rows the first comes first.
    staircase = _Staircase()
    for index in np.lexsort(losses.T[::-1]):
        _, y, z = losses[index]
        mask[index] = staircase.add(float(y), float(z))
    return mask


class Front:
    """A Pareto front that grows point by point.

    Keys tell points apart (trial numbers, say). An added point costs one pass over the front
    as it stands, about ten microseconds at a thousand points.
    """

    def __init__(self) -> None:
        self._keys: list[int] = []
        self._losses = np.empty((len(_SIGNS), 64))  # One objective a row: compared in one go.

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: int) -> bool:
        return key in self._keys

    @property
    def keys(self) -> tuple[int, ...]:
        """Keys of the points on the front, in the order in which they came."""
        return tuple(self._keys)

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """Points on the front, in the order of :attr:`keys`."""
        natural: npt.NDArray[np.float64] = self._losses[:, : len(self)].T * _SIGNS
        return natural

    def add(self, key: int, values: Sequence[float]) -> tuple[bool, tuple[int, ...]]:
        """Add a point.

        Returns:
            Whether it is on the front (a point equal to one on the front is not), and the keys
            of the points which left because of it.
        """
        loss = np.asarray(values, dtype=float) * _SIGNS
        front = self._losses[:, : len(self)]
        if bool((front <= loss[:, None]).all(axis=0).any()):
            return False, ()
        leaving = (front >= loss[:, None]).all(axis=0)
        left: tuple[int, ...] = ()
        if leaving.any():
            left = tuple(self._keys[index] for index in np.flatnonzero(leaving))
            kept = front[:, ~leaving]
            self._keys = [self._keys[index] for index in np.flatnonzero(~leaving)]
            self._losses[:, : len(self)] = kept
        if len(self) == self._losses.shape[1]:
            self._losses = np.concatenate([self._losses, np.empty_like(self._losses)], axis=1)
        self._losses[:, len(self)] = loss
        self._keys.append(key)
        return True, left


def hypervolume(values: Values, reference: ReferencePoint) -> float:
    """Return how much of the space up to ``reference`` the points dominate.

    Measured in the error ``1 - accuracy`` and the logarithms of size and latency, each scaled
    so that the distance from the reference point to no error, 1 kB and 1 microsecond is 1. So
    it lies between 0 and about 1, and only grows as a study goes on. Exact, O(n log n): a sweep
    along one objective carries the area that the points so far dominate in the other two
    (Beume et al., "On the Complexity of Computing the Hypervolume Indicator", 2009).
    """
    rows = _rows(values)
    gains = np.column_stack(
        [
            (reference.error - (1 - rows[:, 0])) / reference.error,
            _decades(reference.size_bytes, rows[:, 1], _MIN_SIZE_BYTES)
            / math.log10(reference.size_bytes / _BEST_SIZE_BYTES),
            _decades(reference.latency_ms, rows[:, 2], _MIN_LATENCY_MS)
            / math.log10(reference.latency_ms / _BEST_LATENCY_MS),
        ]
    )
    gains = gains[(gains > 0).all(axis=1)]
    gains = gains[np.argsort(-gains[:, 0], kind="stable")]
    staircase = _Staircase(corner=(0.0, 0.0))
    volume = 0.0
    for index, (x, y, z) in enumerate(gains):
        staircase.add(-float(y), -float(z))
        x_next = gains[index + 1, 0] if index + 1 < len(gains) else 0.0
        volume += staircase.area * float(x - x_next)
    return volume


def pick(values: Values, rule: PickRule, limits: Limits | None = None) -> int:
    """Return the index of the point that a rule picks among those which keep the limits.

    ``accuracy``, ``size`` and ``latency`` pick the best in that objective; ties go to the
    better in the others. ``knee`` picks the best compromise: the point closest to the ideal one
    that would be best in everything (Zeleny, "Compromise programming", 1973). It compares
    ratios (logarithms of error, size and latency), each scaled to the range of the points which
    keep the limits. Accuracy weighs as much as size and latency together: those two mostly rise
    and fall as one, and would outvote it.

    Args:
        values: Points, as a rule those on a front.
        rule: One of ``PICK_RULES``.
        limits: What the point must keep; None for no limits.

    Raises:
        ConfigError: If there are no points, or none keeps the limits; the text says how close
            they come.
    """
    if rule not in PICK_RULES:
        raise ConfigError(f"`pick in ({', '.join(PICK_RULES)})` must hold, but got {rule!r}.")
    rows = _rows(values)
    if len(rows) == 0:
        raise ConfigError("There is no point to pick: no trial is complete yet.")
    limits = limits or Limits()
    kept = np.flatnonzero(_kept(rows, _checks(limits)))
    if len(kept) == 0:
        raise ConfigError(_nothing_keeps(rows, limits))
    losses = (rows * _SIGNS)[kept]
    column = {"accuracy": 0, "size": 1, "latency": 2}.get(rule)
    if column is None:
        order = np.lexsort((losses[:, 0], _squared_distances(rows[kept])))
    else:
        # Accuracy is the first to break a tie: it is what people regret.
        ties = [other for other in (0, 1, 2) if other != column]
        order = np.lexsort((losses[:, ties[1]], losses[:, ties[0]], losses[:, column]))
    return int(kept[order[0]])


def keeps_limits(values: Sequence[float], limits: Limits) -> bool:
    """Whether one point keeps all limits."""
    return bool(_kept(_rows([values]), _checks(limits))[0])


class _Staircase:
    """Non-dominated points in two minimized objectives, and the area they dominate.

    ``y`` ascends along it and ``z`` descends.
    """

    def __init__(self, corner: tuple[float, float] = (math.inf, math.inf)) -> None:
        self._ys: list[float] = []
        self._zs: list[float] = []
        self._corner = corner
        self.area = 0.0

    def add(self, y: float, z: float) -> bool:
        """Add a point unless one is there that is nowhere worse; return whether it was added."""
        start = bisect.bisect_right(self._ys, y)
        # The last one with a `y` no larger has the smallest `z` of them.
        if start and self._zs[start - 1] <= z:
            return False
        if start and self._ys[start - 1] == y:
            start -= 1
        stop = start
        while stop < len(self._ys) and self._zs[stop] >= z:
            stop += 1
        if math.isfinite(self._corner[0]):
            self.area += self._gained(y, z, start, stop)
        self._ys[start:stop] = [y]
        self._zs[start:stop] = [z]
        return True

    def _gained(self, y: float, z: float, start: int, stop: int) -> float:
        """Area that a point adds which replaces the points from ``start`` to ``stop``.

        It is cut into strips along ``y``, each under the step that was there before.
        """
        corner_y, corner_z = self._corner
        edges = [y, *self._ys[start:stop]]
        edges.append(self._ys[stop] if stop < len(self._ys) else corner_y)
        ceilings = [self._zs[start - 1] if start else corner_z, *self._zs[start:stop]]
        return sum(
            (right - left) * (ceiling - z)
            for left, right, ceiling in zip(edges, edges[1:], ceilings, strict=False)
        )


def _rows(values: Values) -> npt.NDArray[np.float64]:
    """Return points as a two-dimensional array, also when there are none."""
    rows = np.asarray(values, dtype=float).reshape(-1, len(OBJECTIVES))
    if np.isnan(rows).any():
        raise ValueError("Objective values must be numbers, but got NaN.")
    return rows


def _decades(
    reference: float, values: npt.NDArray[np.float64], floor: float
) -> npt.NDArray[np.float64]:
    gained: npt.NDArray[np.float64] = math.log10(reference) - np.log10(np.maximum(values, floor))
    return gained


def _squared_distances(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how far each point lies from the best in everything, see :func:`pick`."""
    logs = np.log10(
        np.column_stack(
            [
                np.maximum(1 - rows[:, 0], _MIN_ERROR),
                np.maximum(rows[:, 1], _MIN_SIZE_BYTES),
                np.maximum(rows[:, 2], _MIN_LATENCY_MS),
            ]
        )
    )
    low = logs.min(axis=0)
    width = logs.max(axis=0) - low
    scaled = (logs - low) / np.where(width > 0, width, 1)
    distances: npt.NDArray[np.float64] = scaled**2 @ np.array([0.5, 0.25, 0.25])
    return distances


class _Check(NamedTuple):
    """One limit: which column must stay on which side of it."""

    option: str
    column: int
    bound: float
    format: Callable[[float], str]

    def keeps(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        sign = _SIGNS[self.column]
        kept: npt.NDArray[np.bool_] = rows[:, self.column] * sign <= self.bound * sign
        return kept

    def closest(self, rows: npt.NDArray[np.float64]) -> float:
        """Return the best value of this column."""
        return float((rows[:, self.column] * _SIGNS[self.column]).min() * _SIGNS[self.column])


def _checks(limits: Limits) -> list[_Check]:
    checks = [
        ("--min-accuracy", 0, limits.min_accuracy, format_accuracy),
        ("--max-size", 1, limits.max_size_bytes, format_size),
        ("--max-latency", 2, limits.max_latency_ms, format_latency),
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
            closest.append(f"{check.option} {check.format(check.closest(rest))}{condition}")
    if not closest:
        closest = [f"{check.option} {check.format(check.closest(rows))} alone" for check in checks]
    return f"No point keeps {asked}. Closest: {', or '.join(closest)}."
