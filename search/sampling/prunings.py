"""What pruning a trained network changes: its errors and its size, by how sparse it gets.

Each sparsity teaches what to expect of the others. Errors rise with about the fifth power of the
sparsity: recorded prunings to 0.5, 0.7 and 0.85 made 3, 21 and 75 % more errors on MNIST, 1, 4
and 17 % on CIFAR-10, 4, 18 and 34 % on generated fruit, as medians (``benchmarks/RESULTS.md``).
How steep that is differs twentyfold from one data set to another, and is learned.
"""

from __future__ import annotations

from collections import deque

from search.sampling.medians import weighted_median

USUAL_STEEPNESS = 1.2
"""Of the errors, as long as little is known: between what was recorded on four data sets."""

USUAL_SAVING = 0.45
"""Part of a file that goes with all of its weights, as long as little is known: the rest of a
small network's file are its tables, and numbers that are left are harder to compress."""

_POWER = 5
_SURE_OF_ERRORS = 0.5
"""What is expected of the errors counts like one pruning to 0.87."""

_SURE_OF_SIZES = 3.0
_SMALLEST = 0.02
_MEMORY = 60


class Prunings:
    """Learns what pruning changes."""

    def __init__(self) -> None:
        self._steepness: deque[tuple[float, float]] = deque(maxlen=_MEMORY)
        self._saving: deque[tuple[float, float]] = deque(maxlen=_MEMORY)

    def learn(self, sparsity: float, before: float, error: float, size: float) -> None:
        """Learn from a network that was pruned.

        Args:
            sparsity: Of its weights, in (0, 1).
            before: The same before it was pruned.
            error: Factor on its errors.
            size: Factor on its size.
        """
        rise = sparsity**_POWER - before**_POWER
        if rise > 0:
            self._steepness.append(((error - 1) / rise, rise))
        if (gone := sparsity - size * before) > 0:
            self._saving.append(((1 - size) / gone, gone))

    def error(self, sparsity: float, before: float = 0.0) -> float:
        """Return the factor on errors to expect; nobody expects to gain by it."""
        rise = sparsity**_POWER - before**_POWER
        expected = (USUAL_STEEPNESS, _SURE_OF_ERRORS)
        return 1 + max(0.0, weighted_median([*self._steepness, expected])) * rise

    def size(self, sparsity: float, before: float = 0.0) -> float:
        """Return the factor on the size to expect."""
        saving = weighted_median([*self._saving, (USUAL_SAVING, _SURE_OF_SIZES)])
        saving = min(1.0, max(0.0, saving))
        left = (1 - saving * sparsity) / max(_SMALLEST, 1 - saving * before)
        return min(1.0, max(_SMALLEST, left))
