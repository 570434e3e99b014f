"""Whatever is killed, at whichever write: nothing is lost, doubled, or left running."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from search.run.driver import Driver
from search.run.report import RunReport
from search.storage import attributes
from search.storage.artifacts import ArtifactKeeper
from search.storage.batches import Batch, MemoryRecorder
from search.storage.database import open_storage
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study, study_for_run
from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES
from spaces.config.trial import TrialConfig
from spaces.errors import StorageError
from tests.search_tests import analytic
from tests.search_tests.artifact_files import files_of
from workers.messages.executor import InlineExecutor

N_TRIALS = 5
SETTINGS = StudySettings("analytic", analytic.task_info(), sampler="random", seed=3)


class Killed(BaseException):
    """Stands for the end of the process: nothing handles it."""


def run(
    storage: InMemoryStorage | RDBStorage, folder: Path, n_trials: int = N_TRIALS, **changes: Any
) -> RunReport:
    settings = replace(SETTINGS, **changes)
    study = open_study(storage, settings, ArtifactKeeper(folder, "analytic"))
    executor = InlineExecutor(analytic.make_result)
    return Driver(study, executor, analytic.make_config, RunSettings(n_trials)).run()


def trials_of(storage: InMemoryStorage | RDBStorage) -> list[FrozenTrial]:
    return storage.get_all_trials(storage.get_study_id_from_name("analytic"))


def told_numbers(storage: InMemoryStorage | RDBStorage) -> set[int]:
    """Numbers of the trials that ended with a result."""
    if "analytic" not in {study.study_name for study in storage.get_all_studies()}:
        return set()
    return {t.number for t in trials_of(storage) if t.state == TrialState.COMPLETE}


def check_whole(storage: InMemoryStorage | RDBStorage, folder: Path, n_trials: int) -> None:
    """What holds of every study that ran to its end, however often it was killed."""
    trials = trials_of(storage)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    stopped = [trial for trial in trials if trial.state == TrialState.PRUNED]
    assert all(trial.user_attrs[attributes.OUTCOME] == "stopped" for trial in stopped)
    own = [trial for trial in complete if attributes.DERIVED_FROM not in trial.user_attrs]
    assert len(own) + len(stopped) == n_trials
    hashes = Counter(t.user_attrs[attributes.CONFIG_HASH] for t in [*complete, *stopped])
    assert max(hashes.values()) == 1, "a configuration was told twice"
    for trial in trials:
        assert trial.state.is_finished()
        if trial.state == TrialState.FAIL:
            assert trial.user_attrs[attributes.OUTCOME] == "interrupted"
            assert trial.user_attrs[attributes.CONFIG_HASH] in hashes, "it was not tried again"
    for trial in own:
        check_has_siblings(trial, complete)
    check_artifacts(storage, trials, folder)


def check_has_siblings(parent: FrozenTrial, complete: list[FrozenTrial]) -> None:
    config = TrialConfig.from_dict(parent.user_attrs[attributes.CONFIG])
    derived = [
        trial.params["quantization"]
        for trial in complete
        if trial.user_attrs.get(attributes.DERIVED_FROM) == parent.number
    ]
    expected: set[str] = set()
    if not SCHEMES[config.quantization].trains:
        expected = {str(scheme) for scheme in POST_TRAINING_SCHEMES} - {str(config.quantization)}
    assert sorted(derived) == sorted(expected)


def check_artifacts(
    storage: InMemoryStorage | RDBStorage, trials: list[FrozenTrial], folder: Path
) -> None:
    named = {file for trial in trials for file in files_of(storage, trial).values()}
    assert {path.name for path in folder.iterdir() if path.is_file()} == named


def test_a_run_that_is_not_killed_is_whole(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    report = run(storage, tmp_path)
    assert (report.ended_by, report.progress.n_done) == ("target", N_TRIALS)
    check_whole(storage, tmp_path, N_TRIALS)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_write(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is killed at its first write, resumed; another one at its second write, and so on."""
    write = MemoryRecorder.write
    n_writes = 0
    kill_at: int | None = None

    def counted(self: MemoryRecorder, batch: Batch) -> None:
        nonlocal n_writes
        n_writes += 1
        is_dead = kill_at is not None and n_writes >= kill_at
        if not is_dead or (moment == "after" and n_writes == kill_at):
            write(self, batch)
        if is_dead:
            raise Killed

    monkeypatch.setattr(MemoryRecorder, "write", counted)
    run(InMemoryStorage(), tmp_path / "counting")
    total = n_writes
    assert total > 2 * N_TRIALS
    for k in range(1, total + 1):
        storage, folder = InMemoryStorage(), tmp_path / str(k)
        n_writes, kill_at = 0, k
        with pytest.raises(Killed):
            run(storage, folder)
        told = told_numbers(storage)
        kill_at = None
        run(storage, folder)
        assert told <= told_numbers(storage), f"killed {moment} write {k}: results are lost"
        check_whole(storage, folder, N_TRIALS)


