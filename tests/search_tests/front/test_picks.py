"""Rules that pick one point of a front, with and without limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.front.pareto import ReferencePoint
from search.front.picks import PICK_RULES, PickRule, pick
from spaces.errors import ConfigError
from tests.search_tests.front.domination import dominates
from workers.messages.result import Limits

# A coarse grid makes equal values and equal points common.
points = st.tuples(
    st.integers(0, 6).map(lambda n: n / 6),
    st.integers(0, 6).map(lambda n: 10.0 ** (3 + n)),
    st.integers(0, 6).map(lambda n: 10.0 ** (n - 2)),
)

FRONT = [
    (0.99, 400_000, 9.0),
    (0.97, 20_000, 0.5),  # the bend
    (0.70, 5_000, 0.2),
    (0.69, 6_000, 0.1),
]


@pytest.mark.parametrize(
    ("rule", "limits", "expected"),
    [
        ("accuracy", Limits(), 0),
        ("size", Limits(), 2),
        ("latency", Limits(), 3),
        ("knee", Limits(), 1),
        ("accuracy", Limits(max_size_bytes=20_000), 1),
        ("accuracy", Limits(max_latency_ms=0.2), 2),
        ("size", Limits(min_accuracy=0.98), 0),
        ("latency", Limits(min_accuracy=0.7, max_size_bytes=5_000), 2),
    ],
)
def test_pick(rule: PickRule, limits: Limits, expected: int) -> None:
    assert pick(FRONT, rule, limits) == expected


def test_the_knee_is_no_extreme_where_size_and_latency_go_together() -> None:
    # Every doubling of the network halves the error: no bend anywhere, so the middle it is.
    values = [(1 - 0.5**n, 1000 * 2.0**n, 0.01 * 2.0**n) for n in range(1, 8)]
    assert pick(values, "knee") == 3


@pytest.mark.parametrize(
    ("at_least", "limits", "expected"),
    [
        (0.98, Limits(), 0),  # The bend at 0.97 is less than what was there before.
        (0.97, Limits(), 1),
        (0.98, Limits(max_size_bytes=20_000), 1),  # Nothing that small is as accurate.
        (1.0, Limits(), 1),
    ],
)
def test_the_knee_is_no_worse_than_what_was_there_where_a_point_is(
    at_least: float, limits: Limits, expected: int
) -> None:
    assert pick(FRONT, "knee", limits, at_least=at_least) == expected
    assert pick(FRONT, "size", limits, at_least=at_least) == pick(FRONT, "size", limits)


def test_the_knee_is_of_use() -> None:
    """A tiny network that guesses stretches no range and is no compromise."""
    useful = [(0.95, 8_000, 0.1), (0.90, 4_000, 0.05), (0.70, 2_000, 0.03)]
    guessing = (0.2, 10, 1e-5)
    reference = ReferencePoint.for_classes(4, 100)
    assert pick([*useful, guessing], "knee", reference=reference) == pick(useful, "knee")
    assert pick([*useful, guessing], "size", reference=reference) == 3
    assert pick([guessing], "knee", reference=reference) == 0


def test_ties_go_to_the_better_in_the_others() -> None:
    values = [(0.8, 100, 2), (0.9, 100, 3), (0.9, 100, 2), (0.8, 100, 1)]
    assert pick(values, "size") == 2
    assert pick(values, "accuracy") == 2
    assert pick([(0.9, 200, 1), (0.9, 100, 1), (0.8, 50, 1)], "latency") == 1


@given(st.lists(points, min_size=1, max_size=12), st.sampled_from(PICK_RULES))
def test_a_dominated_point_is_never_picked(
    values: list[tuple[float, float, float]], rule: PickRule
) -> None:
    picked = values[pick(values, rule)]
    assert not any(dominates(value, picked) for value in values)


def test_when_nothing_keeps_the_limits_the_closest_values_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        pick(FRONT, "knee", Limits(max_size_bytes=10_000, min_accuracy=0.95))
    text = str(caught.value)
    assert "No point keeps --min-accuracy 95.0 % and --max-size 10.0 kB" in text
    assert "70.0 %" in text  # the best that is small enough
    assert "20.0 kB" in text  # the smallest that is accurate enough
    with pytest.raises(ConfigError, match=r"Closest: --max-latency 0\.100 ms\."):
        pick(FRONT, "knee", Limits(max_latency_ms=0.01))
    # Each limit is out of reach by itself.
    with pytest.raises(ConfigError, match="5.00 kB alone, or --max-latency 0.100 ms alone"):
        pick(FRONT, "size", Limits(max_size_bytes=10, max_latency_ms=0.01))


def test_nothing_to_pick_from() -> None:
    with pytest.raises(ConfigError, match="no trial that keeps all limits is complete"):
        pick([], "knee")


def test_unknown_rule_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="knee, accuracy, size, latency"):
        pick(FRONT, "best")  # type: ignore[arg-type]


def test_a_limit_on_ram_takes_only_points_whose_ram_is_known_to_keep_it() -> None:
    values = [(0.9, 100.0, 1.0), (0.95, 200.0, 2.0), (0.99, 300.0, 3.0)]
    limits = Limits(max_ram_bytes=64_000)
    assert pick(values, "accuracy", limits, [10_000, 64_000, None]) == 1
    assert pick(values, "accuracy", limits, [10_000, 64_001, 70_000]) == 0
    with pytest.raises(ConfigError, match=r"keeps --max-ram 64.0 kB. Closest: --max-ram 70.0 kB"):
        pick(values, "accuracy", limits, [70_000, None, 80_000])
    with pytest.raises(ConfigError, match="Closest: --max-ram unknown"):
        pick(values, "size", limits)
    assert pick(values, "accuracy", None, [None, None, None]) == 2
