"""Layers that every network here is made of, in the order in which TFMOT takes them.

Only workers import this module: it needs tf_keras, which imports TensorFlow. They come from
tf_keras (Keras 2), because TFMOT prunes and quantizes nothing else.

- Convolution (linear, no bias), batch normalization, ReLU, in this order: TFMOT folds the
  normalization into the convolution, and cannot when an activation stands between them.
- No rescaling and no augmentation inside: TFMOT takes neither. Inputs are float32 in [0, 1].
- The last layer is ``Softmax`` on a linear ``Dense``. The deployed file gives probabilities,
  quantization-aware training sees quantized logits and an exact softmax, and the loss is
  computed from probabilities (``from_logits=False``): inside a ``tf.function`` tf_keras finds
  the softmax and takes its logits, so nothing is lost where they saturate.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import keras_tuner
import tensorflow as tf
import tf_keras

MIN_POOLED_SIDE = 14
"""Pixels that input pooling must leave along the shorter side."""

STRIDE_SIDE = 64
"""Longest side, in pixels, that the first convolution visits at every pixel."""

NORMALIZATION_MOMENTUM = 0.9
"""Trials are short: the usual 0.99 averages over more steps than some of them have, and pruning
moves the statistics at every mask update. With 3,000 digits, batch 128 and 4 epochs it is the
difference between 61 and 95 % validation accuracy."""

MIN_SIDE_TO_HALVE = 4
"""Pixels along the shorter side that a block's output needs to be max-pooled."""


def when_at_least(
    hp: keras_tuner.HyperParameters, name: str, number: int, limits: tuple[int, int]
) -> AbstractContextManager[None]:
    """Declare what follows for values of ``name`` from ``number`` on.

    Args:
        hp: Where it is declared.
        name: An integer parameter.
        number: Its lowest value that counts; at or below the lowest it has, all do.
        limits: Its lowest and highest value.
    """
    low, high = limits
    if number <= low:
        return nullcontext()
    return hp.conditional_scope(name, list(range(number, high + 1)))  # type: ignore[no-any-return]


def pooling_factors(side: int) -> list[int]:
    """Return up to three powers of two that leave enough of ``side``, the largest last."""
    factors = [1]
    while side // (2 * factors[-1]) >= MIN_POOLED_SIDE:
        factors.append(2 * factors[-1])
    return factors[-3:]


def usual_pooling(side: int, factors: Sequence[int]) -> int:
    """Return the factor whose picture comes closest to 48 pixels, from below."""
    return next((factor for factor in factors if side // factor <= 48), factors[-1])


def first_stride(x: tf.Tensor) -> int:
    """Return the stride of a network's first convolution.

    A large picture is seen whole, at every second pixel: the first layers would otherwise take
    most of the time of every trial and of every inference.
    """
    return 2 if max(x.shape[1:3]) > STRIDE_SIDE else 1


def smaller_side(x: tf.Tensor) -> int:
    """Return the shorter side of feature maps, in pixels."""
    return int(min(x.shape[1:3]))


@tf_keras.saving.register_keras_serializable(package="spaces")
class Averaging(tf_keras.initializers.Initializer):  # type: ignore[misc]  # it has no types
    """Kernel of a convolution that averages every channel by itself."""

    def __call__(
        self, shape: Sequence[int], dtype: tf.DType | None = None, **_: object
    ) -> tf.Tensor:
        """Return ``[height, width, channels, channels]``."""
        height, width, channels = shape[:3]
        return tf.tile(
            tf.eye(channels, dtype=dtype)[None, None] / (height * width), [height, width, 1, 1]
        )


def averaging(factor: int, channels: int, name: str) -> tf_keras.layers.Layer:
    """Return average pooling as a convolution, which is not trained.

    LiteRT's full-integer average pooling is slow: halving a colour picture of 96x96 takes 54 us,
    where this takes 6 and all of a usual network behind it 20. In float32 it is 8 against 11 us.
    """
    return tf_keras.layers.Conv2D(
        channels,
        factor,
        strides=factor,
        use_bias=False,
        kernel_initializer=Averaging(),
        trainable=False,
        name=name,
    )


def convolution(
    filters: int,
    strides: int,
    separable: bool,
    name: str,
    *,
    kernel: int = 3,
    padding: str = "same",
) -> tf_keras.layers.Layer:
    """Return a linear convolution without bias, which the normalization after it has."""
    if separable:
        return tf_keras.layers.SeparableConv2D(
            filters,
            kernel,
            strides=strides,
            padding=padding,
            use_bias=False,
            depthwise_initializer="he_normal",
            pointwise_initializer="he_normal",
            name=name,
        )
    return tf_keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )


def normalization(name: str) -> tf_keras.layers.Layer:
    """Return the batch normalization that belongs right behind a convolution."""
    return tf_keras.layers.BatchNormalization(momentum=NORMALIZATION_MOMENTUM, name=name)


def hidden_dense(units: int, name: str) -> tf_keras.layers.Layer:
    """Return a dense layer with ReLU."""
    return tf_keras.layers.Dense(
        units, activation="relu", kernel_initializer="he_normal", name=name
    )


def mean_of_maps(x: tf.Tensor) -> tf.Tensor:
    """Average every feature map."""
    return tf_keras.layers.GlobalAveragePooling2D(name="average")(x)


def flat(x: tf.Tensor) -> tf.Tensor:
    """Lay all values of the feature maps in a row."""
    return tf_keras.layers.Flatten(name="flatten")(x)
