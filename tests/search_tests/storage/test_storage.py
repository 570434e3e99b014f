from __future__ import annotations

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

import optuna
import pytest
import sqlalchemy as sa
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from search.storage.batches import Batch, Ending, new_trial
from search.storage.database import open_for_reading, open_storage, storage_errors
from search.storage.reader import read_study
from search.storage.recorder import RowRecorder
from search.storage.urls import artifacts_dir, masked, sqlite_path, storage_url
from spaces.errors import StorageError, StudyError
from workers.messages.executor import Interrupted

DIRECTIONS: list[Literal["maximize", "minimize"]] = ["maximize", "minimize", "minimize"]
DISTRIBUTIONS = {
    "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "filters": IntDistribution(8, 64, step=8),
    "optimizer": CategoricalDistribution(["adam", "sgd"]),
    "batch_size": CategoricalDistribution([16, 32]),
}
PARAMS = {"learning_rate": 3e-3, "filters": 24, "optimizer": "sgd", "batch_size": 16}


def trial(number: int, state: TrialState = TrialState.RUNNING) -> FrozenTrial:
    return new_trial(
        number,
        PARAMS,
        DISTRIBUTIONS,
        user_attrs={"config": {"a": [1, 2], "ü": None}, "seed": number},
        system_attrs={"constraints": [0.0, -0.5], "NSGAIISampler:generation": 1},
        state=state,
        values=(0.9, 1234.0, 0.5) if state == TrialState.COMPLETE else None,
    )


def new_study(storage: RDBStorage, name: str = "study") -> int:
    optuna.create_study(storage=storage, study_name=name, directions=DIRECTIONS)
    return storage.get_study_id_from_name(name)


def described(trial: FrozenTrial) -> dict[str, object]:
    """Everything that Optuna tells of a trial, but its ids."""
    return {
        "number": trial.number,
        "state": trial.state,
        "values": trial.values,
        "params": list(trial.params.items()),
        "distributions": trial.distributions,
        "user_attrs": trial.user_attrs,
        "system_attrs": trial.system_attrs,
        "start": trial.datetime_start,
        "has_end": trial.datetime_complete is not None,
    }


class TestUrls:
    @pytest.mark.parametrize(
        ("given", "url"),
        [
            ("studies.db", "sqlite:///studies.db"),
            ("/data/my studies.db", "sqlite:////data/my studies.db"),
            ("sqlite:///x.db", "sqlite:///x.db"),
            ("postgresql+psycopg://me@host/db", "postgresql+psycopg://me@host/db"),
        ],
    )
    def test_a_bare_path_is_sqlite(self, given: str, url: str) -> None:
        assert storage_url(given) == url

    @pytest.mark.parametrize("given", ["", "://nowhere", "not a dialect://x"])
    def test_neither_path_nor_url(self, given: str) -> None:
        with pytest.raises(StorageError, match="URL"):
            storage_url(given)

    def test_passwords_do_not_show(self) -> None:
        assert masked("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
        assert "secret" not in masked("://me:secret@host:x/db")

    def test_artifacts_lie_beside_the_database(self) -> None:
        assert artifacts_dir(storage_url("/data/x.db")) == Path("/data/artifacts")
        assert artifacts_dir("postgresql://host/db") == Path("artifacts")

    def test_no_file_in_memory(self) -> None:
        assert sqlite_path("sqlite:///:memory:") is None
        assert sqlite_path("sqlite://") is None


class TestOpening:
    def test_sqlite_is_ready_for_readers(self, tmp_path: Path) -> None:
        storage = open_storage(tmp_path / "studies.db")
        with storage.engine.connect() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "busy_timeout")
            }
        assert pragmas["journal_mode"] == "wal"
        assert pragmas["synchronous"] == 2  # FULL: a power cut takes no trial that was told.
        assert int(pragmas["busy_timeout"] or 0) >= 30_000

    def test_to_look_at_studies_needs_a_database(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match=r"no database '.*x\.db'.*search run"):
            open_storage(tmp_path / "x.db", must_exist=True)
        assert not (tmp_path / "x.db").exists()

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="is a folder"):
            open_storage(tmp_path)

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="'.*missing' does not"):
            open_storage(tmp_path / "missing" / "x.db")

    def test_another_file(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.db"
        path.write_bytes(b"\xff\xd8" * 1000)
        with pytest.raises(StorageError, match="is no SQLite database"):
            open_storage(path)
        assert path.read_bytes() == b"\xff\xd8" * 1000

    def test_a_damaged_database(self, tmp_path: Path) -> None:
        path = tmp_path / "x.db"
        path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)
        with pytest.raises(StorageError, match="is no SQLite database"):
            open_storage(path)

    def test_a_read_only_database(self, tmp_path: Path) -> None:
        path = tmp_path / "x.db"
        open_storage(path).engine.dispose()
        # Root may write to everything, so SQLite is told.
        storage = open_storage(f"sqlite:///file:{path}?mode=ro&uri=true")
        with pytest.raises(StorageError, match="is read-only. Make it writable"):
            with storage_errors(storage.url):
                new_study(storage)

    def test_an_unknown_kind(self) -> None:
        with pytest.raises(StorageError, match="Unknown kind of database 'oracel'.*postgresql"):
            open_storage("oracel://me:secret@host/db")

    def test_a_missing_driver(self) -> None:
        with pytest.raises(StorageError, match="not installed: pip install") as caught:
            open_storage("mysql+pymysql://me:secret@host/db")
        assert "secret" not in str(caught.value)

    def test_nobody_answers(self) -> None:
        pytest.importorskip("psycopg")
        url = "postgresql+psycopg://me:secret@127.0.0.1:1/db?connect_timeout=2"
        with pytest.raises(StorageError, match=r"me:\*\*\*@127.0.0.1.*cannot be used") as caught:
            open_storage(url)
        assert "secret" not in str(caught.value) and "\n" not in str(caught.value)

    def test_other_errors_are_not_the_database_s(self) -> None:
        with pytest.raises(ZeroDivisionError), storage_errors("sqlite:///x.db"):
            raise ZeroDivisionError


