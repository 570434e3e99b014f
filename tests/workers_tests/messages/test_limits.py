"""Limits before training: what is refused, with which reason, and what is let through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from workers.messages.limits import (
    Foreseen,
    Limits,
    may_keep,
    nearest,
    refusal,
    tolerances,
)

S = QuantizationScheme
MODELS = {
    S.FLOAT32: Foreseen(60_000, 1.0, 50_000),
    S.INT8: Foreseen(24_000, 0.6, 20_000),
    S.DYNAMIC_INT4: Foreseen(15_000, 2.0, 50_000),
}


@pytest.mark.parametrize(
    ("limits", "scheme", "reason"),
    [
        (
            Limits(max_size_bytes=10_000),
            S.DYNAMIC_INT4,
            "size 15000 bytes exceeds the limit of 10000 under dynamic_int4, the "
            "nearest of 3 schemes",
        ),
        (
            Limits(max_size_bytes=20_000, max_latency_ms=0.5),
            S.INT8,
            "size 24000 bytes exceeds the limit of 20000 under int8, the nearest of 3 schemes",
        ),
        (
            Limits(max_latency_ms=0.1),
            S.INT8,
            "latency 0.6 ms exceeds the limit of 0.1 under int8, the nearest of 3 schemes",
        ),
        (
            Limits(max_ram_bytes=16_000),
            S.INT8,
            "RAM 20000 bytes exceeds the limit of 16000 under int8, the nearest of 3 schemes",
        ),
    ],
)
def test_a_refusal_says_how_near_the_nearest_model_came(
    limits: Limits, scheme: QuantizationScheme, reason: str
) -> None:
    found = nearest(MODELS, limits)
    assert found is not None and found[0] is scheme
    assert refusal(MODELS, limits) == reason


def test_of_one_model_no_scheme_is_named() -> None:
    text = refusal({S.FLOAT32: MODELS[S.FLOAT32]}, Limits(max_size_bytes=20_000))
    assert text == "size 60000 bytes exceeds the limit of 20000"


@given(
    st.floats(1, 1e7),
    st.floats(1e-3, 1e3),
    st.one_of(st.none(), st.floats(1, 1e7)),
    st.sampled_from([None, 1e3, 1e6]),
    st.sampled_from([None, 0.1, 10.0]),
    st.sampled_from([None, 1e3, 1e6]),
)
def test_limits_are_kept_up_to_the_last_byte(
    size: float,
    latency: float,
    ram: float | None,
    max_size: float | None,
    max_latency: float | None,
    max_ram: float | None,
) -> None:
    limits = Limits(max_size, max_latency, None, max_ram)
    is_kept = (
        (max_size is None or size <= max_size)
        and (max_latency is None or latency <= max_latency)
        and (max_ram is None or ram is None or ram <= max_ram)
    )
    found = Foreseen(size, latency, ram)
    assert may_keep(found, limits) is is_kept
    assert (found.furthest(limits) <= 1) is is_kept
    if is_kept:
        tolerated = tolerances(S.INT8, is_compressed=True, depends_on_weights=True)
        assert may_keep(found, limits, tolerated)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_compressed_integers_shrink_much_with_training(scheme: QuantizationScheme) -> None:
    """Random weights use all steps of a channel, trained ones crowd around zero."""
    compressed = tolerances(scheme, is_compressed=True, depends_on_weights=False)["size"]
    raw = tolerances(scheme, is_compressed=False, depends_on_weights=False)["size"]
    assert raw == 0.1
    assert (compressed > 0.5) is (SCHEMES[scheme].weight_bits <= 8)
    # The smallest recorded int8 file has 0.64 bytes a weight, the random one about 1.
    assert scheme not in POST_TRAINING_SCHEMES or compressed >= raw
