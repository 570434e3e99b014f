"""A model that a person wrote becomes one that takes our data, where nothing is lost by it.

KerasTuner's guides leave out the ``Input``, or have pictures of ``(28, 28)``, without an axis of
channels. Here every image is ``[height, width, channels]``.
"""

from __future__ import annotations

import math
from typing import Any

from spaces.errors import TaskError


def fitted(model: Any, input_shape: tuple[int, int, int]) -> Any:
    """Return a model with the same layers for images of a shape; the same one if it fits.

    A ``Sequential`` without ``Input`` gets one. Where only the axes differ, as in ``(28, 28)``
    or ``(784,)``, a ``Reshape`` goes before the first layer. What does not fit stays as it is.

    Args:
        model: Keras 2 model.
        input_shape: Height, width and channels of the images.

    Raises:
        TaskError: If it has no input shape, and none can be given to it.
    """
    import tf_keras

    if isinstance(model, tf_keras.Sequential) and not model.built:
        # Built in place too: a custom training loop calls it, and shares its layers.
        fresh = tf_keras.Sequential([tf_keras.Input(input_shape), *model.layers], name=model.name)
        model.build((None, *input_shape))
        return fresh
    if not (getattr(model, "_is_graph_network", False) and model.built):
        raise TaskError(
            f"build(hp) must return a Sequential or a functional model, but got "
            f"{type(model).__name__}, a subclass of Model, whose layers nothing can prune or "
            f"quantize one by one: return `tf_keras.Model(inputs, outputs)`."
        )
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) == len(input_shape) + 1:
        return model
    if None in shape[1:] or math.prod(shape[1:]) != math.prod(input_shape):
        return model
    inputs = tf_keras.Input(input_shape, name="image")
    outputs = model.call(tf_keras.layers.Reshape(shape[1:], name="without_channels")(inputs))
    # Once more from its description: its layers would be in two networks otherwise.
    joined = tf_keras.Model(inputs, outputs, name=model.name)
    clean = tf_keras.Model.from_config(joined.get_config())
    clean.set_weights(model.get_weights())
    return clean
