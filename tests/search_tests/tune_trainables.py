"""Trainables of Ray Tune that train nothing: the analytic task, epoch by epoch."""

from __future__ import annotations

from typing import Any

from tests.search_tests.analytic import learning_curve, make_config, make_point, make_result
from workers.messages.result import EvaluateRequest, Limits

EPOCHS = 5


def report_values(config: dict[str, Any], broken: str = "") -> None:
    """Report an accuracy every epoch, and the three objectives with each of them."""
    from ray import tune

    point = make_point(make_config(config))
    for epoch, accuracy in enumerate(learning_curve(point.accuracy, EPOCHS)):
        report = {
            "val_accuracy": accuracy,
            "accuracy": accuracy,
            "size_bytes": point.size_bytes,
            "latency_ms": point.latency.median_ms,
        }
        if broken == "missing":
            del report["size_bytes"]
        if broken == "error" and epoch == 2:
            raise RuntimeError("the dog ate it")
        tune.report(report)


def report_result(config: dict[str, Any], mailbox: str, max_size_bytes: float | None) -> None:
    """Report what a worker's trainable does: accuracies, and at last a whole result."""
    from ray import tune

    from workers.ray_tune.mailbox import result_metrics, send_result

    request = EvaluateRequest(make_config(config), Limits(max_size_bytes=max_size_bytes))
    result = make_result(request)
    curve = result.history.get("val_accuracy", ())
    for accuracy in curve[:-1]:
        tune.report({"val_accuracy": accuracy})
    send_result(mailbox, tune.get_context().get_trial_id(), result)
    tune.report({**result_metrics(result), **({"val_accuracy": curve[-1]} if curve else {})})
