"""Reads studies and their trials at once, all of one moment.

Not through Optuna, which makes an object of every row and copies each of them again: at 10,000
trials it takes four times as long, and reads them in several transactions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import chain
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from search.storage import attributes
from search.storage.optuna_tables import (
    DIRECTIONS,
    PARAMS,
    STUDIES,
    STUDY_SYSTEM_ATTRS,
    STUDY_USER_ATTRS,
    TRIAL_SYSTEM_ATTRS,
    TRIAL_USER_ATTRS,
    TRIALS,
    VALUES,
)
from search.storage.transactions import snapshot

_ROWS_AT_A_TIME = 1000
_DECODER = json.JSONDecoder()
_INFINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf}


@dataclass(frozen=True)
class StudyRecord:
    """A study as it was at one moment.

    Attributes:
        study_id: Its row, which may be another study's tomorrow.
        name: Its name.
        directions: Of its objectives: ``maximize`` or ``minimize``.
        user_attrs: Its user attributes.
        system_attrs: Its system attributes.
        trials: In the order of their numbers, which may have gaps; others' too.
    """

    study_id: int
    name: str
    directions: tuple[str, ...]
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]
    trials: list[FrozenTrial]

    @property
    def is_ours(self) -> bool:
        """Whether this program made it, all of it: the format is what it stores last."""
        return attributes.FORMAT in self.user_attrs

    @property
    def own_trials(self) -> list[FrozenTrial]:
        """Its trials that this program made: others have no configuration of ours."""
        return [trial for trial in self.trials if attributes.CONFIG in trial.user_attrs]


def study_names(engine: sa.Engine) -> list[str]:
    """Return the names of all studies, in the order in which they were made."""
    with snapshot(engine) as connection:
        if not sa.inspect(connection).has_table(STUDIES.name):
            return []
        rows = connection.execute(sa.select(STUDIES.c.study_name).order_by(STUDIES.c.study_id))
        return [name for (name,) in rows]


def read_study(engine: sa.Engine, name: str) -> StudyRecord | None:
    """Return a study with all its trials; None if there is none of that name.

    Trials are as Optuna reads them, in the order of their numbers, but without intermediate
    values, which no study of ours has.
    """
    with snapshot(engine) as connection:
        if not sa.inspect(connection).has_table(STUDIES.name):
            return None
        study_id = connection.scalar(
            sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == name)
        )
        if study_id is None:
            return None
        directions = connection.execute(
            sa.select(DIRECTIONS.c.direction)
            .where(DIRECTIONS.c.study_id == study_id)
            .order_by(DIRECTIONS.c.objective)
        )
        return StudyRecord(
            study_id,
            name,
            tuple(direction.name.lower() for (direction,) in directions),
            _study_attrs(connection, STUDY_USER_ATTRS, study_id),
            _study_attrs(connection, STUDY_SYSTEM_ATTRS, study_id),
            _trials(connection, study_id),
        )


def read_study_attrs(engine: sa.Engine, study_id: int) -> dict[str, Any]:
    """Return the user attributes of a study."""
    with snapshot(engine) as connection:
        return _study_attrs(connection, STUDY_USER_ATTRS, study_id)


def read_ended(engine: sa.Engine, name: str) -> tuple[int, int | None] | None:
    """Return how many trials of a study have ended, at most, and how many it is to have.

    It counts rows, for those who need no more: derived trials do not count, and every other does
    that has an outcome.

    Returns:
        None if there is no such study.
    """
    with snapshot(engine) as connection:
        found = sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == name)
        study_id = connection.scalar(found)
        if study_id is None:
            return None

        def n_with(key: str) -> int:
            of_study = sa.select(sa.func.count()).select_from(
                TRIAL_USER_ATTRS.join(TRIALS, TRIAL_USER_ATTRS.c.trial_id == TRIALS.c.trial_id)
            )
            is_it = (TRIALS.c.study_id == study_id) & (TRIAL_USER_ATTRS.c.key == key)
            return int(connection.scalar(of_study.where(is_it)) or 0)

        n_ended = n_with(attributes.OUTCOME) - n_with(attributes.DERIVED_FROM)
        target = _study_attrs(connection, STUDY_USER_ATTRS, study_id).get(attributes.TARGET)
        return n_ended, target


def read_changed(
    engine: sa.Engine, study_id: int, after: int, watched: Sequence[int]
) -> list[FrozenTrial]:
    """Return trials that are new, and those of some running ones that run no more.

    Args:
        engine: Connects to the database.
        study_id: Id of the study.
        after: Rows with higher ids are new.
        watched: Rows of trials that were running.
    """
    is_new = TRIALS.c.trial_id > after
    has_ended = TRIALS.c.trial_id.in_(watched) & (TRIALS.c.state != TrialState.RUNNING)
    with snapshot(engine) as connection:
        chosen = connection.scalars(
            sa.select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id, is_new | has_ended)
        )
        rows = list(chosen)
        return _trials(connection, study_id, rows) if rows else []


def _study_attrs(connection: sa.Connection, table: sa.Table, study_id: int) -> dict[str, Any]:
    rows = connection.execute(
        sa.select(table.c.key, table.c.value_json).where(table.c.study_id == study_id)
    )
    return {key: json.loads(text) for key, text in rows}


def _trials(
    connection: sa.Connection, study_id: int, rows: Sequence[int] | None = None
) -> list[FrozenTrial]:
    """Return trials of a study, all of them or those of some rows."""
    wanted = [TRIALS.c.study_id == study_id]
    if rows is not None:
        wanted.append(TRIALS.c.trial_id.in_(rows))

    def rows_of(table: sa.Table, *columns: str) -> Iterable[Any]:
        chosen = [table.c[name] for name in columns]
        rows = connection.execute(
            sa.select(table.c.trial_id, *chosen)
            .join(TRIALS, table.c.trial_id == TRIALS.c.trial_id)
            .where(*wanted)
            .order_by(table.columns[0])
        )
        # Many at a time: one by one takes three times as long.
        return chain.from_iterable(rows.partitions(_ROWS_AT_A_TIME))

    found: dict[int, FrozenTrial] = {}
    distributions: dict[str, BaseDistribution] = {}
    for row in connection.execute(sa.select(TRIALS).where(*wanted).order_by(TRIALS.c.number)):
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
        PARAMS, "param_name", "param_value", "distribution_json"
    ):
        if text not in distributions:
            distributions[text] = json_to_distribution(text)
        trial, distribution = found[trial_id], distributions[text]
        trial.distributions[name] = distribution
        trial.params[name] = distribution.to_external_repr(value)
    values: dict[int, dict[int, float]] = {}
    for trial_id, objective, value, kind in rows_of(VALUES, "objective", "value", "value_type"):
        values.setdefault(trial_id, {})[objective] = _INFINITE.get(kind, value)
    for trial_id, of in values.items():
        found[trial_id].values = [of[objective] for objective in sorted(of)]
    for trial_id, key, text in rows_of(TRIAL_USER_ATTRS, "key", "value_json"):
        found[trial_id].user_attrs[key] = _decoded(text)
    for trial_id, key, text in rows_of(TRIAL_SYSTEM_ATTRS, "key", "value_json"):
        found[trial_id].system_attrs[key] = _decoded(text)
    return list(found.values())


def _decoded(text: str) -> Any:
    """Return what JSON holds; without the looks before and after it that ``json.loads`` takes."""
    value, end = _DECODER.raw_decode(text)
    return value if end == len(text) else json.loads(text)


def _local(moment: datetime | None) -> datetime | None:
    """Return naive local time from the naive UTC that is stored."""
    if moment is None:
        return None
    return moment.replace(tzinfo=timezone.utc).astimezone().replace(tzinfo=None)
