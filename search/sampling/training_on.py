"""What a training may still become by training on, which a front of long trainings asks for.

Points on the front were often trained on some times. Beside them a new training, or one that lies
behind the front, is worth nothing as it is, though a few branches might take it further than any
of them; it is judged by what it may become, for the seconds that all its trainings take. What that
is worth: ``benchmarks/RESULTS.md``.

How much it may become hangs on what is left to learn. A network that knows its training pictures
by heart gains nothing by seeing them again; one whose pictures are changed at random each time
makes as many mistakes on them as on others, and goes on gaining. So what is expected is learned
as a part of what is left, and what is left of a new training from those of its augmentation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from search.sampling.medians import weighted_median
from spaces.config.trial import ParamValue

USUAL_OF_TRAINING_ON = 0.85
"""Factor on the errors each time that a network is trained on, as long as little is known."""

_N_EXPECTED = 5
"""For how many sightings what is expected counts."""

_MEMORY = 60


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


@dataclass(frozen=True)
class Further:
    """What a training may still become, if it is trained on some times.

    Attributes:
        error: Factor on its errors, if all of them can be learned.
        cost: Seconds of all its trainings together, as a multiple of the first one's.
        errors: Factors of augmentations under which less is left to learn.
    """

    error: float = 1.0
    cost: float = 1.0
    errors: Mapping[str, float] = field(default_factory=dict, hash=False)

    def error_of(self, params: Mapping[str, ParamValue]) -> float:
        """Return the factor on the errors of a training with these parameters."""
        return self.errors.get(str(params.get("augmentation", "none")), self.error)


AS_IT_IS = (Further(),)
"""Of a training that nobody trains on."""


def steps(n: int) -> tuple[int, ...]:
    """Return after how many of up to n steps something is looked at: the first, some, the last."""
    return tuple(sorted({min(n, 1), min(n, 3), n} - {0}))


class TrainingOn:
    """Learns what training on changes, and what trainings leave to learn."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=_MEMORY)
        self._left: dict[str, deque[float]] = {}

    def note(self, augmentation: str, left: float) -> None:
        """Take note of what a new training of some augmentation has left to learn."""
        self._left.setdefault(augmentation, deque(maxlen=_MEMORY)).append(left)

    def learn(self, error: float, left: float) -> None:
        """Learn from a network that was trained on.

        Args:
            error: Factor on its errors.
            left: What it had left to learn before.
        """
        if left > 0:
            self._seen.append(((1 - error) / left, left))

    def error(self, left: float, n: int = 1, *, expected: float = USUAL_OF_TRAINING_ON) -> float:
        """Return the factor on errors that training on some times is expected to bring.

        Args:
            left: What is left to learn before.
            n: Times.
            expected: What is expected of one time, as long as little is known.
        """
        expectations = [(1 - expected, 1.0)] * _N_EXPECTED
        gained = weighted_median([*self._seen, *expectations])
        # Nobody expects harm: what was trained on for nothing is not taken.
        return float(min(1.0, max(0.0, 1 - max(0.0, gained) * left)) ** n)

    def further(self, n: int, cost: float) -> Further:
        """Return what new trainings may become.

        Args:
            n: Times that they are trained on.
            cost: Seconds of one time, as a part of the first training's.
        """
        by = {name: self.error(fmean([*left, 1.0]), n) for name, left in self._left.items()}
        return Further(self.error(1.0, n), 1 + n * cost, by)
