"""Every trial of a study: how it ended and why, what it measured, where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.front.read import find_study, front_of, reading
from search.storage import attributes
from spaces.config.trial import ParamValue
from spaces.errors import StudyError
from spaces.wording import one_line

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from search.storage.reader import StudyRecord

OUTCOMES = ("complete", "imported", "infeasible", "stopped", "failed", "interrupted", "running")
"""How a trial may stand; ``running`` ones may be those of a driver that was killed."""


@dataclass(frozen=True)
class TrialSummary:
    """One trial.

    Attributes:
        number: Its number.
        outcome: One of :data:`OUTCOMES`.
        reason: Why it has no values; one line, empty where it has.
        accuracy: Fraction of validation samples labelled rightly; None without values.
        size_bytes: By the study's metric; without values what the gate foresaw, where it did.
        latency_ms: On the study's device; without values what the gate measured, where it did.
        ram_bytes: RAM of an inference, where it is known.
        quantization: Its scheme.
        sparsity: Achieved fraction of zeros among the prunable weights, where recorded.
        n_params: Weights and biases, where recorded.
        is_on_front: Whether it is a point of the study's front.
        is_baseline: Whether it is the configuration made by hand.
        derived_from: Number of the trial whose training it shares; None for its own.
        branched_from: Number of the trial from whose weights its training started.
        retry_of: Number of the interrupted trial that it tries again.
        seconds: Wall-clock seconds by stage; a derived trial has those of the training it shares.
        started: When it was started, in local time.
        ended: When it ended; None while it runs.
        params: Searched parameters.
        stored: All of what the study holds of it, by attribute (``search.storage.attributes``).
    """

    number: int
    outcome: str
    reason: str
    accuracy: float | None
    size_bytes: float | None
    latency_ms: float | None
    ram_bytes: float | None
    quantization: str
    sparsity: float | None
    n_params: int | None
    is_on_front: bool
    is_baseline: bool
    derived_from: int | None
    branched_from: int | None
    retry_of: int | None
    seconds: Mapping[str, float]
    started: datetime | None
    ended: datetime | None
    params: Mapping[str, ParamValue]
    stored: Mapping[str, Any] = field(repr=False)

    @property
    def has_model(self) -> bool:
        """Whether a model was measured, here or elsewhere; if not, its figures are foreseen."""
        return self.outcome in ("complete", attributes.IMPORTED)


@dataclass(frozen=True)
class StudyTrials:
    """All trials of a study that this program made.

    Attributes:
        study: Name of the study.
        device: Device that every latency belongs to.
        size_metric: Which size is ``size_bytes``.
        metric: Which metric is the first objective.
        trials: In the order of their numbers.
        n_foreign: Trials that this program did not make.
    """

    study: str
    device: str
    size_metric: str
    metric: str
    trials: tuple[TrialSummary, ...]
    n_foreign: int = 0

    def trial(self, number: int) -> TrialSummary:
        """Return one trial.

        Raises:
            StudyError: If there is none of that number.
        """
        for trial in self.trials:
            if trial.number == number:
                return trial
        numbers = [trial.number for trial in self.trials]
        have = f"its trials are {min(numbers)} to {max(numbers)}" if numbers else "it has none yet"
        raise StudyError(f"Study {self.study!r} has no trial {number} of `search`: {have}.")

    def derived_from(self, number: int) -> tuple[TrialSummary, ...]:
        """Return the trials that share a trial's training."""
        return tuple(trial for trial in self.trials if trial.derived_from == number)

    def branches_of(self, number: int) -> tuple[TrialSummary, ...]:
        """Return the trials that started from a trial's weights, without what derives of them."""
        return tuple(
            trial
            for trial in self.trials
            if trial.branched_from == number and trial.derived_from is None
        )

    def lineage(self, number: int) -> tuple[TrialSummary, ...]:
        """Return the trainings that a trial comes from, the first one first, it itself last."""
        line = [self.trial(number)]
        by_number = {trial.number: trial for trial in self.trials}
        while True:
            last = line[-1]
            parent = last.branched_from if last.derived_from is None else last.derived_from
            # A number that is not smaller would be no parent, and could lead in a circle.
            if parent is None or parent not in by_number or parent >= last.number:
                return tuple(reversed(line))
            line.append(by_number[parent])


def load_trials(study: str, storage: str | Path | None = None) -> StudyTrials:
    """Read all trials of a study.

    Args:
        study: Name of the study.
        storage: Database: a file or an SQLAlchemy URL; None for ``studies.db`` here.

    Raises:
        StorageError: If there is no such database, or it cannot be read.
        StudyError: If there is no such study, or it was not made by this program.
    """
    with reading(storage) as opened:
        record = find_study(opened, study)
    return trials_of(record)


def trials_of(record: StudyRecord) -> StudyTrials:
    """Return all trials of a study that this program made."""
    front = {point.trial for point in front_of(record).points}
    own: Sequence[FrozenTrial] = record.own_trials
    stored = record.user_attrs
    return StudyTrials(
        study=record.name,
        device=stored[attributes.DEVICE],
        size_metric=stored[attributes.SIZE_METRIC],
        metric=stored.get(attributes.METRIC, "accuracy"),
        trials=tuple(_summary(trial, trial.number in front) for trial in own),
        n_foreign=len(record.trials) - len(own),
    )


def _summary(trial: FrozenTrial, is_on_front: bool) -> TrialSummary:
    stored = trial.user_attrs
    ledger, gate = stored.get(attributes.LEDGER, {}), stored.get(attributes.GATE, {})
    outcome = stored.get(attributes.OUTCOME)
    if outcome is None:
        outcome = trial.state.name.lower() if trial.state.is_finished() else "running"
    accuracy, size_bytes, latency_ms = None, gate.get("size_bytes"), gate.get("latency_ms")
    if trial.values is not None:
        accuracy, size_bytes, latency_ms = trial.values
        accuracy = stored.get(attributes.CLASS_SCORES, {}).get("accuracy", accuracy)
    return TrialSummary(
        number=trial.number,
        outcome=outcome,
        reason=one_line(stored.get(attributes.REASON, "")),
        accuracy=accuracy,
        size_bytes=size_bytes,
        latency_ms=latency_ms,
        ram_bytes=ledger.get("arena_bytes", gate.get("ram_bytes")),
        quantization=stored[attributes.CONFIG]["quantization"],
        sparsity=stored.get(attributes.SPARSITY, {}).get("overall"),
        n_params=ledger.get("n_params"),
        is_on_front=is_on_front,
        is_baseline=bool(stored.get(attributes.BASELINE)),
        derived_from=stored.get(attributes.DERIVED_FROM),
        branched_from=stored.get(attributes.BRANCHED_FROM),
        retry_of=stored.get(attributes.RETRY_OF),
        seconds=stored.get(attributes.SECONDS, {}),
        started=trial.datetime_start,
        ended=trial.datetime_complete,
        params=dict(trial.params),
        stored=dict(stored),
    )
