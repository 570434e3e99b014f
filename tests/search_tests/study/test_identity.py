"""A study is what it says it is: whoever else is in the file, and whatever becomes of the file."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from search.deploy.export import export_config
from search.front.read import load_front, load_fronts
from search.run.driver import Driver
from search.storage import attributes
from search.storage.database import open_storage
from search.storage.settings import RunSettings, StudySettings
from search.storage.urls import masked, scrubbed, storage_url
from search.study.create_or_resume import study_for_run
from search.study.open_study import OpenStudy
from spaces.errors import ExportError, StorageError, StudyError
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor

CHECKOUT = Path(__file__).resolve().parents[3]
SETTINGS = StudySettings("analytic", analytic.task_info(), sampler="random", seed=1)


def run(path: Path, n_trials: int, settings: StudySettings = SETTINGS) -> None:
    with study_for_run(path, settings) as study:
        executor = InlineExecutor(analytic.make_result)
        Driver(study, executor, analytic.make_config, RunSettings(n_trials)).run()


def tell_one(study: OpenStudy) -> int:
    asked = study.ask(analytic.make_config)
    assert asked is not None
    study.tell(asked.number, analytic.make_result(study.request(asked.number)))
    return asked.number


def plain(path: Path) -> optuna.Study:
    """The study as plain Optuna sees it."""
    return optuna.load_study(study_name="analytic", storage=f"sqlite:///{path}")


def n_told(path: Path) -> int:
    """Trials of our own asking that plain Optuna finds complete, or stopped by the race."""
    return sum(
        trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        and attributes.DERIVED_FROM not in trial.user_attrs
        for trial in plain(path).trials
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "studies.db"


class TestIdentity:
    def test_it_is_kept_for_good(self, path: Path) -> None:
        run(path, 1)
        first = optuna.load_study(study_name="analytic", storage=f"sqlite:///{path}").user_attrs
        run(path, 2)
        again = optuna.load_study(study_name="analytic", storage=f"sqlite:///{path}").user_attrs
        assert first[attributes.IDENTITY] == again[attributes.IDENTITY] != ""

    def test_a_driver_writes_to_no_study_that_took_the_place_of_its_own(self, path: Path) -> None:
        with study_for_run(path, SETTINGS) as study:
            tell_one(study)
            optuna.delete_study(study_name="analytic", storage=f"sqlite:///{path}")
            other = optuna.create_study(
                study_name="analytic",
                storage=f"sqlite:///{path}",
                directions=["maximize", "minimize", "minimize"],
            )
            assert other._study_id == 1  # SQLite hands the id out again.
            with pytest.raises(StudyError, match="was deleted while this run.*same command again"):
                tell_one(study)
        assert other.trials == []

    def test_a_study_made_anew_starts_from_nobody_s_weights(self, path: Path) -> None:
        with study_for_run(path, SETTINGS) as study:
            for _ in range(3):
                tell_one(study)
            assert study._shortcuts._weights.numbers
        optuna.delete_study(study_name="analytic", storage=f"sqlite:///{path}")
        with study_for_run(path, SETTINGS) as study:
            assert study._shortcuts._weights.numbers == ()

    def test_numbers_are_no_positions(self, path: Path) -> None:
        run(path, 3)
        numbers = [t.number for t in plain(path).trials]
        before = export_config("analytic", path, trial=numbers[-1])
        database = sqlite3.connect(path)
        database.execute("DELETE FROM trials WHERE number = 2")
        database.commit()
        database.close()
        assert export_config("analytic", path, trial=numbers[-1]) == before
        with pytest.raises(ExportError, match="no trial 2; its trials are 0 to"):
            export_config("analytic", path, trial=2)
        run(path, 5)
        again = [t.number for t in plain(path).trials]
        assert len(set(again)) == len(again)
        assert set(numbers) - {2} < set(again)


class TestTheFile:
    @pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
    def test_one_that_goes_away_ends_the_run_and_loses_nothing(
        self, path: Path, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if how == "replaced":
            monkeypatch.setattr("search.storage.transactions.CHECKPOINT_S", 0.0)
        with study_for_run(path, SETTINGS) as study:
            for _ in range(3):
                tell_one(study)
            if how == "moved":
                path.rename(path.with_name("elsewhere.db"))
            else:
                path.unlink()
            if how == "replaced":
                open_storage(path).engine.dispose()
            with pytest.raises(StorageError, match="while a study was running.*saved as") as found:
                tell_one(study)
        rescued = path.with_name("studies-rescued-1.db")
        assert str(rescued) in str(found.value)
        assert n_told(rescued) == 3
        run(rescued, 4)

    def test_a_name_of_many_is_refused_and_a_link_is_one_lock(self, path: Path) -> None:
        run(path, 1)
        link = path.with_name("link.db")
        link.symlink_to(path)
        with study_for_run(path, SETTINGS):
            with pytest.raises(StudyError, match="is being run by another driver"):
                with study_for_run(link, SETTINGS):
                    pass
        link.unlink()
        os.link(path, link)
        with pytest.raises(StorageError, match="has 2 names .hard links.*--storage"):
            run(path, 2)

    def test_a_copy_of_the_file_alone_is_seconds_old(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("search.storage.transactions.CHECKPOINT_S", 0.0)
        with study_for_run(path, SETTINGS) as study:
            for _ in range(3):
                tell_one(study)
            # Not by this process: closing the file would let go of SQLite's locks.
            copy = path.with_name("copy.db")
            subprocess.run(["cp", str(path), str(copy)], check=True)
            assert n_told(copy) == 3
            tell_one(study)

    def test_looking_takes_no_lock_away(self, path: Path) -> None:
        """A front read in the driver's process, another reader elsewhere, and a kill."""
        script = f"""
import os, signal, subprocess, sys
from tests.search_tests.study.test_identity import SETTINGS, Path, study_for_run, tell_one
from search import load_front
path = Path({str(path)!r})
with study_for_run(path, SETTINGS) as study:
    for number in range(30):
        tell_one(study)
        load_front("analytic", path)
        if number % 10 == 0:
            # Whoever closes a database last takes its log away.
            reader = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
            reader += "c.execute('SELECT count(*) FROM trials').fetchone(); c.close()"
            subprocess.run([sys.executable, "-c", reader, str(path)], check=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert n_told(path) == 30


def without_write_access() -> None:
    """Take from a process what lets root write to read-only files."""
    if os.getuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


class TestLooking:
    @pytest.fixture
    def read_only(self, path: Path) -> Iterator[Path]:
        run(path, 2)
        yield path
        path.parent.chmod(0o755)

    def looked(self, path: Path) -> subprocess.CompletedProcess[str]:
        for file in path.parent.iterdir():
            if file.is_file():
                file.chmod(stat.S_IRUSR)
        path.parent.chmod(0o555)
        return subprocess.run(
            [sys.executable, "-m", "search", "front", "analytic", "--storage", str(path)],
            cwd=CHECKOUT,
            preexec_fn=without_write_access,
            capture_output=True,
            text=True,
        )

    def test_a_read_only_file_in_a_read_only_folder(self, read_only: Path) -> None:
        before = read_only.read_bytes()
        done = self.looked(read_only)
        assert done.returncode == 0, done.stderr
        assert "2 trials" in done.stdout
        assert read_only.read_bytes() == before

    def test_what_is_in_the_log_only(self, read_only: Path, tmp_path: Path) -> None:
        """A folder copied while a run was going on: the file, and a log that nobody applied."""
        copied = tmp_path / "copied"
        copied.mkdir()
        with study_for_run(read_only, SETTINGS) as study:
            tell_one(study)
            for name in (read_only.name, read_only.name + "-wal"):
                subprocess.run(["cp", str(read_only.with_name(name)), str(copied)], check=True)
        done = self.looked(copied / read_only.name)
        copied.chmod(0o755)
        assert done.returncode == 0, done.stderr
        assert "3 trials" in done.stdout

    def test_it_writes_nothing(self, path: Path) -> None:
        run(path, 1)
        before = {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()}
        load_front("analytic", path)
        load_fronts(path)
        assert {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()} == before

    def test_beside_a_driver_it_is_always_of_one_moment(self, path: Path) -> None:
        """Every trial that a front names is there with all that belongs to it."""
        script = f"""
