"""Metrics of a classifier, by cases worked out by hand."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.deploy.evaluation import (
    NO_ANSWER,
    best_epoch,
    confusion_matrix,
    judge,
    mean_loss,
    predicted_labels,
    probabilities,
    spread,
)

NAN = float("nan")


def one_hot(predicted: list[int], n_classes: int) -> Any:
    """Scores that say these classes; -1 for no answer."""
    scores = np.full((len(predicted), n_classes), 0.01)
    for row, label in zip(scores, predicted, strict=True):
        row[label] = NAN if label == NO_ANSWER else 0.9
    return scores


def test_a_case_worked_out_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    found = judge(one_hot([0, 0, 1, 1, 2, 2], 3), labels, ["a", "b", "c"], are_logits=False)
    assert found["confusion"] == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["unanswered"] == 0
    rows = [(row["name"], row["images"]) for row in found["per_class"]]
    assert rows == [("a", 3), ("b", 2), ("c", 1)]
    for name, values in (
        ("precision", (1, 1 / 2, 1 / 2)),
        ("recall", (2 / 3, 1 / 2, 1)),
        ("f1", (4 / 5, 1 / 2, 2 / 3)),
    ):
        assert [row[name] for row in found["per_class"]] == pytest.approx(list(values))
    assert found["macro"] == pytest.approx({"precision": 2 / 3, "recall": 13 / 18, "f1": 59 / 90})
    assert found["weighted"] == pytest.approx({"precision": 3 / 4, "recall": 2 / 3, "f1": 61 / 90})


def test_what_is_not_there_counts_as_scikit_learn_counts_it() -> None:
    # Class b is never predicted, c has no images but is, d is nowhere.
    labels = np.array([0, 0, 1])
    found = judge(one_hot([0, 2, 0], 4), labels, list("abcd"), are_logits=False)
    assert [row["precision"] for row in found["per_class"]] == [0.5, 0, 0, 0]
    assert [row["recall"] for row in found["per_class"]] == [0.5, 0, 0, 0]
    assert found["macro"]["f1"] == pytest.approx(0.5 / 3)
    assert found["weighted"]["f1"] == pytest.approx(0.5 * 2 / 3)


def test_an_answer_that_is_no_number_is_wrong() -> None:
    found = judge(one_hot([0, -1, 1], 2), np.array([0, 0, 1]), ["a", "b"], are_logits=False)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert (found["unanswered"], found["loss"]) == (1, None)
    assert found["confusion"] == [[1, 0], [0, 1]]
    assert [row["recall"] for row in found["per_class"]] == [0.5, 1]


def test_of_equal_scores_the_first_counts() -> None:
    assert predicted_labels(np.array([[3, 5, 5], [2, 2, 2]], np.int8)).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("scores", "label", "options", "expected"),
    [
        ([0.5, 0.25, 0.25], 0, {}, log(2)),
        ([0.5, 0.25, 0.25], 1, {}, log(4)),
        # As an integer softmax leaves them: they do not add up to 1.
        ([0.25, 0.125, 0.125], 0, {"step": 1 / 256}, log(2)),
        ([0.0, 1.0, 0.0], 0, {}, -log(1e-7)),
        ([0.0, 1.0, 0.0], 0, {"step": 1 / 256}, log(512)),
        ([0.0, 0.0, 0.0], 1, {"are_logits": True}, log(3)),
        ([1000.0, 0.0, 0.0], 0, {"are_logits": True}, 0.0),
        ([NAN, 0.0, 0.0], 1, {}, None),
        ([0.0, 0.0, 0.0], 1, {}, None),
    ],
)
def test_losses(
    scores: list[float], label: int, options: dict[str, Any], expected: float | None
) -> None:
    options = {"are_logits": False, **options}
    found = mean_loss(np.array([scores]), np.array([label]), **options)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=40)


@given(pairs)
def test_numbers_that_must_agree(answers: list[tuple[int, int]]) -> None:
    labels, predicted = (np.array(column) for column in zip(*answers, strict=True))
    found = judge(one_hot(predicted.tolist(), 4), labels, list("abcd"), are_logits=False)
    matrix = np.array(found["confusion"])
    assert matrix.sum() + found["unanswered"] == len(labels)
    assert matrix.trace() / len(labels) == pytest.approx(found["accuracy"])
    assert found["weighted"]["recall"] == pytest.approx(found["accuracy"])
    for row in found["per_class"]:
        low, high = sorted((row["precision"], row["recall"]))
        assert low - 1e-12 <= row["f1"] <= high + 1e-12
    # Classes have no order.
    order = np.array([2, 0, 3, 1])
    moved = np.where(predicted == NO_ANSWER, NO_ANSWER, order[predicted])
    again = confusion_matrix(order[labels], moved, 4)
    assert (again[np.ix_(order, order)] == matrix).all()


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6))
def test_probabilities_add_up(scores: list[float]) -> None:
    found = probabilities(np.array([scores]), are_logits=True)
    assert found.sum() == pytest.approx(1)
    assert scores[found.argmax()] == pytest.approx(max(scores))


@pytest.mark.parametrize(
    ("accuracies", "losses", "expected"),
    [
        ([], [], None),
        ([0.5], [1], 1),
        ([0.5, 0.9, 0.8], [1, 1, 1], 2),
        ([0.9, 0.9, 0.9], [3, 1, 2], 2),
        ([0.9, 0.9], [1, 1], 1),
    ],
)
def test_the_best_epoch(
    accuracies: list[float], losses: list[float], expected: int | None
) -> None:
    assert best_epoch({"val_accuracy": accuracies, "val_loss": losses}) == expected


def test_mean_and_spread() -> None:
    found = spread([2, 4, 9])
    assert found == pytest.approx({"mean": 5, "std": 13**0.5, "min": 2, "max": 9})
    assert spread([3]) == {"mean": 3, "std": None, "min": 3, "max": 3}
