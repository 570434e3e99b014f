"""What a study holds when a run begins, and what a killed driver left to be put right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial, TrialState

from search.storage import attributes
from search.storage.attributes import COUNTED
from search.storage.batches import Ending
from search.storage.trial_attributes import interruption, stored_constraints
from search.study.model_files import values_of
from workers.messages.result import Limits

KILLED = "interrupted: the driver was killed"


@dataclass
class Past:
    """Trials of earlier runs.

    Attributes:
        known: Trials that samplers learn from, with constraints under the limits of today.
        outcomes: Trials of our own asking by outcome.
        n_new: Trials of our own asking that ended and that started from no other's weights.
        n_points: Measured models: complete trials and those derived from them.
        tried: Hashes of the configurations that are not to be tried again.
        stale: Endings of the trials that a killed driver left running, by number.
        retries: Interrupted trials which nothing has replaced yet.
    """

    known: list[FrozenTrial] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    n_new: int = 0
    n_points: int = 0
    tried: set[str] = field(default_factory=set)
    stale: dict[int, Ending] = field(default_factory=dict)
    retries: list[FrozenTrial] = field(default_factory=list)

    def is_over(self, config_hash: str, *, is_shared: bool) -> bool:
        """Whether nobody goes on with the training of a configuration.

        Args:
            config_hash: Of the configuration.
            is_shared: Whether others may run it now: then only what has ended is surely over.
        """
        if is_shared:
            return config_hash in self.tried
        waiting = (retry.user_attrs.get(attributes.CONFIG_HASH) for retry in self.retries)
        return config_hash not in waiting


def read_past(trials: Sequence[FrozenTrial], limits: Limits) -> Past:
    """Return what a study holds.

    Args:
        trials: In the order of their numbers; their constraints are brought up to date.
        limits: Limits of the run that begins.
    """
    past = Past()
    interrupted: list[FrozenTrial] = []
    for trial in trials:
        if trial.state == TrialState.RUNNING:
            past.stale[trial.number] = interruption(KILLED)
            interrupted.append(trial)
        elif trial.user_attrs.get(attributes.OUTCOME) == "interrupted":
            interrupted.append(trial)
        elif trial.state.is_finished():
            _read_ended(past, trial, limits)
    # A retry may differ where the space has grown since, so hashes alone do not tell.
    replaced = {
        trial.user_attrs.get(attributes.RETRY_OF)
        for trial in trials
        if trial.user_attrs.get(attributes.OUTCOME) in COUNTED
    }
    waiting: set[str] = set()
    for trial in interrupted:
        config_hash = trial.user_attrs.get(attributes.CONFIG_HASH)
        if trial.number in replaced:
            continue
        if config_hash and config_hash not in past.tried | waiting:
            waiting.add(config_hash)
            past.retries.append(trial)
    return past


def _read_ended(past: Past, trial: FrozenTrial, limits: Limits) -> None:
    constraints = stored_constraints(limits, values_of(trial), trial.user_attrs)
    was = trial.system_attrs.get(attributes.CONSTRAINTS)
    if constraints is not None and constraints != was:
        # For this run only: nothing changes on trials that have ended.
        trial.system_attrs[attributes.CONSTRAINTS] = constraints
    config_hash = trial.user_attrs.get(attributes.CONFIG_HASH)
    if config_hash and not _is_let_in(was, constraints):
        past.tried.add(config_hash)
    outcome = trial.user_attrs.get(attributes.OUTCOME)
    if outcome and attributes.DERIVED_FROM not in trial.user_attrs:
        past.outcomes[outcome] += 1
        past.n_new += outcome in COUNTED and attributes.BRANCHED_FROM not in trial.user_attrs
    if trial.state != TrialState.FAIL:
        past.known.append(trial)
    if values_of(trial) is not None:
        past.n_points += 1


def _is_let_in(was: list[float] | None, constraints: list[float] | None) -> bool:
    """Whether an infeasible trial broke a limit that has been eased: it may be tried now."""
    return bool(was and constraints and was[0] <= 0 < constraints[0])
