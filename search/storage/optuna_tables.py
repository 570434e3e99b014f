"""The tables of an Optuna database, as far as this program reads and writes them itself.

They are those of Optuna's schema 12 (``version_info.schema_version``), which it has kept since
3.2. A database of another schema is refused when it is opened (:mod:`search.storage.database`).
"""

from __future__ import annotations

import sqlalchemy as sa
from optuna.study import StudyDirection
from optuna.trial import TrialState

_METADATA = sa.MetaData()
_KEY_LENGTH = 512

STUDIES = sa.Table(
    "studies",
    _METADATA,
    sa.Column("study_id", sa.Integer, primary_key=True),
    sa.Column("study_name", sa.String(_KEY_LENGTH)),
)
DIRECTIONS = sa.Table(
    "study_directions",
    _METADATA,
    sa.Column("study_direction_id", sa.Integer, primary_key=True),
    sa.Column("direction", sa.Enum(StudyDirection)),
    sa.Column("study_id", sa.Integer),
    sa.Column("objective", sa.Integer),
)
TRIALS = sa.Table(
    "trials",
    _METADATA,
    sa.Column("trial_id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer),
    sa.Column("study_id", sa.Integer),
    sa.Column("state", sa.Enum(TrialState)),
    sa.Column("datetime_start", sa.DateTime),
    sa.Column("datetime_complete", sa.DateTime),
)
PARAMS = sa.Table(
    "trial_params",
    _METADATA,
    sa.Column("param_id", sa.Integer, primary_key=True),
    sa.Column("trial_id", sa.Integer),
    sa.Column("param_name", sa.String(_KEY_LENGTH)),
    sa.Column("param_value", sa.Float(53)),
    sa.Column("distribution_json", sa.Text),
)
VALUES = sa.Table(
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


TRIAL_USER_ATTRS = _attributes("trial_user_attributes", "trial_id")
TRIAL_SYSTEM_ATTRS = _attributes("trial_system_attributes", "trial_id")
STUDY_USER_ATTRS = _attributes("study_user_attributes", "study_id")
STUDY_SYSTEM_ATTRS = _attributes("study_system_attributes", "study_id")
