"""A study has one metric: it is what Optuna optimizes, and the front says so."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from rich.console import Console

from search.cli.front_data import front_to_dict
from search.cli.front_table import print_front
from search.deploy.export import export_config
from search.front.read import load_front
from search.run.driver import Driver
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import study_for_run
from spaces.errors import StudyError
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor
from workers.messages.result import EvaluateRequest, Point, TrialResult

SETTINGS = StudySettings(
    "analytic",
    analytic.task_info(class_counts={"val": [85, 5, 5, 5]}),
    sampler="random",
    seed=1,
    metric="balanced_accuracy",
)


def scored(request: EvaluateRequest, *args: object, **kwargs: object) -> TrialResult:
    """Return the analytic task's result with the scores that a worker measures."""
    assert request.race is None

    def with_scores(point: Point) -> Point:
        found = {
            "accuracy": point.accuracy,
            "balanced_accuracy": point.accuracy / 2,
            "macro_f1": point.accuracy / 3,
        }
        return replace(point, class_scores=found, metric=request.metric)

    result = analytic.make_result(request)
    return replace(
        result,
        point=None if result.point is None else with_scores(result.point),
        siblings=tuple(map(with_scores, result.siblings)),
    )


def test_the_metric_is_the_first_objective(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    with study_for_run(path, SETTINGS) as study:
        Driver(study, InlineExecutor(scored), analytic.make_config, RunSettings(4)).run()
    plain = optuna.load_study(storage=f"sqlite:///{path}", study_name="analytic")
    assert plain.metric_names == ["balanced_accuracy", "size_bytes", "latency_ms"]
    assert plain.user_attrs["reference_point"]["error"] == pytest.approx(0.75 * 0.75)
    front = load_front("analytic", path)
    assert front.metric == "balanced_accuracy"
    for point in front.points:
        assert point.values[0] == pytest.approx(point.accuracy / 2)
    console = Console(width=100, file=io.StringIO(), record=True)
    print_front(console, front)
    text = console.export_text()
    assert "What counts, balanced_accuracy: validation split" in text
    assert "accuracy  balanced" in text
    rows = front_to_dict(front)
    assert rows["metric"] == "balanced_accuracy"
    assert rows["front"][0]["macro_f1"] == pytest.approx(rows["front"][0]["accuracy"] / 3)
    measured = export_config("analytic", path, rule="accuracy")["measured"]
    assert measured["class_scores"]["accuracy"] == measured["accuracy"]
    with pytest.raises(StudyError, match="started with metric balanced_accuracy; this run asks"):
        with study_for_run(path, replace(SETTINGS, metric="accuracy")):
            pass
