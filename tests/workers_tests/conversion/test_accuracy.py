"""Accuracy of files, and images in the number formats that files take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.data.dataset import Split
from spaces.errors import ConversionError
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.conversion.accuracy import tflite_accuracy, tflite_class_scores
from workers.conversion.runtime import network_input, outputs, quantize_input


@pytest.fixture(scope="module")
def converted() -> Converted:
    """The network of all these tests and its files."""
    return convert_trained_network()


def details(dtype: Any, scale: float = 0.0, zero_point: int = 0) -> dict[str, Any]:
    """Of an input, as an interpreter tells them."""
    return {"dtype": dtype, "quantization": (scale, zero_point)}


class TestQuantizeInput:
    def test_pixels_reach_both_ends(self) -> None:
        images = np.array([0, 1, 128, 254, 255], np.uint8)
        found = quantize_input(images, details(np.int8, 1 / 255, -128))
        np.testing.assert_array_equal(found, [-128, -127, 0, 126, 127])
        assert found.dtype == np.int8

    def test_halves_go_away_from_zero(self) -> None:
        images = np.array([-1.25, -0.75, -0.25, 0.25, 0.75, 1.25], np.float32)
        found = quantize_input(images, details(np.int8, 0.5, 10))
        np.testing.assert_array_equal(found, [7, 8, 9, 11, 12, 13])

    def test_what_does_not_fit_is_clipped(self) -> None:
        images = np.array([-1000, 1000], np.float32)
        found = quantize_input(images, details(np.int8, 0.5, 10))
        np.testing.assert_array_equal(found, [-128, 127])

    def test_pixels_and_the_same_floats_agree(self) -> None:
        images = np.arange(256, dtype=np.uint8)
        for wanted in (details(np.int8, 0.0041, -128), details(np.int16, 1 / 32767)):
            np.testing.assert_array_equal(
                quantize_input(images, wanted), quantize_input(network_input(images), wanted)
            )

    def test_float_inputs_take_images_as_networks_do(self) -> None:
        pixels = quantize_input(np.array([0, 51, 255], np.uint8), details(np.float32))
        np.testing.assert_allclose(pixels, [0, 0.2, 1])
        floats = np.array([-3, 0.5], np.float32)
        np.testing.assert_array_equal(quantize_input(floats, details(np.float32)), floats)


@pytest.mark.slow
class TestAccuracy:
    @pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
    def test_is_the_fraction_of_right_labels(
        self, converted: Converted, scheme: QuantizationScheme
    ) -> None:
        tflite = converted.files[scheme]
        guesses = outputs(tflite, converted.val.images).argmax(axis=1)
        right = Split(converted.val.images, guesses)
        assert tflite_accuracy(tflite, right) == 1
        labels = guesses.copy()
        labels[:50] = (labels[:50] + 1) % 4
        assert tflite_accuracy(tflite, Split(converted.val.images, labels)) == 0.8

    @pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
    @pytest.mark.parametrize("batch_size", [1, 7, 250, 1000])
    def test_does_not_depend_on_the_batch(
        self, converted: Converted, scheme: QuantizationScheme, batch_size: int
    ) -> None:
        tflite = converted.files[scheme]
        expected = tflite_accuracy(tflite, converted.val)
        assert tflite_accuracy(tflite, converted.val, batch_size) == expected

    @pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
    def test_is_the_same_for_pixels_and_floats(
        self, converted: Converted, scheme: QuantizationScheme
    ) -> None:
        floats = Split(network_input(converted.val.images), converted.val.labels)
        tflite = converted.files[scheme]
        assert tflite_accuracy(tflite, floats) == tflite_accuracy(tflite, converted.val)

    def test_a_pause_is_possible_before_every_batch(self, converted: Converted) -> None:
        paused: list[None] = []
        split = Split(converted.val.images[:25], converted.val.labels[:25])
        expected = tflite_accuracy(converted.float_model, split)
        scores = tflite_class_scores(
            converted.float_model, split, 10, pause=lambda: paused.append(None)
        )
        assert (scores["accuracy"], len(paused)) == (expected, 3)

    def test_outputs_that_are_not_finite_are_wrong(self, converted: Converted) -> None:
        images = network_input(converted.val.images).copy()
        images[:25] = np.nan
        labels = outputs(converted.float_model, converted.val.images).argmax(axis=1)
        labels[:25] = 0  # What argmax says of NaN.
        assert tflite_accuracy(converted.float_model, Split(images, labels)) == 0.9


def test_what_is_no_model_is_refused_in_one_line() -> None:
    split = Split(np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int64))
    with pytest.raises(ConversionError, match="LiteRT cannot run the model") as caught:
        tflite_accuracy(b"no model", split)
    assert "\n" not in str(caught.value)
