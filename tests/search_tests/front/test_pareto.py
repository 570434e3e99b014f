"""Pareto front and hypervolume, against hand-made cases and slower definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.front.pareto import (
    Front,
    ReferencePoint,
    counting,
    gains,
    hypervolume,
    pareto_mask,
)
from spaces.errors import ConfigError
from tests.search_tests.front.domination import dominates

# A coarse grid makes equal values and equal points common.
points = st.tuples(
    st.integers(0, 6).map(lambda n: n / 6),
    st.integers(0, 6).map(lambda n: 10.0 ** (3 + n)),
    st.integers(0, 6).map(lambda n: 10.0 ** (n - 2)),
)
point_lists = st.lists(points, max_size=12)
REFERENCE = ReferencePoint(error=1.0, size_bytes=1e8, latency_ms=1e4, least_error=1e-4)


def test_mask_keeps_the_first_of_equal_points() -> None:
    values = [(0.5, 10, 1), (0.9, 20, 1), (0.5, 10, 1), (0.5, 11, 1), (0.9, 20, 1), (0.1, 5, 9)]
    assert pareto_mask(values).tolist() == [True, True, False, False, False, True]


def test_no_points() -> None:
    assert pareto_mask([]).shape == (0,)
    assert hypervolume([], REFERENCE) == 0
    assert len(Front()) == 0


@given(point_lists)
def test_mask_is_the_definition(values: list[tuple[float, float, float]]) -> None:
    expected = [
        not any(dominates(other, value) for other in values) and value not in values[:index]
        for index, value in enumerate(values)
    ]
    assert pareto_mask(values).tolist() == expected


@given(point_lists)
def test_front_grows_to_the_mask(values: list[tuple[float, float, float]]) -> None:
    front = Front()
    gone: set[int] = set()
    for key, value in enumerate(values):
        added, left = front.add(key, value)
        gone.update(left)
        assert added == (key in front)
        assert front.keys == tuple(np.flatnonzero(pareto_mask(values[: key + 1])))
    assert front.values.tolist() == [list(values[key]) for key in front.keys]
    assert not gone & set(front.keys)


def test_front_holds_thousands() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet((1, 1, 1), 3000)
    values = np.column_stack([1 - shares[:, 0], shares[:, 1], shares[:, 2]])
    front = Front()
    for key, value in enumerate(values):
        assert front.add(key, value) == (True, ())
    assert front.values == pytest.approx(values)
    assert front.add(9999, (2.0, -1.0, -1.0)) == (True, tuple(range(3000)))


# Coordinates of the box: gained decades of the error / 4, of the size / 5, of the latency / 7.
def test_hypervolume_of_one_point() -> None:
    assert hypervolume([(0.99, 1e3, 1e-3)], REFERENCE) == pytest.approx(1 / 2)
    assert hypervolume([(1.0, 1e4, 1e-3)], REFERENCE) == pytest.approx(4 / 5)
    assert hypervolume([(0.99, 1e4, 1e-2)], REFERENCE) == pytest.approx(1 / 2 * 4 / 5 * 6 / 7)


def test_hypervolume_of_boxes_that_overlap() -> None:
    # Boxes 0.5 x 1 x 1 and 1 x 0.2 x 1 share 0.5 x 0.2 x 1.
    values = [(0.99, 1e3, 1e-3), (1.0, 1e7, 1e-3)]
    assert hypervolume(values, REFERENCE) == pytest.approx(0.5 + 0.2 - 0.1)
    # Three slabs of thickness 1/2, 1/5 and 1/7: what none of them covers is what is missing.
    values.append((1.0, 1e3, 1e3))
    assert hypervolume(values, REFERENCE) == pytest.approx(1 - 1 / 2 * 4 / 5 * 6 / 7)


def test_worse_than_the_reference_adds_nothing() -> None:
    reference = ReferencePoint.for_classes(4, n_images=100)
    guessing, at_reference = (0.25, 1e3, 0.001), (1 - 0.75 * 0.75, 1e3, 0.001)
    huge, slow = (0.9, 2e8, 0.001), (0.9, 1e3, 20_000)
    assert hypervolume([guessing, at_reference, huge, slow], reference) == 0
    # From 56.25 % of mistakes to half of one in 100, in logarithms, this is the middle.
    middle = 1 - math.sqrt(0.5625 * 0.005)
    assert hypervolume([(middle, 1e3, 0.001), huge], reference) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("n_classes", "accuracy", "is_useful"),
    [(10, 0.176, False), (4, 0.34, False), (2, 0.6, False), (10, 0.4, True), (100, 0.3, True)],
)
def test_what_nobody_would_use_counts_nothing(
    n_classes: int, accuracy: float, is_useful: bool
) -> None:
    reference = ReferencePoint.for_classes(n_classes, n_images=1_000)
    smallest = [(accuracy, 100.0, 1e-4)]
    assert counting(smallest, reference).tolist() == [is_useful]
    assert (hypervolume(smallest, reference) > 0) is is_useful


@given(st.floats(0.011, 0.56))
def test_a_halved_error_counts_the_same_anywhere(error: float) -> None:
    reference = ReferencePoint.for_classes(4, n_images=100)
    before, after = gains([(1 - error, 2e3, 0.1), (1 - error / 2, 2e3, 0.1)], reference)
    halving = math.log(2) / math.log(0.5625 / 0.005)
    assert after[0] - before[0] == pytest.approx(halving)


def test_no_mistake_counts_as_half_of_one() -> None:
    few = ReferencePoint.for_images([20, 20])
    none, half, one = (
        hypervolume([(accuracy, 1e3, 1e-3)], few) for accuracy in (1.0, 1 - 0.5 / 40, 1 - 1 / 40)
    )
    assert none == half == pytest.approx(1.0)
    assert one < none


@pytest.mark.parametrize(
    ("min_accuracy", "error"),
    [(0.9, 0.1), (0.4, 0.6), (0.1, 0.75), (1.0, 0.01), (None, 0.5625)],
    ids=["strict", "easy", "below guessing", "no mistake", "not given"],
)
def test_what_the_user_calls_the_least_is_what_counts(
    min_accuracy: float | None, error: float
) -> None:
    """No error is lower than one picture's share: with no mistake at all there is a gain."""
    of_images = ReferencePoint.for_images([25] * 4, min_accuracy=min_accuracy)
    assert of_images.error == pytest.approx(error)
    assert of_images == ReferencePoint.for_classes(4, 100, min_accuracy)
    assert hypervolume([(1.0, 1e3, 1e-3)], of_images) == pytest.approx(1.0)


