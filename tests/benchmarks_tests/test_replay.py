"""The policies of a search, on recorded trainings under a simulated clock."""

from __future__ import annotations

import statistics

import optuna
import pytest

from benchmarks.replay.command import POLICIES, race_rates
from benchmarks.replay.recording import Policy, Recording, Run, replay
from workers.messages.limits import Limits

N_TRIALS = 40
SEEDS = range(4)

pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice")


@pytest.fixture(scope="module")
def recording() -> Recording:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return Recording.load("mnist")


class Replays:
    """Runs of the policies, each run once."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._runs: dict[str, list[Run]] = {}

    def __getitem__(self, name: str) -> list[Run]:
        if name not in self._runs:
            (policy,) = (p for p in POLICIES if p.name == name)
            self._runs[name] = [replay(self._recording, policy, N_TRIALS, seed) for seed in SEEDS]
        return self._runs[name]


@pytest.fixture(scope="module")
def replays(recording: Recording) -> Replays:
    return Replays(recording)


def final(runs: list[Run]) -> float:
    return statistics.fmean(run.samples[-1].hypervolume for run in runs)


def test_some_hundred_real_trainings_are_recorded(recording: Recording) -> None:
    assert len(recording.rows) >= 100
    for row in recording.rows:
        assert len(row["val_accuracy"]) == 6
        assert all(0 <= a <= 1 and size > 0 and ms > 0 for a, size, ms in row["points"].values())
    assert sum("branches" in row for row in recording.rows) >= 50


def test_at_its_quantile_the_race_saves_much_and_loses_little(recording: Recording) -> None:
    rates = [race_rates(recording, 0.95, seed) for seed in range(5)]
    assert statistics.fmean(r.epochs_saved for r in rates) > 0.1
    assert statistics.fmean(r.hypervolume_lost for r in rates) < 0.04
    assert statistics.fmean(r.points_lost for r in rates) < 0.1


def test_a_lower_quantile_saves_more(recording: Recording) -> None:
    saved = [
        statistics.fmean(race_rates(recording, q, seed).epochs_saved for seed in range(3))
        for q in (0.5, 0.95)
    ]
    assert saved[0] > saved[1]


@pytest.mark.parametrize("peer", ["random", "tpe", "nsga2"])
def test_search_has_what_a_peer_has_in_the_end_much_sooner(replays: Replays, peer: str) -> None:
    ratios = []
    for run, other in zip(replays["search"], replays[peer], strict=True):
        reached = other.samples[-1].hypervolume
        ratios.append(other.seconds_to(reached) / run.seconds_to(reached))
    assert statistics.median(ratios) > 2
    assert final(replays["search"]) > final(replays[peer])


@pytest.mark.parametrize("part", ["no fan-out", "no branches"])
def test_without_a_part_it_ends_lower(replays: Replays, part: str) -> None:
    assert final(replays["search"]) > final(replays[part])


def test_without_the_race_it_takes_longer_for_the_same(replays: Replays) -> None:
    with_race = [run.samples[-1].epochs for run in replays["search"]]
    without = [run.samples[-1].epochs for run in replays["no race"]]
    assert statistics.fmean(with_race) < statistics.fmean(without)
    assert final(replays["search"]) > final(replays["no race"]) - 0.005


def test_the_same_seed_replays_the_same_search(recording: Recording) -> None:
    one, other = (replay(recording, Policy("search"), 15, seed=7) for _ in range(2))
    assert one == other


def test_a_hypervolume_never_falls_and_time_never_goes_back(replays: Replays) -> None:
    for run in replays["search"]:
        volumes = [sample.hypervolume for sample in run.samples]
        seconds = [sample.seconds for sample in run.samples]
        assert volumes == sorted(volumes)
        assert seconds == sorted(seconds)


@pytest.mark.parametrize(
    "limits",
    [Limits(max_size_bytes=5_000), Limits(max_size_bytes=20_000, max_latency_ms=0.012)],
    ids=["size", "size and latency"],
)
def test_with_limits_the_gate_saves_time_and_loses_nothing(
    recording: Recording, limits: Limits
) -> None:
    """At as many trials it finds as much, in much less time; at as much time, more."""
    gated, ungated = (
        [replay(recording, Policy("search", gate=gate, limits=limits), 20, seed) for seed in SEEDS]
        for gate in (True, False)
    )
    assert final(gated) > 0.99 * final(ungated)
    seconds = [run.samples[-1].seconds for run in gated]
    assert sum(seconds) < 0.9 * sum(run.samples[-1].seconds for run in ungated)
    meanwhile = [run.hypervolume_at(s) for run, s in zip(ungated, seconds, strict=True)]
    assert final(gated) > statistics.fmean(meanwhile)
