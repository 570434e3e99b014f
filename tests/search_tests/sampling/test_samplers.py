from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from statistics import mean

import pytest
from optuna.samplers import NSGAIISampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from search.run.driver import Driver
from search.sampling.mirror import Mirror
from search.sampling.samplers import SAMPLERS, make_sampler, sampler_seed
from search.storage import attributes
from search.storage.batches import Ending, new_trial
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from spaces.config.trial import ParamValue
from spaces.errors import ConfigError
from spaces.space.search_space import Condition, Parameter, SearchSpace
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor
from workers.messages.result import EvaluateRequest, Limits, TrialResult

SPACE = SearchSpace(
    (
        Parameter("x", "float", 0.0, 1.0),
        Parameter("kind", "categorical", choices=("a", "b")),
        Parameter("y", "float", 0.0, 1.0, conditions=(Condition("kind", ("b",)),)),
    )
)


def derived(
    mirror: Mirror, params: Mapping[str, ParamValue], values: tuple[float, ...], generation: int
) -> FrozenTrial:
    """An ended trial, as one that was derived from another's training is added."""
    proposal = mirror.propose(SPACE, fixed=params)
    mirror.discard(proposal.handle)
    return new_trial(
        -1,
        proposal.params,
        proposal.distributions,
        user_attrs={},
        system_attrs={attributes.GENERATION: generation, attributes.CONSTRAINTS: [0.0]},
        state=TrialState.COMPLETE,
        values=values,
    )


def add_points(mirror: Mirror, n: int, good_at: float) -> None:
    """Add points spread over x which are the better the nearer they lie to ``good_at``."""
    for index in range(n):
        x = (index + 0.5) / n
        off = abs(x - good_at)
        mirror.add(derived(mirror, {"x": x, "kind": "a"}, (1 - off, 1 + off, 1 + off), 0))


@pytest.mark.parametrize("name", SAMPLERS)
class TestEverySampler:
    def test_it_proposes_active_parameters_only(self, name: str) -> None:
        mirror = Mirror(make_sampler(name, seed=1), seed=1)
        for _ in range(30):
            proposal = mirror.propose(SPACE)
            assert ("y" in proposal.params) == (proposal.params["kind"] == "b")
            assert list(proposal.distributions) == list(proposal.params)
            mirror.end(proposal.handle, Ending(TrialState.COMPLETE, (0.5, 1.0, 1.0)))

    def test_the_same_seed_gives_the_same_proposals(self, name: str) -> None:
        def proposals(seed: int) -> list[Mapping[str, ParamValue]]:
            mirror = Mirror(make_sampler(name, seed), seed)
            return [mirror.propose(SPACE).params for _ in range(5)]

        assert proposals(1) == proposals(1)
        assert proposals(1) != proposals(2)

    def test_fixed_values_are_taken(self, name: str) -> None:
        mirror = Mirror(make_sampler(name, seed=1), seed=1)
        fixed: dict[str, bool | int | float | str] = {"x": 0.25, "kind": "b", "y": 0.75}
        assert mirror.propose(SPACE, fixed=fixed).params == fixed
        assert mirror.propose(SPACE).params != fixed

    def test_it_goes_on_with_infeasible_and_failed_trials(self, name: str) -> None:
        mirror = Mirror(make_sampler(name, seed=1), seed=1)
        endings = [
            Ending(TrialState.PRUNED, system_attrs={attributes.CONSTRAINTS: [0.0, 0.7]}),
            Ending(TrialState.FAIL),
            Ending(
                TrialState.COMPLETE, (0.5, 1.0, 1.0), system_attrs={attributes.CONSTRAINTS: [0, 0]}
            ),
        ]
        for index in range(60):
            mirror.end(mirror.propose(SPACE).handle, endings[index % 3])

    def test_a_whole_search_beats_its_start(self, name: str) -> None:
        settings = StudySettings("s", analytic.task_info(), sampler=name, seed=5)
        study = open_study(InMemoryStorage(), settings)
        executor = InlineExecutor(analytic.make_result)
        Driver(study, executor, analytic.make_config, RunSettings(5)).run()
        early = study.hypervolume
        Driver(study, executor, analytic.make_config, RunSettings(40)).run()
        assert study.hypervolume > early


def test_an_unknown_sampler() -> None:
    with pytest.raises(ConfigError, match="sampler in .gp, tpe, nsga2, random.*'grid'"):
        make_sampler("grid", seed=1)


def test_a_resumed_sampler_has_another_seed() -> None:
    seeds = {sampler_seed(seed, n) for seed in range(5) for n in range(20)}
    assert len(seeds) == 100
    assert sampler_seed(3, 7) == sampler_seed(3, 7)


