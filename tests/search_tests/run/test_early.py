"""Workers start while a task is prepared, and never where they are of no use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.run.early import EarlyStart
from search.run.options import RunOptions
from search.run.run_study import run_study
from search.storage.database import open_storage
from spaces.errors import DataError
from tests.listening import commands
from tests.search_tests.analytic_studies import run_analytic

CHECKOUT = Path(__file__).parents[3]

SLOW_TO_BUILD = """
import time
import numpy as np
from spaces import Dataset, Split, Task

def build(hp):
    {build}

def load_data(request):
    rng = np.random.default_rng(0)
    split = lambda n: Split(rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8), np.arange(n) % 2)
    splits = split(40), split(40), split(40)
    return Dataset("noise", *splits, class_names=("a", "b"), fingerprint="")

TASK = Task(name="slow", description="noise", model=build, load_data=load_data)
"""


class Begun:
    """Stands for workers that have begun."""

    made: list[Begun]

    def __init__(self, n_workers: int, *_: Any) -> None:
        self.n_workers = n_workers
        self.is_shut_down = False
        self.made.append(self)

    def shutdown(self) -> None:
        self.is_shut_down = True


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Begun]:
    """Workers that began."""
    Begun.made = []
    monkeypatch.setattr("search.run.early.EarlyWorkers", Begun)
    return Begun.made


def start(storage: Path, task: str = "fruit", **given: Any) -> EarlyStart:
    open_storage(storage).engine.dispose()
    return EarlyStart(task, RunOptions(storage=storage, workers=2, **given), lambda _: None)


def test_what_a_person_names_is_read_before(begun: list[Begun], tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    for given in (
        {"data": "photos"},
        {"weights": "w.h5"},
        {"enqueue": "a.csv"},
        {"fix": {"a": 1}},
    ):
        with start(storage, **given) as early:
            early.at_once()
            assert begun == []
    with start(storage, data="photos") as early:
        early.when_read("fruit")
        early.when_read("fruit")  # Splits of an earlier version are drawn once more.
        assert [one.n_workers for one in begun] == [2]
    assert begun[0].is_shut_down


def test_a_task_of_ours_on_its_own_data_starts_at_once(begun: list[Begun], tmp_path: Path) -> None:
    with start(tmp_path / "studies.db", trials=1) as early:
        early.at_once()
        early.when_read("fruit")
        assert [one.n_workers for one in begun] == [1]


def test_a_study_with_all_its_trials_starts_nothing(begun: list[Begun], tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    run_analytic(storage, n_trials=4)
    wanted: tuple[dict[str, Any], ...] = ({}, {"trials": 4}, {"trials": 3})
    for given in wanted:
        with start(storage, study="analytic", **given) as early:
            early.at_once()
            early.when_read("analytic")
            assert begun == []


@pytest.mark.parametrize("given", [{"trials": 40}, {"more": 1}])
def test_a_study_that_goes_on_starts_at_once(
    given: dict[str, Any], begun: list[Begun], tmp_path: Path
) -> None:
    """Its data have been read before, and are where they were."""
    storage = tmp_path / "studies.db"
    run_analytic(storage, n_trials=4)
    missing: tuple[dict[str, Any], ...] = ({"data": tmp_path / "no"}, {"weights": tmp_path / "no"})
    for named in missing:
        with start(storage, study="analytic", **named, **given) as early:
            early.at_once()
            assert begun == []
    with start(storage, study="analytic", data=tmp_path, **given) as early:
        early.at_once()
        assert len(begun) == 1


def test_a_cluster_is_joined_when_the_task_is_known(begun: list[Begun], tmp_path: Path) -> None:
    with start(tmp_path / "studies.db", address="127.0.0.1:6379") as early:
        early.at_once()
        early.when_read("fruit")
        assert begun == []


def test_a_folder_that_is_missing_starts_nothing(begun: list[Begun], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none"):
        run_study("fruit", data=tmp_path / "none", storage=tmp_path / "studies.db")
    assert begun == []


def test_configurations_that_are_missing_are_told_before_data_are_read(
    begun: list[Begun], tmp_path: Path
) -> None:
    storage = tmp_path / "studies.db"
    with pytest.raises(DataError, match=r"'none\.csv' does not exist"):
        run_study("fruit", data=tmp_path / "none", enqueue="none.csv", storage=storage)
    assert begun == [] and not storage.exists()


@pytest.fixture
def run_slow(tmp_path: Path) -> Callable[[str], subprocess.Popen[str]]:
    """Runs a search of a task in whose ``build(hp)`` something happens."""

    def run(build: str) -> subprocess.Popen[str]:
        (tmp_path / "slow.py").write_text(SLOW_TO_BUILD.format(build=build))
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "search", "run", "slow.py", "--workers", "2"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(CHECKOUT),
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
            },
            # A shell in the background ignores Ctrl-C, and so do all that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return run


def living(noted: dict[int, str]) -> dict[int, str]:
    """Return what of some processes has not ended within some seconds."""
    deadline = time.monotonic() + 20
    while True:
        left = {pid: what for pid, what in noted.items() if commands(pid).get(pid) == what}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_amid_the_start_leaves_no_process(
    name: str, run_slow: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = run_slow("time.sleep(600)")
    noted: dict[int, str] = {}
    deadline = time.monotonic() + 300
    while not any(command.startswith("ray::Worker") for command in noted.values()):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.2)
        noted = commands(process.pid)
    assert any("prepare_job" in command for command in noted.values())  # Both at once.
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + getattr(signal, name)
    assert "Traceback" not in said
    assert living(noted) == {}


@pytest.mark.slow
def test_a_model_that_cannot_be_built_is_one_line_and_leaves_no_process(
    run_slow: Callable[[str], subprocess.Popen[str]],
) -> None:
    process = run_slow("time.sleep(3); raise ValueError('of mine')")
    noted: dict[int, str] = {}
    while process.poll() is None:
        noted |= commands(process.pid)
        time.sleep(0.2)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert [line for line in said.splitlines() if line.startswith("Error: ")] == [
        said.strip().splitlines()[-1]
    ]
    assert any("raylet" in command for command in noted.values())
    assert "of mine" in said and "Traceback" not in said
    assert living(noted) == {}
