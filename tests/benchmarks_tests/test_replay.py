"""Searches on recorded trainings under a simulated clock."""

from __future__ import annotations

import math
import os
import signal
import statistics
import warnings

import numpy as np
import optuna
import pytest

from benchmarks.replay.held_out import held_out
from benchmarks.replay.network_shape import shape_of
from benchmarks.replay.outcome import Measured, Run, bootstrap, bootstrap_ratio, front_of, within
from benchmarks.replay.policies import as_it_comes
from benchmarks.replay.race_rates import race_rates
from benchmarks.replay.record import branch_of, draw_config
from benchmarks.replay.recordings import DATA, Recording
from benchmarks.replay.simulation import Policy, replay
from benchmarks.replay.surrogate import Answer, Surrogate
from benchmarks.replay.tables import pruning_table
from search.sampling.space_moves import Params
from workers.messages.limits import Limits

NAMES = ("mnist12k", "mnist", "cifar10", "fruit")
SEEDS = range(3)

pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice")


@pytest.fixture(scope="module", params=NAMES)
def recording(request: pytest.FixtureRequest) -> Recording:
    return Recording.load(request.param)


@pytest.fixture(scope="module")
def digits() -> Recording:
    return Recording.load("mnist12k")


@pytest.fixture(scope="module")
def model(digits: Recording) -> Surrogate:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return Surrogate(digits)


def final(runs: list[Run]) -> float:
    return statistics.fmean(run.samples[-1].hypervolume for run in runs)


def test_recorded_trainings_are_points_of_their_space_with_all_that_is_needed(
    recording: Recording,
) -> None:
    settings = recording.about["settings"]
    assert len(recording.rows) >= 40
    for row in recording.rows:
        assert recording.trained_space.completed(row["params"]) == row["params"]
        assert len(row["val_accuracy"]) == settings["epochs"]
        for accuracy, test, size, latency in row["points"].values():
            assert 0 <= accuracy <= 1 and size > 0 and latency > 0
            assert test is None or 0 <= test <= 1
    assert len(recording.branches) >= 8


def test_the_shape_of_a_network_is_counted_exactly(recording: Recording) -> None:
    about = recording.about
    for row in recording.rows:
        shape = shape_of(row["params"], tuple(about["input_shape"]), len(about["class_names"]))
        assert shape.n_params == row["n_params"]
        if "macs" in row:
            assert shape.macs == row["macs"]


def test_a_surrogate_ranks_trainings_it_did_not_see(digits: Recording) -> None:
    found = held_out(digits, n_folds=3)

    def rank(name: str) -> float:
        true, foreseen = (np.argsort(np.argsort(values)) for values in found[name])
        return float(np.corrcoef(true, foreseen)[0, 1])

    assert rank("accuracy, float32") > 0.6
    assert rank("size, int8") > 0.98
    assert rank("latency, int8") > 0.85


def test_a_configuration_always_has_the_same_answer(model: Surrogate, digits: Recording) -> None:
    params = digits.rows[0]["params"]
    answer = model.training(params)
    assert model.training(dict(reversed(params.items()))) == answer
    assert len(answer.curve) == 6
    assert math.isclose(answer.curve[-1], answer.points["float32"][0], abs_tol=1e-3)
    pruned = model.branch(params, answer, 0.85)
    assert pruned.points["int8"][2] < 0.6 * answer.points["int8"][2]


def test_what_is_trained_on_for_longer_takes_as_much_longer() -> None:
    model = Surrogate(Recording.load("mnist"))
    params = model.recording.rows[0]["params"]
    whole = model.training(params)
    pruned = model.branch(params, whole, 0.5, times=0.4)
    assert pruned.trained == 1.4
    once, twice = (model.branch(params, whole, None, times=times) for times in (1.0, 2.0))
    assert (once.trained, twice.trained) == (2.0, 3.0)
    assert twice.seconds["train"] == 2 * once.seconds["train"]
    assert twice.seconds["convert"] == once.seconds["convert"]
    gained = [one.level - whole.level for one in (once, twice)]
    assert gained[1] == pytest.approx(math.log2(3) * gained[0])


def test_a_search_has_the_luck_of_its_seed(model: Surrogate, digits: Recording) -> None:
    params = digits.rows[0]["params"]
    levels = [model.training(params, seed).level for seed in range(400)]
    off = np.array(levels) - model.expected_level(model.features(params))
    # Such trainings were recorded somewhat better or worse than expected of them.
    assert 0.1 < off.std() < 1.2 and abs(off.mean()) < 0.8
    first = [replay(model, Policy("search", "random"), 2, seed).measured for seed in range(2)]
    again = replay(model, Policy("search", "random"), 2, 1).measured
    assert again == first[1] != first[0]
    # The first trainings are of the start design: the same networks, with other accuracies.
    sizes = [sorted(m.size_bytes for m in run) for run in first]
    assert sizes[0] == sizes[1]


