"""Steps within a search space."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from statistics import fmean, median

import pytest

from search.sampling.space_moves import (
    Params,
    as_numbers,
    draw,
    draw_params,
    from_unit,
    to_unit,
    vary,
)
from spaces.config.trial import ParamValue
from spaces.space.search_space import Condition, Parameter, SearchSpace

RATE = Parameter("rate", "float", 1e-4, 1e-2, log=True)
DROP = Parameter("drop", "float", -1.0, 3.0)
GRID = Parameter("grid", "float", 0.0, 1.0, step=0.3)
COUNT = Parameter("count", "int", 0, 10)
EIGHTS = Parameter("eights", "int", 8, 60, step=8)
WIDTH = Parameter("width", "int", 1, 64, log=True)
FIXED = Parameter("fixed", "float", 2.0, 2.0)


@pytest.mark.parametrize(
    ("parameter", "value", "unit"),
    [
        (DROP, -1.0, 0.0),
        (DROP, 0.0, 0.25),
        (DROP, 3.0, 1.0),
        (RATE, 1e-3, 0.5),
        (COUNT, 3, 0.3),
        (EIGHTS, 34, 0.5),
        (WIDTH, 8, 0.5),
        (FIXED, 2.0, 0.5),
    ],
)
def test_a_number_has_a_place_in_its_range(
    parameter: Parameter, value: float, unit: float
) -> None:
    assert to_unit(parameter, value) == pytest.approx(unit)


@pytest.mark.parametrize(
    ("parameter", "unit", "value"),
    [
        (DROP, 0.25, 0.0),
        (DROP, -0.5, -1.0),
        (DROP, 1.5, 3.0),
        (RATE, 0.5, 1e-3),
        (RATE, -1.0, 1e-4),
        (RATE, 2.0, 1e-2),
        (GRID, 0.52, 0.6),
        (GRID, 0.7, 0.6),
        (GRID, 1.0, 0.9),
        (COUNT, 0.26, 3),
        (COUNT, 0.24, 2),
        (COUNT, 1.0, 10),
        (EIGHTS, 0.2, 16),
        (EIGHTS, 1.0, 56),
        (WIDTH, 0.5, 8),
        (WIDTH, 0.2, 2),
        (FIXED, 0.7, 2.0),
    ],
)
def test_a_place_in_a_range_has_the_nearest_value(
    parameter: Parameter, unit: float, value: ParamValue
) -> None:
    found = from_unit(parameter, unit)
    assert found == value
    assert type(found) is type(value)
    assert parameter.contains(found)


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (COUNT, range(11)),
        (EIGHTS, range(8, 57, 8)),
        (Parameter("thirds", "int", 1, 10, step=3), (1, 4, 7, 10)),
        (Parameter("kind", "categorical", choices=("a", "b", "c")), ("a", "b", "c")),
    ],
)
def test_every_step_is_as_likely(parameter: Parameter, values: tuple[ParamValue, ...]) -> None:
    random = Random(1)
    n = 400 * len(values)
    counts = Counter(draw(parameter, random) for _ in range(n))
    assert set(counts) == set(values)
    assert all(300 < count < 500 for count in counts.values())


def test_numbers_are_drawn_evenly_over_their_logarithms() -> None:
    random = Random(1)
    found = [float(draw(RATE, random)) for _ in range(2000)]
    assert min(found) < 1.1e-4 and max(found) > 0.9e-2
    assert median(found) == pytest.approx(1e-3, rel=0.1)


CONDITIONAL = SearchSpace(
    (
        Parameter("kind", "categorical", choices=("a", "b")),
        Parameter("x", "float", 0.0, 1.0),
        Parameter("y", "int", 0, 2, conditions=(Condition("kind", ("b",)),)),
    )
)


def test_only_what_is_active_is_drawn() -> None:
    random = Random(1)
    found = [draw_params(CONDITIONAL, random) for _ in range(50)]
    assert {tuple(params) for params in found} == {("kind", "x"), ("kind", "x", "y")}
    assert all(("y" in params) == (params["kind"] == "b") for params in found)


def test_as_numbers_a_point_is_its_places_and_choices() -> None:
    half = math.sqrt(0.5)
    assert as_numbers(CONDITIONAL, {"kind": "a", "x": 0.3}) == [half, 0.0, 0.3, 0.5]
    assert as_numbers(CONDITIONAL, {"kind": "b", "x": 0.3, "y": 2}) == [0.0, half, 0.3, 1.0]
    assert as_numbers(CONDITIONAL, {"x": 1.0}) == [0.0, 0.0, 1.0, 0.5]


TEN = SearchSpace(tuple(Parameter(f"x{i}", "float", 0.0, 1.0) for i in range(10)))


def point(value: float) -> Params:
    return {parameter.name: value for parameter in TEN.parameters}


class TestVary:
    def test_without_changes_it_stays(self) -> None:
        for seed in range(20):
            found = vary(TEN, point(0.4), None, Random(seed), n_changes=0, distance=0.2)
            assert found == point(0.4)

    def test_about_so_many_values_change(self) -> None:
        random = Random(1)
        changed = [
            sum(
                value != 0.4
                for value in vary(
                    TEN, point(0.4), None, random, n_changes=2.0, distance=0.2
                ).values()
            )
            for _ in range(500)
        ]
        assert fmean(changed) == pytest.approx(2.0, abs=0.2)

    def test_about_half_of_the_values_come_of_a_second_parent(self) -> None:
        random = Random(1)
        found = [
            value
            for _ in range(200)
            for value in vary(
                TEN, point(0.2), point(0.8), random, n_changes=0, distance=0.2
            ).values()
        ]
        assert set(found) == {0.2, 0.8}
        assert found.count(0.8) == pytest.approx(1000, abs=80)

    def test_what_the_second_parent_lacks_is_the_firsts(self) -> None:
        other: Params = {"x0": 0.8}
        found = [
            vary(TEN, point(0.2), other, Random(seed), n_changes=0, distance=0.2)
            for seed in range(20)
        ]
        assert {params["x0"] for params in found} == {0.2, 0.8}
        assert {params["x1"] for params in found} == {0.2}

    def test_most_steps_are_as_long_as_said_and_some_go_anywhere(self) -> None:
        random = Random(1)
        steps = [
            abs(float(value) - 0.5)
            for _ in range(400)
            for value in vary(
                TEN, point(0.5), None, random, n_changes=10.0, distance=0.05
            ).values()
        ]
        # Of a normal distribution half lies within 0.67 deviations; a tenth is drawn anywhere.
        assert median(steps) == pytest.approx(0.038, abs=0.006)
        far = fmean(step > 0.25 for step in steps)
        assert far == pytest.approx(0.05, abs=0.015)

    def test_on_a_coarse_grid_it_mostly_gets_to_another_value(self) -> None:
        grid = SearchSpace((Parameter("n", "int", 0, 2),))
        found = [
            vary(grid, {"n": 1}, None, Random(seed), n_changes=1.0, distance=0.2)["n"]
            for seed in range(400)
        ]
        # A step gets there in one of five cases; several are tried.
        assert fmean(value != 1 for value in found) > 0.6

    def test_what_a_parent_lacks_or_holds_no_more_is_drawn(self) -> None:
        parent: Params = {"kind": "b", "x": 7.0}
        found = [
            vary(CONDITIONAL, parent, None, Random(seed), n_changes=0, distance=0.2)
            for seed in range(40)
        ]
        assert {params["kind"] for params in found} == {"b"}
        assert all(0.0 <= float(params["x"]) <= 1.0 for params in found)
        assert {params["y"] for params in found} == {0, 1, 2}

    def test_choices_are_drawn(self) -> None:
        kinds = SearchSpace((Parameter("kind", "categorical", choices=("a", "b", "c", "d")),))
        found = Counter(
            vary(kinds, {"kind": "a"}, None, Random(seed), n_changes=1.0, distance=0.2)["kind"]
            for seed in range(200)
        )
        assert set(found) == {"a", "b", "c", "d"}

    def test_nothing_is_left_out_of_an_empty_parent(self) -> None:
        found = vary(TEN, {}, None, Random(1), n_changes=2.0, distance=0.2)
        assert list(found) == list(point(0.0))

    def test_only_what_is_active_is_there(self) -> None:
        for seed in range(40):
            parent: Params = {"kind": "b", "x": 0.5, "y": 1}
            found = vary(CONDITIONAL, parent, None, Random(seed), n_changes=3.0, distance=0.2)
            assert ("y" in found) == (found["kind"] == "b")
