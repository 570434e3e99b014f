"""What an accuracy is worth: interval, number of images, and the largest class."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.data.accuracy_context import AccuracyContext, standard_error, wilson_interval


@pytest.mark.parametrize(
    ("n_right", "n", "low", "high"),
    [
        (5, 5, 0.5655, 1.0),  # As statsmodels' proportion_confint(method="wilson") has them.
        (0, 5, 0.0, 0.4345),
        (31, 38, 0.6658, 0.9078),
        (950, 1000, 0.9347, 0.9618),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson(n_right: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(n_right / max(n, 1), n) == pytest.approx((low, high), abs=1e-4)


@given(n=st.integers(1, 10_000), share=st.floats(0, 1))
def test_the_interval_holds_the_share(n: int, share: float) -> None:
    low, high = wilson_interval(share, n)
    assert 0 <= low <= share <= high <= 1
    assert low < high


@pytest.mark.parametrize(
    ("n_right", "n", "error"),
    [
        (31, 38, 0.0649),  # By Laplace, somewhat more than 0.0629.
        (38, 38, 0.0253),  # None of 38 was wrong; one may well be.
        (0, 0, 1.0),
        (8_000, 10_000, 0.0040),
    ],
)
def test_standard_error(n_right: int, n: int, error: float) -> None:
    assert standard_error(n_right / max(n, 1), n) == pytest.approx(error, abs=1e-4)


def test_one_line_says_it() -> None:
    context = AccuracyContext.of_counts("validation", ("apple", "pear"), (10, 28), 38)
    assert context.line(31 / 38) == (
        "Accuracy: of 38 validation images; 81.6 % means 67 to 91 % (95 %); always saying "
        "'pear' gives 73.7 %."
    )
    one = AccuracyContext.of_counts("test", ("a", "b"), (135, 1), 136)
    assert one.line(135 / 136).endswith("always saying 'a' gives 99.3 %, so this is no success.")
    assert AccuracyContext.of_counts("test", ("a",), None, 5).line(1.0) == (
        "Accuracy: of 5 test images; 100.0 % means 57 to 100 % (95 %)."
    )
