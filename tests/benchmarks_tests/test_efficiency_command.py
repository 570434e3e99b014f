"""The command of the efficiency benchmark: what it runs, with what, and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.efficiency import command as efficiency
from benchmarks.efficiency import jobs, search_runs
from benchmarks.efficiency.runs import Event, EventLog, Run, Setting, front_of, save_run
from benchmarks.replay.peers import LogMirror
from search.study import create_or_resume
from spaces.data.dataset import Dataset, Split
from spaces.data.npz import load_npz
from spaces.data.request import DataRequest
from spaces.errors import SearchError
from tests.benchmarks_tests.blank_dataset import blank_dataset


def test_a_subset_is_the_same_file_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        return Split(rng.integers(0, 256, (n, 8, 8, 1), np.uint8), np.arange(n) % 2)

    dataset = Dataset("d", split(40), split(20), split(20), ("no", "yes"), "f" * 16)
    monkeypatch.setattr(efficiency, "prepare_task", lambda task, data: (None, dataset))
    path = efficiency.subset_file("d", None, 10, None, tmp_path, 15)
    assert path is not None
    loaded = load_npz(path, DataRequest(path, tmp_path / "cache"))
    assert (len(loaded.train), len(loaded.val), len(loaded.test)) == (10, 20, 15)
    assert loaded.class_names == ("no", "yes")
    # Pictures keep their labels, and are not just the first ones.
    where = [
        int(np.flatnonzero((dataset.train.images == i).all((1, 2, 3)))[0])
        for i in loaded.train.images
    ]
    assert [int(label) for label in loaded.train.labels] == [index % 2 for index in where]
    assert where != sorted(where)
    assert efficiency.subset_file("d", None, 10, None, tmp_path, 15) == path
    assert efficiency.subset_file("d", None, 10, None, tmp_path) != path
    assert efficiency.subset_file("d", None, None, None, tmp_path) is None


def test_runs_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    setting = Setting("d", "d", "0", 2, 10, 10, 3, 5, 2)
    path = tmp_path / "d__random__s0.json"
    save_run(Run(setting, "random", 0, 0.0, ()), path)
    efficiency.check_setting(path, setting)
    with pytest.raises(SearchError, match="--out"):
        efficiency.check_setting(path, replace(setting, epochs=4))


def test_search_gets_as_long_as_its_peers_took() -> None:
    setting = Setting("d", "d", "0", 2, 10, 10, 3, 5, 2)

    def run(method: str, seconds: float) -> Run:
        return Run(setting, method, 0, 0.0, (Event(seconds, "training", 3),))

    runs = [run("random", 10), run("tune", 30), run("optuna-tpe", 11), run("search", 500)]
    assert efficiency.search_budget_s(runs, setting) == 11
    assert efficiency.search_budget_s(runs, replace(setting, epochs=4)) is None


def test_unknown_methods_are_refused_and_missing_switches_skipped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        efficiency.parse(["--methods", "magic"])
    assert "unknown method 'magic'" in capsys.readouterr().err
    args = efficiency.parse(["--methods", "search", "--ablate", "fan_out,luck", "--seeds", "4,5"])
    assert args.methods == ["search", "search-no-fan-out"] and args.seeds == [4, 5]
    assert args.trials == 100 and efficiency.parse(["--seconds", "9"]).trials == 10_000
    assert efficiency.parse(["--methods", "search-nsga2"]).methods == ["search-nsga2"]
    assert "search-no-luck: skipped" in capsys.readouterr().err


def test_options_of_search_are_of_search_only() -> None:
    """A loop at its best runs on our driver, and is a peer all the same."""
    setting = Setting("d", "d", "0", 2, 10, 10, 3, 5, 2)
    in_seconds = replace(setting, seconds=60.0)
    args = efficiency.parse(["--budget-s", "7", "--search-trials", "3"])

    def job(method: str, setting: Setting, args: Any = args) -> tuple[float | None, int | None]:
        made = efficiency.job_of(args, setting, None, method, 4, peers_s=11.0)
        assert (made.method, made.seed, made.setting) == (method, 4, setting)
        return made.budget_s, made.search_trials

    assert job("search", setting) == (7.0, 3) and job("search", in_seconds) == (60.0, 3)
    assert job("search", setting, efficiency.parse([])) == (11.0, None)
    for method in ("optuna-tpe-best", "random"):
        assert job(method, setting) == (None, None)
        assert job(method, in_seconds) == (60.0, None)


def test_what_comes_back_too_late_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(log: EventLog, method: str, **_: object) -> None:
        log.start()
        for seconds in (5.0, 15.0):
            models = {(0.9, 1e3 * seconds, 0.1): b"model"}
            log.add("training", 3, models, at=log.started + seconds)

    monkeypatch.setattr(jobs, "run_search", search)
    monkeypatch.setattr(jobs, "prepare_task", lambda task, data: (None, blank_dataset()))
    monkeypatch.setattr("workers.conversion.accuracy.tflite_accuracy", lambda *_: 0.5)
    setting = Setting("d", "d", "0", 4, 4, 4, 3, 5, 2)
    late = jobs.run_job(jobs.Job(setting, "d", None, "search", 0))
    assert len(late.events) == 2
    in_time = jobs.run_job(jobs.Job(replace(setting, seconds=10.0), "d", None, "search", 0))
    assert [event.seconds for event in in_time.events] == [pytest.approx(5.0)]
    assert in_time.front == ((0.9, 5e3, 0.1, 0.5),)


def asked_of_a_study(method: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """What a method asks of ``run_study``, and the mirror that studies are opened with then."""
    asked: dict[str, Any] = {}
    opening: Any = create_or_resume

    def run_study(task: str, **options: Any) -> Any:
        asked.update(options, mirror=opening.Mirror)
        return SimpleNamespace(check_whole=lambda: None)

    monkeypatch.setattr(search_runs, "run_study", run_study)
    search_runs.run_search(
        EventLog(),
        method,
        task="d",
        data=None,
        trials=5,
        epochs=3,
        workers=2,
        seed=4,
        budget_s=60.0,
        folder=folder,
        fix={},
    )
    return asked


def test_a_search_around_another_sampler_has_all_parts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = asked_of_a_study("search", monkeypatch, tmp_path)
    for sampler in ("nsga2", "tpe", "random"):
        asked = asked_of_a_study(f"search-{sampler}", monkeypatch, tmp_path)
        assert asked.pop("sampler") == sampler
        assert {**asked, "observer": None} == {**whole, "observer": None}


def test_a_plain_loop_at_its_best_has_no_parts_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opening: Any = create_or_resume
    for method, sampler in (("optuna-tpe-best", "tpe"), ("random-best", "random")):
        asked = asked_of_a_study(method, monkeypatch, tmp_path)
        parts = [asked[name] for name in ("race", "branch", "gate", "fan_out", "sampler", "seed")]
        assert parts == [False, False, False, True, sampler, 4]
        assert asked["mirror"] is LogMirror  # Told logarithms.
    assert opening.Mirror is not LogMirror


def test_runs_are_packed_and_reported_of_the_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str) -> None:
        monkeypatch.setattr("sys.argv", ["efficiency", *words])
        efficiency.main()

    reported: list[Any] = []
    monkeypatch.setattr(efficiency, "write_report", reported.append)
    setting = Setting("mnist", "mnist", "0", 2, 10, 10, 3, 5, 2)
    for task in ("mnist", "other"):
        made = Run(replace(setting, task=task), "random", 0, 0.0, ())
        save_run(made, tmp_path / f"{task}__random__s0.json")
    pack = tmp_path / "runs.gz"
    run("--task", "mnist", "--out", str(tmp_path), "--pack", str(pack))
    run("--task", "mnist", "--out", str(pack), "--report")
    assert reported == [[Run(setting, "random", 0, 0.0, ())]]
    before = pack.read_bytes()
    with pytest.raises(SystemExit, match="no runs of task fruit"):
        run("--task", "fruit", "--out", str(tmp_path), "--pack", str(pack))
    assert pack.read_bytes() == before


def test_models_of_the_front_are_measured_on_test(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [
        Event(1.0, "training", 5, ((0.9, 4e3, 0.1), (0.8, 5e3, 0.1))),
        Event(2.0, "training", 5, ((0.95, 9e3, 0.1), (0.9, 4e3, 0.1))),
    ]
    assert sorted(front_of(events)) == [(0.9, 4e3, 0.1), (0.95, 9e3, 0.1)]
    monkeypatch.setattr("workers.conversion.accuracy.tflite_accuracy", lambda f, _: len(f) / 10)
    models = {(0.9, 4e3, 0.1): b"seven..", (0.95, 9e3, 0.1): b"nine....."}
    found = jobs.test_front(front_of(events), models, blank_dataset().test)
    assert sorted(found) == [(0.9, 4e3, 0.1, 0.7), (0.95, 9e3, 0.1, 0.9)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--seconds", "0"), "--seconds must be above 0, but got 0"),
        (("--seconds", "inf"), "--seconds must be above 0, but got inf"),
        (("--fix", "family"), "--fix takes NAME=VALUE, but got 'family'"),
        (("--seeds", "one"), "--seeds takes whole numbers with commas between, but got 'one'"),
    ],
)
def test_wrong_options_get_one_line(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        efficiency.parse(words)
    assert ended.value.code == 2 and told in capsys.readouterr().err


def test_a_file_that_holds_no_runs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.gz").write_text("no runs")
    words = ["efficiency", "--report", "--out", str(tmp_path / "other.gz")]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="other.gz holds no runs of this benchmark"):
        efficiency.main()
