"""What pruning a trained network changes: errors, size and latency, by how sparse it gets.

Each sparsity teaches what to expect of the others. Errors rise with about the fifth power of the
sparsity: recorded prunings to 0.5, 0.7 and 0.85 made 3, 21 and 75 % more errors on MNIST, 1, 4
and 17 % on CIFAR-10, 4, 18 and 34 % on generated fruit, as medians (``benchmarks/RESULTS.md``).
How steep that is differs twentyfold from one data set to another, and is learned.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from search.sampling.medians import weighted_median

USUAL_STEEPNESS = 1.2
"""Of the errors, as long as little is known: between what was recorded on four data sets."""

USUAL_SAVING_OF_SIZE = 0.45
"""Part of a file that goes with all of its weights, as long as little is known: the rest of a
small network's file are its tables, and numbers that are left are harder to compress."""

USUAL_SAVING_OF_LATENCY = 0.0
"""Most devices multiply by zeros as by any number; one that reads compressed weights is sooner
done with them."""

_POWER = 5
_SURE_OF_STEEPNESS = 0.5
_SURE_OF_SAVING = 3.0
"""How much counts what is expected: a model pruned to 0.87 counts 0.5 and 0.87."""

_SMALLEST = 0.02
_MEMORY = 60

_Seen: TypeAlias = deque[tuple[float, float]]


class Prunings:
    """Learns what pruning changes."""

    def __init__(self) -> None:
        self._steepness: _Seen = deque(maxlen=_MEMORY)
        self._of_size: _Seen = deque(maxlen=_MEMORY)
        self._of_latency: _Seen = deque(maxlen=_MEMORY)

    def learn(
        self, sparsity: float, before: float, error: float, size: float, latency: float = 1.0
    ) -> None:
        """Learn from one model of a network that was pruned.

        Args:
            sparsity: Of its weights, in (0, 1).
            before: The same before it was pruned.
            error: Factor on its errors.
            size: Factor on its size.
            latency: Factor on its latency.
        """
        rise = sparsity**_POWER - before**_POWER
        if rise > 0:
            self._steepness.append(((error - 1) / rise, rise))
        for seen, factor in ((self._of_size, size), (self._of_latency, latency)):
            if (gone := sparsity - factor * before) > 0:
                seen.append(((1 - factor) / gone, gone))

    def error(self, sparsity: float, before: float = 0.0) -> float:
        """Return the factor on errors to expect; nobody expects to gain by it."""
        rise = sparsity**_POWER - before**_POWER
        expected = (USUAL_STEEPNESS, _SURE_OF_STEEPNESS)
        return 1 + max(0.0, weighted_median([*self._steepness, expected])) * rise

    def size(self, sparsity: float, before: float = 0.0) -> float:
        """Return the factor on the size to expect."""
        return _left(self._of_size, USUAL_SAVING_OF_SIZE, sparsity, before)

    def latency(self, sparsity: float, before: float = 0.0) -> float:
        """Return the factor on the latency to expect."""
        return _left(self._of_latency, USUAL_SAVING_OF_LATENCY, sparsity, before)


def _left(seen: _Seen, usual: float, sparsity: float, before: float) -> float:
    """Return what is left of something of which a part goes with the weights."""
    saving = min(1.0, max(0.0, weighted_median([*seen, (usual, _SURE_OF_SAVING)])))
    left = (1 - saving * sparsity) / max(_SMALLEST, 1 - saving * before)
    return min(1.0, max(_SMALLEST, left))
