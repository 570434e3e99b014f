"""What pruning is expected to change, learned from prunings to other sparsities."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search.sampling.prunings import TABLES_BYTES, Prunings
from spaces.config.schemes import SCHEMES, QuantizationScheme

SPARSITIES = (0.5, 0.7, 0.85, 0.93)
FLOAT32, INT8, INT4 = (
    QuantizationScheme.FLOAT32,
    QuantizationScheme.INT8,
    QuantizationScheme.DYNAMIC_INT4,
)
POWERS = {32: 1.25, 16: 1.4, 8: 1.85, 4: 2.9}


def pruned(size: float, scheme: QuantizationScheme, saving: float, sparsity: float) -> float:
    """What is left of a file of which part of the weights' bytes goes."""
    gone: float = saving * sparsity ** POWERS[SCHEMES[scheme].weight_bits]
    return TABLES_BYTES + (size - TABLES_BYTES) * (1 - gone)


def test_sparser_is_smaller_and_makes_more_errors() -> None:
    fresh = Prunings()
    errors = [fresh.error(sparsity) for sparsity in SPARSITIES]
    assert errors == sorted(errors) and 1 < errors[0] and errors[-1] < 2
    for scheme in SCHEMES:
        sizes = [fresh.size(50_000, scheme, sparsity) for sparsity in SPARSITIES]
        assert sizes == sorted(sizes, reverse=True)
        assert TABLES_BYTES < sizes[-1] and sizes[0] < 50_000
    assert [fresh.latency(sparsity) for sparsity in SPARSITIES] == [1.0] * len(SPARSITIES)


@pytest.mark.parametrize("scheme", [FLOAT32, QuantizationScheme.FLOAT16, INT8, INT4])
@pytest.mark.parametrize("sparsity", [0.5, 0.7, 0.85])
def test_weights_compress_as_is_expected(scheme: QuantizationScheme, sparsity: float) -> None:
    """Against gzip itself, with weights of a normal distribution for each of 100 channels."""
    left = [_compressed(scheme, 0.0), _compressed(scheme, sparsity)]
    expected = Prunings().weights_left(scheme, sparsity)
    assert left[1] / left[0] == pytest.approx(expected, abs=0.07)


def _compressed(scheme: QuantizationScheme, sparsity: float) -> int:
    weights = np.random.default_rng(0).normal(size=(600, 100))
    weights[np.abs(weights) < np.quantile(np.abs(weights), sparsity)] = 0.0
    bits = SCHEMES[scheme].weight_bits
    if bits > 8:
        return len(gzip.compress(weights.astype(f"f{bits // 8}").tobytes()))
    highest = 2 ** (bits - 1) - 1
    levels = np.round(weights / np.abs(weights).max(axis=0) * highest).astype(np.int8)
    if bits == 4:
        halves = levels.ravel().astype(np.uint8) & 15
        levels = (halves[::2] | (halves[1::2] << 4)).astype(np.int8)
    return len(gzip.compress(levels.tobytes()))


@given(
    st.sampled_from(sorted(SCHEMES)),
    st.floats(3_100, 200_000),
    st.floats(3_100, 400_000),
    st.sampled_from([0.0, 0.5, 0.85]),
    st.sampled_from([0.0, 0.4, 0.9, 1.0, 1.2]),
)
@example(FLOAT32, 3_150.0, 13_000.0, 0.0, 1.0)  # Never less than 2 % of the weights' bytes:
@example(QuantizationScheme.FLOAT16, 3_108.0, 4_160.0, 0.85, 1.0)  # of those that there are.
def test_what_it_takes_to_keep_a_limit_and_no_more(
    scheme: QuantizationScheme, limit: float, size: float, before: float, saving: float
) -> None:
    prunings = Prunings()
    for _ in range(9):
        sizes = (50_000.0, pruned(50_000, INT8, saving, 0.7))
        prunings.learn(0.7, 0.0, error=1.0, sizes=sizes, scheme=INT8)
    found = prunings.sparsity_within(limit, size, scheme, before)
    hundredths = [n / 100 for n in range(100) if n / 100 > before]
    keep = [s for s in hundredths if prunings.size(size, scheme, s, before) <= limit * (1 + 1e-9)]
    assert found == (keep[0] if keep and size > limit else None)


