"""What pruning is expected to change, learned from prunings to other sparsities."""

from __future__ import annotations

import pytest

from search.sampling.prunings import Prunings

SPARSITIES = (0.5, 0.7, 0.85)


def test_sparser_is_smaller_and_makes_more_errors() -> None:
    fresh = Prunings()
    errors = [fresh.error(sparsity) for sparsity in SPARSITIES]
    sizes = [fresh.size(sparsity) for sparsity in SPARSITIES]
    assert 1 < errors[0] < errors[1] < errors[2] < 2
    assert 1 > sizes[0] > sizes[1] > sizes[2] > 0.5
    assert [fresh.latency(sparsity) for sparsity in SPARSITIES] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("seen", SPARSITIES)
@pytest.mark.parametrize("steepness", [0.2, 6.0])
def test_each_sparsity_teaches_what_to_expect_of_the_others(seen: float, steepness: float) -> None:
    """As recorded on CIFAR-10, and on few digits."""
    prunings = Prunings()
    for _ in range(40):
        prunings.learn(seen, 0.0, 1 + steepness * seen**5, 1 - 0.8 * seen, 1 - 0.3 * seen)
    for sparsity in SPARSITIES:
        assert prunings.latency(sparsity) == pytest.approx(1 - 0.3 * sparsity)
        assert prunings.error(sparsity) == pytest.approx(1 + steepness * sparsity**5)
        assert prunings.size(sparsity) == pytest.approx(1 - 0.8 * sparsity)


def test_what_is_pruned_further_changes_by_the_rest() -> None:
    prunings = Prunings()
    whole = prunings.size(0.85)
    assert prunings.size(0.5) * prunings.size(0.85, 0.5) == pytest.approx(whole)
    rises = [prunings.error(0.5) - 1, prunings.error(0.85, 0.5) - 1]
    assert sum(rises) == pytest.approx(prunings.error(0.85) - 1)
    for _ in range(10):
        prunings.learn(0.7, 0.5, 1 + 3 * (0.7**5 - 0.5**5), (1 - 0.9 * 0.7) / (1 - 0.9 * 0.5))
    assert prunings.error(0.85) == pytest.approx(1 + 3 * 0.85**5)
    assert prunings.size(0.85) == pytest.approx(1 - 0.9 * 0.85)


def test_one_lucky_pruning_to_few_zeros_teaches_next_to_nothing() -> None:
    prunings, fresh = Prunings(), Prunings()
    prunings.learn(0.5, 0.0, 0.9, 1.0)
    assert prunings.error(0.85) == fresh.error(0.85)
    assert prunings.size(0.85) == fresh.size(0.85)


@pytest.mark.parametrize(("error", "size"), [(0.5, 1.3), (1.0, 1.0), (20.0, 0.01)])
def test_nobody_expects_to_gain_accuracy_or_to_lose_more_than_all(
    error: float, size: float
) -> None:
    prunings = Prunings()
    for _ in range(60):
        prunings.learn(0.7, 0.0, error, size)
        prunings.learn(0.7, 0.7, error, size)  # No sparser than before.
    for sparsity in SPARSITIES:
        assert prunings.error(sparsity) >= 1
        assert 0 < prunings.size(sparsity) <= 1