@pytest.mark.parametrize("is_kept", [True, False])
def test_tpe_sees_one_point_of_each_training(is_kept: bool) -> None:
    """Its own; a derived one only where that breaks a limit, the first that does not."""
    mirror = Mirror(make_sampler("tpe", seed=1), seed=1)
    proposal = mirror.propose(SPACE, fixed={"x": 0.5, "kind": "a"})
    constraints = {attributes.CONSTRAINTS: [0.0, -0.5 if is_kept else 0.5]}
    own = Ending(TrialState.COMPLETE, (0.9, 1e4, 1.0), system_attrs=constraints)
    mirror.end(proposal.handle, own, number=0)
    for size in (5e3, 4e3):
        point = derived(mirror, {"x": 0.5, "kind": "a"}, (0.9, size, 1.0), 0)
        point.user_attrs[attributes.DERIVED_FROM] = 0
        mirror.add(point)
    seen = [t for t in mirror.study.trials if t.state == TrialState.COMPLETE]
    assert len(seen) == (1 if is_kept else 2)


@pytest.mark.parametrize("good_at", [0.15, 0.85])
def test_tpe_moves_to_where_points_are_good(good_at: float) -> None:
    mirror = Mirror(make_sampler("tpe", seed=1), seed=1)
    add_points(mirror, 40, good_at)
    proposals = [float(mirror.propose(SPACE).params["x"]) for _ in range(20)]
    assert abs(mean(proposals) - good_at) < 0.2


@pytest.mark.parametrize("good_at", [0.15, 0.85])
def test_nsga2_breeds_from_derived_points(good_at: float) -> None:
    """The first population is full of derived points, so children are bred from them."""
    mirror = Mirror(make_sampler("nsga2", seed=1, points_per_trial=7), seed=1)
    add_points(mirror, 100, good_at)
    proposal = mirror.propose(SPACE)
    assert proposal.system_attrs == {attributes.GENERATION: 1}
    sampler = mirror.study.sampler
    assert isinstance(sampler, NSGAIISampler)
    parents = sampler.get_parent_population(mirror.study, 1)
    assert len(parents) == 50
    assert all(abs(parent.params["x"] - good_at) < 0.6 for parent in parents)
    children = [float(mirror.propose(SPACE).params["x"]) for _ in range(30)]
    assert abs(mean(children) - good_at) < 0.35


@pytest.mark.parametrize(("points", "size"), [(1, 10), (2, 16), (6, 48), (7, 50)])
def test_a_generation_has_the_points_of_some_trainings(points: int, size: int) -> None:
    """Fifty trainings of one point each would be drawn at random before any is bred."""
    mirror = Mirror(make_sampler("nsga2", 1, points), seed=1)
    add_points(mirror, size - 1, 0.5)
    assert mirror.propose(SPACE).system_attrs == {attributes.GENERATION: 0}
    add_points(mirror, 1, 0.5)
    assert mirror.propose(SPACE).system_attrs == {attributes.GENERATION: 1}


def test_nsga2_finds_siblings_of_a_run_in_their_population() -> None:
    storage = InMemoryStorage()
    settings = StudySettings("s", analytic.task_info(), sampler="nsga2", seed=5)
    study = open_study(storage, settings)
    Driver(
        study, InlineExecutor(analytic.make_result), analytic.make_config, RunSettings(20)
    ).run()
    trials = storage.get_all_trials(storage.get_study_id_from_name("s"))
    generation = {t.number: t.system_attrs[attributes.GENERATION] for t in trials}
    siblings = [t for t in trials if attributes.DERIVED_FROM in t.user_attrs]
    assert siblings
    for trial in siblings:
        parent = trial.user_attrs[attributes.DERIVED_FROM]
        assert generation[trial.number] == generation[parent]
    # Twenty trainings alone would not fill a population of fifty: the siblings do.
    assert max(generation.values()) >= 1


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_infeasible_trials_do_not_draw_the_search_to_tiny_networks(name: str) -> None:
    """With a limit that cuts off the wide half, proposals stay near the limit, not at the floor.

    Told as failures of the objectives, infeasible trials would make the sampler flee from
    everything large; told with how far they break the limit, they mark the border only.
    """
    limits = Limits(max_latency_ms=0.35)
    settings = StudySettings(
        "s",
        analytic.task_info(),
        sampler=name,
        seed=1,
        limits=limits,
        fan_out=False,
        branch=False,
    )
    storage = InMemoryStorage()
    study = open_study(storage, settings)

    def float_only(request: EvaluateRequest) -> TrialResult:
        return analytic.make_result(replace(request, fan_out=False))

    Driver(study, InlineExecutor(float_only), analytic.make_config, RunSettings(200)).run()
    assert study.outcomes["infeasible"] > 5
    trials = storage.get_all_trials(storage.get_study_id_from_name("s"))
    late = [t for t in trials[120:] if t.state == TrialState.COMPLETE]
    accuracies = [t.values[0] for t in trials if t.state == TrialState.COMPLETE]
    widths = [t.params["filters_1"] for t in late]
    assert max(widths) >= 32, "wide networks are not tried any more"
    assert max(t.values[0] for t in late) >= max(accuracies) - 0.03
    assert all(math.isfinite(value) for t in late for value in t.values)
