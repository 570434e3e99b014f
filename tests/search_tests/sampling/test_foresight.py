"""What is guessed of limits before anything is trained, and how sure that is."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from search.sampling.foresight import MARGIN, MAX_ROWS, Foresight
from search.sampling.initial_design import capacity
from search.sampling.space_moves import Params, as_numbers, draw_params
from spaces.space.search_space import Parameter, SearchSpace

SPACE = SearchSpace(
    (
        Parameter("filters", "int", 1, 64),
        Parameter("rate", "float", 0.0, 1.0),
        Parameter("quantization", "categorical", choices=("float32", "int8")),
    )
)
TRAINED = SearchSpace(SPACE.parameters[:2])

SLOPE = 4.0
"""Expected of the capacity, before anything is seen."""


def point(filters: int, rate: float = 0.5) -> Params:
    return {"filters": filters, "rate": rate, "quantization": "float32"}


def new_foresight(*seen: tuple[Params, float], fan_out: bool = True) -> Foresight:
    foresight = Foresight(fan_out=fan_out)
    foresight.space = SPACE
    for params, ratio in seen:
        foresight.observe(params, ratio)
    return foresight


class TestBeforeAnythingIsSeen:
    def test_nothing_is_known(self) -> None:
        foresight = new_foresight()
        assert not foresight.knows_something
        means, deviations = foresight.log_ratios([point(1), point(64)])
        assert means.tolist() == [0, 0] and np.isinf(deviations).all()
        assert foresight.nearest(3) == []

    def test_nothing_counts_against_anything(self) -> None:
        foresight = new_foresight()
        assert foresight.chances([point(1), point(64)]).tolist() == [1, 1]
        assert not foresight.is_over(point(64))
        assert not foresight.is_surely_over(point(64))
        found = {foresight.pick([point(1), point(64)], Random(s))["filters"] for s in range(20)}
        assert found == {1, 64}


class TestOfOneTraining:
    def test_smaller_networks_are_expected_to_be_smaller(self) -> None:
        seen = point(16)
        foresight = new_foresight((seen, 3.0))
        assert foresight.knows_something
        others = [point(16), point(2), point(64, rate=0.9)]
        means, deviations = foresight.log_ratios(others)
        base = capacity(TRAINED, seen)
        steps = [SLOPE * (capacity(TRAINED, other) - base) for other in others]
        assert means == pytest.approx([math.log(3.0) + step for step in steps])
        assert deviations.tolist() == [1.0, 1.0, 1.0]

    @pytest.mark.parametrize(
        ("ratio", "is_over"), [(0.0, False), (0.9, False), (1.08, False), (1.12, True)]
    )
    def test_a_little_over_is_not_over(self, ratio: float, is_over: bool) -> None:
        foresight = new_foresight((point(16), ratio))
        assert foresight.is_over(point(16)) is is_over
        assert not foresight.is_surely_over(point(16))

    def test_chances_are_of_a_normal_distribution(self) -> None:
        foresight = new_foresight((point(16), 2.0))
        [chance] = foresight.chances([point(16)])
        assert chance == pytest.approx(NormalDist(math.log(2.0), 1.0).cdf(MARGIN))

    def test_its_nearest_model_counts_whatever_comes_first(self) -> None:
        for ratios in ((3.0, 1.5), (1.5, 3.0)):
            foresight = new_foresight()
            for scheme, ratio in zip(("float32", "int8"), ratios, strict=True):
                foresight.observe({**point(16), "quantization": scheme}, ratio)
                foresight.log_ratios([point(16)])
            means, _ = foresight.log_ratios([point(16)])
            assert means == pytest.approx([math.log(1.5)])
            assert foresight.nearest(9) == [{"filters": 16, "rate": 0.5}]

    def test_without_fan_out_its_scheme_is_part_of_it(self) -> None:
        whole = {**point(16), "quantization": "int8"}
        foresight = new_foresight((point(16), 3.0), (whole, 1.5), fan_out=False)
        assert foresight.nearest(9) == [whole, point(16)]
        means, _ = foresight.log_ratios([point(16), whole])
        assert means[0] > means[1] + 0.2


class TestOfSeveral:
    def test_the_nearest_come_first_and_those_that_keep_limits_as_they_came(self) -> None:
        seen = [(point(60), 5.0), (point(4), 0.9), (point(30), 2.0), (point(2), 0.4)]
        found = [p["filters"] for p in new_foresight(*seen).nearest(3)]
        assert found == [4, 2, 30]

    def test_a_few_bend_the_line(self) -> None:
        """A ridge regression of what the expected line leaves."""
        seen = [(point(4, 0.1), 0.7), (point(12, 0.9), 2.0), (point(30, 0.4), 9.0)]
        foresight = new_foresight(*seen)
        rows = np.array([[capacity(TRAINED, p), *as_numbers(TRAINED, p)] for p, _ in seen])
        logs = np.log([ratio for _, ratio in seen])
        ridge = Ridge(alpha=0.3).fit(rows, logs - SLOPE * rows[:, 0])
        other = point(20, 0.2)
        row = np.array([[capacity(TRAINED, other), *as_numbers(TRAINED, other)]])
        means, deviations = foresight.log_ratios([other])
        assert means == pytest.approx(ridge.predict(row) + SLOPE * row[:, 0])
        assert deviations.tolist() == [1.0]

    def test_many_teach_what_is_no_line(self) -> None:
        def ratio(params: Params) -> float:
            rate = float(params["rate"])
            return 0.1 * float(params["filters"]) * math.exp(math.sin(6 * rate))

        random = Random(1)
        seen = [draw_params(SPACE, random) for _ in range(60)]
        foresight = new_foresight(*((params, ratio(params)) for params in seen))
        others = [draw_params(SPACE, random) for _ in range(40)]
        means, deviations = foresight.log_ratios(others)
        off = means - np.log([ratio(params) for params in others])
        assert np.abs(off).mean() < 0.1
        assert (deviations < 1.0).all()

    def test_what_is_far_from_the_limits_is_not_looked_at_where_there_is_enough_else(
        self,
    ) -> None:
        """Of wide networks nothing is as it is of narrow ones."""
        near = [(point(1 + i % 20, i / MAX_ROWS), 0.5 + (i % 20) / 20) for i in range(MAX_ROWS)]
        far = [(point(40 + i % 20, i / 60), 1e8) for i in range(60)]
        alone = new_foresight(*near)
        asked = [point(5, 0.3), point(30, 0.6)]
        expected, _ = alone.log_ratios(asked)
        found, _ = new_foresight(*far, *near).log_ratios(asked)
        assert found == pytest.approx(expected, abs=0.1)

    @pytest.mark.parametrize(("n", "is_sure"), [(7, False), (8, True)])
    def test_it_is_sure_once_it_has_seen_eight(self, n: int, is_sure: bool) -> None:
        seen = [(point(20 + 4 * i), 5.0) for i in range(n)]
        foresight = new_foresight(*seen)
        assert foresight.is_over(point(40))
        assert foresight.is_surely_over(point(40)) is is_sure

    def test_nobody_is_sure_of_what_is_seen_both_ways(self) -> None:
        seen = [(point(20, i / 12), 1.3 if i % 2 else 1.1) for i in range(12)]
        foresight = new_foresight(*seen)
        assert foresight.is_over(point(20, 0.5))
        assert not foresight.is_surely_over(point(20, 0.5))

    def test_sure_is_what_two_deviations_do_not_change(self) -> None:
        seen = [
            (point(4 * i + 4, i / 12), 0.3 * (i + 1) * (1.6 if i % 2 else 1.0)) for i in range(12)
        ]
        foresight = new_foresight(*seen)
        asked = [point(filters, rate / 4) for filters in range(1, 65) for rate in range(5)]
        means, deviations = foresight.log_ratios(asked)
        ahead = (means - MARGIN) / deviations
        assert ((ahead > 2) & (ahead < 3)).any() and ((ahead > 1) & (ahead < 2)).any()
        found = [foresight.is_surely_over(params) for params in asked]
        assert found == (ahead > 2).tolist()

    def test_one_that_keeps_limits_is_picked_or_else_the_nearest(self) -> None:
        foresight = new_foresight((point(8), 1.0))
        picked = [foresight.pick([point(40), point(4), point(2)], Random(s)) for s in range(30)]
        assert {params["filters"] for params in picked} == {2, 4}
        assert foresight.pick([point(60), point(20), point(40)], Random(1)) == point(20)
