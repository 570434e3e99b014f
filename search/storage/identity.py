"""What tells a study from every other, also from a later one of the same name and number."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress

import sqlalchemy as sa

from search.storage import attributes
from search.storage.optuna_tables import STUDY_USER_ATTRS
from search.storage.transactions import writing


def settled_identity(engine: sa.Engine, study_id: int) -> str:
    """Return the identity of a study, and give it one if it has none.

    Of two drivers that give it one at the same time, as the turn of one was cut off by the
    database server, the first is right, and both are told so: the other would take its own study
    for one that was deleted.

    Args:
        engine: Connected to the database.
        study_id: Row of the study.
    """
    own = (
        STUDY_USER_ATTRS.c.study_id == study_id,
        STUDY_USER_ATTRS.c.key == attributes.IDENTITY,
    )
    # There is one row for a key of a study, by Optuna's own constraint.
    with suppress(sa.exc.IntegrityError), writing(engine) as connection:
        connection.execute(
            sa.insert(STUDY_USER_ATTRS).values(
                study_id=study_id,
                key=attributes.IDENTITY,
                value_json=json.dumps(uuid.uuid4().hex),
            )
        )
    with engine.connect() as connection:
        return str(
            json.loads(
                connection.scalars(sa.select(STUDY_USER_ATTRS.c.value_json).where(*own)).one()
            )
        )