def test_killed_twice_in_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second driver dies while it puts right what the first one left."""
    write = MemoryRecorder.write
    alive = 4

    def counted(self: MemoryRecorder, batch: Batch) -> None:
        nonlocal alive
        alive -= 1
        if alive < 0:
            raise Killed
        write(self, batch)

    monkeypatch.setattr(MemoryRecorder, "write", counted)
    storage = InMemoryStorage()
    with pytest.raises(Killed):
        run(storage, tmp_path)
    for alive_again in (0, 1, 2, 3):
        alive = alive_again
        with pytest.raises(Killed):
            run(storage, tmp_path)
    alive = 10**6
    run(storage, tmp_path)
    check_whole(storage, tmp_path, N_TRIALS)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[RDBStorage]:
    opened = open_storage(tmp_path / "studies.db")
    yield opened
    opened.engine.dispose()


def test_a_batch_is_whole_or_not_there(database: RDBStorage, tmp_path: Path) -> None:
    """Killed within a batch, after any of its statements, a database has nothing of it."""
    n_statements = 0
    kill_at: int | None = None

    def count(_c: object, _u: object, statement: str, *_: object) -> None:
        nonlocal n_statements
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            n_statements += 1
            if kill_at is not None and n_statements >= kill_at:
                raise Killed

    sa.event.listen(database.engine, "before_cursor_execute", count)
    folder = tmp_path / "artifacts"
    run(database, folder, n_trials=1)
    n_trials = 1
    # One more trial at a time, killed ever later on its way.
    for kill_after in range(0, 20, 2):
        n_trials += 1
        n_statements, kill_at = 0, kill_after + 1
        told = told_numbers(database)
        try:
            run(database, folder, n_trials)
        except Killed:
            kill_at = None
            assert told <= told_numbers(database)
            run(database, folder, n_trials)
        kill_at = None
        check_whole(database, folder, n_trials)


def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    with study_for_run(path, SETTINGS) as study:
        Driver(
            study, InlineExecutor(analytic.make_result), analytic.make_config, RunSettings(2)
        ).run()
    database = open_storage(path)

    def fill(connection: sqlite3.Connection, _record: object) -> None:
        (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {n_pages + 20}")

    sa.event.listen(database.engine, "connect", fill)
    database.engine.dispose()
    with pytest.raises(StorageError, match="the disk is full"):
        run(database, tmp_path / "artifacts", n_trials=100)
    told = told_numbers(database)
    assert len(told) > 7
    database.engine.dispose()
    # Somebody made room.
    database = open_storage(path)
    run(database, tmp_path / "artifacts", n_trials=30)
    assert told <= told_numbers(database)
    check_whole(database, tmp_path / "artifacts", 30)


KILLED_DRIVER = """
import sys, time
from tests.search_tests import analytic
from tests.search_tests.study.test_resume import SETTINGS
from search.run.driver import Driver
from search.study.create_or_resume import study_for_run
from search.storage.settings import RunSettings
from workers.messages.executor import InlineExecutor

def slow(request):
    time.sleep(0.01)
    return analytic.make_result(request)

with study_for_run(sys.argv[1], SETTINGS) as study:
    print("running", flush=True)
    Driver(study, InlineExecutor(slow), analytic.make_config, RunSettings(1000)).run()
"""


@pytest.mark.slow
def test_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    checkout = Path(__file__).resolve().parents[3]
    for delay_s in (0.0, 0.2, 0.5):
        driver = subprocess.Popen(
            [sys.executable, "-c", KILLED_DRIVER, str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(checkout)},
        )
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"running\n"
        time.sleep(delay_s)
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
    storage = open_storage(path)
    told = told_numbers(storage)
    assert told
    with study_for_run(path, SETTINGS) as study:
        target = study.n_done + 2
        executor = InlineExecutor(analytic.make_result)
        Driver(study, executor, analytic.make_config, RunSettings(target)).run()
    assert told <= told_numbers(storage)
    check_whole(storage, tmp_path / "artifacts", target)


def test_the_same_command_after_completion_changes_nothing(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    run(storage, tmp_path)
    before = trials_of(storage)
    report = run(storage, tmp_path)
    assert report.ended_by == "target"
    assert trials_of(storage) == before


def test_a_resumed_study_does_not_repeat_its_random_numbers(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    for n_trials in range(1, 6):
        run(storage, tmp_path, n_trials, n_start=1)
    rates = [t.params["learning_rate"] for t in trials_of(storage)]
    own = {t.params["learning_rate"] for t in trials_of(storage)}
    assert len(own) == 5, rates
