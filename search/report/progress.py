"""How the hypervolume of a study grew, by the time in which trials ran."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from search.front.pareto import Front, ReferencePoint, hypervolume
from search.front.read import keeps_limits
from search.storage import attributes
from workers.messages.limits import Limits

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Step:
    """A moment at which the front changed.

    Attributes:
        seconds: Time since the study began in which trials ran; breaks between runs left out.
        hypervolume: Of the front from then on.
        trial: Number of the trial that changed it.
    """

    seconds: float
    hypervolume: float
    trial: int


def hypervolume_steps(
    trials: Sequence[FrozenTrial], limits: Limits, reference: ReferencePoint
) -> list[Step]:
    """Return how the hypervolume grew: a step for each change of the front, and one at the end.

    Args:
        trials: Complete ones, derived ones too.
        limits: Of the study: what breaks them is on no front.
        reference: Where the hypervolume is measured from.
    """
    ended = sorted(
        (trial for trial in trials if trial.datetime_complete is not None),
        key=lambda trial: (trial.datetime_complete, trial.number),
    )
    clock = Clock(trials)
    front = Front()
    steps: list[Step] = []
    for trial in ended:
        assert trial.datetime_complete is not None
        if not keeps_limits(trial, limits):
            continue
        has_joined, _ = front.add(trial.number, tuple(trial.values))
        if has_joined:
            reached = hypervolume(front.values, reference)
            at = clock.seconds(trial.datetime_complete)
            steps.append(Step(at, reached, trial.number))
    if steps:
        last = steps[-1]
        end = max(clock.total, last.seconds)
        steps.append(Step(end, last.hypervolume, last.trial))
    return steps


def seconds_to(steps: Sequence[Step], share: float) -> float | None:
    """Return after how long a share of the last hypervolume was reached; None without any."""
    if not steps or steps[-1].hypervolume <= 0:
        return None
    wanted = share * steps[-1].hypervolume
    return next(step.seconds for step in steps if step.hypervolume >= wanted)


class Clock:
    """Tells moments as seconds in which trials ran: a study may go on after a night.

    Args:
        trials: What ran, from its start to its end; what has no end yet does not count.
    """

    def __init__(self, trials: Iterable[FrozenTrial]) -> None:
        spans = sorted(
            (trial.datetime_start, trial.datetime_complete)
            for trial in trials
            if trial.datetime_start is not None
            and trial.datetime_complete is not None
            # One that is derived ends at the moment at which its training did.
            and attributes.DERIVED_FROM not in trial.user_attrs
        )
        self._spans: list[tuple[datetime, datetime, float]] = []
        self.total = 0.0
        for start, end in spans:
            if self._spans and start <= self._spans[-1][1]:
                first, last, before = self._spans.pop()
                self.total = before
                start, end = first, max(last, end)
            self._spans.append((start, end, self.total))
            self.total += (end - start).total_seconds()

    def seconds(self, moment: datetime) -> float:
        """Return how long trials had run at a moment."""
        for start, end, before in reversed(self._spans):
            if moment >= start:
                return before + (min(moment, end) - start).total_seconds()
        return 0.0
