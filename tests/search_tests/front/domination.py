"""What domination means, by its definition and slowly."""

from __future__ import annotations

from collections.abc import Sequence

from spaces.config.objectives import OBJECTIVES


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether point ``a`` is nowhere worse than ``b`` and somewhere better.

    >>> dominates((0.9, 99, 1), (0.9, 100, 1))
    True
    >>> dominates((0.9, 100, 1), (0.9, 100, 1)) or dominates((0.9, 101, 1), (0.8, 100, 1))
    False
    """
    gains = [
        (x - y) if objective.direction == "maximize" else (y - x)
        for objective, x, y in zip(OBJECTIVES, a, b, strict=True)
    ]
    return min(gains) >= 0 and max(gains) > 0
