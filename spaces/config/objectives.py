"""What a study optimizes: three objectives, their order, directions and units.

The order is part of what is stored in the database and never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Objective:
    """One optimized number.

    Attributes:
        name: Metric name in the database and in optuna-dashboard.
        direction: Which way is better.
        unit: Unit of the number, empty for a fraction.
        meaning: One line for a reader who sees the number for the first time.
    """

    name: str
    direction: Direction
    unit: str
    meaning: str


ACCURACY = Objective(
    "accuracy", "maximize", "", "fraction of validation images the converted model labels rightly"
)
SIZE_BYTES = Objective("size_bytes", "minimize", "bytes", "size of the converted model")
LATENCY_MS = Objective("latency_ms", "minimize", "ms", "median time of one inference")

OBJECTIVES: tuple[Objective, ...] = (ACCURACY, SIZE_BYTES, LATENCY_MS)
"""Objectives in the order of a trial's values."""
