"""What training minimizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spaces.config.trial import TrainingConfig
from workers.training.losses import balanced_weights, cross_entropy, mixed, training_loss

LABELS = np.array([0, 0, 0, 2], np.int64)
LOGITS = np.array([[2.0, 0, 0], [0, 1, 0], [0, 0, 3], [1, 1, 1]], np.float32)


@pytest.fixture(scope="module")
def model(keras: Any) -> Any:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])


def reference(label_smoothing: float = 0.0) -> np.ndarray:
    log_softmax = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
    targets = np.eye(3)[LABELS] * (1 - label_smoothing) + label_smoothing / 3
    losses: np.ndarray = -(targets * log_softmax).sum(axis=1)
    return losses


def test_classes_count_the_same() -> None:
    weights = balanced_weights(LABELS, 4)
    np.testing.assert_allclose(weights, [4 / 6, 0, 2, 0], rtol=1e-6)
    assert weights[LABELS].mean() == pytest.approx(1)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_labels_are_smoothed(model: Any, label_smoothing: float) -> None:
    losses = cross_entropy(model, label_smoothing)(LABELS, LOGITS)
    np.testing.assert_allclose(losses, reference(label_smoothing), rtol=1e-5)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_losses_are_weighed(model: Any, label_smoothing: float) -> None:
    config = TrainingConfig(0.1, 4, label_smoothing=label_smoothing, class_weights="balanced")
    losses = training_loss(model, config, LABELS)(LABELS, LOGITS)
    weights = balanced_weights(LABELS, 3)[LABELS]
    np.testing.assert_allclose(losses, weights * reference(label_smoothing), rtol=1e-5)


def test_a_loss_of_ones_own_stands_for_cross_entropy(model: Any) -> None:
    import tensorflow as tf

    config = TrainingConfig(0.1, 4, label_smoothing=0.2)
    own = training_loss(model, config, LABELS, lambda labels, outputs: outputs[:, 0])
    np.testing.assert_allclose(own(LABELS, tf.constant(LOGITS)), LOGITS[:, 0])


def test_mixing_losses_is_mixing_labels(model: Any) -> None:
    shares = np.array([1.0, 0.3, 0.5, 0.0], np.float32)
    found = mixed(cross_entropy(model), LABELS, LOGITS, shares)
    one_hot = np.eye(3)[LABELS]
    targets = shares[:, None] * one_hot + (1 - shares[:, None]) * one_hot[::-1]
    log_softmax = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, -(targets * log_softmax).sum(axis=1), rtol=1e-5)
