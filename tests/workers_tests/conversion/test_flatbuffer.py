"""Canonical files, and the arithmetic of one inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.data.dataset import Dataset
from workers.conversion.convert import float_tflite, quantize_variant, representative_images
from workers.conversion.flatbuffer import canonical, count_macs
from workers.conversion.runtime import outputs

Layers = Callable[[Any], list[Any]]

CASES: dict[str, tuple[tuple[int, ...], Layers, int]] = {
    # 6 x 7 positions of the output, 3 x 3 weights for each of 2 inputs and 5 outputs.
    "conv": ((8, 9, 2), lambda k: [k.Conv2D(5, 3)], 6 * 7 * 3 * 3 * 2 * 5),
    "conv, same": ((8, 9, 2), lambda k: [k.Conv2D(5, 3, padding="same")], 8 * 9 * 3 * 3 * 2 * 5),
    "conv, strides": (
        (8, 9, 2),
        lambda k: [k.Conv2D(5, (3, 2), strides=(2, 3), padding="same", activation="relu")],
        4 * 3 * 3 * 2 * 2 * 5,
    ),
    "conv, 1 x 1": ((8, 9, 6), lambda k: [k.Conv2D(4, 1)], 8 * 9 * 6 * 4),
    "conv, dilated": ((8, 8, 2), lambda k: [k.Conv2D(5, 3, dilation_rate=2)], 4 * 4 * 9 * 2 * 5),
    "conv, groups": ((8, 8, 4), lambda k: [k.Conv2D(6, 3, groups=2)], 6 * 6 * 9 * 2 * 6),
    "depthwise": ((8, 9, 3), lambda k: [k.DepthwiseConv2D(3)], 6 * 7 * 9 * 3),
    "depthwise, multiplied": (
        (8, 8, 3),
        lambda k: [k.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same")],
        4 * 4 * 9 * 6,
    ),
    "separable": (
        (8, 8, 3),
        lambda k: [k.SeparableConv2D(5, 3, padding="same")],
        8 * 8 * (9 * 3 + 3 * 5),
    ),
    # Each of 4 x 4 positions of the input meets all weights.
    "transposed": (
        (4, 4, 3),
        lambda k: [k.Conv2DTranspose(5, 3, strides=2, padding="same")],
        4 * 4 * 9 * 3 * 5,
    ),
    "dense": ((2, 3, 4), lambda k: [k.Flatten(), k.Dense(7), k.Dense(3)], 24 * 7 + 7 * 3),
    "dense at each position": ((2, 3, 4), lambda k: [k.Dense(7)], 2 * 3 * 4 * 7),
    "conv in one dimension": (
        (8, 6, 1),
        lambda k: [k.Reshape((8, 6)), k.Conv1D(5, 3)],
        6 * 3 * 6 * 5,
    ),
    # Normalization is folded into the convolution; pooling and activations are not counted.
    "block": (
        (8, 8, 2),
        lambda k: [
            k.Conv2D(4, 3, use_bias=False),
            k.BatchNormalization(),
            k.ReLU(),
            k.MaxPooling2D(),
            k.GlobalAveragePooling2D(),
            k.Dense(3, activation="softmax"),
        ],
        6 * 6 * 9 * 2 * 4 + 4 * 3,
    ),
}


def make_file(keras: Any, shape: tuple[int, ...], layers: Layers) -> bytes:
    model = keras.Sequential([keras.layers.Input(shape), *layers(keras.layers)])
    return float_tflite(model)


@pytest.mark.parametrize("case", CASES)
def test_macs_by_hand(keras: Any, case: str) -> None:
    shape, layers, expected = CASES[case]
    assert count_macs(make_file(keras, shape, layers)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
def test_quantization_does_not_change_the_arithmetic(
    float_model: bytes, corner_pictures: Dataset, scheme: QuantizationScheme
) -> None:
    images = representative_images(corner_pictures.train, seed=0, n=20)
    quantized = quantize_variant(float_model, scheme, images)
    assert count_macs(quantized) == count_macs(float_model)
    # 16 x 16 and 8 x 8 positions, then 4 x 4 x 16 values to 16 units to 4 classes.
    assert count_macs(float_model) == 256 * 9 * 8 + 64 * 9 * 8 * 16 + 256 * 16 + 16 * 4


@pytest.mark.slow
def test_names_do_not_matter(keras: Any) -> None:
    layers = keras.layers

    def build(*names: str) -> Any:
        return keras.Sequential(
            [
                layers.Input((6, 6, 1), name=names[0]),
                layers.Conv2D(4, 3, activation="relu", name=names[1]),
                layers.Flatten(),
                layers.Dense(3, name=names[2]),
            ],
            name=names[3],
        )

    one, other = build("a", "b", "c", "d"), build("image", "conv_1", "logits", "network")
    other.set_weights(one.get_weights())
    assert float_tflite(one) == float_tflite(other)


@pytest.mark.slow
def test_a_network_with_a_loop_is_quantized_too(keras: Any) -> None:
    import tensorflow as tf

    def three_times(x: Any) -> Any:
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.tanh(y)), (0, x))[1]

    layers = [
        keras.layers.Flatten(),
        keras.layers.Dense(8),
        keras.layers.Lambda(three_times),
        keras.layers.Dense(3),
    ]
    tflite = make_file(keras, (4, 4, 1), lambda _: layers)
    images = np.random.default_rng(0).random((20, 4, 4, 1), dtype=np.float32)
    # The loop's body is a graph of its own, with tensors of its own.
    quantized = quantize_variant(tflite, QuantizationScheme.FLOAT16, images)
    np.testing.assert_allclose(outputs(quantized, images), outputs(tflite, images), atol=0.01)


@pytest.mark.slow
def test_a_canonical_file_computes_the_same_and_stays_as_it_is(
    trained: Any, corner_pictures: Dataset
) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(trained.model)
    raw = bytes(converter.convert())
    plain = canonical(raw)
    assert len(plain) < len(raw)
    for trace in (tf.__version__.encode(), b"CONVERSION_METADATA", b"serving_default"):
        assert trace in raw
        assert trace not in plain
    assert canonical(plain) == plain
    images = corner_pictures.val.images[:50]
    np.testing.assert_array_equal(outputs(plain, images, 1), outputs(raw, images, 1))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
def test_every_scheme_gives_canonical_files(
    float_model: bytes, corner_pictures: Dataset, scheme: QuantizationScheme
) -> None:
    images = representative_images(corner_pictures.train, seed=0, n=20)
    quantized = quantize_variant(float_model, scheme, images)
    assert canonical(quantized) == quantized
