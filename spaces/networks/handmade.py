"""Families that people wrote by hand for small images: dense layers, LeNet, VGG, a wide dense one.

Only workers import this module. What they are is their shape; the widths are searched, and
what was written by hand lies within them.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras_tuner
import tensorflow as tf
import tf_keras

from spaces.networks.layers import (
    MIN_SIDE_TO_HALVE,
    convolution,
    first_stride,
    flat,
    hidden_dense,
    mean_of_maps,
    normalization,
    smaller_side,
    when_at_least,
)


@dataclass(frozen=True)
class DenseLayers:
    """Dense layers only: an artificial neural network as courses begin with.

    Searched: ``ann_layers`` and ``ann_units_1``... of each.

    Attributes:
        units: Lowest and highest width of each layer; as many pairs as layers at most.
        step: Distance between two widths.
    """

    units: tuple[tuple[int, int], ...] = ((8, 256), (8, 128), (8, 64))
    step: int = 8

    def features(
        self, hp: keras_tuner.HyperParameters, image: tf.Tensor, dropout: float
    ) -> tf.Tensor:
        """Declare the parameters, and build what they say."""
        n_layers = len(self.units)
        layers = hp.Int("ann_layers", 1, n_layers, default=min(2, n_layers))
        x = flat(image)
        for number, (low, high) in enumerate(self.units, start=1):
            with when_at_least(hp, "ann_layers", number, (1, n_layers)):
                units = hp.Int(f"ann_units_{number}", low, high, step=self.step, default=high // 2)
            if number <= layers:
                x = hidden_dense(units, f"dense_{number}")(x)
        return x


@dataclass(frozen=True)
class LeNet:
    """LeNet-5 with ReLU and max pooling: two 5x5 convolutions, two dense layers.

    Searched: ``lenet_filters_1``, ``lenet_filters_2``, ``lenet_units_1``, ``lenet_units_2``.
    By default 6, 16, 120 and 84, as LeCun, Bottou, Bengio and Haffner (1998) had them.
    """

    def features(
        self, hp: keras_tuner.HyperParameters, image: tf.Tensor, dropout: float
    ) -> tf.Tensor:
        """Declare the parameters, and build what they say."""
        filters = (
            hp.Int("lenet_filters_1", 2, 16, step=2, default=6),
            hp.Int("lenet_filters_2", 4, 32, step=4, default=16),
        )
        units = (
            hp.Int("lenet_units_1", 8, 128, step=8, default=120),
            hp.Int("lenet_units_2", 12, 96, step=12, default=84),
        )
        x = image
        # 28 pixels are padded to the 32 that LeNet-5 was drawn for.
        for number, (count, padding) in enumerate(zip(filters, ("same", "valid"), strict=True), 1):
            x = tf_keras.layers.Conv2D(
                count,
                5,
                padding=padding if smaller_side(x) >= 5 else "same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"conv_{number}",
            )(x)
            if smaller_side(x) >= 2:
                x = tf_keras.layers.MaxPooling2D(name=f"pool_{number}")(x)
        x = flat(x)
        for number, width in enumerate(units, 1):
            x = hidden_dense(width, f"dense_{number}")(x)
        return x


RISING_DROPOUT = 0.4
"""Dropout behind the first block, in parts of the rate before the output layer; behind the
blocks after it the rate rises evenly. With 0.5 and three blocks it is 0.2, 0.3, 0.4, 0.5."""


@dataclass(frozen=True)
class VggBlocks:
    """VGG-like: blocks of 3x3 convolutions, each twice as wide as the one before.

    Normalization and ReLU follow each convolution, max pooling and dropout each block, and
    global average pooling and a dense layer all of them.

    Searched: ``vgg_blocks``, ``vgg_convs`` (in each block), ``vgg_filters`` (of the first one)
    and ``vgg_units``.

    Attributes:
        max_filters: Most filters of the first block.
        max_units: Widest dense layer.
    """

    max_filters: int = 64
    max_units: int = 512

    def features(
        self, hp: keras_tuner.HyperParameters, image: tf.Tensor, dropout: float
    ) -> tf.Tensor:
        """Declare the parameters, and build what they say."""
        blocks = hp.Int("vgg_blocks", 2, 3, default=3)
        convs = hp.Int("vgg_convs", 1, 2, default=2)
        filters = hp.Int("vgg_filters", 8, self.max_filters, step=8, default=self.max_filters // 2)
        units = hp.Int("vgg_units", 32, self.max_units, step=32, default=self.max_units // 4)
        x = image
        strides = first_stride(x)
        for block in range(blocks):
            for conv in range(1, convs + 1):
                place = f"{block + 1}_{conv}"
                x = convolution(filters * 2**block, strides, False, f"conv_{place}")(x)
                x = normalization(f"norm_{place}")(x)
                x = tf_keras.layers.ReLU(name=f"relu_{place}")(x)
                strides = 1
            if smaller_side(x) >= MIN_SIDE_TO_HALVE:
                x = tf_keras.layers.MaxPooling2D(name=f"pool_{block + 1}")(x)
            rate = dropout * (RISING_DROPOUT + (1 - RISING_DROPOUT) * block / blocks)
            x = tf_keras.layers.Dropout(rate, name=f"dropout_{block + 1}")(x)
        return hidden_dense(units, "dense")(mean_of_maps(x))


@dataclass(frozen=True)
class FlattenAndDense:
    """Two convolutions, and a dense layer on all that they see: nearly all weights are in it.

    Searched: ``flatten_filters`` (of the first convolution; the second has twice as many) and
    ``flatten_units``.

    Attributes:
        max_units: Widest dense layer.
        step: Distance between two widths.
    """

    max_units: int = 1664
    step: int = 64

    def features(
        self, hp: keras_tuner.HyperParameters, image: tf.Tensor, dropout: float
    ) -> tf.Tensor:
        """Declare the parameters, and build what they say."""
        filters = hp.Int("flatten_filters", 8, 32, step=8, default=16)
        units = hp.Int("flatten_units", self.step, self.max_units, step=self.step, default=256)
        x = image
        strides = first_stride(x)
        for number in (1, 2):
            x = convolution(filters * number, strides, False, f"conv_{number}")(x)
            x = normalization(f"norm_{number}")(x)
            x = tf_keras.layers.ReLU(name=f"relu_{number}")(x)
            if smaller_side(x) >= MIN_SIDE_TO_HALVE:
                x = tf_keras.layers.MaxPooling2D(name=f"pool_{number}")(x)
            strides = 1
        return hidden_dense(units, "dense")(flat(x))
