"""A moving average of the weights: what is validated, pruned, converted and kept.

Late in training weights jump about a good place; their average lies nearer to it, most of all
where the learning rate stays high. It also takes in what normalization and quantization learn of
activations, which belongs to the weights it was learned with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

WARMUP_STEPS = 10
"""Early on the average is over the steps so far: the random weights of the start would
otherwise stay in it for long. After ``t`` steps the latest weights count ``9 / (t + 10)``."""


class Average:
    """The average of a model's weights over the latest steps.

    The training loop calls :meth:`update` in its graph after every step. Between
    :meth:`swap_in` and :meth:`swap_out` the model has the average, and its masked weights are
    zero: the average of a weight that was pruned on the way would not be.

    Args:
        model: Built Keras 2 model; averaging starts from its weights.
        ema: Time constant as a fraction of the training, above 0.
        total_steps: Steps of the whole training.
        masks: Kernels and their masks of zeros and ones.
    """

    def __init__(
        self, model: Any, ema: float, total_steps: int, masks: Sequence[tuple[Any, Any]] = ()
    ) -> None:
        import tensorflow as tf

        self._decay = math.exp(-1.0 / max(1.0, ema * total_steps))
        self._masks = tuple(masks)
        self._pairs = [
            (variable, tf.Variable(variable, trainable=False))
            for variable in model.variables
            if variable.dtype.is_floating
        ]
        # Variables too, so that whoever keeps the state of a training has them.
        self._latest = [tf.Variable(variable, trainable=False) for variable, _ in self._pairs]

    def update(self, step: Any) -> None:
        """Let the weights after a step, counted from 0, into the average."""
        import tensorflow as tf

        n_before = tf.cast(step, tf.float32)
        share = tf.maximum(1.0 - self._decay, (WARMUP_STEPS - 1) / (n_before + WARMUP_STEPS))
        for variable, average in self._pairs:
            average.assign_add((variable - average) * tf.cast(share, variable.dtype))

    def swap_in(self) -> None:
        """Give the model the average, and remember the weights that it had."""
        for (variable, average), latest in zip(self._pairs, self._latest, strict=True):
            latest.assign(variable)
            variable.assign(average)
        for kernel, mask in self._masks:
            kernel.assign(kernel * mask)

    def swap_out(self) -> None:
        """Give the model the weights that it had, to go on training."""
        for (variable, _), latest in zip(self._pairs, self._latest, strict=True):
            variable.assign(latest)
