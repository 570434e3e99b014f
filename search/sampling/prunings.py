"""What pruning a trained network changes: errors, size and latency, by how sparse it gets.

Each sparsity teaches what to expect of the others. Errors rise with about the fifth power of the
sparsity: recorded prunings to 0.5, 0.7 and 0.85 made 3, 21 and 75 % more errors on MNIST, 1, 4
and 17 % on CIFAR-10, 4, 18 and 34 % on generated fruit, as medians (``benchmarks/RESULTS.md``).
How steep that is differs twentyfold from one data set to another, and is learned.

A compressed file is its weights and its tables. How much of the weights goes hangs on their bits:
zeros among floats cost next to nothing, those among small integers had been cheap before. That is
the same for all networks, and so is what the tables take: a large network's file shrinks by more.
What of it comes true is learned, as no size but a compressed one shrinks at all.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TypeAlias

from search.sampling.medians import weighted_median
from spaces.config.schemes import SCHEMES, QuantizationScheme

USUAL_STEEPNESS = 1.2
"""Of the errors, as long as little is known: between what was recorded on four data sets."""

HOPED_STEEPNESS = 0.4
"""The same where there is a limit on sizes: as little as was lost on CIFAR-10, so that what is
too large is pruned soon, and others by what comes of it."""

TABLES_BYTES = 3_000.0
"""Of a small network's compressed file, whatever its weights: operators, shapes, scales. Picked
among 2,500 to 4,500 by what became of recorded files."""

_POWERS = {32: 1.25, 16: 1.4, 8: 1.85, 4: 2.9}
"""By the bits of a weight: the part of the weights' bytes that goes is this power of the sparsity,
for weights of a normal distribution under gzip."""

USUAL_SAVING_OF_SIZE = 0.95
"""Part of that saving which comes true, as long as little is known: of recorded files 0.8 to 1.1,
but for int4 (0.6 to 1.4, ``benchmarks/RESULTS.md``)."""

USUAL_SAVING_OF_LATENCY = 0.0
"""Most devices multiply by zeros as by any number; one that reads compressed weights is sooner
done with them."""

_POWER = 5
_SURE_OF_STEEPNESS = 0.5
_SURE_OF_SAVING = 3.0
"""How much counts what is expected: a model pruned to 0.87 counts 0.5, and up to 0.87."""

LARGE = 1.5
"""Times its tables that a file has to have to tell what becomes of its weights."""

_SMALLEST = 0.02
_MEMORY = 60

_Seen: TypeAlias = deque[tuple[float, float]]


class Prunings:
    """Learns what pruning changes.

    Args:
        steepness: That is expected of errors, as long as little is known.
    """

    def __init__(self, steepness: float = USUAL_STEEPNESS) -> None:
        self._expected = (steepness, _SURE_OF_STEEPNESS)
        self._steepness: _Seen = deque(maxlen=_MEMORY)
        self._of_size: _Seen = deque(maxlen=_MEMORY)
        self._of_latency: _Seen = deque(maxlen=_MEMORY)

    def learn(
        self,
        sparsity: float,
        before: float,
        *,
        error: float,
        latency: float = 1.0,
        sizes: tuple[float, float] | None = None,
        scheme: QuantizationScheme = QuantizationScheme.FLOAT32,
    ) -> None:
        """Learn from one model of a network that was pruned.

        Args:
            sparsity: Of its weights, in (0, 1).
            before: The same before it was pruned.
            error: Factor on its errors.
            latency: Factor on its latency.
            sizes: Its size in bytes before and now; None where they say nothing.
            scheme: Of the model.
        """
        rise = sparsity**_POWER - before**_POWER
        if rise > 0:
            self._steepness.append(((error - 1) / rise, rise))
        _learn(self._of_latency, latency, sparsity, before)
        if sizes is not None and sizes[0] > LARGE * TABLES_BYTES:
            left = max(0.0, sizes[1] - TABLES_BYTES) / (sizes[0] - TABLES_BYTES)
            _learn(self._of_size, left, *(_gone(scheme, s) for s in (sparsity, before)))

    def error(self, sparsity: float, before: float = 0.0) -> float:
        """Return the factor on errors to expect; nobody expects to gain by it."""
        rise = sparsity**_POWER - before**_POWER
        return 1 + max(0.0, weighted_median([*self._steepness, self._expected])) * rise

    def size(
        self,
        size: float,
        scheme: QuantizationScheme,
        sparsity: float,
        before: float = 0.0,
    ) -> float:
        """Return the size to expect.

        Args:
            size: In bytes, of the model as it is.
            scheme: Of the model.
            sparsity: That it is to have, in (0, 1).
            before: That it has.
        """
        weights = max(0.0, size - TABLES_BYTES)
        return size - weights * (1 - self.weights_left(scheme, sparsity, before))

    def sparsity_within(
        self, max_bytes: float, size: float, scheme: QuantizationScheme, before: float = 0.0
    ) -> float | None:
        """Return the least sparsity whose size is expected to keep a limit, in hundredths.

        None if no pruning does; what keeps the limit as it is needs none either.

        Args:
            max_bytes: The limit.
            size: In bytes, of the model as it is.
            scheme: Of the model.
            before: Sparsity that it has.
        """
        if size <= max_bytes or max_bytes <= TABLES_BYTES:
            return None
        left = (max_bytes - TABLES_BYTES) / (size - TABLES_BYTES)
        saving = _saving(self._of_size, USUAL_SAVING_OF_SIZE)
        of_dense = left * max(_SMALLEST, 1 - saving * _gone(scheme, before))
        if left < _SMALLEST or of_dense < 1 - saving:
            return None
        needed = ((1 - of_dense) / saving) ** (1 / _POWERS[SCHEMES[scheme].weight_bits])
        sparsity = math.ceil(100 * needed) / 100
        return sparsity if sparsity < 1 else None

    def weights_left(
        self, scheme: QuantizationScheme, sparsity: float, before: float = 0.0
    ) -> float:
        """Return the part of the weights' bytes that is expected to be left."""
        gone = (_gone(scheme, one) for one in (sparsity, before))
        return _left(self._of_size, USUAL_SAVING_OF_SIZE, *gone)

    def latency(self, sparsity: float, before: float = 0.0) -> float:
        """Return the factor on the latency to expect."""
        return _left(self._of_latency, USUAL_SAVING_OF_LATENCY, sparsity, before)


def _gone(scheme: QuantizationScheme, sparsity: float) -> float:
    """Return the part of the weights' bytes that goes with some of them."""
    return float(sparsity ** _POWERS[SCHEMES[scheme].weight_bits])


def _learn(seen: _Seen, factor: float, sparsity: float, before: float) -> None:
    """Learn what part of something went with the weights, from what is left of it."""
    if (gone := sparsity - factor * before) > 0:
        seen.append(((1 - factor) / gone, gone))


def _left(seen: _Seen, usual: float, sparsity: float, before: float) -> float:
    """Return what is left of something of which a part goes with the weights."""
    saving = _saving(seen, usual)
    left = (1 - saving * sparsity) / max(_SMALLEST, 1 - saving * before)
    return min(1.0, max(_SMALLEST, left))


def _saving(seen: _Seen, usual: float) -> float:
    """Return what part of the weights' bytes or time that could go does."""
    return min(1.0, max(0.0, weighted_median([*seen, (usual, _SURE_OF_SAVING)])))
