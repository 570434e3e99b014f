"""Which points are worth keeping: the Pareto front, and its hypervolume.

Pure functions on arrays. Values are natural and in the order of
``spaces.config.objectives.OBJECTIVES``: accuracy (more is better), ``size_bytes`` and
``latency_ms`` (less is better); signs are turned here, once.

The hypervolume is measured in coordinates in which equal steps matter equally: the logarithms
of the error ``1 - accuracy``, of size and of latency. Halving an error is worth the same at 20 %
as at 2 %, as halving a size is at 1 MB and at 10 kB. What is of no use, by its error above all,
counts nothing: see :class:`ReferencePoint`.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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

USEFUL = 0.75
"""Share of the mistakes of always saying the largest class that a model of use makes at most.

Low enough for what nobody would use (17.6 % right of ten classes, 34 % of four) to count nothing,
and high enough for hard tasks: of CIFAR-100's classes, small networks hardly get half right. It
decides little beyond that, as logarithms give what is just below next to nothing.
"""

# Logarithms need a floor; no model is smaller than a byte or faster than a nanosecond.
MIN_ERROR = 1e-3
"""What an error of 0 counts as where nobody knows of how many pictures it is."""
MIN_SIZE_BYTES = 1.0
MIN_LATENCY_MS = 1e-6


@dataclass(frozen=True)
class ReferencePoint:
    """The worst point that still counts; fixed for a study, or curves could not be compared.

    A point that is no better in any one objective adds nothing to the hypervolume. Size and
    latency are by default far beyond what this program is for (100 MB, 10 s), so that in practice
    only the accuracy cuts points off: at what the user calls the least with ``--min-accuracy``,
    or else at :data:`USEFUL` of the mistakes of always saying the largest class.

    Attributes:
        error: Highest ``1 - accuracy``, in (0, 1].
        size_bytes: Largest size, above 1 kB.
        latency_ms: Longest latency, above 1 microsecond.
        least_error: What fewer mistakes than one count as, in (0, error): half a picture's share
            of the validation split. None for studies of earlier versions: they took errors as
            they are, not their logarithms.
    """

    error: float = 1.0
    size_bytes: float = 100e6
    latency_ms: float = 10_000.0
    least_error: float | None = MIN_ERROR

    def __post_init__(self) -> None:
        if not (
            0 < self.error <= 1
            and (self.least_error is None or 0 < self.least_error < self.error)
            and _BEST_SIZE_BYTES < self.size_bytes < math.inf
            and _BEST_LATENCY_MS < self.latency_ms < math.inf
        ):
            raise ConfigError(
                "`0 < least_error < error <= 1, 1000 < size_bytes, 0.001 < latency_ms` must hold "
                f"for a reference point, but got {self}."
            )

    @classmethod
    def for_classes(
        cls, n_classes: int, n_images: int = 0, min_accuracy: float | None = None
    ) -> ReferencePoint:
        """Return the default where classes are even.

        Args:
            n_classes: Among which a network chooses.
            n_images: That accuracies are measured on; 0 if not known.
            min_accuracy: What the user calls the least.
        """
        return cls._of(1 - 1 / n_classes, n_images, min_accuracy)

    @classmethod
    def for_images(
        cls,
        counts: Sequence[int],
        metric: Metric = "accuracy",
        min_accuracy: float | None = None,
    ) -> ReferencePoint:
        """Return the default of a data set.

        Args:
            counts: Images of every class that accuracies are measured on.
            metric: What stands for the accuracy.
            min_accuracy: What the user calls the least of it.
        """
        return cls._of(1 - of_largest_class(metric, counts), sum(counts), min_accuracy)

    @classmethod
    def _of(cls, guessing: float, n_images: int, min_accuracy: float | None) -> ReferencePoint:
        """Return the default for a task in which guessing has an error of ``guessing``."""
        least = 0.5 / n_images if n_images else MIN_ERROR
        error = USEFUL * guessing if min_accuracy is None else min(1 - min_accuracy, guessing)
        # A single mistake may be as much as that, or there are none to be made.
        return cls(error=max(error, 2 * least), least_error=least)

    @property
    def min_accuracy(self) -> float:
        """Accuracy up to which a model counts nothing."""
        return 1 - self.error

    @property
    def error_floor(self) -> float:
        """What an error of 0 counts as where its logarithm is taken."""
        return MIN_ERROR if self.least_error is None else self.least_error

    def to_dict(self) -> dict[str, float]:
        """Return plain data for JSON."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ReferencePoint:
        """Rebuild a reference point from plain data."""
        least = data.get("least_error")
        return cls(
            float(data["error"]),
            float(data["size_bytes"]),
            float(data["latency_ms"]),
            None if least is None else float(least),
        )


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

    Measured in the logarithms of error, size and latency, each scaled so that the distance from
    the reference point to no mistake, 1 kB and 1 microsecond is 1. So it lies between 0 and
    about 1, and only grows as a study goes on. Exact, O(n log n): a sweep
    along one objective carries the area that the points so far dominate in the other two
    (Beume et al., "On the Complexity of Computing the Hypervolume Indicator", 2009).
    """
    rows = gains(values, reference)
    rows = rows[(rows > 0).all(axis=1)]
    # Whatever dominates a row comes before it, so that a dominated one changes nothing: not even
    # the last digit.
    ordered = (rows[np.lexsort(-rows.T[::-1])] * (1.0, -1.0, -1.0)).tolist()
    # Points not dominated in the other two objectives, to be minimized: `y` ascends, `z` descends,
    # up to the corner (0, 0). All in one place: a driver asks for this many times a second.
    ys, zs, n, area = [0.0], [0.0], 0, 0.0
    volume = x_before = 0.0
    for x, y, z in ordered:
        start = bisect.bisect_right(ys, y, 0, n)
        if zs[start] <= z:  # That of the point before: the smallest with a `y` no larger.
            continue
        volume, x_before = volume + area * (x_before - x), x
        start -= start > 0 and ys[start - 1] == y
        # What it adds is cut into strips along `y`, each under the step that was there before.
        left, ceiling, stop = y, zs[start], start
        while stop < n and zs[stop + 1] >= z:
            area += (ys[stop] - left) * (ceiling - z)
            left, ceiling, stop = ys[stop], zs[stop + 1], stop + 1
        area += (ys[stop] - left) * (ceiling - z)
        ys[start:stop] = [y]
        zs[start + 1 : stop + 1] = [z]
        n += 1 + start - stop
    return volume + area * x_before


def counting(values: Values, reference: ReferencePoint) -> npt.NDArray[np.bool_]:
    """Return which points are worth anything: better than the reference point throughout."""
    return np.asarray((gains(values, reference) > 0).all(axis=1))


def gains(values: Values, reference: ReferencePoint) -> npt.NDArray[np.float64]:
    """Return how far each point lies from ``reference``, in the units of the hypervolume.

    More is better; what is not above 0 in every objective adds nothing.
    """
    rows = as_rows(values)
    error = 1 - rows[:, 0]
    if reference.least_error is None:
        by_error = (reference.error - error) / reference.error
    else:
        by_error = np.log(reference.error / np.maximum(error, reference.least_error)) / math.log(
            reference.error / reference.least_error
        )
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
    """Non-dominated points in two minimized objectives: ``y`` ascends along it, ``z`` descends."""

    def __init__(self) -> None:
        self._ys: list[float] = []
        self._zs: list[float] = []

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
        self._ys[start:stop] = [y]
        self._zs[start:stop] = [z]
        return True


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
