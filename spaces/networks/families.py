"""Convolutional networks for small images, declared where they are built.

Only workers import this module: it needs keras_tuner and tf_keras, which import TensorFlow.

A :class:`Family` turns an image into features and declares its own parameters on the way;
:class:`Families` puts one of several between the input and the output layer, and lets the
search choose. :class:`ConvNet` is the family that most tasks begin with, alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import keras_tuner
import tensorflow as tf
import tf_keras

from spaces.networks.layers import (
    MIN_SIDE_TO_HALVE,
    averaging,
    convolution,
    first_stride,
    flat,
    hidden_dense,
    mean_of_maps,
    normalization,
    pooling_factors,
    smaller_side,
    usual_pooling,
    when_at_least,
)


class Family(Protocol):
    """One kind of network, without its input and its output layer."""

    def features(
        self, hp: keras_tuner.HyperParameters, image: tf.Tensor, dropout: float
    ) -> tf.Tensor:
        """Declare this family's parameters, and build what they say.

        Names must differ from those of the other families of a task: Optuna allows one range
        a name. What families share is declared by :class:`Families`.

        Args:
            hp: Declares parameters and gives their values.
            image: ``[batch, height, width, channels]``.
            dropout: Rate before the output layer, for families that drop more than that.

        Returns:
            Features, ``[batch, n]``.
        """


class Families(keras_tuner.HyperModel):  # type: ignore[misc]  # it has no types
    """A network of one of several families.

    Searched: ``input_pooling``, ``family`` (where there is a choice), ``dropout``, and the
    parameters of each family while it is chosen.

    Args:
        input_shape: Height, width and channels.
        n_classes: Outputs.
        families: By name, as the database has it; the first one is the default.
        input_pooling: Factors by which the network averages its input before anything else,
            the strongest lever on latency for a camera frame. None for 1, 2, 4... as long as
            ``MIN_POOLED_SIDE`` pixels remain, three at most.
        max_dropout: Highest dropout rate before the output layer; 0 takes it out.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        n_classes: int,
        families: Mapping[str, Family],
        *,
        input_pooling: Sequence[int] | None = None,
        max_dropout: float = 0.5,
    ) -> None:
        super().__init__(name="families")
        self.input_shape = tuple(input_shape)
        self.n_classes = n_classes
        self.families = dict(families)
        if input_pooling is None:
            input_pooling = pooling_factors(min(input_shape[:2]))
        self.input_pooling = list(input_pooling)
        self.max_dropout = max_dropout

    def build(self, hp: keras_tuner.HyperParameters) -> tf_keras.Model:
        """Declare the hyperparameters and build the network they give."""
        inputs = x = tf_keras.Input(self.input_shape, name="image")
        pooling = self.input_pooling[0]
        if len(self.input_pooling) > 1:
            usual = usual_pooling(max(self.input_shape[:2]), self.input_pooling)
            pooling = hp.Choice("input_pooling", self.input_pooling, default=usual)
        if pooling > 1:
            x = averaging(pooling, channels=self.input_shape[2], name="input_pooling")(x)
        names = list(self.families)
        family = names[0] if len(names) == 1 else hp.Choice("family", names)
        dropout = 0.0
        if self.max_dropout > 0:
            dropout = hp.Float("dropout", 0.0, self.max_dropout)
        if len(names) == 1:
            x = self.families[family].features(hp, x, dropout)
        else:
            with hp.conditional_scope("family", [family]):
                x = self.families[family].features(hp, x, dropout)
        if self.max_dropout > 0:
            x = tf_keras.layers.Dropout(dropout)(x)
        x = tf_keras.layers.Dense(self.n_classes, name="logits")(x)
        return tf_keras.Model(inputs, tf_keras.layers.Softmax(name="probabilities")(x))


