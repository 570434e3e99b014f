"""A model that a person wrote becomes one that takes our data, where nothing is lost by it.

KerasTuner's guides leave out the ``Input``, or have pictures of ``(28, 28)``, without an axis of
channels. Here every image is ``[height, width, channels]``.
"""

from __future__ import annotations

import math
from typing import Any

from spaces.errors import TaskError
from spaces.wording import one_line


def fitted(model: Any, input_shape: tuple[int, int, int]) -> Any:
    """Return a model with the same layers for images of a shape; the same one if it fits.

    A ``Sequential`` without ``Input`` gets one, and a batch of a fixed size becomes one of any.
    Sizes that are left open are those of the images. Where only the axes differ, as in
    ``(28, 28)`` or ``(784,)``, a ``Reshape`` goes before the first layer. What does not fit stays
    as it is.

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
    if not isinstance(shape, tuple):
        return model
    if len(shape) == len(input_shape) + 1:
        is_open = shape[0] is None and None not in shape[1:]
        return model if is_open and not _takes_integers(model) else _with_input(model, input_shape)
    if None in shape[1:] or math.prod(shape[1:]) != math.prod(input_shape):
        return model
    inputs = tf_keras.Input(input_shape, name="image")
    outputs = model.call(tf_keras.layers.Reshape(shape[1:], name="without_channels")(inputs))
    # Once more from its description: its layers would be in two networks otherwise.
    joined = tf_keras.Model(inputs, outputs, name=model.name)
    clean = tf_keras.Model.from_config(joined.get_config())
    with_weights_of(clean, model)
    return clean


def with_weights_of(copy: Any, model: Any) -> None:
    """Give a copy of a model the same weights, and what layers make of them."""
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers(include_self=False, recursive=True):
        if hasattr(layer, "finalize_state"):  # An adapted Normalization.
            layer.finalize_state()


def _takes_integers(model: Any) -> bool:
    return bool(model.inputs[0].dtype.is_integer)


def _with_input(model: Any, input_shape: tuple[int, int, int]) -> Any:
    """Return a copy of a model, weights included, with another input; itself if it does not fit.

    Raises:
        TaskError: If it works with batches of one size only, or takes whole numbers.
    """
    import tf_keras

    shape = model.input_shape
    if any(
        size not in (None, wanted) for size, wanted in zip(shape[1:], input_shape, strict=True)
    ):
        return model
    stateful = [layer.name for layer in model.layers if getattr(layer, "stateful", False)]
    if stateful:
        raise TaskError(
            f"Layer {stateful[0]!r} is stateful, and goes on from one batch to the next; images "
            f"are shuffled, so write stateful=False."
        )
    dtype = model.inputs[0].dtype
    if dtype.is_integer:
        raise TaskError(
            f"The model's input is {dtype.name}, but images arrive as floats, from 0 to "
            f"255 where the model divides them: write Input without dtype."
        )
    try:
        copy = tf_keras.models.clone_model(
            model, tf_keras.Input(input_shape, name="image"), clone_function=_copied
        )
        with_weights_of(copy, model)
        copy(tf_keras.backend.zeros((2, *input_shape)))
    except Exception as error:
        text = one_line(error, 120)
        raise TaskError(
            f"The model's input is {shape}, and with batches of any size and images of "
            f"{input_shape} it fails ({type(error).__name__}: {text}): write "
            f"Input({input_shape}), without a batch size."
        ) from error
    return copy


def _copied(layer: Any) -> Any:
    """Return a layer like another one, which says nothing of the shape of its input."""
    config = layer.get_config()
    config.pop("batch_input_shape", None)
    return type(layer).from_config(config)
