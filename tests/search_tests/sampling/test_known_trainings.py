"""What our own sampler knows of trainings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.front.pareto import ReferencePoint, gains
from search.sampling.known_trainings import MAX_ROWS, KnownTrainings
from search.sampling.mirror import Mirror
from search.sampling.samplers import make_sampler
from search.sampling.space_moves import Params
from search.sampling.trainings import Training, filled, key_of, thinned, without_scheme
from search.storage import attributes
from search.storage.batches import Ending, new_trial
from spaces.space.search_space import Parameter, SearchSpace

REFERENCE = ReferencePoint()
SPACE = SearchSpace(
    (
        Parameter("width", "int", 1, 64, log=True),
        Parameter("rate", "float", 1e-4, 1e-1, log=True),
        Parameter("kind", "categorical", choices=("a", "b")),
    )
)
SCHEMED = SearchSpace(
    (
        Parameter("width", "int", 1, 1000),
        Parameter("quantization", "categorical", choices=("float32", "int8")),
    )
)


class Told:
    """A study in which trials end one by one, and what is known of it."""

    def __init__(self, reference: ReferencePoint = REFERENCE) -> None:
        self.mirror = Mirror(make_sampler("random", 1), 1)
        self.known = KnownTrainings(reference)
        other = Mirror(make_sampler("random", 1), 1)
        self._template = other.propose(SCHEMED)
        self.read()

    def read(self, number: int = -1) -> None:
        self.known.read(self.mirror.study, number)

    def add(
        self,
        width: int,
        values: tuple[float, float, float] | None = (0.9, 5000.0, 0.5),
        *,
        scheme: str = "int8",
        constraints: list[float] | None = None,
        state: TrialState = TrialState.COMPLETE,
        attrs: dict[str, Any] | None = None,
    ) -> None:
        self.mirror.study.add_trial(
            new_trial(
                -1,
                {"width": width, "quantization": scheme},
                self._template.distributions,
                user_attrs=attrs or {},
                system_attrs={attributes.CONSTRAINTS: constraints} if constraints else {},
                state=state,
                values=values,
            )
        )

    def training(self, width: int) -> Training:
        return self.known.by_key[key_of({"width": width})]


def widths(keys: list[Any]) -> list[Any]:
    return [dict(key)["width"] for key in keys]


class TestReading:
    def test_points_of_all_schemes_are_one_training(self) -> None:
        told = Told()
        told.add(8, (0.9, 5000.0, 0.5), scheme="float32")
        told.add(8, (0.8, 1000.0, 0.2), scheme="int8")
        told.read()
        assert len(told.known) == 1
        training = told.training(8)
        assert training.params == {"width": 8}
        assert training.teaches and training.seconds is None
        assert training.points["float32"] == pytest.approx(np.log([0.1, 5000.0, 0.5]))
        assert training.points["int8"] == pytest.approx(np.log([0.2, 1000.0, 0.2]))

    def test_errors_have_a_floor(self) -> None:
        told = Told(ReferencePoint(least_error=0.02))
        told.add(8, (0.99, 5000.0, 0.5))
        told.read()
        assert told.training(8).points["int8"][0] == pytest.approx(math.log(0.02))

    def test_what_comes_later_is_added(self) -> None:
        told = Told()
        for width in (8, 9, 10):
            told.add(width)
            told.read()
        assert widths(list(told.known.by_key)) == [8, 9, 10]

    def test_what_runs_is_under_way_until_it_ends(self) -> None:
        told = Told()
        first = told.mirror.propose(SCHEMED, fixed={"width": 5, "quantization": "int8"})
        second = told.mirror.propose(SCHEMED, fixed={"width": 6, "quantization": "int8"})
        asked = told.mirror.propose(SCHEMED)
        told.read(asked.handle.number)
        assert told.known.under_way == {
            first.handle.number: {"width": 5},
            second.handle.number: {"width": 6},
        }
        told.add(7)
        told.mirror.end(first.handle, Ending(TrialState.COMPLETE, (0.9, 1.0, 1.0)))
        told.mirror.discard(second.handle)
        told.read(asked.handle.number)
        assert told.known.under_way == {}
        assert {dict(key)["width"] for key in told.known.by_key} >= {5, 7}
        told.read(asked.handle.number + 99)
        assert list(told.known.under_way) == [asked.handle.number]

    def test_seconds_are_of_whichever_point_has_them(self) -> None:
        told = Told()
        told.add(8, scheme="float32", attrs={attributes.SECONDS: 7.5})
        told.add(8, scheme="int8")
        told.read()
        assert told.training(8).seconds == 7.5

    def test_hints_say_what_is_known_of_what_has_no_values(self) -> None:
        told = Told()
        hint = {"int8": [0.3, 900.0, 0.1], "float32": [None, 3000.0, None]}
        told.add(8, None, state=TrialState.PRUNED, attrs={attributes.HINT: hint})
        told.add(9, None, state=TrialState.PRUNED)
        told.read()
        points = told.training(8).points
        assert points["int8"] == pytest.approx(np.log([0.3, 900.0, 0.1]))
        assert points["float32"] == pytest.approx(
            (math.nan, math.log(3000.0), math.nan), nan_ok=True
        )
        assert told.training(9).points == {}
        assert told.known.chosen() == [told.training(8)]

    def test_values_go_before_hints(self) -> None:
        told = Told()
        hint = {"int8": [0.3, 900.0, 0.1], "float32": [0.3, 3000.0, 0.1]}
        told.add(8, (0.9, 5000.0, 0.5), attrs={attributes.HINT: hint})
        told.read()
        assert list(told.training(8).points) == ["int8"]
        assert told.training(8).points["int8"][0] == pytest.approx(math.log(0.1))


class TestTheFront:
    def test_its_owners_and_gains(self) -> None:
        told = Told(ReferencePoint(error=0.5))
        told.add(1, (0.9, 9000.0, 0.5))
        told.add(2, (0.8, 3000.0, 0.5), scheme="float32")
        told.add(2, (0.8, 1000.0, 0.5), scheme="int8")
        told.add(3, (0.7, 9000.0, 0.5))  # Dominated.
        told.add(4, (0.3, 10.0, 0.1))  # Of no use.
        told.read()
        owners, found = told.known.counting()
        assert sorted(widths(owners)) == [1, 2]
        expected = gains([(0.9, 9000.0, 0.5), (0.8, 1000.0, 0.5)], ReferencePoint(error=0.5))
        assert found[found[:, 0].argsort()] == pytest.approx(expected[expected[:, 0].argsort()])

    def test_what_breaks_a_limit_is_not_on_it(self) -> None:
        told = Told()
        told.add(1, (0.9, 9000.0, 0.5), constraints=[0.0, 0.1])
        told.add(2, (0.8, 9000.0, 0.5), constraints=[0.0, -0.1])
        told.add(3, (0.7, 8000.0, 0.5), constraints=[0.0, 0.0])
        told.read()
        assert sorted(widths(told.known.counting()[0])) == [2, 3]
        assert len(told.known.chosen()) == 3

    def test_the_most_accurate_come_first_and_once(self) -> None:
        told = Told()
        told.add(1, (0.7, 1000.0, 0.5))
        told.add(2, (0.9, 9000.0, 0.5), scheme="float32")
        told.add(2, (0.85, 5000.0, 0.5), scheme="int8")
        told.add(3, (0.8, 3000.0, 0.5))
        told.read()
        assert widths(told.known.most_accurate(2)) == [2, 3]
        assert widths(told.known.most_accurate(9)) == [2, 3, 1]

    def test_what_leaves_it_owns_nothing(self) -> None:
        told = Told()
        told.add(1, (0.8, 5000.0, 0.5))
        told.read()
        told.add(2, (0.9, 4000.0, 0.5))
        told.read()
        assert widths(told.known.counting()[0]) == [2]


class TestBranches:
    def test_they_are_known_and_do_not_teach(self) -> None:
        told = Told()
        told.add(1, (0.8, 5000.0, 0.5))
        told.add(1, (0.95, 5000.0, 0.5), attrs={attributes.BRANCHED_FROM: 1})
        told.add(2, (0.96, 6000.0, 0.5), attrs={attributes.BRANCHED_FROM: 1})
        told.read()
        assert len(told.known) == 3
        assert [t.params for t in told.known.chosen()] == [{"width": 1}]
        assert sorted(widths(told.known.counting()[0])) == [1, 2]

    def test_one_with_its_parents_parameters_does_not_take_its_place(self) -> None:
        """One that was trained on says how good it is now, not what a new one there gives."""
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


@given(st.lists(st.integers(), max_size=60), st.integers(1, 30))
def test_a_spread_keeps_the_newest_and_the_order(many: list[int], n: int) -> None:
    numbered = list(enumerate(many))
    kept = thinned(numbered, n)
    assert len(kept) == min(n, len(many))
    assert kept == sorted(set(kept), key=lambda pair: pair[0])
    if numbered:
        assert kept[-1] == numbered[-1]


def test_a_spread_is_the_newest_half_and_as_many_evenly_from_the_others() -> None:
    assert thinned(range(10), 10) == list(range(10))
    assert thinned(range(21), 5) == [0, 17, 18, 19, 20]
    assert thinned(range(24), 8) == [0, 6, 13, 19, 20, 21, 22, 23]


def test_gaps_are_filled_by_what_schemes_differ_in_elsewhere() -> None:
    nan = math.nan
    outputs = np.array([[1.0, 3.0, nan], [2.0, 4.0, nan], [5.0, nan, nan], [nan, 9.0, nan]])
    found = filled(outputs)
    assert found[:2, :2].tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert found[2, 1] - found[2, 0] == pytest.approx(found[3, 1] - found[3, 0])
    assert not np.isnan(found).any()


def test_the_scheme_is_no_part_of_a_training() -> None:
    params: Params = {"width": 3, "quantization": "int8", "kind": "a"}
    assert without_scheme(params) == {"width": 3, "kind": "a"}
    assert key_of(params) == (("kind", "a"), ("quantization", "int8"), ("width", 3))


def test_where_no_training_has_two_schemes_their_means_tell_them_apart() -> None:
    nan = math.nan
    outputs = np.array([[1.0, nan, nan], [3.0, nan, nan], [nan, 12.0, nan], [nan, 14.0, nan]])
    expected = [[1, 12, 6.5], [3, 14, 8.5], [1, 12, 6.5], [3, 14, 8.5]]
    assert filled(outputs).tolist() == expected
