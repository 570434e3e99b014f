from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.sampling.initial_design import capacity, shrunk, start_design
from search.sampling.space_moves import from_unit, to_unit
from search.storage.settings import DEFAULT_START
from spaces.config.trial import ParamValue
from spaces.space.search_space import Condition, Parameter, SearchSpace
from tests.search_tests import analytic


def make_parameter(draw: st.DrawFn, name: str, parents: list[Parameter]) -> Parameter:
    """A parameter of any kind, perhaps switched by one before it."""
    conditions: tuple[Condition, ...] = ()
    switches = [p for p in parents if p.kind == "categorical"]
    is_switched = draw(st.booleans())
    if switches and is_switched:
        switch = draw(st.sampled_from(switches))
        conditions = (Condition(switch.name, switch.choices[-1:]),)
    kind = draw(st.sampled_from(["int", "float", "categorical"]))
    if kind == "categorical":
        choices = draw(
            st.sampled_from([("a",), ("a", "b"), (True, False), (1, 2, 4), (0.5, "x", 3)])
        )
        return Parameter(name, "categorical", choices=choices, conditions=conditions)
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -5, 10))
    high = low + draw(st.integers(0, 100))
    if kind == "int":
        step = None if log else draw(st.sampled_from([None, 1, 3, 8]))
        return Parameter(name, "int", low, high, step=step, log=log, conditions=conditions)
    grid = None if log else draw(st.sampled_from([None, 0.1, 0.25]))
    return Parameter(
        name, "float", float(low), float(high), step=grid, log=log, conditions=conditions
    )


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    found: list[Parameter] = []
    names = draw(
        st.lists(
            st.sampled_from(
                "filters units pool_size learning_rate pruning_schedule final_sparsity "
                "quantization kernel x".split()
            ),
            unique=True,
            max_size=6,
        )
    )
    for name in names:
        found.append(make_parameter(draw, name, found))
    return SearchSpace(tuple(found))


def is_point_of(space: SearchSpace, params: dict[str, ParamValue]) -> bool:
    active = [p for p in space.parameters if space.is_active(p, params)]
    return list(params) == [p.name for p in active] and all(
        p.contains(params[p.name]) for p in active
    )


class TestEverySpace:
    @given(spaces(), st.integers(0, 25), st.integers(0, 3))
    def test_points_lie_in_the_space_and_differ(
        self, space: SearchSpace, n: int, seed: int
    ) -> None:
        points = start_design(space, n, seed)
        assert len(points) <= n
        assert all(is_point_of(space, point) for point in points)
        assert all(point not in points[:index] for index, point in enumerate(points))

    @given(spaces(), st.integers(0, 25), st.integers(0, 3))
    def test_the_same_seed_gives_the_same_points(
        self, space: SearchSpace, n: int, seed: int
    ) -> None:
        assert start_design(space, n, seed) == start_design(space, n, seed)

    @given(spaces(), st.integers(1, 25))
    def test_the_defaults_come_first(self, space: SearchSpace, n: int) -> None:
        assert start_design(space, n)[0] == space.defaults()


class TestTheAnalyticSpace:
    def test_there_are_as_many_as_asked_for(self) -> None:
        for n in (1, 2, 10, 40):
            assert len(start_design(analytic.analytic_space(), n)) == n

    def test_networks_come_in_all_sizes_early(self) -> None:
        points = start_design(analytic.analytic_space(), 10)[:6]
        assert {p["filters_1"] for p in points} >= {8, 64}
        assert {p["n_blocks"] for p in points} >= {1, 3}
        assert {p["pruning_schedule"] for p in points} == {"none"}
        assert len({p["learning_rate"] for p in points}) == 1

    def test_pruning_comes_later(self) -> None:
        points = start_design(analytic.analytic_space(), 12)
        pruned = [p for p in points if p["pruning_schedule"] != "none"]
        assert len({p["final_sparsity"] for p in pruned}) >= 3

    def test_seeds_differ_in_what_fills_the_space_only(self) -> None:
        one, other = (start_design(analytic.analytic_space(), 12, seed) for seed in (1, 2))
        assert one[:9] == other[:9]
        assert one != other


