"""DropBlock: dropout for feature maps, which takes out squares instead of single values.

A single value that is missing can be read off its neighbours, a whole square cannot. Only
workers import this module: it needs tf_keras, which imports TensorFlow. A network uses it like
any layer, best behind a ReLU:

    x = tf_keras.layers.ReLU()(x)
    x = DropBlock(0.1, block_size=3)(x)

It does nothing but in training. Neither the converted model nor the copy that is trained
quantization-aware has it: TFMOT would refuse the layer (see ``workers.training.qat``).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from spaces.config.checks import is_int, is_number, require


@tf_keras.saving.register_keras_serializable(package="spaces")
class DropBlock(tf_keras.layers.Layer):  # type: ignore[misc]  # it has no types
    """Sets random squares of every channel to zero (Ghiasi, Lin and Le, 2018).

    Args:
        rate: Share of values that are taken out, about, in [0, 1); overlapping squares make it
            a little less. What is left is scaled up, so that the sum stays.
        block_size: Side of a square, at least 1, which is dropout by value; at most the whole
            map is taken.
        **kwargs: Of every Keras layer, such as ``name``.

    Raises:
        ConfigError: If a value breaks these rules.
    """

    def __init__(self, rate: float, block_size: int = 3, **kwargs: Any) -> None:
        require(is_number(rate) and 0 <= rate < 1, "0 <= rate < 1", rate=rate)
        require(is_int(block_size) and block_size >= 1, "1 <= block_size", block_size=block_size)
        super().__init__(**kwargs)
        self.rate = rate
        self.block_size = block_size
        self.supports_masking = True

    def call(self, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
        """Take squares out of ``[batch, height, width, channels]``, in training."""
        if self.rate == 0:
            return inputs
        return tf_keras.backend.in_train_phase(
            lambda: inputs * tf.cast(self._scaled_mask(inputs), inputs.dtype), inputs, training
        )

    def _scaled_mask(self, inputs: tf.Tensor) -> tf.Tensor:
        height, width, channels = inputs.shape[1:]
        size = min(self.block_size, height, width)
        rows, columns = height - size + 1, width - size + 1
        # So many corners that their squares cover the wanted share, overlaps not counted.
        share = self.rate / size**2 * (height * width) / (rows * columns)
        shape = [tf.shape(inputs)[0], rows, columns, channels]
        corners = tf.cast(tf.random.uniform(shape) < share, tf.float32)
        border = [[0, 0], [size - 1, size - 1], [size - 1, size - 1], [0, 0]]
        kept = 1.0 - tf.nn.max_pool2d(tf.pad(corners, border), size, 1, "VALID")
        return kept * (tf.cast(tf.size(kept), tf.float32) / tf.maximum(tf.reduce_sum(kept), 1.0))

    def get_config(self) -> dict[str, Any]:
        """Return what Keras saves of the layer."""
        return {**super().get_config(), "rate": self.rate, "block_size": self.block_size}
