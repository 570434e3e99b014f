"""What a report tells of a study, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from search.front.pareto import ReferencePoint
from search.front.study_front import FrontPoint
from search.report.costs import cost_at_equal_size, scheme_costs, sparsity_costs
from search.report.endings import count_outcomes, endings, seconds_spent
from search.report.importance import importances
from search.report.models import Model, best_so_far, shown_models, thinned
from search.report.progress import Clock, hypervolume_steps, seconds_to
from search.report.templating import finite
from workers.messages.limits import Limits

START = datetime(2026, 11, 26, 20)
REFERENCE = ReferencePoint.for_images([25, 25, 25, 25])


def model(
    accuracy: float,
    size: int,
    scheme: str = "float32",
    *,
    trial: int = 0,
    of: int | None = None,
    sparsity: float | None = None,
    on_front: bool = True,
    latency: float = 1.0,
) -> Model:
    point = FrontPoint(trial, accuracy, size, latency, scheme, sparsity, None, of, None, params={})
    return Model(point, None, on_front, is_baseline=False, keeps_limits=True)


def trial(
    number: int,
    values: tuple[float, float, float] | None = None,
    *,
    start: float = 0.0,
    end: float | None = None,
    params: Mapping[str, Any] | None = None,
    **attrs: Any,
) -> FrozenTrial:
    params = dict(params or {})
    return FrozenTrial(
        number=number,
        state=TrialState.COMPLETE if values else TrialState.PRUNED,
        value=None,
        values=values,
        datetime_start=START + timedelta(seconds=start),
        datetime_complete=None if end is None else START + timedelta(seconds=end),
        params=params,
        distributions={
            name: CategoricalDistribution(("int8", "float32"))
            if isinstance(value, str)
            else FloatDistribution(0.0, 1.0)
            for name, value in params.items()
        },
        user_attrs=attrs,
        system_attrs={},
        intermediate_values={},
        trial_id=number,
    )


# Models


def test_where_weights_come_from() -> None:
    assert model(0.9, 10).origin == "own"
    assert model(0.9, 10, of=3).origin == "derived"
    branched = FrontPoint(1, 0.9, 10, 1.0, "int8", None, None, None, 7, params={})
    assert Model(branched, None, True, False, True).origin == "branched"


def test_the_best_so_far_climbs() -> None:
    models = [model(a, s, trial=s) for a, s in ((0.5, 10), (0.4, 20), (0.7, 30), (0.7, 40))]
    assert [m.point.trial for m in best_so_far(models, "size")] == [10, 30]


def test_a_page_holds_all_of_the_front_and_some_of_the_rest() -> None:
    rest = [model(0.1, 9, trial=n, on_front=False) for n in range(50)]
    front = [model(0.9, 9, trial=n) for n in range(50, 60)]
    shown = [m.point.trial for m in shown_models([*rest, *front], 5)]
    assert shown == [0, 12, 24, 37, 49, *range(50, 60)]
    assert thinned([1, 2], 5) == [1, 2]


# Progress


def test_breaks_between_runs_take_no_time() -> None:
    clock = Clock([trial(0, end=10), trial(1, start=5, end=20), trial(2, start=100, end=110)])
    assert clock.total == 30
    for at, expected in ((0, 0), (12, 12), (60, 20), (105, 25), (500, 30), (-5, 0)):
        assert clock.seconds(START + timedelta(seconds=at)) == expected, at


def test_the_hypervolume_grows_with_the_front() -> None:
    trials = [
        trial(0, (0.5, 5e3, 0.1), end=10),
        trial(1, (0.4, 9e3, 0.2), end=20),  # Dominated: no step.
        trial(2, (0.9, 90e3, 0.1), end=30),  # Breaks the limit.
        trial(3, (0.9, 5e3, 0.1), end=40),
        trial(4, (0.3, 9e3, 0.2), start=40, end=60),
    ]
    steps = hypervolume_steps(trials, Limits(max_size_bytes=50e3), REFERENCE)
    assert [(step.trial, step.seconds) for step in steps] == [(0, 10), (3, 40), (3, 60)]
    assert 0 < steps[0].hypervolume < steps[1].hypervolume == steps[2].hypervolume
    assert seconds_to(steps, 0.95) == 40
    assert seconds_to([], 0.95) is None
    assert hypervolume_steps([], Limits(), REFERENCE) == []


# What decides


def test_what_decides_is_found_for_each_objective_in_spite_of_an_outlier() -> None:
    trials = []
    for number in range(60):
        a, b = (number * 0.618) % 1, (number * 0.414) % 1
        size = 1e3 * (1 + b) if number else 57e6  # One is a thousand times larger than the rest.
        trials.append(
            trial(number, (0.5 + a / 3, size, 0.1 + b), params={"for_accuracy": a, "for_size": b})
        )
    found = importances(trials)
    assert found is not None
    best: dict[str, str] = {}
    for row in sorted(found.rows, key=lambda row: row.share):
        best[row.objective] = row.parameter
    assert best == {
        "accuracy": "for_accuracy",
        "size_bytes": "for_size",
        "latency_ms": "for_size",
    }
    shares = [row.share for row in found.rows if row.objective == "size_bytes"]
    assert sum(shares) == pytest.approx(1)


def test_of_few_trainings_nothing_is_told() -> None:
    few = [trial(n, (0.5, 1e3, 1.0), params={"a": n / 99}, derived_from=n // 9) for n in range(81)]
    assert importances(few) is None  # 81 models, but of nine trainings.
    assert importances([]) is None


# Costs


def test_schemes_are_compared_within_trainings_and_at_equal_size() -> None:
    models = [
        model(0.80, 4000, trial=1, latency=2.0),
        model(0.78, 1000, "int8", trial=2, of=1),
        model(0.90, 8000, trial=3, latency=4.0),
        model(0.89, 2000, "int8", trial=4, of=3, on_front=False),
        model(0.10, 500, "int8", trial=5),  # Without a float32 file of its training.
    ]
    plain, int8 = scheme_costs(models)
    assert (plain.name, plain.n_pairs, plain.accuracy_change) == ("float32", 0, None)
    assert (int8.name, int8.n_models, int8.n_on_front, int8.n_pairs) == ("int8", 3, 2, 2)
    assert int8.accuracy_change == pytest.approx(-0.015)
    assert (int8.size_ratio, int8.latency_ratio) == (4.0, 3.0)
    # From 4 to 8 kB int8's 89 % are 9 points ahead of float32's 80 %; at 8 kB it is even.
    assert plain.cost_at_equal_size == pytest.approx(0.09, abs=0.001)
    # From 0.5 to 8 kB int8 is best but at the very end.
    assert int8.cost_at_equal_size == pytest.approx(0, abs=0.001)


def test_one_size_alone_has_no_cost() -> None:
    one = [model(0.9, 10)]
    assert cost_at_equal_size(one, one) is None


@pytest.mark.parametrize(
    ("sparsities", "expected"),
    [
        ((None, None), []),
        ((0.0, 0.019), []),
        ((0.0, 0.5), ["dense", "up to 50 % zeros"]),
        ((0.51, 0.8, 0.81), ["50 to 80 % zeros", "over 80 % zeros"]),
    ],
)
def test_sparsities(sparsities: tuple[float | None, ...], expected: list[str]) -> None:
    models = [model(0.9, 100 + n, trial=n, sparsity=s) for n, s in enumerate(sparsities)]
    assert [cost.name for cost in sparsity_costs(models)] == expected


# Endings


def test_reasons_that_differ_in_numbers_only_are_one() -> None:
    trials = [
        trial(0, (0.5, 1.0, 1.0), outcome="complete", seconds={"train": 2.0, "gate": 0.5}),
        trial(1, outcome="stopped", reason="at 0.45, bar 0.7", seconds={"train": 1.0}),
        trial(2, outcome="stopped", reason="at 0.31, bar 0.8", seconds={"train": 1.5}),
        trial(3, outcome="failed", reason="loss is NaN"),
        trial(4, outcome="complete", derived_from=0, seconds={"train": 2.0}),
        trial(5),
    ]
    assert [(e.outcome, e.reason, e.n, e.trial) for e in endings(trials)] == [
        ("stopped", "at 0.31, bar 0.8", 2, 2),
        ("failed", "loss is NaN", 1, 3),
    ]
    assert count_outcomes(trials) == {"complete": 1, "stopped": 2, "failed": 1, "running": 1}
    assert [(s.stage, s.outcome, s.seconds) for s in seconds_spent(trials)] == [
        ("gate", "complete", 0.5),
        ("train", "complete", 2.0),
        ("train", "stopped", 2.5),
    ]


def test_what_json_has_no_word_for_is_null() -> None:
    data = {"a": [1.5, float("nan"), (float("inf"),)], 3: "x"}
    assert finite(data) == {"a": [1.5, None, [None]], "3": "x"}
