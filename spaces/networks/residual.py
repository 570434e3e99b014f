"""Families with shortcuts around their convolutions: residual blocks and inverted ones.

Only workers import this module. Every convolution is linear and its normalization right behind
it, also before an addition and behind a depthwise convolution: so TFMOT folds all of them, and
quantization-aware training takes these networks as it takes plain ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras_tuner
import tensorflow as tf
import tf_keras

from spaces.networks.layers import (
    convolution,
    first_stride,
    mean_of_maps,
    normalization,
    smaller_side,
)

MIN_SIDE_TO_STRIDE = 6
"""Pixels along the shorter side that a stage needs to begin with a stride of 2."""


@dataclass(frozen=True)
class ResidualBlocks:
    """A small ResNet: stages of residual blocks, each at half the side and twice the width.

    Searched: ``residual_stages``, ``residual_blocks`` (in each stage) and ``residual_filters``
    (of the first stage). After He, Zhang, Ren and Sun, "Deep residual learning" (2015), with
    projections where the shape changes.

    Attributes:
        max_filters: Most filters of the first stage.
        max_stages: Most stages, at least 2.
        max_blocks: Most blocks in a stage.
    """

    max_filters: int = 32
    max_stages: int = 3
    max_blocks: int = 3

    def features(
        self, hp: keras_tuner.HyperParameters, image: tf.Tensor, dropout: float
    ) -> tf.Tensor:
        """Declare the parameters, and build what they say."""
        stages = hp.Int("residual_stages", 2, self.max_stages, default=min(3, self.max_stages))
        blocks = hp.Int("residual_blocks", 1, self.max_blocks)
        filters = hp.Int("residual_filters", 8, self.max_filters, step=8, default=16)
        x = convolution(filters, first_stride(image), False, "stem_conv")(image)
        x = normalization("stem_norm")(x)
        x = tf_keras.layers.ReLU(name="stem_relu")(x)
        for stage in range(stages):
            for block in range(1, blocks + 1):
                halves = block == 1 and stage > 0 and smaller_side(x) >= MIN_SIDE_TO_STRIDE
                name = f"res_{stage + 1}_{block}"
                x = _residual(x, filters * 2**stage, 2 if halves else 1, name)
        return mean_of_maps(x)


def _residual(x: tf.Tensor, filters: int, strides: int, name: str) -> tf.Tensor:
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = convolution(filters, strides, False, f"{name}_shortcut", kernel=1)(x)
        shortcut = normalization(f"{name}_shortcut_norm")(shortcut)
    x = convolution(filters, strides, False, f"{name}_conv_1")(x)
    x = normalization(f"{name}_norm_1")(x)
    x = tf_keras.layers.ReLU(name=f"{name}_relu_1")(x)
    x = convolution(filters, 1, False, f"{name}_conv_2")(x)
    x = normalization(f"{name}_norm_2")(x)
    x = tf_keras.layers.Add(name=f"{name}_add")([x, shortcut])
    return tf_keras.layers.ReLU(name=f"{name}_relu_2")(x)


@dataclass(frozen=True)
class InvertedResiduals:
    """MobileNetV2, cut down for small images: fewer stages, and strides as long as they fit.

    Searched: ``mobilenet_width`` (times the filters of every stage), ``mobilenet_expansion``
    (of the maps within a block), ``mobilenet_stages``, ``mobilenet_repeats`` (blocks in a stage),
    ``mobilenet_kernel`` (of the depthwise convolutions) and ``mobilenet_stem_stride``. After
    Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2" (2018).

    Attributes:
        filters: Filters of each stage at width 1; as many as stages at most.
        max_expansion: Highest expansion; the paper has 6.
        max_repeats: Most blocks in a stage.
        kernels: Sides of the depthwise kernels, the paper's first. A side of 5 costs few weights,
            and sees more of maps that are halved late.
        stem_strides: Strides of the first convolution, the paper's first. Pictures of 32 pixels
            lose at once what a stride of 2 leaves out.
    """

    filters: tuple[int, ...] = (16, 24, 32, 64)
    max_expansion: int = 6
    max_repeats: int = 2
    kernels: tuple[int, ...] = (3, 5)
    stem_strides: tuple[int, ...] = (2, 1)

    def features(
        self, hp: keras_tuner.HyperParameters, image: tf.Tensor, dropout: float
    ) -> tf.Tensor:
        """Declare the parameters, and build what they say."""
        n_stages = len(self.filters)
        width = hp.Float("mobilenet_width", 0.25, 1.0, step=0.125, default=0.5)
        expansion = hp.Int("mobilenet_expansion", 1, self.max_expansion, default=3)
        stages = hp.Int("mobilenet_stages", 2, n_stages, default=min(3, n_stages))
        repeats = hp.Int("mobilenet_repeats", 1, self.max_repeats)
        kernel = hp.Choice("mobilenet_kernel", list(self.kernels))
        strides = hp.Choice("mobilenet_stem_stride", list(self.stem_strides))
        x = _convolved(image, _wide(self.filters[0], width), 3, "stem", strides=strides)
        for stage in range(stages):
            filters = _wide(self.filters[stage], width)
            for block in range(1, repeats + 1):
                halves = block == 1 and stage > 0 and smaller_side(x) >= MIN_SIDE_TO_STRIDE
                name = f"inverted_{stage + 1}_{block}"
                x = _inverted(x, filters, expansion, kernel, 2 if halves else 1, name)
        x = _convolved(x, expansion * x.shape[-1], 1, "top")
        return mean_of_maps(x)


def _wide(filters: int, width: float) -> int:
    """Return a number of filters times the width, to the nearest multiple of 4."""
    return max(4, 4 * round(filters * width / 4))


def _inverted(
    x: tf.Tensor, filters: int, expansion: int, kernel: int, strides: int, name: str
) -> tf.Tensor:
    shortcut = x if strides == 1 and x.shape[-1] == filters else None
    if expansion > 1:
        x = _convolved(x, expansion * x.shape[-1], 1, f"{name}_expand")
    x = tf_keras.layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_depthwise",
    )(x)
    x = normalization(f"{name}_depthwise_norm")(x)
    x = tf_keras.layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = convolution(filters, 1, False, f"{name}_project", kernel=1)(x)
    x = normalization(f"{name}_project_norm")(x)
    return x if shortcut is None else tf_keras.layers.Add(name=f"{name}_add")([x, shortcut])


def _convolved(x: tf.Tensor, filters: int, kernel: int, name: str, strides: int = 1) -> tf.Tensor:
    x = convolution(filters, strides, False, name, kernel=kernel)(x)
    x = normalization(f"{name}_norm")(x)
    return tf_keras.layers.ReLU(6.0, name=f"{name}_relu")(x)
