"""Families for sensor readings: convolutions along time, plain or separable.

Only workers import this module. A signal is ``[1, time, channels]``, so that kernels of one row
are one-dimensional: Conv2D is what TFMOT prunes and quantizes, and LiteRT runs fastest. Dense
layers alone (:class:`spaces.networks.handmade.DenseLayers`) suit rows of features.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras_tuner
import tensorflow as tf
import tf_keras

from spaces.networks.layers import flat, hidden_dense, mean_of_maps, normalization, when_at_least


@dataclass(frozen=True)
class TimeConvolutions:
    """Convolutions along time, each halving it where it is long enough.

    Searched: ``<name>_blocks``, ``<name>_kernel``, ``<name>_filters_1``..., ``<name>_head`` and,
    before a flattened map, ``<name>_units``.

    Attributes:
        name: What its parameters begin with.
        separable: Whether each is a depthwise one along time and a pointwise one.
        filters: Lowest and highest number of filters of each block.
        kernels: Readings that a kernel sees.
        step: Distance between two numbers of filters.
        units: Lowest and highest width of the dense layer of the ``flatten`` head.
    """

    name: str
    separable: bool = False
    filters: tuple[tuple[int, int], ...] = ((8, 32), (8, 64), (16, 64), (16, 96))
    kernels: tuple[int, ...] = (3, 5, 9)
    step: int = 8
    units: tuple[int, int] = (16, 64)

    def features(
        self, hp: keras_tuner.HyperParameters, image: tf.Tensor, dropout: float
    ) -> tf.Tensor:
        """Declare the parameters, and build what they say."""
        n_blocks = len(self.filters)
        blocks = hp.Int(f"{self.name}_blocks", 1, n_blocks, default=2)
        kernel = hp.Choice(f"{self.name}_kernel", list(self.kernels), default=self.kernels[0])
        x = image
        for number, (low, high) in enumerate(self.filters, start=1):
            with when_at_least(hp, f"{self.name}_blocks", number, (1, n_blocks)):
                filters = hp.Int(
                    f"{self.name}_filters_{number}", low, high, step=self.step, default=high // 2
                )
            if number <= blocks:
                x = self._block(x, filters, kernel, number)
        head = hp.Choice(f"{self.name}_head", ["average", "flatten"], default="average")
        with hp.conditional_scope(f"{self.name}_head", ["flatten"]):
            units = hp.Int(f"{self.name}_units", *self.units, step=self.step, default=32)
        if head == "average":
            return mean_of_maps(x)
        return hidden_dense(units, "dense")(flat(x))

    def _block(self, x: tf.Tensor, filters: int, kernel: int, number: int) -> tf.Tensor:
        time = int(x.shape[2])
        kernel = min(kernel, time)
        stride = 2 if time >= 2 * kernel else 1
        layers = tf_keras.layers
        # TFMOT folds a normalization into the convolution before it, so they stand side by side.
        if self.separable and number > 1:
            x = layers.DepthwiseConv2D(
                (1, kernel), padding="same", use_bias=False, name=f"depthwise_{number}"
            )(x)
            x = layers.ReLU(name=f"depthwise_relu_{number}")(
                normalization(f"depthwise_norm_{number}")(x)
            )
            x = layers.Conv2D(filters, 1, use_bias=False, name=f"pointwise_{number}")(x)
        else:
            x = layers.Conv2D(
                filters, (1, kernel), padding="same", use_bias=False, name=f"conv_{number}"
            )(x)
        x = layers.ReLU(name=f"relu_{number}")(normalization(f"norm_{number}")(x))
        if stride > 1:
            x = layers.MaxPooling2D((1, stride), name=f"pool_{number}")(x)
        return x
