"""The configuration made by hand that a study begins with, and parameters held at a value."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from optuna.storages import InMemoryStorage
from rich.console import Console

from search.cli.front_data import front_to_dict
from search.cli.front_table import _than, print_front
from search.cli.main import cli
from search.front.baseline import Baseline, fitted, smallest_as_accurate, why_not
from search.front.read import load_front
from search.run.driver import Driver
from search.storage import attributes
from search.storage.database import open_storage
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from spaces.config.trial import ParamValue
from spaces.errors import ConfigError
from spaces.space.search_space import Condition, Parameter, SearchSpace
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor
from workers.messages.result import EvaluateRequest, TaskInfo, TrialResult

BY_HAND = {"n_blocks": 3, "filters_1": 64, "filters_2": 48, "learning_rate": 3e-3}


def task(**changes: Any) -> TaskInfo:
    return analytic.task_info(baseline=BY_HAND, baseline_note="by hand", **changes)


def run(storage: Any, info: TaskInfo, n_trials: int, requests: list[EvaluateRequest]) -> None:
    def evaluate(request: EvaluateRequest) -> TrialResult:
        requests.append(request)
        return analytic.make_result(request)

    study = open_study(storage, StudySettings("analytic", info, sampler="random", seed=1))
    executor = InlineExecutor(evaluate)
    Driver(study, executor, analytic.make_config, RunSettings(n_trials=n_trials)).run()


def test_a_study_begins_with_it() -> None:
    storage = InMemoryStorage()
    requests: list[EvaluateRequest] = []
    run(storage, task(), 3, requests)
    trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
    assert {name: trials[0].params[name] for name in BY_HAND} == BY_HAND
    # What is not named is off, or has its default.
    assert trials[0].params["pruning_schedule"] == "none"
    assert trials[0].params["quantization"] == "float32"
    marked = [trial.number for trial in trials if attributes.BASELINE in trial.user_attrs]
    assert marked == [0]
    assert requests[1].config != requests[0].config


def test_the_default_pick_is_no_less_accurate(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "studies.db")
    run(storage, task(), 12, [])
    storage.engine.dispose()
    front = load_front("analytic", tmp_path / "studies.db")
    assert front.baseline and front.baseline.values
    had = front.baseline.values[0]
    assert any(point.accuracy < had for point in front.points)
    # Its accuracy is moved to the middle of the front, above the bend.
    plain = replace(front, baseline=None).pick("knee")
    better = sorted(p.accuracy for p in front.points if p.accuracy > plain.accuracy)
    assert better
    raised = replace(front.baseline, values=(better[0], 1e6, 1.0))
    assert replace(front, baseline=raised).pick("knee").accuracy >= better[0]


def test_it_is_never_raced() -> None:
    """Also where it is sent out late, as after the death of its worker."""
    study = open_study(
        InMemoryStorage(), StudySettings("analytic", task(), sampler="random", seed=1)
    )
    baseline = study.ask(analytic.make_config)
    assert baseline is not None
    raced = []
    for _ in range(20):
        asked = study.ask(analytic.make_config)
        assert asked is not None
        request = study.request(asked.number)
        raced.append(request.race is not None and request.race.can_judge)
        study.tell(asked.number, analytic.make_result(request))
    assert any(raced)
    assert study.request(baseline.number).race is None


def test_interrupted_it_is_tried_again_as_the_baseline() -> None:
    storage = InMemoryStorage()
    study = open_study(storage, StudySettings("analytic", task(), sampler="random", seed=1))
    assert study.ask(analytic.make_config) is not None
    study.interrupt("interrupted: stopped by Ctrl-C")
    run(storage, task(), 2, [])
    trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
    marked = [t for t in trials if attributes.BASELINE in t.user_attrs]
    assert [t.values is None for t in marked] == [True, False]
    assert marked[1].user_attrs[attributes.RETRY_OF] == 0


def test_the_front_is_read_against_it(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "studies.db")
    run(storage, task(), 12, [])
    front = load_front("analytic", tmp_path / "studies.db")
    assert front.baseline is not None and front.baseline.values is not None
    assert (front.baseline.trial, front.baseline.note) == (0, "by hand")
    console = Console(file=io.StringIO(), width=80)
    print_front(console, front)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Baseline: trial 0, " in text
    better = [p for p in front.points if p.accuracy >= front.baseline.values[0]]
    smallest = min(better, key=lambda p: p.size_bytes)
    assert f"No less accurate: trial {smallest.trial}, " in text
    assert max(map(len, text.splitlines())) <= 80
    assert front_to_dict(front)["baseline"]["values"] == front.baseline.values


def test_without_one_nothing_is_said(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "studies.db")
    run(storage, analytic.task_info(), 3, [])
    front = load_front("analytic", tmp_path / "studies.db")
    assert front.baseline is None
    console = Console(file=io.StringIO(), width=80)
    print_front(console, front)
    assert "Baseline" not in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], None),
        ([(0.89, 10.0, 1.0)], None),
        ([(0.95, 50.0, 1.0), (0.9, 40.0, 2.0), (0.8, 1.0, 1.0)], 1),
    ],
)
def test_smallest_as_accurate(points: list[Any], expected: int | None) -> None:
    baseline = Baseline(0, (0.9, 1000.0, 1.0))
    assert smallest_as_accurate(baseline, points) == expected


FAMILIES = SearchSpace(
    (
        Parameter("family", "categorical", choices=("cnn", "ann", "lenet")),
        Parameter("filters", "int", 4, 64, conditions=(Condition("family", ("cnn", "lenet")),)),
        Parameter("units", "int", 16, 128, conditions=(Condition("family", ("ann",)),)),
        Parameter("head", "categorical", choices=("average", "flatten")),
        Parameter("batch_size", "categorical", choices=(32, 64)),
        Parameter("dropout", "float", 0.0, 0.5),
    )
)


def test_fixed_values_end_what_hangs_on_others() -> None:
    fixed = FAMILIES.fixed({"family": "ann", "batch_size": 64})
    assert fixed.names == ("family", "units", "head", "batch_size", "dropout")
    assert fixed.defaults()["family"] == "ann"
    assert fixed.defaults()["batch_size"] == 64
    assert FAMILIES.fixed({"filters": 8})["filters"].contains(8)
    assert not FAMILIES.fixed({"filters": 8})["filters"].contains(9)
    assert FAMILIES.fixed({}) == FAMILIES


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"family": "ann"}, {"family": "ann"}),
        ({"batch_size": "64"}, {"batch_size": 64}),
        ({"filters": "8", "dropout": "0.25"}, {"filters": 8, "dropout": 0.25}),
        ({"filters": "many"}, {"filters": "many"}),
        ({"filter": "8"}, {"filter": "8"}),
    ],
)
def test_typed_values(texts: Mapping[str, str], expected: Mapping[str, ParamValue]) -> None:
    assert FAMILIES.typed(texts) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"famly": "ann"}, "'famly' cannot be fixed, as it is not searched.*'family'"),
        ({"family": "vgg"}, "cannot be fixed at 'vgg': it is one of cnn, ann, lenet"),
        ({"filters": "many"}, "cannot be fixed at 'many': it goes from 4 to 64"),
        ({"filters": 128}, "cannot be fixed at 128: it goes from 4 to 64"),
    ],
)
def test_what_cannot_be_fixed(values: Mapping[str, ParamValue], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FAMILIES.fixed(values)


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        ({"family": "ann", "units": 64}, ""),
        ({}, ""),
        ({"family": "vgg"}, "The baseline of task 'analytic' is not tried: .*'family'.*'vgg'"),
        ({"units": 64}, "not tried: Parameter 'units' is not active"),
    ],
)
def test_why_a_baseline_is_not_tried(baseline: Mapping[str, ParamValue], said: str) -> None:
    info = replace(analytic.task_info(FAMILIES), baseline=baseline)
    found = why_not(FAMILIES, info)
    assert re.search(said, found) if said else found == ""


@pytest.mark.parametrize("text", ["batch_size", "=32", "batch_size="])
def test_what_is_no_name_and_value(text: str) -> None:
    result = CliRunner().invoke(cli, ["run", "mnist", "--fix", text], prog_name="search")
    assert result.exit_code == 2
    assert "NAME=VALUE" in result.stderr


SMALL = SearchSpace(
    (
        Parameter("n_blocks", "int", 1, 2, default=2),
        Parameter("filters_1", "int", 8, 48, step=16, default=8),
        Parameter("filters_2", "int", 8, 64, default=8, conditions=(Condition("n_blocks", (2,)),)),
        Parameter("rate", "float", 0.1, 0.2, default=0.1),
        Parameter("kind", "categorical", choices=("a", "b"), default="a"),
    )
)


@pytest.mark.parametrize(
    ("by_hand", "possible", "said"),
    [
        ({"n_blocks": 2, "filters_2": 9}, None, ""),
        ({"n_blocks": 3, "filters_3": 8}, {"n_blocks": 2}, "n_blocks 2 for 3, no filters_3"),
        ({"n_blocks": 1, "filters_2": 8}, {"n_blocks": 1}, "no filters_2"),
        ({"filters_1": 64}, {"filters_1": 40}, "filters_1 40 for 64"),
        ({"filters_1": 20}, {"filters_1": 24}, "filters_1 24 for 20"),
        ({"rate": 0.5}, {"rate": 0.2}, "rate 0.2 for 0.5"),
    ],
)
def test_it_follows_the_input(by_hand: Any, possible: Any, said: str) -> None:
    info = analytic.task_info(SMALL, baseline=by_hand)
    values, line = fitted(SMALL, info)
    assert values == (by_hand if possible is None else possible)
    assert said in line and bool(line) == bool(said)
    assert why_not(SMALL, replace(info, baseline=values)) == ""


def test_what_is_no_choice_any_more_is_said_shortly() -> None:
    info = analytic.task_info(SMALL, baseline={"kind": "c"})
    values, _ = fitted(SMALL, info)
    assert "'kind' cannot be 'c'" in why_not(SMALL, replace(info, baseline=values))
    inactive = replace(info, baseline={"n_blocks": 1, "filters_2": 8})
    assert why_not(SMALL, inactive).endswith("'filters_2' is not active beside n_blocks=1.")
    unknown = replace(info, baseline={"depth": 1})
    assert why_not(SMALL, unknown).endswith("'depth' is not active: there is none here.")


@pytest.mark.parametrize(
    ("before", "said"),
    [(8e5, "1.60 times smaller"), (5e5, "as large"), (2e5, "2.50 times larger")],
)
def test_a_size_is_compared_by_a_factor_above_1(before: float, said: str) -> None:
    assert _than(before, 5e5) == said