def test_pooling_shrinks_where_filters_grow() -> None:
    space = SearchSpace(
        (
            Parameter("input_pooling", "categorical", choices=(1, 2, 4), default=2),
            Parameter("filters", "int", 4, 64),
        )
    )
    points = start_design(space, 4)
    assert {"input_pooling": 4, "filters": 4} in points
    assert {"input_pooling": 1, "filters": 64} in points


def test_a_space_without_parameters_has_one_point() -> None:
    assert start_design(SearchSpace(), 5) == [{}]


def test_families_take_turns_and_the_default_one_comes_most() -> None:
    hanging = {
        name: (Condition("family", (name,)),) for name in ("cnn", "ann", "lenet", "mobilenet")
    }
    space = SearchSpace(
        (
            Parameter("family", "categorical", choices=tuple(hanging)),
            *(Parameter(f"{n}_width", "int", 4, 64, conditions=c) for n, c in hanging.items()),
        )
    )
    families = [point["family"] for point in start_design(space, 12)][:7]
    assert set(families) == set(hanging)
    assert families.count("cnn") >= 3


@pytest.mark.parametrize(
    "others", [("ann",), ("ann", "lenet"), ("ann", "lenet", "mobilenet")], ids=len
)
def test_the_usual_design_has_a_network_of_each_of_four_families(others: tuple[str, ...]) -> None:
    hanging = {name: (Condition("family", (name,)),) for name in ("cnn", *others)}
    space = SearchSpace(
        (
            Parameter("family", "categorical", choices=tuple(hanging)),
            *(Parameter(f"{n}_width", "int", 4, 64, conditions=c) for n, c in hanging.items()),
            Parameter("augmentation", "categorical", choices=("flip", "none")),
        )
    )
    points = start_design(space, DEFAULT_START, seed=1)
    for_sure = [one for one in points if one in start_design(space, DEFAULT_START, seed=2)]
    families = [point["family"] for point in for_sure]
    assert set(families) == set(hanging)
    assert families.count("cnn") >= 3
    # Both choices of what is no size, whichever family they come with.
    assert {point["augmentation"] for point in for_sure if point["family"] != "cnn"} == {
        "flip",
        "none",
    }


def test_only_the_default_family_comes_at_its_largest() -> None:
    """What a large network of another family costs is not known, and may be twenty small ones."""
    hanging = {name: (Condition("family", (name,)),) for name in ("cnn", "flatten")}
    space = SearchSpace(
        (
            Parameter("family", "categorical", choices=tuple(hanging)),
            *(Parameter(f"{n}_width", "int", 4, 64, conditions=c) for n, c in hanging.items()),
        )
    )
    for n in (4, 6, 8, 12):
        designs = zip(start_design(space, n, 1), start_design(space, n, 2), strict=True)
        points = [one for one, other in designs if one == other]  # Others fill the space.
        widest = max((int(point.get("flatten_width", 0)) for point in points), default=0)
        assert 4 < widest <= 16
    assert max(int(p.get("cnn_width", 0)) for p in start_design(space, 10)[:8]) == 64


def test_small_networks_come_with_other_choices_too_and_large_ones_do_not() -> None:
    space = SearchSpace(
        (
            Parameter("filters", "int", 4, 64),
            Parameter("padding", "categorical", choices=("same", "valid")),
            Parameter("optimizer", "categorical", choices=("adam", "sgd")),
            Parameter("augmentation", "categorical", choices=("flip", "none")),
        )
    )
    points = start_design(space, 8)[:6]
    usual = {"padding": "same", "optimizer": "adam", "augmentation": "flip"}
    varied = {"padding": "valid", "optimizer": "adam", "augmentation": "none"}
    assert {"filters": 4, **usual} in points
    assert {"filters": 4, **varied} in points
    assert {"filters": 64, **usual} in points
    assert {"filters": 64, **varied} not in points
    # Of training nothing else is varied: what an augmentation is worth shows late.
    assert all(point["optimizer"] == "adam" for point in points)


