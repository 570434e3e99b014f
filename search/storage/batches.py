"""How trials get into a study: in batches, each of them whole or not at all.

Everything that happens at one moment (a trial ends, its siblings come to be, the search space
grows) is one :class:`Batch`. A driver that is killed between two batches leaves a study that
makes sense; there is nothing to kill within one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from search.storage import attributes
from spaces.errors import StudyError


@dataclass(frozen=True)
class Ending:
    """How a running trial ends.

    Attributes:
        state: ``COMPLETE``, ``PRUNED`` (Optuna's word for no values; ours is infeasible) or
            ``FAIL``.
        values: Objective values, with ``COMPLETE``.
        user_attrs: User attributes to add.
        system_attrs: System attributes to add.
    """

    state: TrialState
    values: tuple[float, ...] | None = None
    user_attrs: Mapping[str, Any] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Changes of one study which belong together.

    Attributes:
        created: New trials, running or ended. They carry the numbers they are to get.
        ended: Endings of running trials, by number.
        files: Artifacts of trials by number, as they are linked on the study: descriptions by
            artifact id, None to remove a link. Nothing changes on trials that have ended: Optuna
            never reads those again.
        study_user_attrs: User attributes to set on the study.
    """

    created: tuple[FrozenTrial, ...] = ()
    ended: Mapping[int, Ending] = field(default_factory=dict)
    files: Mapping[int, Mapping[str, str | None]] = field(default_factory=dict)
    study_user_attrs: Mapping[str, Any] = field(default_factory=dict)


class Recorder(Protocol):
    """Writes batches. **Who may call it:** the driver that holds the study's lock."""

    def next_number(self) -> int:
        """Return the number that the next new trial gets: others may have added some."""

    def write(self, batch: Batch) -> None:
        """Write a batch, whole or not at all.

        Raises:
            StudyError: If somebody else wrote to the study: a number is taken, a trial is not
                running any more.
            StorageError: If the database cannot be written.
        """


_Value = TypeVar("_Value")


class Unchanging(dict[str, _Value]):
    """Parameters of a trial or their ranges, which nobody changes.

    Optuna copies a trial that is added, and each of its ranges took as long as all else of it.
    """

    def __deepcopy__(self, _: dict[int, Any]) -> Unchanging[_Value]:
        return self


def new_trial(
    number: int,
    params: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
    *,
    user_attrs: Mapping[str, Any],
    system_attrs: Mapping[str, Any],
    state: TrialState = TrialState.RUNNING,
    values: tuple[float, ...] | None = None,
) -> FrozenTrial:
    """Return a trial to be created."""
    now = datetime.now()
    return FrozenTrial(
        number=number,
        state=state,
        value=None,
        values=values,
        datetime_start=now,
        datetime_complete=now if state.is_finished() else None,
        params=Unchanging(params),
        distributions=Unchanging(distributions),
        user_attrs=dict(user_attrs),
        system_attrs=dict(system_attrs),
        intermediate_values={},
        trial_id=-1,
    )


class MemoryRecorder:
    """Writes to an Optuna study in memory, for tests and for searches nobody needs to keep."""

    def __init__(self, storage: InMemoryStorage, study_id: int) -> None:
        self._storage = storage
        self._study_id = study_id

    def next_number(self) -> int:
        """Return the number that the next new trial gets."""
        return len(self._storage.get_all_trials(self._study_id, deepcopy=False))

    def write(self, batch: Batch) -> None:
        """Write a batch."""
        storage = self._storage
        for number, ending in batch.ended.items():
            trial_id = self._trial_id(number)
            for key, value in ending.user_attrs.items():
                storage.set_trial_user_attr(trial_id, key, value)
            for key, value in ending.system_attrs.items():
                storage.set_trial_system_attr(trial_id, key, value)
            storage.set_trial_state_values(trial_id, ending.state, ending.values)
        for trial in batch.created:
            trial_id = storage.create_new_trial(self._study_id, trial)
            if storage.get_trial(trial_id).number != trial.number:
                raise StudyError(
                    f"Trials are numbered by one driver only, but number {trial.number} was "
                    f"taken by somebody else."
                )
        for number, files in batch.files.items():
            trial_id = self._trial_id(number)
            for artifact, meta in files.items():
                link = attributes.artifact_link(trial_id, artifact)
                # As the dashboard itself lets go of a file: it cannot remove the row either.
                storage.set_study_system_attr(
                    self._study_id, link, "null" if meta is None else meta
                )
        for key, value in batch.study_user_attrs.items():
            storage.set_study_user_attr(self._study_id, key, value)

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