class TestRows:
    @pytest.fixture
    def storage(self, tmp_path: Path) -> RDBStorage:
        return open_storage(tmp_path / "studies.db")

    def test_all_trials_are_read_as_optuna_reads_them(self, tmp_path: Path) -> None:
        storage = open_storage(tmp_path / "studies.db")
        new_study(storage, "another")
        study_id = new_study(storage)
        recorder = RowRecorder(storage.engine, study_id, storage.url)
        for number, state in enumerate((TrialState.COMPLETE, TrialState.FAIL, TrialState.RUNNING)):
            recorder.write(Batch(created=(trial(number, state),)))
        values = (0.5, float("inf"), float("-inf"))
        other = optuna.trial.create_trial(values=values, params={}, distributions={})
        storage.create_new_trial(study_id, other)
        name = storage.get_study_name_from_id(study_id)
        read = read_study(storage.engine, name)
        assert read is not None
        assert read.trials == storage.get_all_trials(study_id)

    @pytest.mark.parametrize(
        "state", [TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    )
    def test_optuna_reads_what_it_would_have_written_itself(
        self, storage: RDBStorage, state: TrialState
    ) -> None:
        ours, theirs = new_study(storage, "ours"), new_study(storage, "theirs")
        template = trial(0, state)
        RowRecorder(storage.engine, ours, storage.url).write(Batch(created=(template,)))
        storage.create_new_trial(theirs, template)
        [read_ours] = storage.get_all_trials(ours)
        [read_theirs] = storage.get_all_trials(theirs)
        assert described(read_ours) == described(read_theirs)

    def test_ending_a_trial_as_optuna_would(self, storage: RDBStorage) -> None:
        ours, theirs = new_study(storage, "ours"), new_study(storage, "theirs")
        recorder = RowRecorder(storage.engine, ours, storage.url)
        template = trial(0)
        recorder.write(Batch(created=(template,)))
        ending = Ending(TrialState.COMPLETE, (0.5, 10.0, 1.0), {"outcome": "complete"}, {"a": [1]})
        recorder.write(Batch(ended={0: ending}))
        trial_id = storage.create_new_trial(theirs, template)
        storage.set_trial_user_attr(trial_id, "outcome", "complete")
        storage.set_trial_system_attr(trial_id, "a", [1])
        storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.5, 10.0, 1.0])
        [read_ours] = storage.get_all_trials(ours)
        [read_theirs] = storage.get_all_trials(theirs)
        assert described(read_ours) == described(read_theirs)

    def test_attributes_of_the_study_and_links_are_set_and_removed(
        self, storage: RDBStorage
    ) -> None:
        study_id = new_study(storage)
        recorder = RowRecorder(storage.engine, study_id, storage.url)
        recorder.write(Batch(created=(trial(0, TrialState.COMPLETE),), files={0: {"a-1": "{}"}}))
        [ended] = storage.get_all_trials(study_id)
        link = f"dashboard:artifacts:{ended._trial_id}:a-1"
        assert storage.get_study_system_attrs(study_id)[link] == "{}"
        recorder.write(Batch(files={0: {"a-1": None}}, study_user_attrs={"n_trials": 3}))
        recorder.write(Batch(study_user_attrs={"n_trials": 4}))
        assert link not in storage.get_study_system_attrs(study_id)
        assert storage.get_study_user_attrs(study_id) == {"n_trials": 4}
        assert RDBStorage(storage.url).get_all_trials(study_id) == [ended]

    def test_numbers_go_on_where_the_study_stands(self, storage: RDBStorage) -> None:
        study_id = new_study(storage)
        RowRecorder(storage.engine, study_id, storage.url).write(Batch(created=(trial(0),)))
        resumed = RowRecorder(storage.engine, study_id, storage.url)
        created = (trial(1), trial(2, TrialState.COMPLETE))
        resumed.write(Batch(created=created, ended={0: Ending(TrialState.FAIL)}))
        states = [(t.number, t.state.name) for t in storage.get_all_trials(study_id)]
        assert states == [(0, "FAIL"), (1, "RUNNING"), (2, "COMPLETE")]

    def test_somebody_else_added_a_trial(self, storage: RDBStorage) -> None:
        study_id = new_study(storage)
        recorder = RowRecorder(storage.engine, study_id, storage.url)
        storage.create_new_trial(study_id)
        assert recorder.next_number() == 1
        with pytest.raises(StudyError, match="Somebody else added trial 0"):
            recorder.write(Batch(created=(trial(0),)))
        assert len(storage.get_all_trials(study_id)) == 1

    def test_somebody_else_ended_a_trial(self, storage: RDBStorage) -> None:
        study_id = new_study(storage)
        recorder = RowRecorder(storage.engine, study_id, storage.url)
        recorder.write(Batch(created=(trial(0),)))
        [running] = storage.get_all_trials(study_id)
        storage.set_trial_state_values(running._trial_id, TrialState.FAIL)
        with pytest.raises(StudyError, match="trial 0 is not running any more"):
            recorder.write(Batch(ended={0: Ending(TrialState.COMPLETE, (1.0, 1.0, 1.0))}))

    def test_a_full_disk(self, storage: RDBStorage, tmp_path: Path) -> None:
        study_id = new_study(storage)
        recorder = RowRecorder(storage.engine, study_id, storage.url)

        def fill(connection: sqlite3.Connection, _record: object) -> None:
            (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {n_pages + 10}")

        sa.event.listen(storage.engine, "connect", fill)
        storage.engine.dispose()
        n_written = 0
        with pytest.raises(StorageError, match="the disk is full.*same command again"):
            for n_written in range(1000):
                recorder.write(Batch(created=(trial(n_written, TrialState.COMPLETE),)))
        assert 0 < n_written < 1000
        plain = RDBStorage(storage.url)
        assert len(plain.get_all_trials(study_id)) == n_written

    def test_text_beyond_ascii_is_json(self, storage: RDBStorage) -> None:
        study_id = new_study(storage)
        recorder = RowRecorder(storage.engine, study_id, storage.url)
        recorder.write(Batch(study_user_attrs={"task": {"data_name": "Äpfel"}}))
        with storage.engine.connect() as connection:
            stored = connection.exec_driver_sql(
                "SELECT value_json FROM study_user_attributes"
            ).scalar()
        assert json.loads(str(stored)) == {"data_name": "Äpfel"}


def test_a_new_database_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """Runs that are started side by side in a fresh folder."""
    for number in range(3):
        path, at_once = tmp_path / f"{number}.db", threading.Barrier(6)

        def opened(path: Path = path, at_once: threading.Barrier = at_once) -> RDBStorage:
            at_once.wait()
            return open_storage(path)

        with ThreadPoolExecutor(6) as threads:
            found = [threads.submit(opened) for _ in range(6)]
        assert [storage.result().get_all_studies() for storage in found] == 6 * [[]]


@pytest.mark.parametrize("for_reading", [False, True])
@pytest.mark.parametrize(
    ("error", "is_told"), [(Interrupted(), False), (KeyboardInterrupt(), False), (OSError(), True)]
)
def test_an_interrupt_while_a_connection_is_closed_leaves_no_traceback(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    for_reading: bool,
    error: BaseException,
    is_told: bool,
) -> None:
    """It is raised all the same."""
    opened = open_storage(tmp_path / "studies.db")
    with open_for_reading(tmp_path / "studies.db") as reader:
        engine = reader if for_reading else opened.engine

        def strike(connection: object) -> None:
            raise error

        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        with monkeypatch.context() as patch:
            patch.setattr(engine.dialect, "do_close", strike)
            with nullcontext() if is_told else pytest.raises(KeyboardInterrupt):
                engine.pool.dispose()
    assert bool(caplog.records) == is_told


@pytest.mark.slow
def test_postgresql(postgres_url: str) -> None:
    """The same rows, read by Optuna from another kind of database."""
    storage = open_storage(postgres_url)
    ours, theirs = new_study(storage, "rows ours"), new_study(storage, "rows theirs")
    template = trial(0)
    recorder = RowRecorder(storage.engine, ours, storage.url)
    recorder.write(Batch(created=(template,)))
    ending = Ending(TrialState.COMPLETE, (0.5, 10.0, 1.0))
    recorder.write(
        Batch(ended={0: replace(ending, system_attrs={"a": 1})}, files={0: {"f": "{}"}})
    )
    trial_id = storage.create_new_trial(theirs, template)
    storage.set_trial_system_attr(trial_id, "a", 1)
    storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.5, 10.0, 1.0])
    [read_ours] = storage.get_all_trials(ours)
    [read_theirs] = storage.get_all_trials(theirs)
    assert described(read_ours) == described(read_theirs)
