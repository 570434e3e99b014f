"""Peers on recorded trainings: what they are given at their best, and MO-ASHA's rule."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from benchmarks.replay.command import main
from benchmarks.replay.moasha import Halving, Rungs, cut_short, ranks
from benchmarks.replay.policies import MOASHA, as_it_comes, at_its_best
from benchmarks.replay.recordings import Recording
from benchmarks.replay.runs import complete_seeds
from benchmarks.replay.simulation import Policy, replay
from benchmarks.replay.surrogate import Surrogate
from benchmarks.replay.tables import difference_table
from search.front.pareto import ReferencePoint

pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice")


@pytest.fixture(scope="module")
def model() -> Surrogate:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return Surrogate(Recording.load("mnist12k"))


def test_trainings_rank_by_front_and_then_by_what_is_farthest_from_the_better_ones() -> None:
    #   y          Front: a, b, c, d, from the one that is best in x. The farthest from a is d;
    #   4 a        of b and c then c, which is farther from both. e is dominated by c and d, and
    #   3  b       f by all but a.
    #   2    c
    #   1  .   e
    #   0      d
    a, b, c, d, e, f = (0.0, 4.0), (0.5, 3.5), (2.0, 2.0), (4.0, 0.0), (4.0, 2.0), (5.0, 5.0)
    assert ranks(np.array([a, b, c, d, e, f])) == [0, 3, 2, 1, 4, 5]
    assert ranks(np.array([f, d, b, e, a, c])) == [5, 1, 3, 4, 0, 2]


def test_equal_trainings_share_a_front_and_come_last_on_it() -> None:
    assert ranks(np.array([(0.0, 1.0), (0.0, 1.0), (1.0, 0.0)])) == [0, 2, 1]


def test_one_of_three_goes_on_at_every_rung() -> None:
    halving = Halving()
    good = [0.5, 0.6, 0.7, 0.8, 0.9]
    assert halving.epochs(good, 1000, 1.0) == 5  # Nobody was there before.
    assert halving.epochs([0.4] * 5, 1000, 1.0) == 1  # The second of two is no third of them.
    assert halving.epochs([0.45] * 5, 1000, 1.0) == 3  # The second of three; at 3 epochs of two.
    assert halving.epochs([0.1] * 5, 500, 1.0) == 5  # On the front, so that it is the second.
    assert halving.epochs([0.6, 0.7, 0.8, 0.9, 0.95], 1000, 1.0) == 5


def test_logarithms_let_small_networks_be_far_apart() -> None:
    """In bytes 10 kB is next to 1 kB, and 40 kB farther from both than that; not in logarithms."""

    def epochs(reference: ReferencePoint | None) -> int:
        halving = Halving(Rungs(reduction=2.0), reference)
        for accuracy, size_bytes in ((0.9, 100_000), (0.5, 1_000), (0.8, 40_000)):
            halving.epochs([accuracy] * 4, size_bytes, 1.0)
        return halving.epochs([0.7] * 4, 10_000, 1.0)

    assert epochs(None) == 1
    assert epochs(ReferencePoint.for_classes(10, 1000)) > 1


def test_a_training_cut_short_lacks_what_its_curve_had_still_to_gain(model: Surrogate) -> None:
    whole = model.recorded(0)
    short = cut_short(whole, 2)
    assert short.curve == whole.curve[:2]
    missing = whole.curve[-1] - whole.curve[1]
    for scheme, (accuracy, _, size_bytes, latency_ms) in whole.points.items():
        assert short.points[scheme][0] == pytest.approx(min(1.0, accuracy - missing))
        assert short.points[scheme][2:] == (size_bytes, latency_ms)
    assert short.seconds["train"] == pytest.approx(whole.seconds["train"] * 2 / len(whole.curve))
    assert cut_short(whole, len(whole.curve)) == whole


@pytest.mark.parametrize("policy", [MOASHA, at_its_best(MOASHA)], ids=lambda one: one.name)
def test_successive_halving_stops_most_and_measures_all(model: Surrogate, policy: Policy) -> None:
    one, other = (replay(model, policy, 20, seed=3) for _ in range(2))
    assert one == other
    assert 10 <= one.n_stopped < 20
    whole = replay(model, replace(policy, rungs=None), 20, seed=3)
    assert one.samples[-1].epochs < 0.7 * whole.samples[-1].epochs
    assert len(one.measured) == len(whole.measured)


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3"])
def test_at_their_best_generations_are_bred_from_the_start_design(
    model: Surrogate, sampler: str
) -> None:
    best = at_its_best(as_it_comes(sampler))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bred, drawn = (
            replay(model, replace(best, population=size), 12, seed=0)
            for size in (best.population, 1000)
        )
    n_start = sum(m in drawn.measured for m in bred.measured)
    assert 0 < n_start < len(bred.measured)


def test_what_misses_a_library_is_skipped_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else found(name)
    )
    file = tmp_path / "runs.jsonl"
    run = ["replay", "run", str(file), "--seeds", "1", "--policies", "Optuna gp"]
    monkeypatch.setattr(sys, "argv", run)
    main()
    assert file.read_text() == ""
    assert "Skipped: Optuna gp. It needs torch" in capsys.readouterr().err


def test_a_policy_with_fewer_seeds_is_compared_on_those() -> None:
    def line(policy: str, data: str, seed: int, hypervolume: float) -> dict[str, object]:
        return {
            "policy": policy,
            "data": data,
            "seed": seed,
            "test_hypervolume": hypervolume,
        }

    lines = [line("ours", data, seed, 1.0 + seed) for data in "ab" for seed in range(3)]
    lines += [line("slow", data, 1, 1.0) for data in "ab"]
    lines += [line("slow", "a", 2, 0.0)]  # Its run on the other data is still to come.
    kept = complete_seeds(lines, ["ours", "slow"])
    assert [(one["data"], one["seed"]) for one in kept if one["policy"] == "slow"] == [
        ("a", 1),
        ("b", 1),
    ]
    assert sum(one["policy"] == "ours" for one in kept) == 6
    row = difference_table(kept, ["a", "b"], ["ours", "slow"], "ours").splitlines()[-1]
    assert row == "| slow | 50.0 (50.0 to 50.0) | 50.0 (50.0 to 50.0) | 50.0 (50.0 to 50.0) |"
