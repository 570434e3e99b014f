"""Metrics that can be a study's first objective."""

from __future__ import annotations

import numpy as np
import pytest

from spaces.config.metrics import (
    MAX_CONFUSION,
    METRICS,
    Metric,
    class_scores,
    confusion_matrix,
    is_uneven,
    of_largest_class,
)


def test_as_scikit_learn_has_them() -> None:
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])
    predicted = np.array([0, 0, 0, 0, 1, 2, 1, 0, 2, -1])
    # sklearn.metrics 1.7 on the same arrays, the answer of -1 being wrong for its class.
    found = class_scores(predicted, labels)
    assert found["accuracy"] == pytest.approx(0.6)
    assert found["balanced_accuracy"] == pytest.approx((4 / 6 + 1 / 2 + 1 / 2) / 3)
    assert found["macro_f1"] == pytest.approx((8 / 11 + 2 / 4 + 2 / 4) / 3)


@pytest.mark.parametrize("counts", [[95, 5], [10, 10, 10], [7, 2, 1, 0]])
@pytest.mark.parametrize("metric", METRICS)
def test_always_saying_the_largest_class(metric: Metric, counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    expected = class_scores(np.full(len(labels), int(np.argmax(counts))), labels)[metric]
    assert of_largest_class(metric, counts) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("counts", "uneven"), [([3, 2], False), ([16, 10], True), ([5, 0], True), ([], False)]
)
def test_uneven(counts: list[int], uneven: bool) -> None:
    assert is_uneven(counts) is uneven


def test_a_confusion_matrix_counts_what_was_called_what() -> None:
    predicted, labels = np.array([0, 2, -1, 2, 1]), np.array([0, 0, 0, 2, 1])
    assert confusion_matrix(predicted, labels, 3) == ((1, 0, 1), (0, 1, 0), (0, 0, 1))
    assert confusion_matrix(predicted, labels, MAX_CONFUSION + 1) == ()
