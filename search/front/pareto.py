"""Which points are worth keeping: the Pareto front, and its hypervolume.

Pure functions on arrays. Values are natural and in the order of
``spaces.config.objectives.OBJECTIVES``: accuracy (more is better), ``size_bytes`` and
``latency_ms`` (less is better); signs are turned here, once.

The hypervolume is measured in coordinates in which equal steps matter equally: the error
``1 - accuracy``, and the logarithms of size and latency (halving a size is worth the same at
1 MB as at 10 kB).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from spaces.config.metrics import Metric, of_largest_class
from spaces.config.objectives import OBJECTIVES
from spaces.errors import ConfigError

Values: TypeAlias = npt.NDArray[np.float64] | Sequence[Sequence[float]]
"""Points, one a row: accuracy, size_bytes, latency_ms."""

SIGNS = np.array([-1.0 if o.direction == "maximize" else 1.0 for o in OBJECTIVES])
"""Values times these are to be minimized, all of them."""

# Where one unit of the normalized hypervolume ends. Hardly a network that labels anything comes
# below; one that does counts for more than a unit, so that numbers stay comparable for good.
_BEST_SIZE_BYTES = 1e3
_BEST_LATENCY_MS = 1e-3

# Logarithms need a floor; no model is smaller than a byte or faster than a nanosecond.
MIN_ERROR = 1e-3
MIN_SIZE_BYTES = 1.0
MIN_LATENCY_MS = 1e-6


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

    @classmethod
    def for_images(cls, counts: Sequence[int], metric: Metric = "accuracy") -> ReferencePoint:
        """Return the default of a data set: always saying its largest class, 100 MB, 10 s.

        Where classes are even that is guessing, as in :meth:`for_classes`.

        Args:
            counts: Images of every class that accuracies are measured on.
            metric: What stands for the accuracy.
        """
        return cls(error=max(1 - of_largest_class(metric, counts), MIN_ERROR))

    def to_dict(self) -> dict[str, float]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ReferencePoint:
        """Rebuild a reference point from plain data."""
        return cls(**{field.name: float(data[field.name]) for field in fields(cls)})


def pareto_mask(values: Values) -> npt.NDArray[np.bool_]:
    """Return which rows no other row dominates; of equal rows only the first.

    Takes O(n log n) steps.
    """
    losses = as_rows(values) * SIGNS
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
        self._losses = np.empty((len(SIGNS), 64))  # One objective a row: compared in one go.

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
        natural: npt.NDArray[np.float64] = self._losses[:, : len(self)].T * SIGNS
        return natural

    def add(self, key: int, values: Sequence[float]) -> tuple[bool, tuple[int, ...]]:
        """Add a point.

        Returns:
            Whether it is on the front (a point equal to one on the front is not), and the keys
            of the points which left because of it.
        """
        loss = np.asarray(values, dtype=float) * SIGNS
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
    rows = gains(values, reference)
    rows = rows[(rows > 0).all(axis=1)]
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    staircase = _Staircase(corner=(0.0, 0.0))
    volume = 0.0
    for index, (x, y, z) in enumerate(rows):
        staircase.add(-float(y), -float(z))
        x_next = rows[index + 1, 0] if index + 1 < len(rows) else 0.0
        volume += staircase.area * float(x - x_next)
    return volume


def gains(
    values: Values, reference: ReferencePoint, *, log_error: bool = False
) -> npt.NDArray[np.float64]:
    """Return how far each point lies from ``reference``, in the units of the hypervolume.

    More is better; what is not above 0 in every objective adds nothing.

    Args:
        values: Points.
        reference: Where they are measured from.
        log_error: Whether halving an error is worth the same at 20 % as at 1 %, as halving a
            size is. The hypervolume takes errors as they are.
    """
    rows = as_rows(values)
    error = 1 - rows[:, 0]
    if log_error:
        by_error = np.log(reference.error / np.maximum(error, MIN_ERROR)) / math.log(
            reference.error / MIN_ERROR
        )
    else:
        by_error = (reference.error - error) / reference.error
    return np.column_stack(
        [
            by_error,
            _decades(reference.size_bytes, rows[:, 1], MIN_SIZE_BYTES)
            / math.log10(reference.size_bytes / _BEST_SIZE_BYTES),
            _decades(reference.latency_ms, rows[:, 2], MIN_LATENCY_MS)
            / math.log10(reference.latency_ms / _BEST_LATENCY_MS),
        ]
    )


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


def as_rows(values: Values) -> npt.NDArray[np.float64]:
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