def test_configurations_to_record_depend_on_what_is_there_alone(digits: Recording) -> None:
    space, rows = digits.space, digits.rows
    drawn = [draw_config(space, rows[:index], index) for index in range(60)]
    assert drawn == [draw_config(space, rows[:index], index) for index in range(60)]
    assert {how for how, _ in drawn} == {"spread", "varied"}
    for index, (_, params) in enumerate(drawn):
        assert space.completed(params) == params
        sparsity = branch_of(params, index)
        assert sparsity is None or sparsity > float(params.get("final_sparsity", 0.0))


def test_at_its_quantile_the_race_saves_much_and_loses_little(digits: Recording) -> None:
    rates = [race_rates(digits, 0.95, seed) for seed in range(5)]
    assert statistics.fmean(r.epochs_saved for r in rates) > 0.1
    assert statistics.fmean(r.points_lost for r in rates) < 0.1
    # Nearly all of it with one training at the accurate end, which no quantile keeps.
    assert statistics.fmean(r.hypervolume_lost for r in rates) < 0.04
    lower = [race_rates(digits, 0.5, seed).epochs_saved for seed in range(5)]
    assert statistics.fmean(lower) > statistics.fmean(r.epochs_saved for r in rates)


def test_search_has_what_a_plain_loop_has_in_the_end_sooner(model: Surrogate) -> None:
    ours = [replay(model, Policy("search", "random"), 30, seed) for seed in SEEDS]
    theirs = [replay(model, as_it_comes("random"), 30, seed) for seed in SEEDS]
    assert final(ours) > final(theirs)
    goal = statistics.median(run.samples[-1].hypervolume for run in theirs)
    sooner = [run.seconds / one.seconds_to(goal) for one, run in zip(ours, theirs, strict=True)]
    assert statistics.median(sooner) > 1.5
    for run in ours:
        volumes = [sample.hypervolume for sample in run.samples]
        assert volumes == sorted(volumes)


def test_a_signal_ends_a_replay_and_leaves_no_shorter_one(
    model: Surrogate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def training(params: Params, seed: int = 0) -> Answer:
        os.kill(os.getpid(), signal.SIGTERM)
        return Surrogate.training(model, params, seed)

    monkeypatch.setattr(model, "training", training)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        replay(model, Policy("search", "random"), 30, 0)


def test_what_prunings_changed_is_as_recorded() -> None:
    table = pruning_table([Recording.load(name) for name in sorted(NAMES)])
    assert table.count("\n") == 1 + 4 * 3
    assert table in (DATA.parent / "RESULTS.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sampler", "log_metrics"),
    [("gp", False), ("tpe", True), ("nsga2", True), ("nsga3", True)],
)
def test_the_same_seed_replays_the_same_search(
    model: Surrogate, sampler: str, log_metrics: bool
) -> None:
    policy = Policy("search", sampler, log_metrics=log_metrics)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, other = (replay(model, policy, 16, seed=7) for _ in range(2))
    assert one == other


def test_simulated_time_ends_a_search(model: Surrogate) -> None:
    run = replay(model, Policy("search", "random"), 400, 0, timeout_s=30.0)
    assert run.samples[-1].trainings < 100
    assert run.measured_by(30.0)
    assert all(one.seconds <= 30.0 for one in run.measured_by(30.0))


def test_recorded_answers_are_given_once(model: Surrogate, digits: Recording) -> None:
    run = replay(model, as_it_comes("random"), 20, 0, nearest=True)
    recorded = {
        (point[0], float(point[2])) for row in digits.rows for point in row["points"].values()
    }
    found = [(one.accuracy, one.size_bytes) for one in run.measured]
    assert len(recorded & set(found)) >= 15


def test_with_limits_the_gate_saves_time_and_loses_nothing(model: Surrogate) -> None:
    gated, ungated = (
        [
            replay(
                model,
                Policy(
                    "search",
                    "random",
                    gate=gate,
                    branch=False,
                    limits=Limits(max_size_bytes=5_000),
                ),
                20,
                seed,
            )
            for seed in SEEDS
        ]
        for gate in (True, False)
    )
    assert sum(run.n_infeasible for run in gated) > 0
    assert sum(run.seconds for run in gated) < sum(run.seconds for run in ungated)


def test_what_is_taken_within_a_budget_is_chosen_on_validation() -> None:
    lucky = Measured(1.0, accuracy=0.9, size_bytes=900, latency_ms=1.0, test_accuracy=0.5)
    better = Measured(2.0, accuracy=0.8, size_bytes=900, latency_ms=1.0, test_accuracy=0.8)
    larger = Measured(3.0, accuracy=0.95, size_bytes=5000, latency_ms=1.0, test_accuracy=0.9)
    measured = [lucky, better, larger]
    assert within(measured, 1000) == lucky
    assert within(measured, 10_000) == larger
    assert within(measured, 10) is None
    assert front_of(measured) == [lucky, larger]


def test_bootstrap_intervals_hold_what_they_are_of() -> None:
    values = np.random.default_rng(0).normal(3.0, 1.0, 400).tolist()
    found = bootstrap(values)
    assert found.low < found.mean < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.2)
    assert bootstrap_ratio([1.0, 2.0, 1.0], [8.0, 8.0, 8.0]).mean == 8.0
