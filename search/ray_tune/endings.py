"""How a trial of Ray Tune ended, told from what Tune says of it.

Tune calls every end complete: it sets ``done`` in the last result of a trial that a scheduler
stopped, too. What tells them apart is this:

- a trainable of ours says how its trial ended (``outcome``), and anybody's may;
- a function that returned has its last result shown twice, the second time at the end; one that
  was stopped has not;
- a trial that has as many results as the study has epochs was trained to its end.

All other ends are a scheduler's, or those of Tune's time budget.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from spaces.config.objectives import OBJECTIVES
from workers.ray_tune.mailbox import OUTCOME, REASON

ITERATION = "training_iteration"

NAMES = tuple(objective.name for objective in OBJECTIVES)

_CURVE_METRICS = ("val_accuracy", "accuracy")


@dataclass(frozen=True)
class TuneEnding:
    """How a trial ended.

    Attributes:
        outcome: ``complete`` has values, ``stopped`` and ``failed`` have a reason;
            ``interrupted`` never got as far as a result, and says nothing of the trial.
        reason: Why it has no values.
        values: Objective values.
    """

    outcome: Literal["complete", "stopped", "failed", "interrupted"]
    reason: str = ""
    values: tuple[float, float, float] | None = None


@dataclass
class TuneTrial:
    """A trial under Tune: what the study knows it as, and what it reported so far.

    Attributes:
        number: Its number in the study.
        config_hash: Of its configuration.
        curve: Accuracy on the validation split, by number of results.
        n_results: Results that Tune let pass.
        gate_size_bytes: Size known before training; None if not reported.
        gate_latency_ms: Latency known before training; None if not reported.
    """

    number: int
    config_hash: str
    curve: dict[int, float] = field(default_factory=dict)
    n_results: int = 0
    gate_size_bytes: float | None = None
    gate_latency_ms: float | None = None

    def note(self, result: Mapping[str, Any]) -> None:
        """Take a result after which the trial goes on."""
        self.n_results = self._take(result)

    def end(self, last: Mapping[str, Any] | None, *, error: bool, epochs: int) -> TuneEnding:
        """Return how it ended.

        Args:
            last: Its last result; None if it was not running.
            error: Whether its trainable raised an error.
            epochs: Results of a training that is not stopped.
        """
        if error:
            return TuneEnding(
                "failed",
                "Its trainable raised an error, or its process died: error.txt in the folder of "
                "its Tune trial tells.",
            )
        last = last or {}
        n_before, n_results = self.n_results, self._take(last)
        if n_results == 0 and not last.get("done"):
            if n_before:  # It was paused.
                return self._stopped(n_before, epochs)
            return TuneEnding("interrupted", "interrupted: ended by Ray Tune before any result")
        outcome = last.get(OUTCOME)
        if outcome in ("failed", "infeasible", "stopped"):
            kind: Literal["stopped", "failed"] = "stopped" if outcome == "stopped" else "failed"
            return TuneEnding(kind, str(last.get(REASON, f"reported as {outcome}")))
        has_returned = ITERATION in last and n_results == n_before
        if not (outcome == "complete" or has_returned or n_results >= epochs or n_results == 0):
            return self._stopped(max(n_results, n_before), epochs)
        flaw = _flaw(last)
        if flaw:
            return TuneEnding("failed", flaw)
        accuracy, size_bytes, latency_ms = (float(last[name]) for name in NAMES)
        return TuneEnding("complete", values=(accuracy, size_bytes, latency_ms))

    def accuracies(self) -> tuple[float, ...]:
        """Return the accuracies after its epochs, as far as they were reported."""
        return tuple(self.curve[n] for n in sorted(self.curve))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "curve": list(self.curve.items())}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TuneTrial:
        """Rebuild it from plain data."""
        return cls(**{**data, "curve": {int(n): value for n, value in data["curve"]}})

    def _take(self, result: Mapping[str, Any]) -> int:
        """Remember what a result says; return the number it has among the trial's results."""
        n = int(result.get(ITERATION, 0))
        for name in _CURVE_METRICS:
            value = result.get(name)
            if n and is_number(value):
                self.curve[n] = float(value)  # type: ignore[arg-type]
                break
        for name in ("gate_size_bytes", "gate_latency_ms"):
            if is_number(result.get(name)):
                setattr(self, name, float(result[name]))
        return n

    def _stopped(self, n_results: int, epochs: int) -> TuneEnding:
        at = ""
        if self.curve:
            at = f" at an accuracy of {self.curve[max(self.curve)]:.4f}"
        return TuneEnding(
            "stopped", f"stopped by Ray Tune after epoch {n_results} of {epochs}{at}"
        )


def is_number(value: object) -> bool:
    """Whether a reported value is a finite number, numpy's included."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return False
    return math.isfinite(float(value))


def _flaw(result: Mapping[str, Any]) -> str:
    """Return why a last result has no objective values; empty if it has."""
    missing = [name for name in NAMES if name not in result]
    if missing:
        return (
            f"The last result of a trial must have {', '.join(NAMES)}, but {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing."
        )
    odd = [f"{name}={result[name]!r}" for name in NAMES if not is_number(result[name])]
    if odd:
        return f"Objective values must be finite numbers, but got {', '.join(odd)}."
    return ""
