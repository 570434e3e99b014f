"""Convolutional networks for small images, declared where they are built.

Only workers import this module: it needs keras_tuner and tf_keras, which import TensorFlow.
Layers come from tf_keras (Keras 2), because TFMOT prunes and quantizes nothing else.

What the layers are, and why:

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


class ConvNet(keras_tuner.HyperModel):  # type: ignore[misc]  # it has no types
    """Blocks of convolution and max pooling, then a dense or an averaging head.

    Searched: ``input_pooling``, ``blocks``, ``filters_1``..., ``convolution``, ``head``,
    ``dense_units`` and ``dropout``.

    Args:
        input_shape: Height, width and channels.
        n_classes: Outputs.
        filters: Lowest and highest number of filters of each block; as many pairs as blocks
            at most.
        filter_step: Distance between two numbers of filters.
        min_blocks: Fewest blocks.
        input_pooling: Factors by which the network averages its input before anything else,
            the strongest lever on latency for a camera frame. None for 1, 2, 4... as long as
            ``MIN_POOLED_SIDE`` pixels remain, three at most.
        dense_units: Lowest and highest width of the dense layer of the ``flatten`` head.
        max_dropout: Highest dropout rate before the output layer; 0 takes it out.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        n_classes: int,
        *,
        filters: Sequence[tuple[int, int]] = ((8, 32), (8, 64), (16, 64), (16, 96)),
        filter_step: int = 8,
        min_blocks: int = 2,
        input_pooling: Sequence[int] | None = None,
        dense_units: tuple[int, int] = (16, 128),
        max_dropout: float = 0.5,
    ) -> None:
        super().__init__(name="conv_net")
        self.input_shape = tuple(input_shape)
        self.n_classes = n_classes
        if input_pooling is None:
            input_pooling = _pooling_factors(min(input_shape[:2]))
        self.input_pooling = list(input_pooling)
        self.filters = list(filters)
        self.min_blocks = min(min_blocks, len(self.filters))
        self.filter_step = filter_step
        self.dense_units = dense_units
        self.max_dropout = max_dropout

    def build(self, hp: keras_tuner.HyperParameters) -> tf_keras.Model:
        """Declare the hyperparameters and build the network they give."""
        inputs = x = tf_keras.Input(self.input_shape, name="image")
        pooling = self.input_pooling[0]
        if len(self.input_pooling) > 1:
            pooling = hp.Choice("input_pooling", self.input_pooling, default=self._usual_pooling)
        if pooling > 1:
            x = _averaging(pooling, channels=self.input_shape[2], name="input_pooling")(x)

        n_blocks = len(self.filters)
        blocks = hp.Int("blocks", self.min_blocks, n_blocks, default=min(3, n_blocks))
        separable = hp.Choice("convolution", ["plain", "separable"]) == "separable"
        # A large picture is seen whole, at every second pixel: the first block would otherwise
        # take most of the time of every trial and of every inference.
        strides = 2 if max(x.shape[1:3]) > STRIDE_SIDE else 1
        for number, (low, high) in enumerate(self.filters, start=1):
            with hp.conditional_scope("blocks", list(range(number, n_blocks + 1))):
                filters = hp.Int(
                    f"filters_{number}",
                    low,
                    high,
                    step=self.filter_step,
                    default=low + (high - low) // (2 * self.filter_step) * self.filter_step,
                )
            if number > blocks:
                continue
            x = _convolution(filters, strides, separable, f"conv_{number}")(x)
            x = tf_keras.layers.BatchNormalization(
                momentum=NORMALIZATION_MOMENTUM, name=f"norm_{number}"
            )(x)
            x = tf_keras.layers.ReLU(name=f"relu_{number}")(x)
            if min(x.shape[1:3]) >= MIN_SIDE_TO_HALVE:
                x = tf_keras.layers.MaxPooling2D(name=f"pool_{number}")(x)
            strides = 1

        if hp.Choice("head", ["flatten", "average"], default="average") == "average":
            x = tf_keras.layers.GlobalAveragePooling2D(name="average")(x)
        else:
            x = tf_keras.layers.Flatten(name="flatten")(x)
        low, high = self.dense_units
        dense_units = hp.Int(
            "dense_units", low, high, step=16, parent_name="head", parent_values=["flatten"]
        )
        if dense_units is not None:
            x = tf_keras.layers.Dense(
                dense_units, activation="relu", kernel_initializer="he_normal", name="dense"
            )(x)
        if self.max_dropout > 0:
            x = tf_keras.layers.Dropout(hp.Float("dropout", 0.0, self.max_dropout))(x)
        x = tf_keras.layers.Dense(self.n_classes, name="logits")(x)
        return tf_keras.Model(inputs, tf_keras.layers.Softmax(name="probabilities")(x))

    @property
    def _usual_pooling(self) -> int:
        """The pooling factor whose picture comes closest to 48 pixels, from below."""
        side = max(self.input_shape[:2])
        return next((f for f in self.input_pooling if side // f <= 48), self.input_pooling[-1])


def _pooling_factors(side: int) -> list[int]:
    """Return up to three powers of two that leave enough of ``side``, the largest last."""
    factors = [1]
    while side // (2 * factors[-1]) >= MIN_POOLED_SIDE:
        factors.append(2 * factors[-1])
    return factors[-3:]


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


def _averaging(factor: int, channels: int, name: str) -> tf_keras.layers.Layer:
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


def _convolution(filters: int, strides: int, separable: bool, name: str) -> tf_keras.layers.Layer:
    """Return a linear convolution without bias, which the normalization after it has."""
    if separable:
        return tf_keras.layers.SeparableConv2D(
            filters,
            3,
            strides=strides,
            padding="same",
            use_bias=False,
            depthwise_initializer="he_normal",
            pointwise_initializer="he_normal",
            name=name,
        )
    return tf_keras.layers.Conv2D(
        filters,
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )
