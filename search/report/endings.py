"""How trials ended, why, and where their seconds went."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.storage import attributes
from spaces.wording import one_line

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

OUTCOMES = ("complete", "stopped", "infeasible", "failed", "interrupted", "running")
"""How a trial may stand, in the order in which they are told."""

STAGES = ("build", "gate", "train", "qat", "convert", "measure", "latency")
"""Stages of a trial in their order; others come after them."""


@dataclass(frozen=True)
class Ending:
    """Trials that ended in the same way for the same reason.

    Attributes:
        outcome: One of ``OUTCOMES``.
        reason: As the last of them told it; two that differ in numbers only are the same.
        n: How many there are.
        trial: Number of the last of them.
    """

    outcome: str
    reason: str
    n: int
    trial: int


@dataclass(frozen=True)
class Spent:
    """Seconds of workers that one stage took in trials which ended in one way.

    Attributes:
        stage: Such as ``train``.
        outcome: One of ``OUTCOMES``.
        seconds: Of all these trials together.
    """

    stage: str
    outcome: str
    seconds: float


def own_trainings(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that are not derived from another."""
    return [trial for trial in trials if attributes.DERIVED_FROM not in trial.user_attrs]


def outcome_of(trial: FrozenTrial) -> str:
    """Return how a trial ended, or that it has not."""
    return str(trial.user_attrs.get(attributes.OUTCOME, "running"))


def count_outcomes(trials: Iterable[FrozenTrial]) -> dict[str, int]:
    """Return how many trials, derived ones not counted, ended in which way."""
    counts = Counter(outcome_of(trial) for trial in own_trainings(trials))
    known = [outcome for outcome in OUTCOMES if counts[outcome]]
    return {outcome: counts[outcome] for outcome in [*known, *sorted(set(counts) - set(known))]}


def endings(trials: Iterable[FrozenTrial]) -> list[Ending]:
    """Return why trials have no model, counted, by outcome and the most frequent reason first."""
    groups: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for trial in own_trainings(trials):
        outcome = outcome_of(trial)
        if outcome in ("complete", "running"):
            continue
        reason = one_line(str(trial.user_attrs.get(attributes.REASON, "")))
        groups[outcome, _without_numbers(reason)].append((trial.number, reason))
    found = [
        Ending(outcome, max(of)[1], len(of), max(of)[0]) for (outcome, _), of in groups.items()
    ]
    order = {outcome: index for index, outcome in enumerate(OUTCOMES)}
    return sorted(found, key=lambda one: (order.get(one.outcome, 99), -one.n, one.reason))


def seconds_spent(trials: Iterable[FrozenTrial]) -> list[Spent]:
    """Return what each stage took, in trials of each outcome; derived ones take nothing more."""
    spent: defaultdict[tuple[str, str], float] = defaultdict(float)
    for trial in own_trainings(trials):
        for stage, seconds in trial.user_attrs.get(attributes.SECONDS, {}).items():
            if seconds > 0:
                spent[stage, outcome_of(trial)] += seconds
    order = {name: index for index, name in enumerate((*STAGES, *OUTCOMES))}
    return [
        Spent(stage, outcome, seconds)
        for (stage, outcome), seconds in sorted(
            spent.items(), key=lambda item: [order.get(name, 99) for name in item[0]]
        )
    ]


def _without_numbers(reason: str) -> str:
    return re.sub(r"\d[\d.,]*(e[+-]?\d+)?", "0", reason)
