"""A study goes on with what it was begun with, by its name alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from search.cli.main import cli
from search.front.read import find_study, load_front, reading
from search.front.trials import load_trials
from search.options import words_of
from search.run.options import RunOptions
from search.run.resumed import asked_for, resumed
from search.run.run_study import run_study
from search.storage import attributes
from spaces.errors import StudyError
from tests.search_tests import analytic
from tests.search_tests.analytic_studies import run_analytic
from workers.messages.executor import InlineExecutor
from workers.messages.result import TrialResult

ASKED: dict[str, Any] = {
    "group_by": "*_*.jpg",
    "fix": {"batch_size": 32, "family": "cnn"},
    "size": "tflite",
    "max_size_bytes": 20_000.0,
    "max_latency_ms": 1.5,
    "min_accuracy": 0.5,
    "epochs": 3,
    "trial_timeout_s": 600.0,
    "sampler": "random",
    "seed": 4,
    "race": False,
    "gate": False,
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, RunOptions]]:
    """Tasks and options that runs prepare; they search formulas in this process."""
    found: list[tuple[str, RunOptions]] = []

    def prepare_run(task: str, options: RunOptions, *_: Any, **__: Any) -> tuple[Any, Any]:
        found.append((task, options))
        # Named as a built-in one: the analytic task is none.
        return analytic.task_info(name="fruit", ref="fruit", epochs=options.epochs or 5), None

    monkeypatch.setattr("search.run.preparation.prepare_run", prepare_run)
    monkeypatch.setattr("search.run.run_study.plain_dataset", lambda dataset: dataset)
    monkeypatch.setattr(
        "search.run.run_study.RayExecutor",
        lambda *_, **__: InlineExecutor(analytic.make_result),
    )
    return found


def test_what_is_asked_for_is_kept_as_plain_data(tmp_path: Path) -> None:
    options = RunOptions(
        **ASKED, data="photos", storage="x.db", study="s", trials=3, workers=2, timeout_s=9.0
    )
    assert asked_for(options) == {**ASKED, "data": str(Path("photos").absolute())}
    assert asked_for(RunOptions()) == {}


def test_by_its_name_alone(calls: list[tuple[str, RunOptions]], tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    run_study("fruit", study="mine", storage=storage, trials=3, data="photos", **ASKED)
    told: list[str] = []

    class Watch:
        def start(self, _: object) -> None: ...
        def update(self, _: object) -> None: ...
        def finish(self, _: object) -> None: ...
        def message(self, text: str) -> None:
            told.append(text)

    report = run_study(study="mine", storage=storage, more=2, observer=Watch())
    assert report.progress.n_done == 5
    (first, begun), (second, gone_on) = calls
    assert first == second == "fruit"
    assert asked_for(gone_on) == asked_for(begun)
    assert "--max-size 20kB" in told[0] and "--fix family=cnn" in told[0]


def test_what_is_given_now_comes_first(
    calls: list[tuple[str, RunOptions]], tmp_path: Path
) -> None:
    storage = str(tmp_path / "studies.db")
    run_study("fruit", study="mine", storage=storage, trials=2, **ASKED)
    command = ["run", "--study", "mine", "--storage", storage, "--max-size", "9KB", "--more", "1"]
    done = CliRunner().invoke(cli, command, prog_name="search")
    assert done.exit_code == 0, done.stderr
    asked = asked_for(calls[-1][1])
    assert asked == {**ASKED, "max_size_bytes": 9000.0}
    assert f"search run --max-size 9kB --study mine --more 50 --storage {storage}" in done.stderr
    # And from now on it is what the study goes on with.
    run_study(study="mine", storage=storage, more=1)
    assert asked_for(calls[-1][1]) == asked


def test_a_study_of_before_goes_on_with_what_it_holds(tmp_path: Path) -> None:
    storage = tmp_path / "studies.db"
    info = analytic.task_info(name="fruit", ref="fruit", data_path="/photos", epochs=4)
    run_analytic(storage, "old", 2, task=info, size_metric="tflite", seed=3)
    with reading(storage) as opened:
        record = find_study(opened, "old")
        del record.user_attrs[attributes.ASKED]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search.run.resumed.find_study", lambda *_: record)
        task, options = resumed({"study": "old", "storage": storage, "more": 3})
    assert task == "fruit"
    assert options == {
        "data": "/photos",
        "epochs": 4,
        "device": "host",
        "size": "tflite",
        "sampler": "random",
        "study": "old",
        "storage": storage,
        "more": 3,
    }
    RunOptions(**options)


@pytest.mark.parametrize(
    ("ref", "device", "given", "message"),
    [
        ("shapes.py:TASK", "host", {}, "search run shapes.py:TASK --study own --max-size 9kB"),
        ("fruit", "board.py", {}, "search run fruit --study own --device board.py"),
        ("fruit", "board.py", {"device": "board.py"}, ""),
    ],
)
def test_code_of_ones_own_runs_only_if_it_is_named(
    ref: str, device: str, given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    storage = tmp_path / "studies.db"
    asked = {"max_size_bytes": 9000.0} | ({"device": device} if device != "host" else {})
    run_analytic(storage, "own", 1, task=analytic.task_info(ref=ref), device=device, asked=asked)
    if not message:
        assert resumed({"study": "own", "storage": storage, **given})[0] == ref
        return
    with pytest.raises(StudyError) as raised:
        resumed({"study": "own", "storage": storage, **given})
    assert message in str(raised.value)


def test_there_must_be_something_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="needs a task, or a study"):
        run_study()
    done = CliRunner().invoke(cli, ["run"], prog_name="search")
    assert (done.exit_code, "Missing argument 'TASK', or --study NAME" in done.stderr) == (2, True)
    run_analytic(tmp_path / "studies.db", "one", 1)
    with pytest.raises(StudyError, match="no study 'two'"):
        run_study(study="two", storage=tmp_path / "studies.db")


def test_options_become_the_words_that_make_them(tmp_path: Path) -> None:
    command = cli.commands["run"]
    words = words_of(RunOptions, {**ASKED, "data": tmp_path, "timeout_s": 1.5, "fan_out": True})
    with command.make_context("run", ["fruit", *words]) as context:
        for name, value in ASKED.items():
            expected = {k: str(v) for k, v in value.items()} if name == "fix" else value
            assert context.params[name] == expected, name
        assert (context.params["timeout_s"], context.params["fan_out"]) == (1.5, True)


def test_a_run_tries_first_what_it_is_given(
    calls: list[tuple[str, RunOptions]], tmp_path: Path
) -> None:
    storage, path = tmp_path / "studies.db", tmp_path / "good.csv"
    path.write_text("filters_1,n_blocks,units\n24,1,5\n40,1,5\n")
    command = ["run", "fruit", "--storage", str(storage), "--trials", "3"]
    done = CliRunner().invoke(cli, [*command, "--enqueue", str(path)], prog_name="search")
    assert done.exit_code == 0, done.stderr
    assert "left out: units." in done.stderr and "2 configurations of" in done.stderr
    own = [t for t in load_trials("fruit", storage).trials if t.derived_from is None]
    assert [trial.params["filters_1"] for trial in own[1:]] == [24, 40]
    wrong = CliRunner().invoke(cli, [*command, "--enqueue", "none.csv"], prog_name="search")
    assert (wrong.exit_code, "'none.csv' does not exist" in wrong.stderr) == (1, True)


def test_a_run_in_which_all_trials_fail_says_why_and_ends_with_1(
    calls: list[tuple[str, RunOptions]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "search.run.run_study.RayExecutor",
        lambda *_, **__: InlineExecutor(
            lambda request: TrialResult(request.config, "failed", "its loss is NaN")
        ),
    )
    storage = str(tmp_path / "studies.db")
    for n_trials in ("3", "30"):  # A short run ends by itself, a long one is ended.
        command = ["run", "fruit", "--storage", storage, "--trials", n_trials]
        done = CliRunner().invoke(cli, command, prog_name="search")
        assert done.exit_code == 1
        assert "its loss is NaN" in done.output
    assert load_front("fruit", storage).n_failed >= 10
