from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.front.pareto import ReferencePoint, gains, hypervolume
from search.run.driver import Driver
from search.sampling.gaussian_process import GaussianProcess
from search.sampling.gp_sampler import SurrogateSampler
from search.sampling.hypervolume_improvement import Improvement
from search.sampling.known_trainings import MAX_ROWS, KnownTrainings
from search.sampling.mirror import Mirror
from search.sampling.samplers import make_sampler
from search.sampling.trainings import thinned
from search.storage import attributes
from search.storage.batches import Ending
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from spaces.space.search_space import Parameter, SearchSpace
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor
from workers.messages.result import EvaluateRequest, Limits, TrialResult

REFERENCE = ReferencePoint()

points = st.tuples(st.floats(0.0, 1.0), st.floats(1e3, 1e8), st.floats(1e-3, 1e4))


class TestImprovement:
    @given(
        st.lists(points, max_size=8),
        st.lists(st.lists(points, min_size=3, max_size=3), min_size=1, max_size=4),
    )
    def test_it_is_the_difference_of_hypervolumes(
        self,
        front: list[tuple[float, float, float]],
        sets: list[list[tuple[float, float, float]]],
    ) -> None:
        before = hypervolume(front, REFERENCE)
        expected = [hypervolume([*front, *added], REFERENCE) - before for added in sets]
        found = np.array([gains(added, REFERENCE) for added in sets])
        improvement = Improvement(gains(front, REFERENCE), found.reshape(-1, 3).max(axis=0))
        assert improvement.of(found) == pytest.approx(expected, abs=1e-9)

    def test_a_large_front_is_close(self) -> None:
        rng = np.random.default_rng(0)
        # Far from the best corner, so that there is something left to gain.
        front = 0.8 * rng.dirichlet([1, 1, 1], 500)
        sets = rng.random((20, 2, 3)) ** 0.5
        best = np.ones(3)
        close = Improvement(front, best).of(sets)
        samples = rng.random((200_000, 3))
        is_open = ~np.any([(samples <= point).all(axis=1) for point in front], axis=0)
        assert close.min() > 0.02
        for found, added in zip(close, sets, strict=True):
            reached = np.any([(samples <= point).all(axis=1) for point in added], axis=0)
            assert found == pytest.approx((reached & is_open).mean(), abs=0.01)


class TestGaussianProcess:
    def test_it_learns_a_smooth_function_of_some_inputs(self) -> None:
        rng = np.random.default_rng(0)
        inputs = rng.random((60, 6))
        outputs = np.column_stack(
            [np.sin(4 * inputs[:, 0]) + inputs[:, 1], 100 + 10 * inputs[:, 1]]
        )
        process = GaussianProcess()
        process.search_scales(inputs[:40], outputs[:40], n_steps=60)
        process.observe(inputs[:40], outputs[:40])
        found, deviation = process.predict_with_deviation(inputs[40:])
        errors = np.abs(found - outputs[40:]).mean(axis=0)
        assert (errors < 0.25 * outputs.std(axis=0)).all()
        assert found == pytest.approx(process.predict(inputs[40:]))
        assert (deviation > 0).all()

    def test_it_knows_where_it_knows_nothing(self) -> None:
        inputs = np.linspace(0, 0.3, 12)[:, None]
        process = GaussianProcess()
        process.observe(inputs, np.sin(9 * inputs))
        _, deviation = process.predict_with_deviation(np.array([[0.15], [3.0]]))
        assert deviation[1, 0] > 3 * deviation[0, 0]

    def test_equal_outputs_are_no_trouble(self) -> None:
        process = GaussianProcess()
        inputs = np.zeros((5, 2))
        process.search_scales(inputs, np.ones((5, 1)), n_steps=10)
        process.observe(inputs, np.ones((5, 1)))
        assert process.predict(np.ones((1, 2))) == pytest.approx(1.0)


@given(st.lists(st.integers(), max_size=60), st.integers(1, 30))
def test_a_spread_keeps_the_newest_and_the_order(many: list[int], n: int) -> None:
    numbered = list(enumerate(many))
    kept = thinned(numbered, n)
    assert len(kept) == min(n, len(many))
    assert kept == sorted(set(kept), key=lambda pair: pair[0])
    if numbered:
        assert kept[-1] == numbered[-1]


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


def test_a_branch_with_its_parents_parameters_does_not_take_its_place() -> None:
    """A training that was trained on says how good it is now, not what a new one there gives."""
    mirror = Mirror(make_sampler("random", 1), 1)
    parent = mirror.propose(SPACE)
    mirror.end(parent.handle, Ending(TrialState.COMPLETE, (0.8, 5000.0, 0.25)))
    branch = mirror.propose(SPACE, fixed=parent.params, is_branch=True)
    assert branch.params == parent.params
    mirror.end(branch.handle, Ending(TrialState.COMPLETE, (0.95, 5000.0, 0.25)))
    known = KnownTrainings(REFERENCE)
    known.read(mirror.study, 2)
    [training] = known.chosen()
    [(log_error, _, _)] = training.points.values()
    assert np.exp(log_error) == pytest.approx(0.2)
    [best] = known.most_accurate(2)
    assert known.by_key[best].params == parent.params


def test_what_is_known_is_bounded_and_keeps_the_front() -> None:
    """Of many trainings it learns from all on the front, and a spread of the others."""
    mirror = Mirror(make_sampler("random", 2), 2)
    n_good, n_bad = 12, 2 * MAX_ROWS
    for index in range(n_good + n_bad):
        is_good = index < n_good
        # The good ones are the larger the more accurate they are; the others are dominated.
        values = (0.8 + index / 100, 1000.0 * (index + 1), 0.1) if is_good else (0.5, 1e6, 1.0)
        proposal = mirror.propose(SPACE)
        mirror.end(proposal.handle, Ending(TrialState.COMPLETE, values))
    known = KnownTrainings(REFERENCE)
    known.read(mirror.study, n_good + n_bad)
    chosen = known.chosen()
    assert len(chosen) == MAX_ROWS
    errors = sorted(float(np.exp(e)) for t in chosen for e, _, _ in t.points.values())
    assert errors[:n_good] == pytest.approx([0.2 - i / 100 for i in reversed(range(n_good))])
    best = [known.by_key[key] for key in known.most_accurate(3)]
    found = [1 - float(np.exp(min(e for e, _, _ in t.points.values()))) for t in best]
    assert found == pytest.approx([0.8 + i / 100 for i in (11, 10, 9)])
