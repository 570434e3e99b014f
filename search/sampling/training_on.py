"""What a training may still become by training on, which a front of long trainings asks for.

Points on the front were often trained on some times. Beside them a new training, or one that lies
behind the front, is worth nothing as it is, though a few branches might take it further than any
of them; it is judged by what it may become, for the seconds that all its trainings take. What that
is worth: ``benchmarks/RESULTS.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

USUAL_OF_TRAINING_ON = 0.85
"""Factor on the errors each time that a network is trained on, as long as little is known."""


@dataclass(frozen=True)
class Further:
    """What a training may still become, if it is trained on some times.

    Attributes:
        error: Factor on its errors.
        cost: Seconds of all its trainings together, as a multiple of the first one's.
    """

    error: float = 1.0
    cost: float = 1.0


AS_IT_IS = (Further(),)
"""Of a training that nobody trains on."""


def steps(n: int) -> tuple[int, ...]:
    """Return after how many of up to n steps something is looked at: the first, some, the last."""
    return tuple(sorted({min(n, 1), min(n, 3), n} - {0}))
