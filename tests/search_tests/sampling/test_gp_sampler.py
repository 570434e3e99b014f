from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.run.driver import Driver
from search.sampling.gp_sampler import SurrogateSampler
from search.sampling.mirror import Mirror
from search.sampling.samplers import make_sampler
from search.storage import attributes
from search.storage.batches import Ending
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from spaces.space.search_space import Parameter, SearchSpace
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor
from workers.messages.result import EvaluateRequest, Limits, TrialResult


def run(sampler: str, n: int, seed: int, **changes: object) -> float:
    """Return the hypervolume of a search on the analytic task."""
    task = StudySettings("s", analytic.task_info(), sampler=sampler, seed=seed, branch=False)
    study = open_study(InMemoryStorage(), replace(task, **changes))  # type: ignore[arg-type]
    executor = InlineExecutor(analytic.make_result)
    Driver(study, executor, analytic.make_config, RunSettings(n)).run()
    return study.hypervolume


def test_it_beats_drawing_at_random() -> None:
    seeds = range(6)
    assert sum(run("gp", 40, s) for s in seeds) > sum(run("random", 40, s) for s in seeds)


def test_it_searches_without_fan_out() -> None:
    def own_point_only(request: EvaluateRequest) -> TrialResult:
        return analytic.make_result(replace(request, fan_out=False))

    settings = StudySettings(
        "s", analytic.task_info(), sampler="gp", seed=1, fan_out=False, race=False, branch=False
    )
    study = open_study(InMemoryStorage(), settings)
    Driver(study, InlineExecutor(own_point_only), analytic.make_config, RunSettings(30)).run()
    assert study.outcomes["complete"] == 30


def n_infeasible(sampler: str, seed: int) -> int:
    """Return how many of 40 trials, after the first 20, break a limit that cuts off the best."""
    limits = Limits(max_latency_ms=0.35)
    settings = StudySettings(
        "s", analytic.task_info(), sampler=sampler, seed=seed, limits=limits, branch=False
    )
    storage = InMemoryStorage()
    study = open_study(storage, settings)
    Driver(
        study, InlineExecutor(analytic.make_result), analytic.make_config, RunSettings(60)
    ).run()
    outcomes = [
        trial.user_attrs[attributes.OUTCOME]
        for trial in storage.get_all_trials(storage.get_study_id_from_name("s"))
        if attributes.DERIVED_FROM not in trial.user_attrs
    ]
    return outcomes[20:].count("infeasible")


def test_what_breaks_a_limit_is_proposed_less_than_at_random() -> None:
    """The best networks lie at the limit, so that some are tried that break it."""
    seeds = range(3)
    assert sum(n_infeasible("gp", s) for s in seeds) < sum(
        n_infeasible("random", s) for s in seeds
    )


SPACE = SearchSpace(
    (
        Parameter("width", "int", 1, 64, log=True),
        Parameter("rate", "float", 1e-4, 1e-1, log=True),
        Parameter("kind", "categorical", choices=("a", "b")),
    )
)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["complete", "stopped", "infeasible", "failed", "branch", "running"]),
            st.floats(0.0, 1.0),
        ),
        min_size=15,
        max_size=40,
    )
)
def test_whatever_trials_end_with_it_goes_on(endings: list[tuple[str, float]]) -> None:
    mirror = Mirror(make_sampler("gp", 1, 6), 1)
    gate = {attributes.GATE: {"size_bytes": 2000.0, "latency_ms": None}}
    for how, accuracy in endings:
        proposal = mirror.propose(SPACE, is_branch=how == "branch")
        assert all(SPACE[name].contains(value) for name, value in proposal.params.items())
        if how in ("complete", "branch"):
            ending = Ending(TrialState.COMPLETE, (accuracy, 5000.0, 0.25))
        elif how == "stopped":
            attrs = {**gate, attributes.CURVE: [accuracy], attributes.BAR: 0.9}
            ending = Ending(TrialState.PRUNED, user_attrs=attrs)
        elif how == "infeasible":
            constraints = {attributes.CONSTRAINTS: [0.0, 0.5, 0.0, 0.0]}
            ending = Ending(TrialState.PRUNED, user_attrs=gate, system_attrs=constraints)
        elif how == "failed":
            ending = Ending(TrialState.FAIL)
        else:
            continue
        mirror.end(proposal.handle, ending)


def test_it_works_as_a_sampler_of_plain_optuna() -> None:
    sampler = make_sampler("gp", 3)
    assert isinstance(sampler, SurrogateSampler)
    sampler.space = SPACE
    mirror = Mirror(sampler, 3)
    for _ in range(15):
        proposal = mirror.propose(SPACE)
        width = float(proposal.params["width"])
        mirror.end(proposal.handle, Ending(TrialState.COMPLETE, (1 - 1 / width, width, width)))
    assert len({tuple(t.params.items()) for t in mirror.study.trials}) == 15
