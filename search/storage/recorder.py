"""Writes a batch of trials to a database in one transaction.

Why not through ``optuna.storages.RDBStorage``: it takes a transaction for every attribute, so
a driver that is killed leaves half a trial; and it asks the database twice before it writes a
parameter, 7 to 12 ms for a trial of 12 parameters where this takes one or two (both measured). A
test writes the same trials both ways and compares what Optuna reads back.

Ids of rows, numbers and names are handed out again when a study is deleted. So every transaction
that writes looks first whether the study is still the one that was opened, by the identity that is
stored with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial, TrialState

from search.storage import attributes
from search.storage.batches import Batch, Ending
from search.storage.database import storage_errors
from search.storage.optuna_tables import (
    PARAMS,
    STUDIES,
    STUDY_SYSTEM_ATTRS,
    STUDY_USER_ATTRS,
    TRIAL_SYSTEM_ATTRS,
    TRIAL_USER_ATTRS,
    TRIALS,
    VALUES,
)
from search.storage.transactions import DatabaseFile, writing
from spaces.errors import StudyError

# Built once: SQLAlchemy takes longer over making a statement than SQLite over carrying it out.
_STUDY_NAME = (
    sa.select(STUDIES.c.study_name)
    .where(STUDIES.c.study_id == sa.bindparam("study_id"))
    .with_for_update()  # Optuna numbers trials under the same lock (SQLite has none).
)
_STUDY_IDENTITY = sa.select(STUDY_USER_ATTRS.c.value_json).where(
    STUDY_USER_ATTRS.c.study_id == sa.bindparam("study_id"),
    STUDY_USER_ATTRS.c.key == attributes.IDENTITY,
)
# Not of all rows of the study: there may be very many, and the newest ones have the highest ids.
_HIGHEST_NEW_NUMBER = sa.select(sa.func.max(TRIALS.c.number)).where(
    TRIALS.c.study_id == sa.bindparam("study_id"), TRIALS.c.trial_id > sa.bindparam("known_id")
)
_NEW_TRIAL = sa.insert(TRIALS)
_END_OF_TRIAL = (
    sa.update(TRIALS)
    .where(
        TRIALS.c.trial_id == sa.bindparam("of_trial_id"),
        TRIALS.c.study_id == sa.bindparam("of_study_id"),
        TRIALS.c.number == sa.bindparam("of_number"),
        TRIALS.c.state == TrialState.RUNNING,
    )
    .values(state=sa.bindparam("new_state"), datetime_complete=sa.bindparam("now"))
)


class RowRecorder:
    """Writes batches to the tables of an Optuna database.

    Args:
        engine: Connects to the database.
        study_id: Id of the study in it.
        url: URL of the database, for error messages.
        identity: Of the study; None for one that has none.

    Attributes:
        guard: Called in every transaction that writes, first and last; what it raises, undoes it.
    """

    def __init__(
        self, engine: sa.Engine, study_id: int, url: str, identity: str | None = None
    ) -> None:
        self.guard: Callable[[], None] = lambda: None
        self._engine = engine
        self._url = url
        self._study_id = study_id
        self._identity = identity
        self._file = DatabaseFile(engine, url)
        with engine.connect() as connection:
            rows = connection.execute(
                sa.select(TRIALS.c.number, TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id)
            )
            self._trial_ids: dict[int, int] = {number: trial_id for number, trial_id in rows}
        self._highest_id = max(self._trial_ids.values(), default=-1)
        self._highest_number = max(self._trial_ids, default=-1)

    @property
    def engine(self) -> sa.Engine:
        """What connects to the database."""
        return self._engine

    @property
    def highest_id(self) -> int:
        """Highest row of the trials that are known."""
        return self._highest_id

    def ids_of(self, numbers: Iterable[int]) -> dict[int, int]:
        """Return the rows of trials, by number."""
        return {number: self._trial_ids[number] for number in numbers}

    def note(self, trials: Iterable[FrozenTrial]) -> None:
        """Learn the rows of trials that another driver wrote."""
        self._know({trial.number: trial._trial_id for trial in trials})

    def _know(self, rows: Mapping[int, int]) -> None:
        self._trial_ids.update(rows)
        self._highest_id = max(self._highest_id, *rows.values(), -1)
        self._highest_number = max(self._highest_number, *rows, -1)

    def next_number(self) -> int:
        """Return the number that the next new trial gets."""
        self._file.check()
        with storage_errors(self._url), self._engine.connect() as connection:
            return self._next_number(connection)

    def write(self, batch: Batch) -> None:
        """Write a batch in one transaction."""
        created: dict[int, int] = {}
        rows = _Rows()
        self._file.check()
        with storage_errors(self._url), writing(self._engine) as connection:
            self._check_study(connection)
            self.guard()
            for number, ending in batch.ended.items():
                self._end(connection, number, ending, rows)
            if batch.created:
                self._check_next_number(connection, batch.created[0].number)
            for trial in batch.created:
                created[trial.number] = self._create(connection, trial, rows)
            rows.insert(connection)
            links = {
                attributes.artifact_link({**self._trial_ids, **created}[number], artifact): meta
                for number, files in batch.files.items()
                for artifact, meta in files.items()
            }
            _set_attrs(connection, STUDY_SYSTEM_ATTRS, self._study_id, links)
            _set_attrs(connection, STUDY_USER_ATTRS, self._study_id, batch.study_user_attrs)
        self._know(created)
        with storage_errors(self._url):
            self._file.checkpoint()

    def _check_study(self, connection: sa.Connection) -> None:
        """Check that the study is still the one that was opened, and keep it so."""
        name = connection.scalar(_STUDY_NAME, {"study_id": self._study_id})
        identity = connection.scalar(_STUDY_IDENTITY, {"study_id": self._study_id})
        is_same = self._identity is None or identity == json.dumps(self._identity)
        if name is None or not is_same:
            raise StudyError(
                "The study was deleted while this run was going on, and what it held is gone; "
                "nothing was written to any other. Run the same command again to start it anew."
            )

    def _next_number(self, connection: sa.Connection) -> int:
        highest = connection.scalar(
            _HIGHEST_NEW_NUMBER, {"study_id": self._study_id, "known_id": self._highest_id}
        )
        return max(self._highest_number, -1 if highest is None else int(highest)) + 1

    def _check_next_number(self, connection: sa.Connection, number: int) -> None:
        expected = self._next_number(connection)
        if expected != number:
            raise StudyError(
                f"Somebody else added trial {expected - 1} to the study in the moment in which "
                f"this run did. Run the same command again to go on."
            )

    def _create(self, connection: sa.Connection, trial: FrozenTrial, rows: _Rows) -> int:
        result = connection.execute(
            _NEW_TRIAL,
            {
                "number": trial.number,
                "study_id": self._study_id,
                "state": trial.state,
                "datetime_start": _utc(trial.datetime_start),
                "datetime_complete": _utc(trial.datetime_complete),
            },
        )
        trial_id = int(result.inserted_primary_key[0])  # type: ignore[index]
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            rows.params.append(
                {
                    "trial_id": trial_id,
                    "param_name": name,
                    "param_value": distribution.to_internal_repr(value),
                    "distribution_json": distribution_to_json(distribution),
                }
            )
        rows.add(trial_id, trial.values, trial.user_attrs, trial.system_attrs)
        return trial_id

    def _end(self, connection: sa.Connection, number: int, ending: Ending, rows: _Rows) -> None:
        trial_id = self._trial_ids[number]
        result = connection.execute(
            _END_OF_TRIAL,
            {
                "of_trial_id": trial_id,
                "of_study_id": self._study_id,
                "of_number": number,
                "new_state": ending.state,
                "now": _utc(datetime.now()),
            },
        )
        if result.rowcount != 1:
            raise StudyError(
                f"Only one driver may end the trials of a study, but trial {number} is not "
                f"running any more. Run the same command again to go on."
            )
        rows.add(trial_id, ending.values, ending.user_attrs, ending.system_attrs)


class _Rows:
    """Rows of several trials, inserted with one statement a table."""

    def __init__(self) -> None:
        self.params: list[dict[str, Any]] = []
        self._values: list[dict[str, Any]] = []
        self._user_attrs: list[dict[str, Any]] = []
        self._system_attrs: list[dict[str, Any]] = []

    def add(
        self,
        trial_id: int,
        values: Iterable[float] | None,
        user_attrs: Mapping[str, Any],
        system_attrs: Mapping[str, Any],
    ) -> None:
        for objective, value in enumerate(values or ()):
            self._values.append(
                {
                    "trial_id": trial_id,
                    "objective": objective,
                    "value": value if math.isfinite(value) else None,
                    "value_type": _kind_of(value),
                }
            )
        for rows, attrs in ((self._user_attrs, user_attrs), (self._system_attrs, system_attrs)):
            for key, value in attrs.items():
                rows.append({"trial_id": trial_id, "key": key, "value_json": json.dumps(value)})

    def insert(self, connection: sa.Connection) -> None:
        for table, rows in (
            (PARAMS, self.params),
            (VALUES, self._values),
            (TRIAL_USER_ATTRS, self._user_attrs),
            (TRIAL_SYSTEM_ATTRS, self._system_attrs),
        ):
            if rows:
                connection.execute(sa.insert(table), rows)


def _kind_of(value: float) -> str:
    """Return what Optuna calls a value: databases hold no infinite ones, which others may have."""
    if math.isfinite(value):
        return "FINITE"
    return "INF_POS" if value > 0 else "INF_NEG"


def _set_attrs(
    connection: sa.Connection, table: sa.Table, owner_id: int, attrs: Mapping[str, Any]
) -> None:
    """Set attributes of one study or trial; a value of None removes one."""
    if not attrs:
        return
    owner = table.columns[1]
    connection.execute(sa.delete(table).where(owner == owner_id, table.c.key.in_(list(attrs))))
    rows = [
        {owner.name: owner_id, "key": key, "value_json": json.dumps(value)}
        for key, value in attrs.items()
        if value is not None
    ]
    if rows:
        connection.execute(sa.insert(table), rows)


def _utc(moment: datetime | None) -> datetime | None:
    """Return naive UTC, as Optuna 5 stores local times."""
    return None if moment is None else moment.astimezone(timezone.utc).replace(tzinfo=None)
