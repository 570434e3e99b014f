"""Several drivers on one study of a real PostgreSQL server; on SQLite one, with a clear line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState

from search.storage import attributes
from search.storage.attributes import COUNTED
from search.storage.database import open_for_reading
from search.storage.leases import PREFIX
from search.storage.reader import StudyRecord, read_study
from search.storage.settings import StudySettings
from search.study.create_or_resume import study_for_run
from spaces.config.trial import ParamValue, TrialConfig
from spaces.errors import StorageError, StudyError
from tests.search_tests import analytic
from workers.messages.race import MIN_CURVES

CHECKOUT = Path(__file__).resolve().parents[3]

DRIVER = """
import sys, time
from search.run.driver import Driver
from search.storage import leases
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import study_for_run
from tests.search_tests import analytic
from workers.messages.race import MIN_CURVES
from workers.messages.executor import InlineExecutor

storage, name, target, hang_at = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
leases.LEASE_S = 4.0
done = []

def evaluate(request):
    if len(done) == hang_at:
        print("hangs", flush=True)
        time.sleep(1000)
    time.sleep(0.05)
    done.append(request.config.hash)
    return analytic.make_result(request)

wanted = StudySettings(name, analytic.task_info(), sampler="random", seed=1)
with study_for_run(storage, wanted, share=True) as study:
    print("open", flush=True)
    sys.stdin.readline()
    make = lambda params: analytic.make_config(params, 1)
    report = Driver(study, InlineExecutor(evaluate), make, RunSettings(target)).run()
    assert report.ended_by == "target", report
print(len(done), flush=True)
"""


def start(
    url: str, name: str, folder: Path, target: int, hang_at: int = -1
) -> subprocess.Popen[str]:
    """Start a driver on a host of its own, as far as files go; it waits once the study is open."""
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, url, name, str(target), str(hang_at)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def stored(url: str, name: str) -> StudyRecord:
    with open_for_reading(url) as engine:
        record = read_study(engine, name)
    assert record is not None
    return record


def check(record: StudyRecord, target: int) -> list[FrozenTrial]:
    """All that a study promises, whoever ran it; returns the trials that count."""
    trials = record.own_trials
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert not [trial for trial in trials if trial.state == TrialState.RUNNING]
    counted = [
        trial
        for trial in trials
        if trial.user_attrs[attributes.OUTCOME] in COUNTED
        and attributes.DERIVED_FROM not in trial.user_attrs
    ]
    assert len(counted) == target
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    hashes = Counter(trial.user_attrs[attributes.CONFIG_HASH] for trial in complete)
    assert [one for one, count in hashes.items() if count > 1] == []
    assert not [key for key in record.user_attrs if key.startswith(PREFIX)]
    return counted


def owners(trials: list[FrozenTrial]) -> Counter[str]:
    return Counter(trial.user_attrs[attributes.OWNER] for trial in trials)


def test_a_turn_whose_connection_is_cut_writes_nothing(postgres_url: str, tmp_path: Path) -> None:
    """Another driver has its turn by then: both would try the same configuration."""
    name = "cut turn"
    wanted = StudySettings(name, analytic.task_info(), sampler="random", seed=1)
    with (
        study_for_run(postgres_url, wanted, share=True) as first,
        study_for_run(postgres_url, wanted, share=True) as second,
    ):

        def cut(params: Mapping[str, ParamValue]) -> TrialConfig:
            cut_turns(postgres_url)
            assert second.ask(analytic.make_config) is not None
            return analytic.make_config(params)

        with pytest.raises(StorageError, match="terminating connection"):
            first.ask(cut)
        assert len(stored(postgres_url, name).own_trials) == 1
        assert first.ask(analytic.make_config) is not None  # In a turn of its own.
    trials = stored(postgres_url, name).own_trials
    assert len({trial.user_attrs[attributes.CONFIG_HASH] for trial in trials}) == len(trials) == 2


def cut_turns(url: str) -> None:
    """Cut the connections that hold a turn, and none of those that hold a study."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        held = connection.scalars(
            sa.text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
                "WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'"
            )
        )
        assert list(held) == [True]
    engine.dispose()


