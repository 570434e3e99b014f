"""Integer files are read for what runs in floats, and made by who leaves the least of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ConversionError
from workers.conversion.convert import float_tflite, qat_tflite, quantize_variant
from workers.conversion.float_operations import describe_float_operations, float_operations
from workers.conversion.runtime import outputs
from workers.training.qat import quantization_aware_copy
from workers.training.separate_swish import with_separate_swish

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 3)
INT8, INT16X8 = QuantizationScheme.INT8, QuantizationScheme.INT16X8


@pytest.fixture(scope="module")
def images() -> Any:
    return np.random.default_rng(0).random((30, *SHAPE), dtype=np.float32)


def network(keras: Any, middle: Callable[[Any], Any]) -> Any:
    """A network with one layer, or more, between a convolution and a head."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.Flatten()(middle(x))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


MIDDLES: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "relu": lambda layers: layers.ReLU(),
    "leaky": lambda layers: layers.LeakyReLU(),
    "prelu": lambda layers: layers.PReLU(shared_axes=[1, 2]),
    "maximum": lambda layers: layers.GlobalMaxPooling2D(),
    "hard sigmoid": lambda layers: layers.Activation("hard_sigmoid"),
    "softplus": lambda layers: layers.Activation("softplus"),
    "selu": lambda layers: layers.Activation("selu"),
    "softsign": lambda layers: layers.Activation("softsign"),
    "dilated": lambda layers: layers.Conv2D(4, 3, dilation_rate=2),
    "transposed": lambda layers: layers.Conv2DTranspose(2, 3),
    "1-D": lambda layers: lambda x: layers.Conv1D(4, 3)(layers.Reshape((64, 4))(x)),
    "layer normalization": lambda layers: layers.LayerNormalization(),
}
NOT_IN_16_BITS = {"prelu", "selu", "softsign", "layer normalization"}


@pytest.mark.parametrize("name", MIDDLES)
def test_int8_is_full_integer(keras: Any, images: Any, name: str) -> None:
    model = network(keras, MIDDLES[name](keras.layers))
    float_model = float_tflite(model)
    files = {s: quantize_variant(float_model, s, images) for s in (INT8, INT16X8)}
    assert float_operations(files[INT8]) == {}
    assert bool(float_operations(files[INT16X8])) == (name in NOT_IN_16_BITS)
    wanted = model.predict(images, verbose=0)
    for scheme, tflite in files.items():
        found = outputs(tflite, images).astype(float)
        scale, zero = {INT8: (1 / 256, -128), INT16X8: (1 / 32768, 0)}[scheme]
        assert np.abs((found - zero) * scale - wanted).mean() < 0.02
        assert quantize_variant(float_model, scheme, images) == tflite


def test_what_neither_makes_integer_is_counted(keras: Any, images: Any) -> None:
    model = network(keras, keras.layers.ELU())
    found = float_operations(quantize_variant(float_tflite(model), INT8, images))
    assert found == {"ELU": 1}
    assert describe_float_operations(found) == "1 float operation (ELU)"
    assert describe_float_operations({"ELU": 2, "LOG": 1}) == "3 float operations (2 ELU, LOG)"


def test_a_float_file_is_float_throughout(keras: Any) -> None:
    found = float_operations(float_tflite(network(keras, keras.layers.ReLU())))
    assert found == {"CONV_2D": 1, "FULLY_CONNECTED": 1, "RESHAPE": 1, "SOFTMAX": 1}


SWISH: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "convolution": lambda layers: layers.Conv2D(4, 3, activation="swish"),
    "depthwise": lambda layers: layers.DepthwiseConv2D(3, activation="swish"),
    "separable": lambda layers: layers.SeparableConv2D(4, 3, activation="swish"),
    "dense": lambda layers: lambda x: layers.Dense(4, activation="swish")(layers.Flatten()(x)),
    "shared": lambda layers: (
        lambda x: (lambda conv: layers.Add()([conv(x), conv(layers.ReLU()(x))]))(
            layers.Conv2D(4, 3, activation="swish")
        )
    ),
    "after normalization": lambda layers: (
        lambda x: layers.Activation("swish")(
            layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(x))
        )
    ),
}


@pytest.mark.parametrize("name", SWISH)
@pytest.mark.parametrize("keep_zeros", [False, True])
def test_quantization_aware_swish_is_full_integer(
    keras: Any, images: Any, name: str, keep_zeros: bool
) -> None:
    model = network(keras, SWISH[name](keras.layers))
    separate = with_separate_swish(model)
    wanted = model.predict(images, verbose=0)
    assert np.array_equal(separate.predict(images, verbose=0), wanted)
    tflite = qat_tflite(quantization_aware_copy(model, keep_zeros=keep_zeros))
    assert float_operations(tflite) == {}


def test_no_swish_no_other_model(keras: Any) -> None:
    model = network(keras, keras.layers.Activation("swish"))
    assert with_separate_swish(model) is model


def test_a_loop_is_refused_with_the_way_out(keras: Any, images: Any) -> None:
    layers = keras.layers

    def recurrent(x: Any, unroll: bool) -> Any:
        return layers.LSTM(3, unroll=unroll)(layers.Reshape((8, 32))(x))

    for unroll in (False, True):
        model = network(keras, partial(recurrent, unroll=unroll))
        float_model = float_tflite(model)
        if unroll:
            assert float_operations(quantize_variant(float_model, INT8, images)) == {}
        else:
            with pytest.raises(ConversionError, match="loop of a recurrent layer.*unroll=True"):
                quantize_variant(float_model, INT8, images)
