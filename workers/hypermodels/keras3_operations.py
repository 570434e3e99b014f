"""Operations of Keras 3's graphs (``x + y``, ``keras.ops.mean``) on tensors of Keras 2.

Where Keras 2 has a layer for one, that is taken: pruning, quantization and whoever loads the
model know layers. Others become TensorFlow's functions, which Keras 2 records as layers too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spaces.errors import TaskError
from spaces.wording import kind_and_line


def applied(operation: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return what an operation of Keras 3 gives for tensors of Keras 2.

    Args:
        operation: An instance of ``keras.Operation`` that is no layer.
        args: Its arguments, tensors among them.
        kwargs: Those given by name.

    Raises:
        TaskError: If it cannot be said in Keras 2.
    """
    name = type(operation).__name__
    make = _LAYERS.get(name)
    made = None if make is None else make(operation, *args, **kwargs)
    if made is not None:
        return made
    try:
        # Keras 3 runs TensorFlow's functions, and Keras 2 listens to those.
        return operation.call(*args, **kwargs)
    except Exception as error:
        raise TaskError(f"cannot be said in Keras 2 ({kind_and_line(error, 80)})") from error


def activation(name: str, tensor: Any) -> Any:
    """Return an activation function of Keras 3 applied to a tensor of Keras 2.

    Raises:
        TaskError: If it cannot be said in Keras 2.
    """
    import keras
    import tensorflow as tf

    by_hand: dict[str, Callable[[Any], Any]] = {
        "relu6": tf.nn.relu6,
        "hard_sigmoid": lambda x: tf.nn.relu6(x + 3.0) * (1.0 / 6.0),
        "hard_silu": lambda x: x * (tf.nn.relu6(x + 3.0) * (1.0 / 6.0)),
        "leaky_relu": lambda x: tf.nn.leaky_relu(x, alpha=0.2),
        "log_softmax": tf.nn.log_softmax,
        "log_sigmoid": tf.math.log_sigmoid,
        "hard_tanh": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    }
    by_hand["hard_swish"] = by_hand["hard_silu"]
    function = by_hand.get(name) or keras.activations.get(name)
    try:
        return function(tensor)
    except Exception as error:
        raise TaskError(f"has the activation {name}, which Keras 2 lacks") from error


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "type_spec")


def _merging(layer_name: str) -> Callable[..., Any]:
    """Take a merging layer for two tensors of one shape; another way is right for the rest."""

    def make(operation: Any, x1: Any, x2: Any) -> Any:
        import tf_keras

        if _is_tensor(x1) and _is_tensor(x2) and x1.shape == x2.shape:
            return getattr(tf_keras.layers, layer_name)(name=operation.name)([x1, x2])
        return None

    return make


def _concatenate(operation: Any, tensors: Any) -> Any:
    import tf_keras

    return tf_keras.layers.Concatenate(axis=operation.axis, name=operation.name)(list(tensors))


def _reshape(operation: Any, x: Any) -> Any:
    import tf_keras

    shape = tuple(operation.newshape)
    if shape[0] not in (-1, None) or None in shape[1:]:
        return None
    return tf_keras.layers.Reshape(shape[1:], name=operation.name)(x)


def _activation(name: str) -> Callable[..., Any]:
    def make(operation: Any, x: Any) -> Any:
        import tf_keras

        return tf_keras.layers.Activation(name, name=operation.name)(x)

    return make


def _softmax(operation: Any, x: Any) -> Any:
    import tf_keras

    return tf_keras.layers.Softmax(axis=operation.axis, name=operation.name)(x)


def _relu(operation: Any, x: Any) -> Any:
    import tf_keras

    return tf_keras.layers.ReLU(name=operation.name)(x)


def _relu6(operation: Any, x: Any) -> Any:
    import tf_keras

    return tf_keras.layers.ReLU(6.0, name=operation.name)(x)


def _pooled(layer_name: str) -> Callable[..., Any]:
    """Take global pooling for a mean or a maximum over both axes of pictures."""

    def make(operation: Any, x: Any) -> Any:
        import tf_keras

        axes = operation.axis
        axes = {axes} if isinstance(axes, int) else set(axes or ())
        if len(x.shape) != 4 or axes not in ({1, 2}, {-3, -2}):
            return None
        layer = getattr(tf_keras.layers, layer_name)
        return layer(keepdims=bool(operation.keepdims), name=operation.name)(x)

    return make


_LAYERS: Mapping[str, Callable[..., Any]] = {
    "Add": _merging("Add"),
    "Subtract": _merging("Subtract"),
    "Multiply": _merging("Multiply"),
    "Maximum": _merging("Maximum"),
    "Minimum": _merging("Minimum"),
    "Concatenate": _concatenate,
    "Reshape": _reshape,
    "Relu": _relu,
    "Relu6": _relu6,
    "Softmax": _softmax,
    "Sigmoid": _activation("sigmoid"),
    "Tanh": _activation("tanh"),
    "Silu": _activation("swish"),
    "Mean": _pooled("GlobalAveragePooling2D"),
    "Max": _pooled("GlobalMaxPooling2D"),
}
"""Layers of Keras 2 by the name of an operation's class; None where there is none after all."""
