"""The metrics that can be a study's first objective, from predicted and true labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Metric = Literal["accuracy", "balanced_accuracy", "macro_f1"]
METRICS: tuple[Metric, ...] = ("accuracy", "balanced_accuracy", "macro_f1")

UNEVEN = 1.5
"""Largest class over smallest from which on accuracy alone does not tell a model's worth."""


def class_scores(
    predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Return every metric, as scikit-learn defines it.

    Args:
        predicted: ``[n]`` classes; -1 for no answer, which is wrong.
        labels: ``[n]`` true classes.

    Returns:
        ``accuracy``; ``balanced_accuracy``, the mean recall of the classes that occur; and
        ``macro_f1``, the mean F1 of the classes that occur or are predicted.
    """
    n = max(int(labels.max()), int(predicted.max())) + 1
    is_right = predicted == labels
    n_true = np.bincount(labels, minlength=n)
    n_predicted = np.bincount(predicted[predicted >= 0], minlength=n)
    n_right = np.bincount(labels[is_right], minlength=n)
    occurs, is_seen = n_true > 0, n_true + n_predicted > 0
    return {
        "accuracy": float(np.mean(is_right)),
        "balanced_accuracy": float(np.mean(n_right[occurs] / n_true[occurs])),
        "macro_f1": float(np.mean(2 * n_right[is_seen] / (n_true + n_predicted)[is_seen])),
    }


MAX_CONFUSION = 25
"""Classes up to which a confusion matrix is kept: it grows with their square."""


def confusion_matrix(
    predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], n_classes: int
) -> tuple[tuple[int, ...], ...]:
    """Return how often each class was called what; nothing of more than :data:`MAX_CONFUSION`.

    Args:
        predicted: ``[n]`` classes; -1 for no answer, which counts nowhere.
        labels: ``[n]`` true classes.
        n_classes: How many there are.

    Returns:
        A row for each true class, with a count for each predicted one.
    """
    if n_classes > MAX_CONFUSION:
        return ()
    answered = predicted >= 0
    cells = labels[answered] * n_classes + predicted[answered]
    counts = np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)
    return tuple(tuple(int(count) for count in row) for row in counts)


def of_largest_class(metric: Metric, counts: Sequence[int]) -> float:
    """Return what always saying the largest class gives.

    Args:
        metric: Which metric.
        counts: Images of every class.
    """
    largest, n = max(counts), sum(counts)
    n_classes = sum(count > 0 for count in counts)
    if metric == "accuracy":
        return largest / n
    if metric == "balanced_accuracy":
        return 1 / n_classes
    return 2 * largest / (largest + n) / n_classes


def is_uneven(counts: Sequence[int]) -> bool:
    """Whether classes differ so much that accuracy alone misleads."""
    return bool(counts) and max(counts) > UNEVEN * min(counts)
