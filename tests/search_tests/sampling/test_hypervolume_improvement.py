"""How much hypervolume sets of points add."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.front.pareto import ReferencePoint, gains, hypervolume
from search.sampling.hypervolume_improvement import N_EDGES, Array, Improvement

REFERENCE = ReferencePoint()

points = st.tuples(st.floats(0.0, 1.0), st.floats(1e3, 1e8), st.floats(1e-3, 1e4))
Point = tuple[float, float, float]


@given(
    st.lists(points, max_size=8),
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(points, min_size=n, max_size=n), min_size=1, max_size=4)
    ),
)
def test_it_is_the_difference_of_hypervolumes(front: list[Point], sets: list[list[Point]]) -> None:
    before = hypervolume(front, REFERENCE)
    expected = [hypervolume([*front, *added], REFERENCE) - before for added in sets]
    found = np.array([gains(added, REFERENCE) for added in sets])
    improvement = Improvement(gains(front, REFERENCE), found.reshape(-1, 3).max(axis=0))
    assert improvement.of(found) == pytest.approx(expected, abs=1e-9)


def test_by_hand() -> None:
    improvement = Improvement(np.array([[0.5, 0.5, 1.0], [0.25, 1.0, 0.5]]), np.ones(3))
    sets = [
        [[0.5, 0.5, 1.0]],  # There already.
        [[1.0, 0.5, 1.0]],
        [[1.0, 1.0, 1.0]],
        [[0.5, 1.0, 0.0]],  # Of no use in one objective.
        [[0.5, 1.0, -1.0]],
    ]
    assert improvement.of(np.array(sets)) == pytest.approx([0.0, 0.25, 1 - 0.3125, 0.0, 0.0])


def test_six_points_at_once() -> None:
    rng = np.random.default_rng(1)
    front = rng.random((10, 3)) * 0.7
    sets = rng.random((5, 6, 3))
    found = Improvement(front, sets.reshape(-1, 3).max(axis=0)).of(sets)
    before = volume(front)
    expected = [volume(np.concatenate([front, added])) - before for added in sets]
    assert found == pytest.approx(expected, abs=1e-9)


def volume(found: Array) -> float:
    """Return the volume that gains dominate, as the study's hypervolume has it."""
    reference = ReferencePoint(error=1.0, least_error=None)
    values = np.column_stack(
        [found[:, 0], 1e8 * 10.0 ** (-5 * found[:, 1]), 1e4 * 10.0 ** (-7 * found[:, 2])]
    )
    assert gains(values, reference) == pytest.approx(found)
    return hypervolume(values, reference)


def front_of(n: int, rng: np.random.Generator) -> Array:
    """Points of which none dominates another, as far from the best as fronts of studies are."""
    at = 0.2 + 0.6 * rng.random((n, 2))
    return np.column_stack([0.9 - 0.5 * at[:, 0] ** 2 - 0.4 * at[:, 1] ** 2, at])


@pytest.mark.parametrize(
    ("n", "off"), [(N_EDGES - 2, 1e-9), (2 * N_EDGES, 4e-4), (4 * N_EDGES, 4e-4)]
)
def test_of_a_large_front_it_is_exact_up_to_its_edges_and_close_beyond(n: int, off: float) -> None:
    rng = np.random.default_rng(n)
    front = front_of(n, rng)
    sets = front_of(48, rng).reshape(8, 6, 3) * rng.uniform(1.0, 1.1, (8, 6, 1))
    found = Improvement(front, sets.reshape(-1, 3).max(axis=0)).of(sets)
    before = volume(front)
    expected = [volume(np.concatenate([front, added])) - before for added in sets]
    assert np.mean(expected) > 12 * off
    assert found == pytest.approx(expected, abs=off)
