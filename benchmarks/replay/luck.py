"""What chance adds to what forests foretell of a training.

Trainings of which as much is expected come out better or worse, images of a split are easier or
harder than those of another, and quantization does more harm to some weights than to others. All
of it is drawn from what recorded trainings had. In one search a configuration always has the same
luck; in the next it has another, so that thirty searches are not thirty looks at one draw of the
start design.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from benchmarks.replay.forest import Array

N_ALIKE = 20
"""Trainings of which one's luck is drawn: those of which most nearly as much was expected."""


def luck_of(params: Mapping[str, Any], seed: int) -> Random:
    """Return the luck of a configuration in the search of a seed."""
    return Random(json.dumps([sorted(params.items()), seed], default=str))


class LevelLuck:
    """By how much trainings came out better or worse than was expected of them.

    Args:
        levels: Logits of the accuracies that recorded trainings had.
        expected: What is expected of each by those that did not see it.
    """

    def __init__(self, levels: Array, expected: Array) -> None:
        by_level = np.argsort(expected)
        self._expected = expected[by_level]
        self._off = (levels - expected)[by_level]

    def level(self, expected: float, luck: Random) -> float:
        """Return what comes of a training of which a level is expected."""
        at = int(np.searchsorted(self._expected, expected)) - N_ALIKE // 2
        at = max(0, min(at, len(self._off) - N_ALIKE))
        return expected + float(luck.choice(self._off[at : at + N_ALIKE].tolist()))


@dataclass(frozen=True)
class SplitLuck:
    """How much better validation comes out than test, in logits.

    Attributes:
        mean: Of all recorded trainings.
        off: The distance of each from that.
        n_val: Images for validation.
        n_test: Images for test.
    """

    mean: float
    off: Sequence[float]
    n_val: int
    n_test: int

    @classmethod
    def of(cls, gaps: Sequence[float], n_val: int, n_test: int) -> SplitLuck:
        """Return it of by how much validation was better in recorded trainings."""
        mean = float(np.mean(gaps or [0.0]))
        return cls(mean, [gap - mean for gap in gaps or [0.0]], n_val, n_test)

    def split(self, level: float, luck: Random) -> tuple[float, float]:
        """Return the logits of accuracies on validation and on test."""
        n = self.n_val + self.n_test
        val = level + self.mean / 2 + math.sqrt(self.n_test / n) * luck.choice(self.off)
        test = level - self.mean / 2 - math.sqrt(self.n_val / n) * luck.choice(self.off)
        return val, test
