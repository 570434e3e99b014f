"""A study with limits: what is trained, what is stored, and where it goes from there."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from search.run.driver import Driver
from search.sampling.initial_design import start_design
from search.storage import attributes
from search.storage.constraints import is_feasible
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from search.study.history import read_past
from search.study.open_study import OpenStudy
from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.config.trial import ParamValue
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor
from workers.messages.limits import Foreseen, Limits
from workers.messages.result import EvaluateRequest, Point, TrialResult

S = QuantizationScheme
INT4_ONLY = Limits(max_size_bytes=2_500)
"""Of the smaller networks the int4 model keeps it, and hardly any float32 one."""


def run(
    storage: InMemoryStorage,
    n: int,
    evaluate: analytic.Evaluate = analytic.make_result,
    **changes: Any,
) -> OpenStudy:
    settings = StudySettings("s", analytic.task_info(), seed=1, limits=INT4_ONLY)
    study = open_study(storage, replace(settings, **changes))
    Driver(study, InlineExecutor(evaluate), analytic.make_config, RunSettings(n)).run()
    return study


def trials_of(storage: InMemoryStorage) -> list[FrozenTrial]:
    return storage.get_all_trials(storage.get_study_id_from_name("s"))


def test_the_own_model_may_break_a_limit_that_a_derived_one_keeps() -> None:
    storage = InMemoryStorage()
    run(storage, 12, branch=False)
    trials = trials_of(storage)
    derived = [t for t in trials if attributes.DERIVED_FROM in t.user_attrs]
    kept = [t for t in derived if is_feasible(t.system_attrs)]
    parents = [trials[t.user_attrs[attributes.DERIVED_FROM]] for t in kept]
    over = [t for t in parents if not is_feasible(t.system_attrs)]
    assert over
    for trial in over:
        # Complete and over its limit: stored as pruned it would draw samplers to tiny networks.
        assert trial.state == TrialState.COMPLETE
        excess = trial.values[1] / 2_500 - 1
        assert trial.system_attrs[attributes.CONSTRAINTS] == pytest.approx([0, excess, 0, 0, 0])


def test_a_refused_trial_says_how_near_its_nearest_model_came() -> None:
    storage = InMemoryStorage()
    run(storage, 6, branch=False, n_start=1, sampler="random", limits=Limits(max_size_bytes=1_400))
    refused = [t for t in trials_of(storage) if t.user_attrs[attributes.OUTCOME] == "infeasible"]
    assert refused
    for trial in refused:
        assert trial.state == TrialState.PRUNED
        sizes = {s: f[0] for s, f in trial.user_attrs[attributes.GATE]["schemes"].items()}
        nearest = min(sizes, key=sizes.__getitem__)
        reason = trial.user_attrs[attributes.REASON]
        assert (f"under {nearest}, the nearest of" in reason) is (len(sizes) > 1)
        constraints = trial.system_attrs[attributes.CONSTRAINTS]
        assert constraints == pytest.approx([0, sizes[nearest] / 1_400 - 1, 0, 0, 0])


def test_an_eased_limit_lets_refused_trials_in_by_their_nearest_model() -> None:
    storage = InMemoryStorage()
    tight: dict[str, Any] = {"branch": False, "n_start": 1, "sampler": "random"}
    run(storage, 4, limits=Limits(max_size_bytes=1_400), **tight)
    refused = [t for t in trials_of(storage) if t.user_attrs[attributes.OUTCOME] == "infeasible"]
    smallest = {
        t.user_attrs[attributes.CONFIG_HASH]: min(
            size for size, *_ in t.user_attrs[attributes.GATE]["schemes"].values()
        )
        for t in refused
    }
    eased = Limits(max_size_bytes=1.01 * min(smallest.values()))
    assert eased.max_size_bytes is not None
    past = read_past(trials_of(storage), eased)
    let_in = {config_hash for config_hash in smallest if config_hash not in past.tried}
    assert let_in == {h for h, size in smallest.items() if size <= eased.max_size_bytes}
    assert let_in


@pytest.mark.parametrize("branch", [True, False])
@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_size_bytes=4_000),
        Limits(max_latency_ms=0.1),
    ],
    ids=["small", "fast"],
)
def test_the_gate_costs_a_search_next_to_nothing(limits: Limits, branch: bool) -> None:
    """At as many trials, though the gate refuses some of them, it finds nearly as much.

    What is refused does not teach what makes networks accurate, and here trainings cost nothing;
    ``benchmarks/replay`` shows what the gate saves.
    """
    found = {
        gate: statistics.fmean(
            run(
                InMemoryStorage(), 24, limits=limits, gate=gate, race=gate, branch=branch, seed=s
            ).hypervolume
            for s in range(3)
        )
        for gate in (True, False)
    }
    assert found[True] > 0
    assert found[True] > 0.75 * found[False]


def analytic_ratio(params: Mapping[str, ParamValue]) -> float:
    """Return how many times the nearest model of a training is over 2400 bytes."""
    config = analytic.make_config(params)
    sizes = (analytic.make_point(config.with_quantization(s)).size_bytes for s in SCHEMES)
    return min(sizes) / 2_400


class TestWithNothingFeasible:
    """The search goes towards the feasible side before it has seen it."""

    LIMITS = Limits(max_size_bytes=2_400)

    def ratios(self, **changes: Any) -> list[float]:
        """Return by how many times each trial of 16 is over the limit, by its nearest model."""
        storage = InMemoryStorage()
        run(storage, 16, limits=self.LIMITS, branch=False, **changes)
        found: dict[int, float] = {}
        for trial in trials_of(storage):
            number = trial.user_attrs.get(attributes.DERIVED_FROM, trial.number)
            gate = trial.user_attrs.get(attributes.GATE, {}).get("schemes", {})
            sizes = [f[0] for f in gate.values()] or [trial.values[1]]
            found[number] = min(min(sizes) / 2_400, found.get(number, 1e9))
        return [found[number] for number in sorted(found)]

    def test_the_start_design_shrinks(self) -> None:
        ratios = self.ratios(n_start=8)
        assert ratios[0] > 1  # The defaults are as they are.
        blind = [analytic_ratio(p) for p in start_design(analytic.analytic_space(), 8, seed=1)]
        assert max(ratios[1:8]) < max(blind[1:])
        assert statistics.fmean(ratios[1:8]) < 0.8 * statistics.fmean(blind[1:])

    @pytest.mark.parametrize("sampler", ["gp", "tpe", "nsga2", "random"])
    def test_proposals_are_nearer_than_those_that_know_nothing(self, sampler: str) -> None:
        with_limits = self.ratios(n_start=1, sampler=sampler)
        storage = InMemoryStorage()
        run(storage, 16, limits=Limits(), branch=False, race=False, n_start=1, sampler="random")
        sizes: dict[int, float] = {}
        for trial in trials_of(storage):
            number = trial.user_attrs.get(attributes.DERIVED_FROM, trial.number)
            sizes[number] = min(trial.values[1], sizes.get(number, 1e9))
        blind = [size / 2_400 for size in sizes.values()]
        late = with_limits[8:]
        if sampler == "gp":
            assert statistics.fmean(ratio <= 1.1 for ratio in late) >= 0.5
        assert statistics.median(late) <= statistics.median(blind)


def test_the_gate_is_on_the_scale_of_the_front() -> None:
    """The machine has slowed down by a quarter; what the gate tells is scaled like the front."""
    seen: list[float | None] = []
    speed = 1.0

    def evaluate(request: EvaluateRequest) -> TrialResult:
        seen.append(request.baseline_ms)
        result = analytic.make_result(request)
        now_ms = 0.03 * speed

        def measured(point: Point) -> Point:
            ratio = point.latency.median_ms / 0.03
            latency = replace(
                point.latency,
                median_ms=ratio * now_ms,
                reference_ms=now_ms,
                reference_ratio=ratio,
            )
            return replace(point, latency=latency)

        assert result.point is not None
        return replace(
            result,
            point=measured(result.point),
            siblings=tuple(measured(s) for s in result.siblings),
        )

    settings = StudySettings("s", analytic.task_info(), seed=1, branch=False, race=False)
    storage = InMemoryStorage()
    study = open_study(storage, settings)
    for _ in range(2):
        asked = study.ask(analytic.make_config)
        assert asked is not None
        study.tell(asked.number, evaluate(study.request(asked.number)))
        speed = 1.25
    assert seen == [None, 0.03]
    asked = study.ask(analytic.make_config)
    assert asked is not None
    # What the gate measured before the study had a scale is scaled when it is told.
    refused = TrialResult(
        asked.config,
        "infeasible",
        "too slow",
        latency_ms=2.5,
        foreseen={S.FLOAT32: Foreseen(1.0, 2.5)},
        foreseen_at_ms=0.0375,
    )
    study.tell(asked.number, refused)
    gate = trials_of(storage)[asked.number].user_attrs[attributes.GATE]
    assert gate["latency_ms"] == pytest.approx(2.0)
    assert gate["schemes"]["float32"][1] == pytest.approx(2.0)


def test_branches_are_asked_for_only_where_there_are_any() -> None:
    found = {}
    for branch in (True, False):
        settings = StudySettings("s", analytic.task_info(), seed=1, branch=branch)
        study = open_study(InMemoryStorage(), settings)
        asked = study.ask(analytic.make_config)
        assert asked is not None
        found[branch] = study.request(asked.number).branch_sparsity
    assert found[False] == 0.0
    assert found[True] > 0.8


@pytest.mark.parametrize(
    ("limits", "branch", "is_hoped"),
    [
        (Limits(min_accuracy=0.9), True, True),
        (Limits(min_accuracy=0.9), False, False),
        (Limits(max_size_bytes=2_500), True, False),
        (Limits(), True, False),
    ],
)
def test_the_race_hopes_for_what_branches_may_still_reach(
    limits: Limits, branch: bool, is_hoped: bool
) -> None:
    """A search for 70 % of CIFAR-10 stopped every first training that would end with 68."""
    settings = StudySettings("s", analytic.task_info(), seed=1, branch=branch, limits=limits)
    study = open_study(InMemoryStorage(), settings)
    asked = study.ask(analytic.make_config)
    assert asked is not None
    race = study.request(asked.number).race
    assert race is not None
    assert (race.hope < 0.8) == is_hoped
    assert is_hoped or race.hope == 1.0


def test_what_was_refused_is_not_counted_unless_it_is_more_than_was_tried() -> None:
    storage = InMemoryStorage()
    tight: dict[str, Any] = {"branch": False, "sampler": "random", "race": False}
    run(storage, 10, limits=Limits(max_size_bytes=2_500), **tight)
    outcomes = [
        t.user_attrs[attributes.OUTCOME]
        for t in trials_of(storage)
        if attributes.DERIVED_FROM not in t.user_attrs
    ]
    n_refused = outcomes.count("infeasible")
    assert n_refused > 0
    assert max(len(outcomes) - n_refused, n_refused) == 10
    impossible = InMemoryStorage()
    run(impossible, 10, limits=Limits(max_size_bytes=100), **tight)
    assert [t.user_attrs[attributes.OUTCOME] for t in trials_of(impossible)] == ["infeasible"] * 10
