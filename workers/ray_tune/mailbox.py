"""Whole results under Ray Tune: from the trial's process to the searcher, past Tune.

What a trial reports to Tune is copied to every logger and into Tune's own files, so it should
be a few numbers. A :class:`~workers.messages.result.TrialResult` holds model files, too. It goes
through an actor that the searcher keeps, found by its name: on a cluster as on one machine.
"""

from __future__ import annotations

import math
from typing import Any

from spaces.config.objectives import OBJECTIVES
from workers.messages.result import TrialResult

OUTCOME = "outcome"
REASON = "reason"


class Mailbox:
    """Keeps results by the id of their Tune trial until they are taken; a Ray actor."""

    def __init__(self) -> None:
        self._results: dict[str, TrialResult] = {}

    def put(self, trial_id: str, result: TrialResult) -> None:
        """Keep a result; a newer one of the same trial replaces it."""
        self._results[trial_id] = result

    def take(self, trial_id: str) -> TrialResult | None:
        """Return a result and forget it; None if there is none."""
        return self._results.pop(trial_id, None)


def open_mailbox(name: str) -> Any:
    """Return the handle of a mailbox, which lives as long as the handle."""
    import ray

    # It takes no core: the trials have them all.
    actor = ray.remote(num_cpus=0)(Mailbox)
    return actor.options(name=name, get_if_exists=True).remote()


def send_result(name: str, trial_id: str, result: TrialResult) -> None:
    """Put a result into a mailbox; it is there when this returns.

    Raises:
        ValueError: If there is no such mailbox: nobody searches.
    """
    import ray

    ray.get(ray.get_actor(name).put.remote(trial_id, result))


def take_result(mailbox: Any, trial_id: str) -> TrialResult | None:
    """Take the result of a Tune trial; None if it sent none, or the mailbox is lost."""
    import ray
    import ray.exceptions

    try:
        result = ray.get(mailbox.take.remote(trial_id))
    except ray.exceptions.RayError:
        return None
    return result if isinstance(result, TrialResult) else None


def result_metrics(result: TrialResult) -> dict[str, Any]:
    """Return what loggers are to see of a result: how it ended, and its objectives."""
    metrics: dict[str, Any] = {OUTCOME: result.outcome}
    if result.reason:
        metrics[REASON] = result.reason
    if result.point is not None and all(math.isfinite(v) for v in result.point.values):
        names = (objective.name for objective in OBJECTIVES)
        metrics.update(zip(names, result.point.values, strict=True))
    if "overall" in result.sparsity:
        metrics["sparsity"] = result.sparsity["overall"]
    return metrics
