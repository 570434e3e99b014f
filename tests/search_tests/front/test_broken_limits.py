"""Where no model keeps the limits: which, how often, and how near the nearest came."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from search.cli.main import cli
from search.front.read import load_front
from search.run.driver import Driver
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import study_for_run
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor
from workers.messages.limits import Limits


def run(path: Path, limits: Limits, n_trials: int = 4) -> None:
    settings = StudySettings("s", analytic.task_info(), sampler="random", seed=1, limits=limits)
    with study_for_run(path, settings) as study:
        executor = InlineExecutor(analytic.make_result)
        Driver(study, executor, analytic.make_config, RunSettings(n_trials)).run()


def test_limits_that_the_gate_refuses(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    run(path, Limits(max_size_bytes=1_000))
    front = load_front("s", path)
    [broken] = front.broken_limits
    assert (broken.name, broken.limit) == ("size", 1_000)
    assert broken.n_broken == broken.n_known == front.n_trials
    assert broken.nearest > 1_000
    shown = CliRunner().invoke(cli, ["front", "s", "--storage", str(path)]).stdout
    assert f"--max-size 1.00 kB is broken by {broken.n_broken} of {broken.n_known}; the" in shown
    assert f"(trial {broken.trial})" in shown


def test_a_limit_that_only_training_tells(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    run(path, Limits(min_accuracy=0.999))
    [broken] = load_front("s", path).broken_limits
    assert (broken.name, broken.limit) == ("accuracy", 0.999)
    assert 0.5 < broken.nearest < 0.999


def test_nothing_is_said_where_a_point_keeps_all(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    run(path, Limits(max_size_bytes=1e9))
    assert load_front("s", path).broken_limits == ()