@pytest.mark.slow
def test_two_drivers_share_a_target(postgres_url: str, tmp_path: Path) -> None:
    name, target = "shared by two", 24
    drivers = [start(postgres_url, name, tmp_path / host, target) for host in "ab"]
    for driver in drivers:
        go(driver)
    n_done = [int(driver.communicate(timeout=200)[0]) for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0]
    found = owners(check(stored(postgres_url, name), target))
    assert sum(n_done) == target and min(n_done) > 0
    assert sorted(found.values()) == sorted(n_done)
    for host in "ab":  # What each measured lies with it, as long as it is on the front.
        assert list((tmp_path / host / "artifacts").glob("*-*"))


@pytest.mark.slow
def test_trials_of_a_killed_driver_are_taken_over(postgres_url: str, tmp_path: Path) -> None:
    name, target = "taken over", 12
    killed = start(postgres_url, name, tmp_path / "a", target, hang_at=3)
    lives = start(postgres_url, name, tmp_path / "b", target)
    go(killed)
    assert killed.stdout is not None and killed.stdout.readline() == "hangs\n"
    go(lives)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    out, _ = lives.communicate(timeout=200)
    assert lives.returncode == 0
    record = stored(postgres_url, name)
    counted = [
        trial
        for trial in record.own_trials
        if trial.user_attrs.get(attributes.OUTCOME) in COUNTED
        and attributes.DERIVED_FROM not in trial.user_attrs
    ]
    assert len(counted) == target and int(out) == target - 3
    given_up = {
        trial.number: trial.params
        for trial in record.own_trials
        if trial.user_attrs[attributes.OUTCOME] == "interrupted"
    }
    again = {
        trial.user_attrs[attributes.RETRY_OF]: trial.params
        for trial in counted
        if attributes.RETRY_OF in trial.user_attrs
    }
    assert again == given_up and len(given_up) == 2  # The one that hung, and one in its queue.
    assert not [trial for trial in record.trials if trial.state == TrialState.RUNNING]


@pytest.mark.slow
def test_a_driver_that_returns_too_late_lets_go(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGSTOP: its trial was given to another one, and counts once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("search.storage.leases.LEASE_S", 0.0)
    settings = StudySettings("late", analytic.task_info(), sampler="random", seed=1)
    with study_for_run(postgres_url, settings, share=True) as late:
        late.set_target(5)
        asked = late.ask(analytic.make_config)
        assert asked is not None
        monkeypatch.setattr("search.storage.leases.LEASE_S", 60.0)
        with study_for_run(postgres_url, settings, share=True) as other:
            assert other.n_elsewhere == 0 and other.n_interrupted == 1
            again = other.ask(analytic.make_config)
            assert again is not None and again.config == asked.config
            told = late.tell(asked.number, analytic.make_result(late.request(asked.number)))
            assert told.outcome == "interrupted" and "another one" in told.reason
            assert late.running == () and late.n_elsewhere == 1
            result = analytic.make_result(other.request(again.number))
            assert other.tell(again.number, result).outcome == "complete"
            late.sign(now=True)
            assert (late.n_done, late.n_elsewhere) == (1, 0)
            assert late.front.keys == other.front.keys
            assert late.hypervolume == other.hypervolume
            assert late.n_points == other.n_points


@pytest.mark.slow
def test_a_training_is_raced_against_those_of_other_drivers(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = StudySettings("raced", analytic.task_info(), sampler="random", seed=1, branch=False)
    with (
        study_for_run(postgres_url, settings, share=True) as first,
        study_for_run(postgres_url, settings, share=True) as second,
    ):
        first.set_target(100)
        second.set_target(100)
        for _ in range(MIN_CURVES):
            asked = first.ask(analytic.make_config)
            assert asked is not None
            request = replace(first.request(asked.number), race=None)
            first.tell(asked.number, analytic.make_result(request))
        own, other = first.ask(analytic.make_config), second.ask(analytic.make_config)
        assert own is not None and other is not None
        races = first.request(own.number).race, second.request(other.number).race
        assert races[0] is not None and races[0].front and races[0].can_judge
        # Curves are stored with six digits.
        same = replace(races[0], curves=())
        assert races[1] is not None and replace(races[1], curves=()) == same
        assert len(races[1].curves) == len(races[0].curves)


def test_on_sqlite_the_second_driver_is_refused(tmp_path: Path) -> None:
    settings = StudySettings("alone", analytic.task_info(), sampler="random", seed=1)
    path = tmp_path / "studies.db"
    with study_for_run(path, settings, share=True):
        with pytest.raises(StudyError, match="'alone' is being run by another driver.*--study"):
            with study_for_run(path, settings, share=True):
                pass
