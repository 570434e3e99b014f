"""How well a classifier answers: plain numbers of its scores and the true labels.

Definitions are those of scikit-learn's ``classification_report``. A class of which nothing was
predicted has precision 0, one without images recall 0; classes that neither occur nor are
predicted are left out of macro averages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

NO_ANSWER = -1
"""Label of an answer that is no number."""

MIN_PROBABILITY = 1e-7
"""What a probability of 0 counts as in a loss; Keras takes the same."""

AVERAGED = ("precision", "recall", "f1")


def predicted_labels(scores: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the class of the highest score of each image, the first of equals.

    Scores that are not finite are no answer, and not a free vote for the first class.

    Args:
        scores: ``[n, classes]``: probabilities or logits.

    Returns:
        ``[n]``, :data:`NO_ANSWER` where there is none.
    """
    return np.where(np.isfinite(scores).all(axis=1), scores.argmax(axis=1), NO_ANSWER)


def probabilities(scores: npt.NDArray[Any], *, are_logits: bool) -> npt.NDArray[np.float64]:
    """Return scores as probabilities which add up to 1 for each image.

    Those of an integer model do not quite: they are multiples of a step. Of very many classes all
    may be less than half of one, and are 0 then.
    """
    found: npt.NDArray[np.float64] = scores.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        if are_logits:
            found = np.exp(found - found.max(axis=1, keepdims=True))
        total = found.sum(axis=1, keepdims=True)
        shared: npt.NDArray[np.float64] = found / np.where(total == 0, 1.0, total)
    return shared


def mean_loss(
    scores: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
    *,
    are_logits: bool,
    step: float = 0.0,
) -> float | None:
    """Return the mean cross-entropy, in nats; None if an answer is not finite, or 0 throughout.

    Args:
        scores: ``[n, classes]``.
        labels: ``[n]`` true classes.
        are_logits: Whether a softmax makes probabilities of them.
        step: Distance between two probabilities that an integer output can tell apart; 0 for
            floats. What it calls 0 lies below half of it, and counts as that half.
    """
    chances = probabilities(scores, are_logits=are_logits)
    of_truth = chances[np.arange(len(labels)), labels]
    if not np.isfinite(of_truth).all() or not chances.any(axis=1).all():
        return None
    least = MIN_PROBABILITY if are_logits else max(MIN_PROBABILITY, step / 2)
    return float(-np.log(np.maximum(of_truth, least)).mean())


def confusion_matrix(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], n_classes: int
) -> npt.NDArray[np.int64]:
    """Return how many images of each class (row) were called what (column).

    Where there was no answer, the image is in no column.
    """
    matrix = np.zeros((n_classes, n_classes), np.int64)
    is_answered = predicted != NO_ANSWER
    np.add.at(matrix, (labels[is_answered], predicted[is_answered]), 1)
    return matrix


def judge(
    scores: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
    class_names: Sequence[str],
    *,
    are_logits: bool,
    step: float = 0.0,
) -> dict[str, Any]:
    """Return all that is reported of a model on a split, as JSON data.

    Args:
        scores: ``[n, classes]``.
        labels: ``[n]`` true classes.
        class_names: One name a class.
        are_logits: Whether a softmax makes probabilities of the scores.
        step: As in :func:`mean_loss`.

    Returns:
        ``accuracy``, ``loss``, ``unanswered`` (images), ``confusion`` (a row for each true
        class), ``per_class`` (``name``, ``images``, ``precision``, ``recall``, ``f1``), and the
        latter three averaged: ``macro`` (every class counts the same) and ``weighted`` (by its
        images).
    """
    predicted = predicted_labels(scores)
    confusion = confusion_matrix(labels, predicted, len(class_names))
    n_images = np.bincount(labels, minlength=len(class_names))
    n_right, n_predicted = confusion.diagonal(), confusion.sum(axis=0)
    precision = _ratio(n_right, n_predicted)
    recall = _ratio(n_right, n_images)
    f1 = _ratio(2 * n_right, n_images + n_predicted)
    values = np.stack([precision, recall, f1], axis=1)
    is_seen = n_images + n_predicted > 0
    return {
        "accuracy": float(np.mean(predicted == labels)),
        "loss": mean_loss(scores, labels, are_logits=are_logits, step=step),
        "unanswered": int(np.sum(predicted == NO_ANSWER)),
        "macro": _named(values[is_seen].mean(axis=0)),
        "weighted": _named(np.average(values, axis=0, weights=n_images)),
        "per_class": [
            {"name": name, "images": int(n), **_named(row)}
            for name, n, row in zip(class_names, n_images, values, strict=True)
        ],
        "confusion": confusion.tolist(),
    }


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Return mean, sample standard deviation (None of one value), lowest and highest."""
    array = np.asarray(values, np.float64)
    return {
        "mean": float(array.mean()),
        "std": float(array.std(ddof=1)) if len(array) > 1 else None,
        "min": float(array.min()),
        "max": float(array.max()),
    }


def best_epoch(history: Mapping[str, Sequence[float]]) -> int | None:
    """Return the epoch, from 1, with the highest validation accuracy.

    Of equals the one with the lowest validation loss, then the first. None without epochs.
    """
    pairs = zip(history["val_accuracy"], history["val_loss"], strict=True)
    ranked = [(-accuracy, loss, epoch) for epoch, (accuracy, loss) in enumerate(pairs, 1)]
    return min(ranked)[2] if ranked else None


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return ``part / whole``, 0 where there is nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


def _named(values: npt.NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(AVERAGED, map(float, values), strict=True))
