"""A study's front as programs read it: JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from search.front.budgets import budget_rows
from search.front.finalists import Finalist
from search.front.picks import PICK_RULES
from search.front.rows import COLUMNS as COLUMNS
from search.front.rows import certainty, point_row
from search.front.study_front import FrontPoint, StudyFront


def front_to_dict(
    front: StudyFront,
    points: Sequence[FrontPoint] | None = None,
    finalists: Sequence[Finalist] = (),
) -> dict[str, Any]:
    """Return a front as plain data for JSON.

    Args:
        front: The study and its front.
        points: Those of its points that are wanted; None for all.
        finalists: Those of its points that were trained again.
    """
    chosen = front.points if points is None else points
    return {
        **study_to_dict(front),
        "reference_point": front.reference.to_dict(),
        "notes": list(front.notes),
        "class_counts": {
            split: dict(zip(front.class_names, counts, strict=True))
            for split, counts in front.class_counts.items()
        },
        "ignored": dict(front.ignored),
        "broken_limits": [asdict(broken) for broken in front.broken_limits],
        "scheme_failures": [asdict(failure) for failure in front.scheme_failures],
        "baseline": None if front.baseline is None else asdict(front.baseline),
        "budgets": _budgets(front, finalists),
        "picks": {rule: front.pick(rule).trial for rule in PICK_RULES} if front.points else {},
        "front": [
            point_row(point)
            | certainty(front, point)
            | {"params": dict(point.params)}
            | _named_floats(point)
            | ({"metrics": dict(point.metrics)} if point.metrics else {})
            for point in chosen
        ],
    }


def _budgets(front: StudyFront, finalists: Sequence[Finalist]) -> list[dict[str, Any]]:
    """Return the best model within each budget; the last row is of all that keep the limits."""
    return [
        {
            "max_bytes": row.max_bytes,
            "trial": point.trial if point else None,
            "accuracy": point.accuracy if point else None,
            "accuracy_low": row.accuracy_low,
            "accuracy_high": row.accuracy_high,
            "n_val": front.n_val,
            "test_accuracy": row.test.value if row.test else None,
            "n_test_seeds": row.test.n if row.test else 0,
            "balanced_accuracy": point.class_scores.get("balanced_accuracy") if point else None,
            "macro_f1": point.class_scores.get("macro_f1") if point else None,
            "size_bytes": point.size_bytes if point else None,
            "latency_ms": point.latency_ms if point else None,
            "quantization": point.quantization if point else None,
        }
        for row in budget_rows(front, finalists)
        for point in [row.point]
    ]


def front_to_csv(front: StudyFront, points: Sequence[FrontPoint] | None = None) -> str:
    """Return a front as CSV, a column for each parameter that any point has.

    Args:
        front: The study and its front.
        points: Those of its points that are wanted; None for all.
    """
    chosen = front.points if points is None else points
    names = sorted({name for point in chosen for name in point.params})
    columns = [*COLUMNS, *(f"params_{name}" for name in names), "generated_pictures", "device"]
    columns += ["accuracy_low", "accuracy_high", "accuracy_error"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for point in chosen:
        params = {f"params_{name}": value for name, value in point.params.items()}
        data = {"generated_pictures": front.generated, "device": front.device}
        writer.writerow(point_row(point) | params | data | certainty(front, point))
    return text.getvalue()


def study_to_dict(front: StudyFront) -> dict[str, Any]:
    """Return one study as ``search list --json`` shows it."""
    when = front.last_activity
    return {
        "study": front.study,
        "task": front.task,
        "data": front.data_name,
        "generated_pictures": front.generated,
        "device": front.device,
        "size_metric": front.size_metric,
        "metric": front.metric,
        "n_target": front.n_target,
        "n_trials": front.n_trials,
        "n_infeasible": front.n_infeasible,
        "n_failed": front.n_failed,
        "n_foreign": front.n_foreign,
        "n_points": front.n_points,
        "front_size": len(front.points),
        "hypervolume": front.hypervolume,
        "best_accuracy": front.pick("accuracy").accuracy if front.points else None,
        "n_val": front.n_val,
        "largest_class": front.accuracy_context.largest_class or None,
        "largest_class_share": front.accuracy_context.largest_share,
        "last_activity": None if when is None else when.isoformat(timespec="seconds"),
    }


def _named_floats(point: FrontPoint) -> dict[str, Any]:
    """Return what runs in floats in an integer file that is not integer throughout."""
    return {"float_operation_names": dict(point.float_operations or {})} if point.is_mixed else {}
