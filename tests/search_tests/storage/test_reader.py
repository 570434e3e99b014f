"""What is read of a study, beside studies and trials of others in the same database."""

from __future__ import annotations

import optuna
import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from search.storage import attributes
from search.storage.reader import read_changed, read_study, read_study_attrs, study_names


@pytest.fixture
def storage() -> RDBStorage:
    return RDBStorage("sqlite://", engine_kwargs={"poolclass": sa.StaticPool})


def new_study(storage: RDBStorage, name: str, *directions: str) -> optuna.Study:
    return optuna.create_study(storage=storage, study_name=name, directions=directions)  # type: ignore[arg-type]


def test_studies_come_in_the_order_in_which_they_were_made(storage: RDBStorage) -> None:
    for name in ("second", "first", "third"):
        new_study(storage, name, "maximize")
    assert study_names(storage.engine) == ["second", "first", "third"]
    assert read_study(storage.engine, "fourth") is None


def test_a_database_without_tables_holds_no_study() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    assert study_names(engine) == []
    assert read_study(engine, "study") is None


def test_all_of_one_study_and_nothing_of_another(storage: RDBStorage) -> None:
    ours = new_study(storage, "ours", "maximize", "minimize")
    theirs = new_study(storage, "theirs", "minimize")
    ours.set_user_attr(attributes.FORMAT, 1)
    theirs.set_user_attr("owner", "somebody")
    storage.set_study_system_attr(ours._study_id, "kept", [1])
    told = ours.ask()
    told.set_user_attr(attributes.CONFIG, {})
    ours.tell(told, (0.9, 10.0))
    ours.ask()
    theirs.ask()
    read = read_study(storage.engine, "ours")
    other = read_study(storage.engine, "theirs")
    assert read is not None and other is not None
    assert read.directions == ("maximize", "minimize") and other.directions == ("minimize",)
    assert read.user_attrs == {attributes.FORMAT: 1} and read.system_attrs == {"kept": [1]}
    assert read.user_attrs == read_study_attrs(storage.engine, read.study_id)
    assert (read.is_ours, other.is_ours) == (True, False)
    assert [trial.number for trial in read.trials] == [0, 1]
    assert [trial.number for trial in read.own_trials] == [0]
    assert other.own_trials == []


def test_what_changed_is_what_is_new_and_what_has_ended(storage: RDBStorage) -> None:
    study, other = new_study(storage, "study", "maximize"), new_study(storage, "b", "maximize")
    trials = [study.ask() for _ in range(4)]
    other.ask()
    known, ended, running, new = (trial._trial_id for trial in trials)
    study.tell(trials[0], 0.1)
    study.tell(trials[1], 0.5)
    changed = read_changed(storage.engine, study._study_id, running, [ended, running])
    assert [(trial.number, trial.state) for trial in changed] == [
        (1, TrialState.COMPLETE),
        (3, TrialState.RUNNING),
    ]
    assert changed[0].values == [0.5]
    assert read_changed(storage.engine, study._study_id, new, [running]) == []