@pytest.mark.parametrize("value", [0.003, 0.0003, 0.02, 0.01, 0.001])
def test_a_round_value_stays_round(value: float) -> None:
    rate = Parameter("learning_rate", "float", 3e-4, 2e-2, log=True, default=3e-3)
    assert from_unit(rate, to_unit(rate, value)) == value


def test_a_quarter_is_pruned_with_usual_double_and_half_the_learning_rate() -> None:
    space = analytic.analytic_space()
    pruned = start_design(space, 24)[7:13]
    usual = float(space["learning_rate"].default or 0)
    assert {params["pruning_schedule"] for params in pruned} == {"polynomial"}
    rates = [float(params["learning_rate"]) / usual for params in pruned]
    assert rates == pytest.approx([1.0, 2.0, 0.5, 1.0, 2.0, 0.5])
    sparsities = [float(params["final_sparsity"]) for params in pruned]
    assert len(set(sparsities)) == len(sparsities)
    # Three quarters of the range: what is hardly pruned is on the diagonal already.
    low, high = (
        float(end or 0) for end in (space["final_sparsity"].low, space["final_sparsity"].high)
    )
    assert min(sparsities) >= low + (high - low) / 4
    assert len({params["filters_1"] for params in pruned}) > 3


def test_what_fills_the_space_has_every_choice() -> None:
    space = analytic.analytic_space()
    filling = start_design(space, 24)[13:]
    for name in ("batch_size", "optimizer"):
        assert {params[name] for params in filling} == set(space[name].choices)
    rates = sorted(float(params["learning_rate"]) for params in filling)
    assert rates[0] < 1e-3 and rates[-1] > 1e-2


MANY = SearchSpace(tuple(Parameter(f"x{i}", "float", 0.0, 1.0) for i in range(24)))


def filling(n: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return points that fill the space, one a row; without the defaults, which come first."""
    points = start_design(MANY, 4 * n, seed)[1 : n + 1]
    return np.array([list(point.values()) for point in points], dtype=np.float64)


@pytest.mark.parametrize("seed", range(10))
def test_no_two_parameters_march_in_a_row(seed: int) -> None:
    correlations = np.abs(np.corrcoef(filling(20, seed).T))
    np.fill_diagonal(correlations, 0.0)
    assert correlations.max() < 0.85
    assert correlations.mean() < 0.25


@pytest.mark.parametrize(("at", "n"), [(0, 2), (0, 16), (0, 32), (1, 9), (1, 27), (2, 25), (3, 7)])
def test_every_parameter_is_filled_evenly(at: int, n: int) -> None:
    """Of a base to the power of k points every one has its own part of the range."""
    for seed in range(3):
        parts = {int(value) for value in filling(n, seed)[:, at] * n}
        assert len(parts) == n


SIZED = SearchSpace(
    (
        Parameter("batch_size", "categorical", choices=(32, 64, 128)),
        Parameter("filters", "int", 8, 64, step=8),
        Parameter("units", "categorical", choices=(0, 32, 128)),
        Parameter("pool_size", "categorical", choices=(1, 2, 4)),
    )
)


def test_shrinking_makes_the_network_smaller_and_trains_it_as_before() -> None:
    largest: dict[str, ParamValue] = {
        "batch_size": 128,
        "filters": 64,
        "units": 128,
        "pool_size": 1,
    }
    assert shrunk(SIZED, largest, 0.0) == largest
    smallest = {**largest, "filters": 8, "units": 0, "pool_size": 4}
    assert shrunk(SIZED, largest, 1.0) == smallest
    half = shrunk(SIZED, largest, 0.5)
    assert half["batch_size"] == 128 and 8 < float(half["filters"]) < 64


@pytest.mark.parametrize("batch_size", [32, 64, 128])
def test_how_a_network_is_trained_is_no_part_of_its_capacity(batch_size: int) -> None:
    sizes: list[tuple[dict[str, ParamValue], float]] = [
        ({"filters": 64, "units": 128, "pool_size": 1}, 1.0),
        ({"filters": 8, "units": 0, "pool_size": 4}, 0.0),
    ]
    for params, expected in sizes:
        found = capacity(SIZED, {"batch_size": batch_size, **params})
        assert found == pytest.approx(expected)
