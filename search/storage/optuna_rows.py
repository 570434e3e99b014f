"""Writes a batch of trials to a database in one transaction, and reads all trials at once.

Why not through ``optuna.storages.RDBStorage``: it takes a transaction for every attribute, so
a driver that is killed leaves half a trial; and it asks the database twice before it writes a
parameter, 7 to 12 ms for a trial of 12 parameters where this takes one or two (both measured).
Reading is here because Optuna makes an object of every row and copies each of them again: at
10,000 trials it takes four times as long. Everything else goes through Optuna.

The tables are those of Optuna's schema 12 (``version_info.schema_version``), which it has kept
since 3.2 and which ``RDBStorage`` checks when it opens a database. A test writes the same
trials both ways and compares what Optuna reads back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from optuna.distributions import (
    BaseDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.trial import FrozenTrial, TrialState

from search.storage.batches import Batch, Ending
from search.storage.database import storage_errors
from spaces.errors import StudyError

_METADATA = sa.MetaData()
_KEY_LENGTH = 512
_INFINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf}

_STUDIES = sa.Table("studies", _METADATA, sa.Column("study_id", sa.Integer, primary_key=True))
_TRIALS = sa.Table(
    "trials",
    _METADATA,
    sa.Column("trial_id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer),
    sa.Column("study_id", sa.Integer),
    sa.Column("state", sa.Enum(TrialState)),
    sa.Column("datetime_start", sa.DateTime),
    sa.Column("datetime_complete", sa.DateTime),
)
_PARAMS = sa.Table(
    "trial_params",
    _METADATA,
    sa.Column("param_id", sa.Integer, primary_key=True),
    sa.Column("trial_id", sa.Integer),
    sa.Column("param_name", sa.String(_KEY_LENGTH)),
    sa.Column("param_value", sa.Float(53)),
    sa.Column("distribution_json", sa.Text),
)
_VALUES = sa.Table(
    "trial_values",
    _METADATA,
    sa.Column("trial_value_id", sa.Integer, primary_key=True),
    sa.Column("trial_id", sa.Integer),
    sa.Column("objective", sa.Integer),
    sa.Column("value", sa.Float(53)),
    sa.Column("value_type", sa.Enum("FINITE", "INF_POS", "INF_NEG", name="trialvaluetype")),
)


def _attributes(table: str, owner: str) -> sa.Table:
    return sa.Table(
        table,
        _METADATA,
        sa.Column(table.removesuffix("s") + "_id", sa.Integer, primary_key=True),
        sa.Column(owner, sa.Integer),
        sa.Column("key", sa.String(_KEY_LENGTH)),
        sa.Column("value_json", sa.Text),
    )


_TRIAL_USER_ATTRS = _attributes("trial_user_attributes", "trial_id")
_TRIAL_SYSTEM_ATTRS = _attributes("trial_system_attributes", "trial_id")
_STUDY_USER_ATTRS = _attributes("study_user_attributes", "study_id")


def read_trials(engine: sa.Engine, study_id: int) -> list[FrozenTrial]:
    """Return all trials of a study in the order of their numbers, as Optuna reads them.

    Intermediate values, which no study of ours has, are left out.
    """
    with engine.connect() as connection:

        def rows_of(table: sa.Table, *columns: str) -> Iterable[Any]:
            chosen = [table.c[name] for name in columns]
            return connection.execute(
                sa.select(table.c.trial_id, *chosen)
                .join(_TRIALS, table.c.trial_id == _TRIALS.c.trial_id)
                .where(_TRIALS.c.study_id == study_id)
                .order_by(table.columns[0])
            )

        found: dict[int, FrozenTrial] = {}
        distributions: dict[str, BaseDistribution] = {}
        for row in connection.execute(
            sa.select(_TRIALS).where(_TRIALS.c.study_id == study_id).order_by(_TRIALS.c.number)
        ):
            found[row.trial_id] = FrozenTrial(
                number=row.number,
                state=row.state,
                value=None,
                values=None,
                datetime_start=_local(row.datetime_start),
                datetime_complete=_local(row.datetime_complete),
                params={},
                distributions={},
                user_attrs={},
                system_attrs={},
                intermediate_values={},
                trial_id=row.trial_id,
            )
        for trial_id, name, value, text in rows_of(
            _PARAMS, "param_name", "param_value", "distribution_json"
        ):
            if text not in distributions:
                distributions[text] = json_to_distribution(text)
            trial, distribution = found[trial_id], distributions[text]
            trial.distributions[name] = distribution
            trial.params[name] = distribution.to_external_repr(value)
        values: dict[int, dict[int, float]] = {}
        for trial_id, objective, value, kind in rows_of(
            _VALUES, "objective", "value", "value_type"
        ):
            values.setdefault(trial_id, {})[objective] = _INFINITE.get(kind, value)
        for trial_id, of in values.items():
            found[trial_id].values = [of[objective] for objective in sorted(of)]
        for trial_id, key, text in rows_of(_TRIAL_USER_ATTRS, "key", "value_json"):
            found[trial_id].user_attrs[key] = json.loads(text)
        for trial_id, key, text in rows_of(_TRIAL_SYSTEM_ATTRS, "key", "value_json"):
            found[trial_id].system_attrs[key] = json.loads(text)
    return list(found.values())


class RowRecorder:
    """Writes batches to the tables of an Optuna database.

    Args:
        engine: Connects to the database.
        study_id: Id of the study in it.
        url: URL of the database, for error messages.
    """

    def __init__(self, engine: sa.Engine, study_id: int, url: str) -> None:
        self._engine = engine
        self._url = url
        self._study_id = study_id
        with engine.connect() as connection:
            rows = connection.execute(
                sa.select(_TRIALS.c.number, _TRIALS.c.trial_id).where(
                    _TRIALS.c.study_id == study_id
                )
            )
            self._trial_ids: dict[int, int] = {number: trial_id for number, trial_id in rows}

    def write(self, batch: Batch) -> None:
        """Write a batch in one transaction."""
        created: dict[int, int] = {}
        rows = _Rows()
        with storage_errors(self._url), self._engine.begin() as connection:
            for number, ending in batch.ended.items():
                self._end(connection, number, ending, rows)
            if batch.created:
                self._check_next_number(connection, batch.created[0].number)
            for trial in batch.created:
                created[trial.number] = self._create(connection, trial, rows)
            rows.insert(connection)
            for number, attrs in batch.trial_system_attrs.items():
                trial_id = created[number] if number in created else self._trial_ids[number]
                _set_attrs(connection, _TRIAL_SYSTEM_ATTRS, trial_id, attrs)
            _set_attrs(connection, _STUDY_USER_ATTRS, self._study_id, batch.study_user_attrs)
        self._trial_ids.update(created)

    def _check_next_number(self, connection: sa.Connection, number: int) -> None:
        # Optuna numbers trials under the same lock on the study's row (SQLite has none).
        connection.execute(
            sa.select(_STUDIES.c.study_id)
            .where(_STUDIES.c.study_id == self._study_id)
            .with_for_update()
        )
        highest = connection.scalar(
            sa.select(sa.func.max(_TRIALS.c.number)).where(_TRIALS.c.study_id == self._study_id)
        )
        expected = 0 if highest is None else highest + 1
        if expected != number:
            raise StudyError(
                f"Only one driver may add trials to a study, but somebody else added trial "
                f"{expected - 1} meanwhile. Run the same command again to go on."
            )

    def _create(self, connection: sa.Connection, trial: FrozenTrial, rows: _Rows) -> int:
        result = connection.execute(
            sa.insert(_TRIALS).values(
                number=trial.number,
                study_id=self._study_id,
                state=trial.state,
                datetime_start=_utc(trial.datetime_start),
                datetime_complete=_utc(trial.datetime_complete),
            )
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
            sa.update(_TRIALS)
            .where(_TRIALS.c.trial_id == trial_id, _TRIALS.c.state == TrialState.RUNNING)
            .values(state=ending.state, datetime_complete=_utc(datetime.now()))
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
                    "value": value,
                    "value_type": "FINITE",
                }
            )
        for rows, attrs in ((self._user_attrs, user_attrs), (self._system_attrs, system_attrs)):
            for key, value in attrs.items():
                rows.append({"trial_id": trial_id, "key": key, "value_json": json.dumps(value)})

    def insert(self, connection: sa.Connection) -> None:
        for table, rows in (
            (_PARAMS, self.params),
            (_VALUES, self._values),
            (_TRIAL_USER_ATTRS, self._user_attrs),
            (_TRIAL_SYSTEM_ATTRS, self._system_attrs),
        ):
            if rows:
                connection.execute(sa.insert(table), rows)


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


def _local(moment: datetime | None) -> datetime | None:
    """Return naive local time from the naive UTC that is stored."""
    if moment is None:
        return None
    return moment.replace(tzinfo=timezone.utc).astimezone().replace(tzinfo=None)


def _utc(moment: datetime | None) -> datetime | None:
    """Return naive UTC, as Optuna 5 stores local times."""
    return None if moment is None else moment.astimezone(timezone.utc).replace(tzinfo=None)