@pytest.mark.parametrize("seen", SPARSITIES)
@pytest.mark.parametrize("steepness", [0.2, 6.0])
def test_each_sparsity_teaches_what_to_expect_of_the_others(seen: float, steepness: float) -> None:
    """As recorded on CIFAR-10, and on few digits."""
    prunings = Prunings()
    for _ in range(40):
        prunings.learn(
            seen,
            0.0,
            error=1 + steepness * seen**5,
            latency=1 - 0.3 * seen,
            sizes=(20_000, pruned(20_000, INT8, 0.7, seen)),
            scheme=INT8,
        )
    for sparsity in SPARSITIES:
        assert prunings.latency(sparsity) == pytest.approx(1 - 0.3 * sparsity)
        assert prunings.error(sparsity) == pytest.approx(1 + steepness * sparsity**5)
        for size, scheme in ((20_000, INT8), (90_000, INT8), (200_000, FLOAT32), (8_000, INT4)):
            expected = pruned(size, scheme, 0.7, sparsity)
            assert prunings.size(size, scheme, sparsity) == pytest.approx(expected)


def test_what_is_pruned_further_changes_by_the_rest() -> None:
    prunings = Prunings()
    half = prunings.size(40_000, INT8, 0.5)
    whole = prunings.size(40_000, INT8, 0.85)
    assert prunings.size(half, INT8, 0.85, 0.5) == pytest.approx(whole)
    rises = [prunings.error(0.5) - 1, prunings.error(0.85, 0.5) - 1]
    assert sum(rises) == pytest.approx(prunings.error(0.85) - 1)
    sizes = (pruned(40_000, INT8, 0.6, 0.5), pruned(40_000, INT8, 0.6, 0.7))
    for _ in range(20):
        prunings.learn(0.7, 0.5, error=1 + 3 * (0.7**5 - 0.5**5), sizes=sizes, scheme=INT8)
    assert prunings.error(0.85) == pytest.approx(1 + 3 * 0.85**5)
    assert prunings.size(40_000, INT8, 0.85) == pytest.approx(pruned(40_000, INT8, 0.6, 0.85))


def test_one_lucky_pruning_to_few_zeros_teaches_next_to_nothing() -> None:
    prunings, fresh = Prunings(), Prunings()
    prunings.learn(0.5, 0.0, error=0.9, sizes=(20_000, 20_000), scheme=INT8)
    assert prunings.error(0.85) == fresh.error(0.85)
    assert prunings.size(20_000, INT8, 0.85) == fresh.size(20_000, INT8, 0.85)


def test_a_file_of_little_but_tables_says_nothing_of_its_weights() -> None:
    """Whatever gzip makes of the tables of a network of a few hundred weights."""
    prunings, fresh = Prunings(), Prunings()
    for _ in range(60):
        prunings.learn(0.7, 0.0, error=1.0, sizes=(3_500, 3_400), scheme=INT8)
    assert prunings.size(90_000, INT8, 0.7) == fresh.size(90_000, INT8, 0.7)
    assert fresh.size(2_000, INT8, 0.85) == 2_000


def test_sizes_that_no_zeros_change_are_learned() -> None:
    """The file as it is, or what it takes of a device's flash."""
    prunings = Prunings()
    for _ in range(20):
        prunings.learn(0.5, 0.0, error=1.0, sizes=(20_000, 20_000), scheme=INT8)
    assert prunings.size(90_000, INT8, 0.85) == 90_000


@pytest.mark.parametrize(("error", "size"), [(0.5, 1.3), (1.0, 1.0), (20.0, 0.01)])
def test_nobody_expects_to_gain_accuracy_or_to_lose_more_than_all(
    error: float, size: float
) -> None:
    prunings = Prunings()
    for _ in range(60):
        for before in (0.0, 0.7):  # And no sparser than before.
            sizes = (20_000, 20_000 * size)
            prunings.learn(0.7, before, error=error, sizes=sizes, scheme=INT8)
    for sparsity in SPARSITIES:
        assert prunings.error(sparsity) >= 1
        assert 0 < prunings.size(20_000, INT8, sparsity) <= 20_000