from tests.search_tests.study.test_identity import SETTINGS, Path, study_for_run, tell_one
with study_for_run(Path({str(path)!r}), SETTINGS) as study:
    print("running", flush=True)
    while True:
        tell_one(study)
"""
        driver = subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            stdout=subprocess.PIPE,
        )
        try:
            assert driver.stdout is not None and driver.stdout.readline() == b"running\n"
            n_trials = [load_front("analytic", path).n_trials for _ in range(40)]
        finally:
            driver.kill()
            driver.communicate()
        assert n_trials == sorted(n_trials)
        assert n_trials[-1] > n_trials[0]


class TestOthers:
    def test_studies_of_plain_optuna_in_the_file(self, path: Path) -> None:
        run(path, 1)
        url = f"sqlite:///{path}"
        others = optuna.create_study(study_name="plain", storage=url)
        others.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
        others.enqueue_trial({"x": 0.5})
        assert [front.study for front in load_fronts(path)] == ["analytic"]
        with pytest.raises(StudyError, match="was not made by `search run`"):
            load_front("plain", path)
        with pytest.raises(StudyError, match="has 3 trials of its own. Use --study"):
            run(path, 1, StudySettings("plain", analytic.task_info()))
        assert len(others.trials) == 3

    @pytest.mark.parametrize("directions", [["maximize"], ["minimize"] * 3])
    def test_an_empty_study_of_others_is_not_adopted(
        self, path: Path, directions: list[Any]
    ) -> None:
        url = f"sqlite:///{path}"
        optuna.create_study(study_name="analytic", storage=url, directions=directions)
        with pytest.raises(StudyError, match="has other objectives"):
            run(path, 1)
        study = optuna.load_study(study_name="analytic", storage=url)
        assert study.user_attrs == {} and study.trials == []

    def test_an_empty_study_with_attributes_of_others_is_not_adopted(self, path: Path) -> None:
        url = f"sqlite:///{path}"
        study = optuna.create_study(
            study_name="analytic", storage=url, directions=["maximize", "minimize", "minimize"]
        )
        study.set_user_attr("owner", "somebody")
        with pytest.raises(StudyError, match="has attributes of its own .owner."):
            run(path, 1)

    def test_trials_of_plain_optuna_in_our_study(self, path: Path) -> None:
        run(path, 2)
        study = optuna.load_study(study_name="analytic", storage=f"sqlite:///{path}")
        running = study.ask()
        study.tell(study.ask(), [1.0, 1.0, 1.0])
        study.tell(study.ask(), state=TrialState.FAIL)
        study.enqueue_trial({"filters_1": 8})
        assert load_fronts(path)[0].n_foreign == 4
        assert load_front("analytic", path).n_trials == 2
        run(path, 3)
        front = load_front("analytic", path)
        assert (front.n_trials, front.n_foreign) == (3, 4)
        again = optuna.load_study(study_name="analytic", storage=f"sqlite:///{path}")
        assert again.trials[running.number].state == TrialState.RUNNING
        assert all(point.values != (1.0, 1.0, 1.0) for point in front.points)

    def test_a_database_of_another_optuna(self, path: Path) -> None:
        run(path, 1)
        database = sqlite3.connect(path)
        database.execute("UPDATE version_info SET schema_version = 13, library_version = '6.0'")
        database.commit()
        database.close()
        with pytest.raises(StorageError):
            run(path, 2)
        with pytest.raises(StorageError, match="tables of Optuna 6.0 .schema 13.*knows schema 12"):
            load_front("analytic", path)

    def test_a_database_of_something_else(self, path: Path) -> None:
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE songs (title TEXT)")
        database.commit()
        database.close()
        with pytest.raises(StorageError, match="has no tables of Optuna"):
            load_front("analytic", path)


def test_what_ended_never_changes(path: Path) -> None:
    """Points leave the front while a run goes on: that is kept on the study."""
    rows: dict[int, Any] = {}
    with study_for_run(path, SETTINGS) as study:
        for _ in range(12):
            tell_one(study)
            trials = plain(path).trials
            for trial in trials:
                if trial.state.is_finished():
                    assert rows.setdefault(trial.number, trial) == trial


def test_the_number_is_read_under_the_lock_that_writes_it(path: Path) -> None:
    run(path, 1)
    storage = open_storage(path)
    statements: list[str] = []
    sa.event.listen(
        storage.engine,
        "before_cursor_execute",
        lambda _c, _u, statement, *_: statements.append(statement),
    )
    from search.storage.batches import Batch
    from search.storage.recorder import RowRecorder

    recorder = RowRecorder(storage.engine, 1, storage.url)
    statements.clear()
    recorder.write(Batch(study_user_attrs={"n_trials": 3}))
    assert statements[0] == "BEGIN IMMEDIATE"
    storage.engine.dispose()


SECRETS = [
    ("postgresql://me:secret@host/db", "secret"),
    ("postgresql+psycopg://me:p@ss/w@rd@host/db", "p@ss/w@rd"),
    ("postgresql://me:p%40ss%2Fword@host/db", "p%40ss%2Fword"),
    ("postgresql://host/db?user=me&password=secret", "secret"),
    ("postgresql://me@host/db?sslpassword=secret&sslmode=require", "secret"),
    ("mysql+pymysql://me:s:e:c@host:3306/db", "s:e:c"),
    ("redis://:secret@host:6379/0", "secret"),
    ("s3://key:secret@bucket/path?aws_secret_access_key=hidden", "hidden"),
    ("postgresql://me:sec ret@host:notaport/db", "sec ret"),
    ("://me:secret@host:x/db", "secret"),
]


@pytest.mark.parametrize(("url", "secret"), SECRETS)
def test_no_secret_shows(url: str, secret: str) -> None:
    assert secret not in masked(url)
    assert "***" in masked(url)
    try:
        storage_url(url)
    except StorageError as error:
        assert secret not in str(error)
    assert secret not in scrubbed(f"could not connect with {secret} to {url}")


def test_a_password_shows_nowhere_when_a_server_is_not_there(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:top%40secret@127.0.0.1:9/db?connect_timeout=1"
    for words in (["list"], ["front", "x", "--debug"], ["run", "fruit"], ["dashboard"]):
        done = subprocess.run(
            [sys.executable, "-m", "search", *words, "--storage", url],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert "top%40secret" not in done.stderr + done.stdout
        assert "top@secret" not in done.stderr + done.stdout
        assert "127.0.0.1" in done.stderr


def test_weights_of_a_study_from_before_identities_are_taken_over(path: Path) -> None:
    with study_for_run(path, SETTINGS) as study:
        for _ in range(3):
            tell_one(study)
        kept = study._shortcuts._weights.numbers
        assert kept
        prefix = study._shortcuts._weights._prefix
    from search.storage.weights import WeightKeeper

    folder = path.parent / "artifacts"
    old = WeightKeeper(folder, f"{path.name}/analytic")
    for file in (folder / "weights").iterdir():
        shutil.move(file, file.with_name(file.name.replace(prefix, old._prefix)))
    database = sqlite3.connect(path)
    database.execute("DELETE FROM study_user_attributes WHERE key = 'identity'")
    database.commit()
    database.close()
    with study_for_run(path, SETTINGS) as study:
        assert study._shortcuts._weights.numbers == kept