@dataclass(frozen=True)
class ConvBlocks:
    """Blocks of convolution and max pooling, then a dense or an averaging head.

    Searched: ``blocks``, ``convolution``, ``filters_1``..., ``head``, ``dense_units``; and,
    where there is a choice, ``convs_per_block`` and ``padding``.

    Attributes:
        filters: Lowest and highest number of filters of each block; as many pairs as blocks
            at most.
        filter_step: Distance between two numbers of filters.
        min_blocks: Fewest blocks.
        convs_per_block: Numbers of convolutions in a block.
        paddings: ``same`` keeps the size of the maps, ``valid`` leaves out the borders: less
            work, and less for a dense layer to take in. Maps below 3 pixels are padded always.
        dense_units: Lowest and highest width of the dense layer of the ``flatten`` head; 0 is
            none.
    """

    filters: Sequence[tuple[int, int]]
    filter_step: int = 8
    min_blocks: int = 2
    convs_per_block: Sequence[int] = (1,)
    paddings: Sequence[str] = ("same",)
    dense_units: tuple[int, int] = (16, 128)

    def features(
        self, hp: keras_tuner.HyperParameters, image: tf.Tensor, dropout: float
    ) -> tf.Tensor:
        """Declare the parameters, and build what they say."""
        n_blocks = len(self.filters)
        min_blocks = min(self.min_blocks, n_blocks)
        blocks = hp.Int("blocks", min_blocks, n_blocks, default=min(3, n_blocks))
        separable = hp.Choice("convolution", ["plain", "separable"]) == "separable"
        convs = self.convs_per_block[0]
        if len(self.convs_per_block) > 1:
            convs = hp.Choice("convs_per_block", list(self.convs_per_block))
        padding = self.paddings[0]
        if len(self.paddings) > 1:
            padding = hp.Choice("padding", list(self.paddings))
        x = image
        strides = first_stride(x)
        for number, (low, high) in enumerate(self.filters, start=1):
            with when_at_least(hp, "blocks", number, (min_blocks, n_blocks)):
                filters = hp.Int(
                    f"filters_{number}",
                    low,
                    high,
                    step=self.filter_step,
                    default=low + (high - low) // (2 * self.filter_step) * self.filter_step,
                )
            if number > blocks:
                continue
            for place in ("", *(f"_{n}" for n in range(2, convs + 1))):
                x = convolution(
                    filters,
                    strides,
                    separable,
                    f"conv_{number}{place}",
                    padding=padding if smaller_side(x) >= 3 else "same",
                )(x)
                x = normalization(f"norm_{number}{place}")(x)
                x = tf_keras.layers.ReLU(name=f"relu_{number}{place}")(x)
                strides = 1
            if smaller_side(x) >= MIN_SIDE_TO_HALVE:
                x = tf_keras.layers.MaxPooling2D(name=f"pool_{number}")(x)

        head = hp.Choice("head", ["flatten", "average"], default="average")
        x = mean_of_maps(x) if head == "average" else flat(x)
        low, high = self.dense_units
        units = hp.Int(
            "dense_units", low, high, step=16, parent_name="head", parent_values=["flatten"]
        )
        return hidden_dense(units, "dense")(x) if units else x


class ConvNet(Families):
    """Blocks of convolution and max pooling, then a dense or an averaging head.

    Searched: ``input_pooling``, ``dropout`` and what :class:`ConvBlocks` declares.

    Args:
        input_shape: Height, width and channels.
        n_classes: Outputs.
        filters: As in :class:`ConvBlocks`.
        filter_step: As in :class:`ConvBlocks`.
        min_blocks: As in :class:`ConvBlocks`.
        input_pooling: As in :class:`Families`.
        dense_units: As in :class:`ConvBlocks`.
        max_dropout: As in :class:`Families`.
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
        blocks = ConvBlocks(
            tuple(filters),
            filter_step=filter_step,
            min_blocks=min_blocks,
            dense_units=dense_units,
        )
        super().__init__(
            input_shape,
            n_classes,
            {"cnn": blocks},
            input_pooling=input_pooling,
            max_dropout=max_dropout,
        )
