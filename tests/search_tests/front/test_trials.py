"""All trials of a study, and two studies side by side."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from rich.console import Console

from search.cli.study_table import comparison_to_dict, print_comparison
from search.cli.trial_table import print_trial, print_trials, trials_to_csv, trials_to_dict
from search.front.compare import compare_fronts
from search.front.pareto import hypervolume
from search.front.read import load_front
from search.front.selection import points_where, sorted_points, trials_where
from search.front.trials import StudyTrials, load_trials
from spaces.errors import ConfigError, StudyError
from tests.search_tests.analytic_studies import run_analytic
from tests.search_tests.front.domination import dominates
from workers.messages.result import Limits


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "studies.db"
    # The gate refuses some, the race stops some, every fifth fails.
    run_analytic(path, "mixed", 40, fail_every=5, limits=Limits(max_latency_ms=0.3), seed=1)
    run_analytic(path, "plain", 12, seed=2)
    run_analytic(path, "impossible", 3, limits=Limits(max_size_bytes=10.0))
    return path


@pytest.fixture(scope="module")
def mixed(storage: Path) -> StudyTrials:
    return load_trials("mixed", storage)


def shown(print_it: Any, *arguments: Any, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, emoji=False, highlight=False)
    print_it(console, *arguments)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_trial_is_there_as_optuna_has_it(mixed: StudyTrials, storage: Path) -> None:
    study = optuna.load_study(study_name="mixed", storage=f"sqlite:///{storage}")
    assert [trial.number for trial in mixed.trials] == [t.number for t in study.trials]
    for ours, theirs in zip(mixed.trials, study.trials, strict=True):
        assert ours.params == theirs.params
        assert ours.outcome == theirs.user_attrs["outcome"]
        assert ours.reason == theirs.user_attrs.get("reason", "")
        if ours.has_model:
            assert [ours.accuracy, ours.size_bytes, ours.latency_ms] == theirs.values
        else:
            assert ours.reason
    assert {trial.outcome for trial in mixed.trials} >= {"complete", "infeasible", "failed"}


def test_those_on_the_front_are_marked(mixed: StudyTrials, storage: Path) -> None:
    marked = {trial.number for trial in mixed.trials if trial.is_on_front}
    assert marked == {point.trial for point in load_front("mixed", storage).points}
    assert [trial.number for trial in mixed.trials if trial.is_baseline] == [0]


def test_lineage_leads_to_a_training_of_its_own(mixed: StudyTrials) -> None:
    branches = [trial for trial in mixed.trials if trial.branched_from is not None]
    assert branches
    for trial in mixed.trials:
        line = mixed.lineage(trial.number)
        assert line[-1] is trial
        assert line[0].derived_from is None and line[0].branched_from is None
        for parent, child in zip(line, line[1:], strict=False):
            assert parent.number in (child.derived_from, child.branched_from)
            both = mixed.derived_from(parent.number) + mixed.branches_of(parent.number)
            assert child in both or child.derived_from == parent.number


def test_a_trial_that_there_is_not_is_told_with_those_there_are(mixed: StudyTrials) -> None:
    last = mixed.trials[-1].number
    with pytest.raises(StudyError, match=f"no trial 9999 .*are 0 to {last}"):
        mixed.trial(9999)


def test_the_list_says_why_on_eighty_columns(mixed: StudyTrials) -> None:
    text = shown(print_trials, mixed, mixed.trials)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    for trial in mixed.trials:
        assert any(line.split()[:1] == [str(trial.number)] for line in lines)
    words = " ".join(text.split())
    for trial in mixed.trials:
        assert trial.reason in words
    n_failed = sum(trial.outcome == "failed" for trial in mixed.trials)
    assert f"{n_failed} failed" in words[-200:]


def test_programs_get_the_same(mixed: StudyTrials) -> None:
    rows = trials_to_dict(mixed, mixed.trials)["trials"]
    table = list(csv.DictReader(io.StringIO(trials_to_csv(mixed.trials))))
    assert len(rows) == len(table) == len(mixed.trials)
    for row, cells, trial in zip(rows, table, mixed.trials, strict=True):
        assert row["trial"] == int(cells["trial"]) == trial.number
        assert row["reason"] == cells["reason"] == trial.reason
        assert row["params"] == dict(trial.params)
        for name, value in trial.params.items():
            assert cells[f"params_{name}"] == str(value)


@pytest.mark.parametrize("outcome", ["complete", "infeasible", "failed"])
def test_one_trial_is_shown_with_all_there_is(mixed: StudyTrials, outcome: str) -> None:
    trial = [t for t in mixed.trials if t.outcome == outcome][-1]
    text = shown(print_trial, mixed, trial)
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    assert f"Trial {trial.number} of study mixed: {outcome}" in words
    assert trial.reason in words
    for name in trial.params:
        assert name in text
    assert (f"--trial {trial.number} -o" in words) is (outcome == "complete")


def test_the_sparsity_of_each_layer_is_told(mixed: StudyTrials) -> None:
    trial = next(trial for trial in mixed.trials if trial.has_model)
    sparsity = {"overall": 0.25, "conv_1": 0.5, "dense": 0.125}
    layered = replace(trial, stored={**trial.stored, "sparsity": sparsity})
    words = shown(print_trial, mixed, layered).split("Sparsity by layer")[1].split()
    assert words[:6] == ["conv_1", "50.0", "%", "dense", "12.5", "%"]
    assert "Sparsity by layer" not in shown(print_trial, mixed, trial)


def test_points_and_trials_are_chosen_and_sorted(mixed: StudyTrials, storage: Path) -> None:
    points = load_front("mixed", storage).points
    int8 = [point for point in points if point.quantization == "int8"]
    limit = max(point.size_bytes for point in int8)  # The largest is none of them.
    small = points_where(points, f"size<{limit}B and scheme=int8")
    assert small == tuple(point for point in int8 if point.size_bytes < limit)
    assert 0 < len(small) < len(points)
    by_accuracy = [point.accuracy for point in sorted_points(points, "accuracy")]
    assert by_accuracy == sorted(by_accuracy, reverse=True)
    by_width = [point.params.get("filters_2") for point in sorted_points(points, "filters_2")]
    known = [width for width in by_width if width is not None]
    assert by_width == sorted(known) + [None] * (len(by_width) - len(known))
    assert {p.trial for p in sorted_points(points, "scheme")} == {p.trial for p in points}
    failed = trials_where(mixed.trials, "outcome=failed")
    assert failed == tuple(t for t in mixed.trials if t.outcome == "failed")
    with pytest.raises(ConfigError, match="Did you mean 'latency'"):
        sorted_points(points, "latencies")


def test_two_studies_are_measured_by_one_measure(storage: Path) -> None:
    first, second = load_front("mixed", storage), load_front("plain", storage)
    found = compare_fronts(first, second)
    a, b = ([point.values for point in front.points] for front in (first, second))
    assert found.hypervolumes == (
        hypervolume(a, found.reference),
        hypervolume(b, found.reference),
    )
    assert found.joint_hypervolume >= max(found.hypervolumes)
    for mine, others, n in ((a, b, found.n_dominated[0]), (b, a, found.n_dominated[1])):
        assert n == sum(any(dominates(other, one) for other in others) for one in mine)
    assert found.n_equal == len(set(a) & set(b))
    for gain in found.gains:
        for points, best in zip((a, b), gain.accuracies, strict=True):
            small = [accuracy for accuracy, size, _ in points if size <= gain.size_bytes]
            assert best == (max(small) if small else None)
    # The largest size holds all models of both.
    assert found.gains[-1].accuracies == (max(a)[0], max(b)[0])
    assert found.differences == ()
    text = shown(print_comparison, found)
    assert max(map(len, text.splitlines())) <= 80
    assert comparison_to_dict(found)["n_equal"] == found.n_equal


def test_a_study_with_no_point_compares_too(storage: Path) -> None:
    found = compare_fronts(load_front("impossible", storage), load_front("plain", storage))
    assert found.hypervolumes[0] == 0
    assert found.n_dominated == (0, 0)
    assert all(gain.gain is None for gain in found.gains)
    assert "plain dominates more" in shown(print_comparison, found)


def test_what_does_not_compare_is_refused_or_said(storage: Path, tmp_path: Path) -> None:
    first = load_front("plain", storage)
    run_analytic(tmp_path / "s.db", "flat", 2, size_metric="tflite")
    with pytest.raises(ConfigError, match="only under one --size, but 'plain' has gzip"):
        compare_fronts(first, load_front("flat", tmp_path / "s.db"))
    run_analytic(tmp_path / "s.db", "npu", 2, device="ethos-u55-128")
    (line,) = compare_fronts(first, load_front("npu", tmp_path / "s.db")).differences
    assert "host and ethos-u55-128" in line
