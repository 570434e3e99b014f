"""Points of a front as programs read them: a row of plain values each."""

from __future__ import annotations

from typing import Any

from search.front.study_front import FrontPoint, StudyFront
from spaces.config.objectives import OBJECTIVES
from spaces.data.accuracy_context import standard_error

COLUMNS = (
    "trial",
    *(objective.name for objective in OBJECTIVES),
    "quantization",
    "sparsity",
    "n_params",
    "derived_from",
    "latency_noise",
    "distinguishable",
    "same_speed_as",
    "ram_bytes",
    "branched_from",
    "balanced_accuracy",
    "macro_f1",
    "float_operations",
    "same_accuracy_as",
)
"""Columns of JSON and CSV before the parameters; only ever added to."""


def point_row(point: FrontPoint) -> dict[str, Any]:
    """Return what was measured of a point, by :data:`COLUMNS`."""
    return {
        "trial": point.trial,
        "accuracy": point.accuracy,
        "size_bytes": point.size_bytes,
        "latency_ms": point.latency_ms,
        "quantization": point.quantization,
        "sparsity": point.sparsity,
        "n_params": point.n_params,
        "derived_from": point.derived_from,
        "latency_noise": point.latency_noise,
        "distinguishable": point.is_distinguishable,
        "same_speed_as": point.same_speed_as,
        "ram_bytes": point.ram_bytes,
        "branched_from": point.branched_from,
        "balanced_accuracy": point.class_scores.get("balanced_accuracy"),
        "macro_f1": point.class_scores.get("macro_f1"),
        "float_operations": (
            None if point.float_operations is None else sum(point.float_operations.values())
        ),
        "same_accuracy_as": point.same_accuracy_as,
    }


def certainty(front: StudyFront, point: FrontPoint) -> dict[str, float]:
    """Return the 95 % interval of a point's accuracy, and its standard error."""
    low, high = front.accuracy_context.interval(point.accuracy)
    error = standard_error(point.accuracy, front.accuracy_context.n_images)
    return {"accuracy_low": low, "accuracy_high": high, "accuracy_error": error}
