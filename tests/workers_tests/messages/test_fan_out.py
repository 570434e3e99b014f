"""Which schemes of a training are worth converting: by front, size, latency, accuracy and cost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from workers.messages.fan_out import (
    PASSED_OVER,
    at_best,
    conversion_seconds,
    estimated,
    is_costly,
    passed_over,
)
from workers.messages.limits import Foreseen
from workers.messages.race import Race

S = QuantizationScheme
SIBLINGS = tuple(scheme for scheme in POST_TRAINING_SCHEMES if scheme is not S.FLOAT32)
MB = 1_000_000


def judged(**changes: Any) -> dict[QuantizationScheme, str]:
    """A network of 100 kB that 10 s of training brought to 90 %, and of which all is known."""
    known = {s: at_best(Foreseen(100_000.0, 0.5), s) for s in POST_TRAINING_SCHEMES}
    training: dict[str, Any] = {
        "float_bytes": 110_000,
        "float_s": 0.2,
        "train_s": 10.0,
        "foreseen": known,
        "race": None,
        "accuracy": 0.9,
        "n_images": 1_000,
    }
    return passed_over(SIBLINGS, **{**training, **changes})


def test_small_networks_are_converted_to_everything() -> None:
    assert judged() == {}
    assert judged(train_s=0.0) == {}  # Even where hardly anything was trained.


@pytest.mark.parametrize(
    ("front", "left_out"),
    [
        ((), set()),
        (((0.95, 1_000.0, 0.001),), set(SIBLINGS)),
        # What is larger or slower than a model stands in nobody's way.
        (((0.95, 100_001.0, 0.001), (0.95, 1_000.0, 0.51)), set()),
        # As large as an int8 model may be at best, and larger than an int4 one.
        (((0.95, 15_000.0, 0.001),), set(SIBLINGS) - {S.DYNAMIC_INT4}),
        # Two pictures of 1,000 more than the float network, but not three.
        (((0.902, 1_000.0, 0.001),), set()),
        (((0.903, 1_000.0, 0.001),), set(SIBLINGS)),
    ],
    ids=["none", "dominated", "elsewhere", "but int4", "by chance", "not by chance"],
)
def test_what_others_dominate_is_passed_over(
    front: tuple[tuple[float, float, float], ...], left_out: set[QuantizationScheme]
) -> None:
    found = judged(race=Race(front))
    assert set(found) == left_out
    for why in found.values():
        assert why.startswith(PASSED_OVER)
        assert f"no larger and no slower reach {front[0][0]:.4f}" in why


def test_of_few_pictures_chance_is_larger() -> None:
    """Of 40 pictures, two are 5 %."""
    race = Race(((0.94, 1_000.0, 0.001),))
    assert judged(race=race, n_images=40) == {}
    assert set(judged(race=race, n_images=4_000)) == set(SIBLINGS)


def test_what_was_not_looked_at_may_be_anything() -> None:
    assert judged(race=Race(((0.99, 1.0, 1e-6),)), foreseen={}) == {}


@pytest.mark.parametrize(
    ("float_mb", "train_s", "float_s", "kept"),
    [
        (60, 40.0, 5.0, ()),  # Each takes 18 s, of 4.
        (60, 200.0, 5.0, (S.INT8,)),
        (60, 2_000.0, 5.0, SIBLINGS),
        (3, 30.0, 0.5, (S.INT8, S.DYNAMIC_INT4, S.DYNAMIC_RANGE)),  # Each takes 0.9 s, of 3.
        (60, 200.0, 50.0, ()),  # A machine ten times slower at converting.
    ],
)
def test_what_costs_much_is_converted_where_training_cost_more(
    float_mb: int, train_s: float, float_s: float, kept: tuple[QuantizationScheme, ...]
) -> None:
    found = judged(float_bytes=float_mb * MB, train_s=train_s, float_s=float_s)
    assert set(SIBLINGS) - set(found) == set(kept)
    assert all(f"training of {train_s:.0f} s may take" in why for why in found.values())


def test_float32_costs_nothing_more() -> None:
    assert conversion_seconds(60 * MB, S.FLOAT32) == 0
    assert not is_costly(60 * MB, S.FLOAT32) and is_costly(60 * MB, S.INT8)
    assert not is_costly(MB, S.INT8)


@given(st.floats(1e3, 1e8), st.floats(1e-3, 1e2), st.sampled_from(POST_TRAINING_SCHEMES))
def test_at_best_a_model_is_no_worse_than_estimated(
    size_bytes: float, latency_ms: float, scheme: QuantizationScheme
) -> None:
    float32 = Foreseen(size_bytes, latency_ms)
    best, likely = at_best(float32, scheme), estimated(float32, scheme)
    assert best.size_bytes <= likely.size_bytes <= size_bytes
    assert best.latency_ms <= likely.latency_ms == latency_ms
    if scheme is S.FLOAT32:
        assert best == float32