def test_studies_of_earlier_versions_take_errors_as_they_are() -> None:
    stored = {"error": 0.75, "size_bytes": 1e8, "latency_ms": 1e4}
    reference = ReferencePoint.from_dict(stored)
    assert hypervolume([(0.625, 1e3, 1e-3)], reference) == pytest.approx(0.5)
    assert hypervolume([(1.0, 1e3, 1e-3)], reference) == pytest.approx(1.0)
    assert reference.to_dict() == stored


@given(point_lists, points)
def test_hypervolume_grows_exactly_when_a_point_is_not_covered(
    values: list[tuple[float, float, float]], new: tuple[float, float, float]
) -> None:
    before = hypervolume(values, REFERENCE)
    after = hypervolume([*values, new], REFERENCE)
    counts = hypervolume([new], REFERENCE) > 0
    covered = any(value == new or dominates(value, new) for value in values)
    if counts and not covered:
        assert after > before + 1e-6
    else:
        assert after == pytest.approx(before)


@given(point_lists, st.randoms())
def test_hypervolume_needs_the_front_only_in_any_order(
    values: list[tuple[float, float, float]], random: object
) -> None:
    whole = hypervolume(values, REFERENCE)
    front = np.asarray(values).reshape(-1, 3)[pareto_mask(values)]
    assert hypervolume(front, REFERENCE) == pytest.approx(whole)
    random.shuffle(values)  # type: ignore[attr-defined]
    assert hypervolume(values, REFERENCE) == pytest.approx(whole)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 200])
def test_hypervolume_agrees_with_optuna(n: int) -> None:
    from optuna._hypervolume import compute_hypervolume

    rng = np.random.default_rng(n)
    shares = rng.dirichlet((1, 1, 1), n)  # All of them on the front.
    errors = 10 ** (4 * shares[:, 0] - 4)
    values = np.column_stack([1 - errors, 10 ** (3 + 5 * shares[:, 1]), shares[:, 2] + 0.01])
    losses = np.column_stack([shares[:, :2], (np.log10(values[:, 2]) + 3) / 7])
    assert pareto_mask(values).all()
    assert hypervolume(values, REFERENCE) == pytest.approx(
        compute_hypervolume(losses, np.ones(3)), rel=1e-9
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"error": 0},
        {"error": 1.5},
        {"size_bytes": 10},
        {"latency_ms": math.inf},
        {"least_error": 0},
        {"error": 0.01, "least_error": 0.02},
    ],
)
def test_reference_point_is_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must hold for a reference point"):
        ReferencePoint(**wrong)


def test_reference_point_as_plain_data() -> None:
    reference = ReferencePoint(0.75, 1e6, 50)
    assert ReferencePoint.from_dict(reference.to_dict()) == reference


@pytest.mark.parametrize("call", [pareto_mask, lambda values: hypervolume(values, REFERENCE)])
def test_nan_is_refused(call: object) -> None:
    with pytest.raises(ValueError, match="NaN"):
        call([(math.nan, 1, 1)])  # type: ignore[operator]


def test_always_saying_the_largest_class_is_worth_nothing() -> None:
    uneven = ReferencePoint.for_images([95, 5])
    assert hypervolume([[0.95, 2e3, 0.01]], uneven) == 0
    assert hypervolume([[0.97, 2e3, 0.01]], uneven) > 0
    assert ReferencePoint.for_images([25, 25, 25, 25]) == ReferencePoint.for_classes(4, 100)
    assert ReferencePoint.for_images([7, 0]).error > 0


def test_what_is_dominated_changes_no_digit_of_the_hypervolume() -> None:
    random = np.random.default_rng(0)
    for _ in range(100):
        values = np.column_stack(
            [
                1 - 10 ** random.uniform(-3, 0, 30),
                10 ** random.uniform(3, 8, 30),
                10 ** random.uniform(-2, 4, 30),
            ]
        )
        kept = values[pareto_mask(values)]
        worse = kept * np.where(random.random(kept.shape) < 0.5, [0.9, 1.1, 1.1], 1.0)
        mixed = random.permutation(np.concatenate([kept, worse]))
        assert hypervolume(mixed, REFERENCE) == hypervolume(kept, REFERENCE)
