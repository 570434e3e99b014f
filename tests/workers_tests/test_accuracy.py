"""Accuracy of converted models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spaces.dataset import Dataset, Split
from spaces.errors import ConversionError
from spaces.schemes import QuantizationScheme
from workers.accuracy import tflite_accuracy
from workers.convert import float_tflite, quantize_variant, representative_images
from workers.runtime import network_input, outputs

if TYPE_CHECKING:
    from workers.evaluate import Trained


@pytest.fixture(scope="module")
def spoiled(corner_pictures: Dataset) -> Split:
    """Validation pictures, a third of them with a wrong label."""
    split = corner_pictures.val
    labels = split.labels.copy()
    labels[::3] = (labels[::3] + 1) % 4
    return Split(split.images, labels)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 100, 1000])
def test_it_is_the_fraction_that_keras_labels_rightly(
    trained: Trained, float_model: bytes, spoiled: Split, batch_size: int
) -> None:
    found = trained.model.predict(network_input(spoiled.images), verbose=0).argmax(axis=1)
    expected = float(np.mean(found == spoiled.labels))
    assert 0.5 < expected < 0.8
    assert tflite_accuracy(float_model, spoiled, batch_size) == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
def test_integer_outputs_are_labels_too(
    float_model: bytes, corner_pictures: Dataset, spoiled: Split
) -> None:
    images = representative_images(corner_pictures.train, seed=0, n=100)
    for scheme in (QuantizationScheme.INT8, QuantizationScheme.INT16X8):
        tflite = quantize_variant(float_model, scheme, images)
        assert tflite_accuracy(tflite, spoiled) == pytest.approx(2 / 3, abs=0.05)


def test_an_output_that_is_no_number_is_wrong_whatever_the_label(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((1, 2, 1)), layers.Flatten(), layers.Dense(2)])
    # Of dark pictures it says class 1. Light ones give [0, inf - inf].
    model.set_weights([np.float32([[0, 1e38], [0, -1e38]]), np.float32([0, 1])])
    tflite = float_tflite(model)
    images = np.zeros((100, 1, 2, 1), np.float32)
    images[30:] = 1e38
    assert np.isnan(outputs(tflite, images)[30:, 1]).all()
    labels = np.ones(100, dtype=np.int64)
    assert tflite_accuracy(tflite, Split(images, labels)) == 0.3
    assert tflite_accuracy(tflite, Split(images, 1 - labels)) == 0


def test_what_does_not_run_has_no_accuracy(corner_pictures: Dataset) -> None:
    with pytest.raises(ConversionError):
        tflite_accuracy(b"no model", corner_pictures.val)
