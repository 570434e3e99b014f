"""Networks that convert for single images only: recurrent ones, group normalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ConversionError
from workers.conversion.convert import float_tflite, quantize_variant
from workers.conversion.flatbuffer import count_macs
from workers.conversion.runtime import fixed_batch, outputs

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 3)

RECURRENT: dict[str, Callable[[Any], list[Any]]] = {
    "LSTM": lambda layers: [layers.Reshape((8, 24)), layers.LSTM(4)],
    "GRU": lambda layers: [layers.Reshape((8, 24)), layers.GRU(4)],
    "SimpleRNN": lambda layers: [layers.Reshape((8, 24)), layers.SimpleRNN(4)],
    "both ways": lambda layers: [
        layers.Reshape((8, 24)),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.Bidirectional(layers.GRU(3)),
    ],
    "ConvLSTM2D": lambda layers: [layers.Reshape((2, 4, 8, 3)), layers.ConvLSTM2D(2, 3)],
    "each frame": lambda layers: [
        layers.Reshape((2, 4, 8, 3)),
        layers.TimeDistributed(layers.Conv2D(2, 3)),
        layers.TimeDistributed(layers.Flatten()),
        layers.LSTM(4),
    ],
    "GroupNormalization": lambda layers: [layers.Conv2D(4, 3), layers.GroupNormalization(2)],
}


def network(keras: Any, name: str) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    middle = RECURRENT[name](layers) if name in RECURRENT else [layers.Conv2D(4, 3)]
    head = [layers.Flatten(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input(SHAPE), *middle, *head])


@pytest.mark.parametrize("name", RECURRENT)
def test_it_answers_as_keras_does(keras: Any, name: str) -> None:
    model = network(keras, name)
    images = np.random.default_rng(0).random((13, *SHAPE), dtype=np.float32)
    wanted = model.predict(images, verbose=0)
    float_model = float_tflite(model)
    assert fixed_batch(float_model) == 1
    assert np.abs(outputs(float_model, images) - wanted).max() < 1e-6
    for scheme in ("float16", "dynamic_range", "dynamic_int4"):
        tflite = quantize_variant(float_model, QuantizationScheme(scheme), images)
        assert np.abs(outputs(tflite, images) - wanted).max() < 0.1
    assert float_tflite(model) == float_model


def test_others_take_any_number(keras: Any) -> None:
    assert fixed_batch(float_tflite(network(keras, "plain"))) is None
    assert fixed_batch(b"no model") is None


def test_steps_of_a_loop_are_counted(keras: Any) -> None:
    # Four gates of 4 units, from 24 inputs and 4 states, in 8 steps; then the head.
    assert count_macs(float_tflite(network(keras, "LSTM"))) == 8 * (24 + 4) * 4 * 4 + 4 * 3


def test_what_has_no_operation_is_told_with_its_layer(keras: Any) -> None:
    import tensorflow as tf

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Lambda(lambda x: tf.abs(tf.signal.fft2d(tf.cast(x, tf.complex64)))),
            layers.Lambda(lambda x: tf.linalg.svd(x)[0], name="decompose"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    with pytest.raises(ConversionError) as caught:
        float_tflite(model)
    (line,) = str(caught.value).splitlines()
    assert "no operation tf.FFT2D, which layer 'lambda" in line
    assert "no operation tf.Svd, which layer 'decompose' uses" in line
