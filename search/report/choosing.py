"""Words and figures for who has to choose one point of a front."""

from __future__ import annotations

from search.front.study_front import StudyFront
from search.units import format_accuracy, format_latency, format_size


def knee_sentences(front: StudyFront) -> str:
    """Return what the knee is, and what more accuracy or less size would cost from there.

    Args:
        front: With points.
    """
    knee = front.pick("knee")
    had = front.baseline.values[0] if front.baseline and front.baseline.values else None
    which = (
        "all points"
        if had is None or knee.values[0] < had
        else ("all points that are no less accurate than the baseline")
    )
    accuracy = knee.values[0]
    parts = [
        f"The knee is trial {knee.trial} ({format_accuracy(accuracy)}, "
        f"{format_size(knee.size_bytes)}, {format_latency(knee.latency_ms)}): of {which} it "
        f"lies closest to one that would be best in everything, where error weighs as much as "
        f"size and latency together."
    ]
    best = front.pick("accuracy")
    if best.values[0] > accuracy:
        parts.append(
            f"The most accurate point has {_points(best.values[0] - accuracy)} more and "
            f"{_times(best.size_bytes, knee.size_bytes)} the bytes."
        )
    halved = [point for point in front.points if 2 * point.size_bytes <= knee.size_bytes]
    if halved:
        half = max(halved, key=lambda point: (point.values[0], -point.size_bytes))
        parts.append(
            f"Half of its bytes or fewer cost {_points(accuracy - half.values[0])} "
            f"(trial {half.trial})."
        )
    return " ".join(parts)


def _points(difference: float) -> str:
    return f"{100 * difference:.1f} percentage points"


def _times(more: float, less: float) -> str:
    return f"{more / max(less, 1):.3g} times"
