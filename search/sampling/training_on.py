"""What training on changes, by what is left to learn.

Errors fall about as a power of all epochs together: the second training of a network takes more
off them than a fifth that is as long (``benchmarks/RESULTS.md`` has branches of live searches). So
training on lasts as long as all before together, as in warm restarts that double (Loshchilov and
Hutter, "SGDR", ICLR 2017), and what is learned is how much goes with every doubling.

A network that knows its training pictures by heart gains less by seeing them again than one whose
pictures are changed at random each time, so that it makes as many mistakes on them as on others.
So what is expected is learned by what is left to learn, and what is left of a new training from
those of its augmentation. It is never nothing (:data:`BY_HEART`).
"""

from __future__ import annotations

import math
from collections import deque
from statistics import fmean

from search.sampling.medians import weighted_median

USUAL_OF_TRAINING_ON = 0.85
"""Factor on the errors each time that all epochs of a network double, as long as little is
known."""

BY_HEART = 1 / 3
"""Part of the usual exponent that networks have which know their training pictures by heart.

It was 0.18 where next to nothing was left to learn, and 0.53 where all was, in 81 trainings on of
five live searches on MNIST (medians; ``benchmarks/RESULTS.md`` has all rows, and two data sets
more).
"""

_N_EXPECTED = 5
"""For how many sightings what is expected counts."""

_MEMORY = 60

_LEAST_FACTOR = 1e-3


def left_to_learn(train_accuracy: float | None, val_accuracy: float | None) -> float:
    """Return how much of its mistakes a network might still learn to avoid, in [0, 1].

    That is its mistakes on the training pictures, as they are shown, as a part of those on the
    validation pictures; 1 where nobody knows.

    Args:
        train_accuracy: In its last epoch.
        val_accuracy: After it.
    """
    if train_accuracy is None or val_accuracy is None or val_accuracy >= 1:
        return 1.0
    return min(1.0, max(0.0, (1 - train_accuracy) / (1 - val_accuracy)))


def steps(n: int) -> tuple[int, ...]:
    """Return after how many of up to n steps something is looked at: the first, some, the last."""
    return tuple(sorted({min(n, 1), min(n, 3), n} - {0}))


def lasts(trained: float, n: int = 1) -> float:
    """Return how long training on takes in all, in whatever all before was counted.

    Args:
        trained: How long that was.
        n: Times.
    """
    return trained * (2.0**n - 1)


class TrainingOn:
    """Learns what training on changes, and what trainings leave to learn."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=_MEMORY)
        self._left: dict[str, deque[float]] = {}

    def note(self, augmentation: str, left: float) -> None:
        """Take note of what a new training of some augmentation has left to learn."""
        self._left.setdefault(augmentation, deque(maxlen=_MEMORY)).append(left)

    def learn(self, error: float, left: float, doublings: float = 1.0) -> None:
        """Learn from a network that was trained on.

        Args:
            error: Factor on its errors.
            left: What it had left to learn before.
            doublings: How many times all its epochs doubled.
        """
        told = _share(left) * doublings
        if told > 0:
            self._seen.append((-math.log2(max(_LEAST_FACTOR, error)) / told, told))

    def error(
        self,
        left: float,
        n: float = 1,
        *,
        expected: float = USUAL_OF_TRAINING_ON,
    ) -> float:
        """Return the factor on errors that training on some times is expected to bring.

        Args:
            left: What is left to learn before.
            n: Times, each as long as all before together; less than one for a shorter one.
            expected: What is expected of one, as long as little is known.
        """
        expectations = [(-math.log2(expected), 1.0)] * _N_EXPECTED
        gained = weighted_median([*self._seen, *expectations])
        # Nobody expects harm: what was trained on for nothing is not taken.
        return float(2.0 ** (-max(0.0, gained) * _share(left) * n))

    def errors(self, n: int) -> dict[str, float]:
        """Return the factors on errors that are expected of new trainings, by augmentation."""
        return {name: self.error(fmean([*left, 1.0]), n) for name, left in self._left.items()}


def _share(left: float) -> float:
    """Return which part of the usual exponent a network has with so much left to learn."""
    return BY_HEART + (1 - BY_HEART) * left
