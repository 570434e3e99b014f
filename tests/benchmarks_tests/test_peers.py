"""The programs that ``search`` is compared with do what they would do, on formulas."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage

from benchmarks.efficiency import command as efficiency
from benchmarks.efficiency import jobs, peers, search_runs
from benchmarks.efficiency.runs import (
    Event,
    EventLog,
    Run,
    Setting,
    curve_of,
    front_of,
    save_run,
)
from benchmarks.efficiency.search_runs import Noting, Watch, timed_as_peers
from benchmarks.replay.peers import LogMirror
from search.run import run_study as running
from search.run.driver import Driver
from search.storage.settings import RunSettings, StudySettings
from search.study import create_or_resume
from search.study.create_or_resume import open_study
from spaces.config.schemes import QuantizationScheme
from spaces.data.dataset import Dataset, Split
from spaces.data.npz import load_npz
from spaces.data.request import DataRequest
from spaces.errors import SearchError
from tests.search_tests import analytic
from workers.messages.executor import Finished, InlineExecutor, Outcome
from workers.messages.result import EvaluateRequest, TrialResult
from workers.trial.evaluate import MakeEvaluator

EPOCHS = 9


def make_dataset() -> Dataset:
    split = Split(np.zeros((4, 8, 8, 3), np.uint8), np.arange(4))
    return Dataset("none", split, split, split, ("a", "b", "c", "d"), "0")


@pytest.fixture
def arena(tmp_path: Path) -> peers.Arena:
    info = replace(analytic.task_info(), epochs=EPOCHS)
    return peers.Arena(info, make_dataset(), trials=12, workers=2, seed=0, folder=tmp_path)


class Recording:
    """Evaluates by formula and keeps what was asked for."""

    def __init__(self) -> None:
        self.requests: list[EvaluateRequest] = []

    def __call__(self, request: EvaluateRequest) -> TrialResult:
        self.requests.append(request)
        return analytic.make_result(request)


@pytest.mark.parametrize(
    "sampler", [peers.make_random(0), peers.make_tpe(0), peers.make_nsga2(0, 12)], ids=str
)
def test_plain_optuna_trains_every_trial_in_full_and_scores_one_scheme(
    arena: peers.Arena, sampler: BaseSampler
) -> None:
    evaluate, log = Recording(), EventLog()
    peers.search_with_optuna(arena, log, sampler, InlineExecutor(evaluate))
    assert [len(event.points) for event in log.events] == [1] * 12
    assert {event.kind for event in log.events} == {"training"}
    assert log.epochs == 12 * EPOCHS == arena.total_epochs
    for request in evaluate.requests:
        assert not request.fan_out and not request.check_gate and request.race is None
        assert request.config.seed == arena.seed


def test_plain_optuna_goes_on_when_a_trial_fails(arena: peers.Arena) -> None:
    def evaluate(request: EvaluateRequest) -> TrialResult:
        if request.config.quantization is QuantizationScheme.FLOAT32:
            return TrialResult(request.config, "failed", "no number")
        return analytic.make_result(request)

    log = EventLog()
    peers.search_with_optuna(arena, log, peers.make_tpe(1), InlineExecutor(evaluate))
    assert len(log.events) == 12
    failed = [event for event in log.events if not event.points]
    assert failed
    assert {(event.kind, event.reason) for event in failed} == {("untrained", "no number")}


@pytest.mark.slow  # KerasTuner imports TensorFlow.
def test_hyperband_continues_survivors_and_the_grid_takes_all_schemes(arena: peers.Arena) -> None:
    from benchmarks.efficiency import peers_keras_tuner as keras_tuner

    evaluate, log = Recording(), EventLog()
    keras_tuner.HyperbandSearch(arena, log).run(InlineExecutor(evaluate))
    rows = [request for request in evaluate.requests if request.fan_out]
    trained = [request for request in evaluate.requests if not request.fan_out]
    n_epochs = sum(request.config.training.epochs for request in trained)
    assert n_epochs >= keras_tuner.HYPERBAND_SHARE * arena.total_epochs
    for request in trained:
        config = request.config
        assert config.quantization is QuantizationScheme.FLOAT32
        assert not config.pruning.is_active
        if config.branched_from is not None:
            assert request.start_weights == config.branched_from.hash.encode()
    resumed = [r.config for r in trained if r.config.branched_from is not None]
    assert resumed
    # What a survivor trained in all is what its rung asks for: 9 / 3, or 9.
    assert {sum(c.training.epochs for c in config.lineage) for config in resumed} <= {3, EPOCHS}

    # First a network as it is, under all schemes; then what has to be trained for.
    first = rows[0].config
    assert first.training.epochs == 0 and first.quantization is QuantizationScheme.FLOAT32
    sparsities = [r.config.pruning.final_sparsity for r in rows[:5]]
    assert sparsities == [0.0, *keras_tuner.SPARSITIES]
    assert len({r.config.hash for r in rows}) == len(rows)
    assert {r.config.quantization for r in rows[1:5]} == {QuantizationScheme.QAT_INT8}
    assert all(r.start_weights == rows[0].start_weights for r in rows[:5])
    assert log.epochs <= arena.total_epochs + EPOCHS


@pytest.mark.slow  # KerasTuner imports TensorFlow.
def test_no_worker_waits_for_the_grid_to_begin(arena: peers.Arena) -> None:
    """A last long trial of Hyperband would keep the other worker from the grid."""
    from benchmarks.efficiency import peers_keras_tuner as keras_tuner

    log = EventLog()
    under_way: dict[int, EvaluateRequest] = {}

    class TwoWorkers:
        n_workers = 2

        def submit(self, request: EvaluateRequest) -> int:
            under_way[len(seen)] = request
            seen.append(request)
            return len(seen) - 1

        def wait(self, timeout_s: float | None = None) -> list[Outcome]:
            # What began last comes back first, so that one trial lies there to the end.
            assert len(under_way) == 2 or log.epochs >= 0.9 * arena.total_epochs
            ticket = max(under_way)
            return [Finished(ticket, analytic.make_result(under_way.pop(ticket)))]

        def shutdown(self) -> None:
            pass

    seen: list[EvaluateRequest] = []
    keras_tuner.HyperbandSearch(arena, log).run(TwoWorkers())
    assert any(request.fan_out for request in seen)


@pytest.mark.slow  # KerasTuner imports TensorFlow.
def test_seeds_of_hyperband_walk_different_ways(arena: peers.Arena, tmp_path: Path) -> None:
    """Its oracle draws every value with the next whole number as the seed."""
    from benchmarks.efficiency import peers_keras_tuner as keras_tuner

    drawn = []
    for seed in (0, 1):
        evaluate, folder = Recording(), tmp_path / str(seed)
        folder.mkdir()
        one = replace(arena, seed=seed, folder=folder, trials=30)
        keras_tuner.HyperbandSearch(one, EventLog()).run(InlineExecutor(evaluate))
        whole = [r.config for r in evaluate.requests if r.config.branched_from is None]
        drawn.append({(c.training.learning_rate, c.hyperparameters) for c in whole})
    assert len(drawn[0]) > 20 and not drawn[0] & drawn[1]


@pytest.mark.slow  # Imports KerasTuner, and so TensorFlow.
def test_keras_tuner_sees_the_same_space() -> None:
    from benchmarks.efficiency.peers_keras_tuner import active, to_keras_tuner

    space = analytic.analytic_space()
    hp = to_keras_tuner(space)
    for parameter in space.parameters:
        (declared,) = [p for p in hp.space if p.name == parameter.name]
        assert declared.default == parameter.default
        assert parameter.contains(declared.random_sample(seed=1))
    values = {**hp.values, "n_blocks": 1, "filters_2": 64, "tuner/epochs": 3}
    assert "filters_2" not in active(space, values) and "tuner/epochs" not in active(space, values)
    assert active(space, {**values, "n_blocks": 2})["filters_2"] == 64


@pytest.mark.slow  # Imports Ray Tune.
def test_tune_tells_optuna_nothing_that_was_not_measured(arena: peers.Arena) -> None:
    from optuna.trial import TrialState

    from benchmarks.efficiency.peers_tune import EPOCH, NAMES, MendedOptunaSearch

    log = EventLog()
    search = MendedOptunaSearch(arena.info.space, 0, log, is_over=lambda: log.epochs >= 10)
    for name in ("measured", "stopped", "broken", "died"):
        assert isinstance(search.suggest(name), dict)
    final = {**dict(zip(NAMES, (0.9, 1e4, 0.1), strict=True)), "kind": "training"}
    search.on_trial_complete("measured", {**final, EPOCH: 6, "epochs_trained": 5})
    search.on_trial_complete("measured", {EPOCH: 1})  # Tune tells twice at times.
    search.on_trial_complete("stopped", {EPOCH: 3, "val_accuracy": 0.5})
    search.on_trial_complete("broken", {EPOCH: 6, "epochs_trained": 2, "kind": "training"})
    search.on_trial_complete("died", None, error=True)
    study: Any = search._ot_study  # Declared as None.
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL]
    assert [event.epochs for event in log.events] == [5, 3, 2, 0]
    assert [len(event.points) for event in log.events] == [1, 0, 0, 0]
    assert search.suggest("next") == MendedOptunaSearch.FINISHED


@pytest.mark.slow  # Imports Ray Tune.
def test_a_trial_that_tune_ends_does_not_report_again(
    arena: peers.Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray import tune

    from benchmarks.efficiency import peers_tune

    reports = []

    def report(metrics: dict[str, Any]) -> None:
        reports.append(metrics)
        raise SystemExit(0)  # As Ray ends a trial's thread; then nobody waits for reports.

    def evaluate(request: EvaluateRequest, on_epoch: Any) -> TrialResult:
        try:
            goes_on = on_epoch(0, {"val_accuracy": 0.5})
        except BaseException:  # As evaluators take what a task's own code raises.
            goes_on = True
        assert not goes_on
        return TrialResult(request.config, "stopped", "by Tune", epochs_trained=1)

    monkeypatch.setattr(tune, "report", report)
    monkeypatch.setattr(peers_tune, "_evaluator", evaluate)
    training = peers_tune.Training(
        arena.dataset, arena.make_evaluator, arena.make_config, 1, arena.folder, True, arena.folder
    )
    with pytest.raises(SystemExit):
        peers_tune.trainable(dict(arena.info.space.defaults()), training)
    assert reports == [{"epoch": 1, "val_accuracy": 0.5}]


def test_a_later_actor_gives_tune_no_more_time(tmp_path: Path) -> None:
    from benchmarks.efficiency.peers_tune import started_at

    for name, at in (("first", 100.0), ("second", 107.0), ("in place of one", 130.0)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at, at))
        expected = {"first": None}.get(name, 107.0)
        assert started_at(tmp_path, workers=2) == expected


def test_workers_of_peers_are_as_warm_as_those_of_a_study(
    arena: peers.Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed: list[int] = []
    monkeypatch.setattr(peers, "warm_up", warmed.append)
    monkeypatch.setattr(MakeEvaluator, "__call__", lambda self, dataset: (self, dataset))
    made: Any = arena.make_evaluator(arena.dataset)
    assert warmed == [1]
    assert made == (MakeEvaluator(arena.info.ref, 1, arena.windows), arena.dataset)


def test_peers_end_when_their_seconds_are_over(arena: peers.Arena) -> None:
    log = EventLog()

    def evaluate(request: EvaluateRequest) -> TrialResult:
        if len(log.events) == 2:
            log.start(log.started - 5.0)  # Five seconds pass.
        return analytic.make_result(request)

    timed = replace(arena, trials=10_000, seconds=5.0)
    peers.search_with_optuna(timed, log, peers.make_random(0), InlineExecutor(evaluate))
    assert len(log.events) == 3  # What was under way is waited for, and cut off by the report.
    assert timed.spent(0, 2.5) == 0.5 and timed.spent(10_000 * EPOCHS, 2.5) == 1.0
    assert arena.spent(6 * EPOCHS, 1e9) == 0.5  # Without an end, only epochs count.


def test_search_is_noted_as_it_comes_like_its_peers() -> None:
    storage, log = InMemoryStorage(), EventLog()
    study = open_study(storage, StudySettings("analytic", analytic.task_info(), seed=0))
    executor = Noting(InlineExecutor(analytic.make_result), log)
    report = Driver(study, executor, analytic.make_config, RunSettings(40), Watch(log)).run()
    assert len(log.events) == report.progress.n_done == 40
    assert sum(len(event.points) for event in log.events) == report.progress.n_points
    branches = [event for event in log.events if event.kind == "branch" and event.points]
    assert len(branches) == report.progress.n_branches > 0
    assert 0 <= log.events[0].seconds and executor.n_workers == 1
    seconds = [event.seconds for event in log.events]
    assert seconds == sorted(seconds)
    setting = Setting("analytic", "formulas", "0", 4, 100, 100, 5, 40, 1)
    curve = curve_of(Run(setting, "search", 0, 0.0, tuple(log.events)))
    assert curve.final == pytest.approx(report.progress.hypervolume)
    # Every point has a file that can be measured on test.
    assert {point for event in log.events for point in event.points} == set(log.models)


def test_seconds_of_search_run_from_ready_workers_on() -> None:
    module: Any = running
    with timed_as_peers(EventLog(), 30.0):
        assert module.RunSettings(40, 1.5, 7.0) == RunSettings(40, 30.0, 7.0)
    assert module.RunSettings(40, 1.5, 7.0) == RunSettings(40, 1.5, 7.0)


def test_stopped_trials_count_for_what_they_trained() -> None:
    log = EventLog()

    def evaluate(request: EvaluateRequest) -> TrialResult:
        return TrialResult(request.config, "stopped", "below its bar", epochs_trained=2)

    executor = Noting(InlineExecutor(evaluate), log)
    params = analytic.analytic_space().defaults()
    executor.submit(EvaluateRequest(analytic.make_config(params)))
    executor.wait()
    (event,) = log.events
    assert event == Event(event.seconds, "training", 2, (), "below its bar")


def test_models_of_the_front_are_measured_on_test(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [
        Event(1.0, "training", 5, ((0.9, 4e3, 0.1), (0.8, 5e3, 0.1))),
        Event(2.0, "training", 5, ((0.95, 9e3, 0.1), (0.9, 4e3, 0.1))),
    ]
    assert sorted(front_of(events)) == [(0.9, 4e3, 0.1), (0.95, 9e3, 0.1)]
    monkeypatch.setattr("workers.conversion.accuracy.tflite_accuracy", lambda f, _: len(f) / 10)
    models = {(0.9, 4e3, 0.1): b"seven..", (0.95, 9e3, 0.1): b"nine....."}
    found = jobs.test_front(front_of(events), models, make_dataset().test)
    assert sorted(found) == [(0.9, 4e3, 0.1, 0.7), (0.95, 9e3, 0.1, 0.9)]


# --- The command --------------------------------------------------------------------------


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
    monkeypatch.setattr(jobs, "prepare_task", lambda task, data: (None, make_dataset()))
    monkeypatch.setattr("workers.conversion.accuracy.tflite_accuracy", lambda *_: 0.5)
    setting = Setting("d", "d", "0", 4, 4, 4, 3, 5, 2)
    late = jobs.run_job(jobs.Job(setting, "d", None, "search", 0))
    assert len(late.events) == 2
    in_time = jobs.run_job(jobs.Job(replace(setting, seconds=10.0), "d", None, "search", 0))
    assert [event.seconds for event in in_time.events] == [pytest.approx(5.0)]
    assert in_time.front == ((0.9, 5e3, 0.1, 0.5),)


def test_a_plain_loop_at_its_best_has_no_parts_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}
    opening: Any = create_or_resume

    def run_study(task: str, **options: Any) -> Any:
        asked.update(options, mirror=opening.Mirror)
        return SimpleNamespace(check_whole=lambda: None)

    monkeypatch.setattr(search_runs, "run_study", run_study)
    for method, sampler in (("optuna-tpe-best", "tpe"), ("random-best", "random")):
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
            folder=tmp_path,
            fix={},
        )
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
