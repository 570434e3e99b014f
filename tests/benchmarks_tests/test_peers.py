"""The programs that ``search`` is compared with do what they would do, on formulas."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage

from benchmarks.efficiency import peers
from benchmarks.efficiency.runs import (
    Event,
    EventLog,
    Run,
    Setting,
    curve_of,
)
from benchmarks.efficiency.search_runs import Noting, Watch, timed_as_peers
from search.run import run_study as running
from search.run.driver import Driver
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from spaces.config.schemes import QuantizationScheme
from tests.benchmarks_tests.blank_dataset import blank_dataset
from tests.search_tests import analytic
from workers.messages.executor import Finished, InlineExecutor, Outcome
from workers.messages.result import EvaluateRequest, TrialResult
from workers.trial.evaluate import MakeEvaluator

EPOCHS = 9


@pytest.fixture
def arena(tmp_path: Path) -> peers.Arena:
    info = replace(analytic.task_info(), epochs=EPOCHS)
    return peers.Arena(info, blank_dataset(), trials=12, workers=2, seed=0, folder=tmp_path)


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
    (arena.folder / "model").write_bytes(b"its model")
    final = {**dict(zip(NAMES, (0.9, 1e4, 0.1), strict=True)), "kind": "training"}
    final["model"] = str(arena.folder / "model")
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
    assert log.models == {(0.9, 1e4, 0.1): b"its model"}
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
