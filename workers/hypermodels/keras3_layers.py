"""A layer of Keras 3 as the same layer of Keras 2, from its configuration.

Most layers have the same arguments in both. Renamed ones have a table; an argument that Keras 2
lacks must have its default, with which the layer is what it is in Keras 2.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from spaces.errors import TaskError

RENAMED: Mapping[str, Mapping[str, str]] = {
    "LeakyReLU": {"negative_slope": "alpha"},
    "MultiHeadAttention": {"num_query_heads": "num_heads"},
}
"""Arguments by class that have another name in Keras 2."""

ACTIVATIONS: Mapping[str, str] = {
    **{
        name: name
        for name in (
            "elu exponential gelu linear mish relu selu sigmoid softmax softplus softsign tanh"
        ).split()
    },
    "silu": "swish",
    "swish": "swish",
}
"""Activation functions that are the same in both, with their names in Keras 2. Its
``hard_sigmoid`` and ``leaky_relu`` are other functions."""

_IGNORED = ("build_config", "seed", "quantization_config", "zero_output_for_mask")


def from_keras3(layer: Any) -> tuple[Any, str]:
    """Return a Keras 2 layer, not yet built, and the activation that is to follow it.

    Args:
        layer: Of Keras 3.

    Returns:
        The layer; and the name of the activation function that is no argument of it, as Keras 2
        has no such one, or ``linear``.

    Raises:
        TaskError: If Keras 2 has no such layer.
    """
    import tf_keras

    kind = type(layer)
    if not _is_own(kind):
        raise TaskError("is a class of its own")
    name = kind.__name__
    if name == "Lambda":
        return _lambda(layer), "linear"
    if name == "Normalization":
        return _normalization(layer), "linear"
    twin = getattr(tf_keras.layers, name, None)
    if twin is None:
        raise TaskError("has no counterpart in Keras 2")
    config = _config(layer)
    inner = config.get("recurrent_activation", "linear")
    if inner not in ACTIVATIONS:
        raise TaskError(f"has the activation {inner} in its loop, which Keras 2 lacks")
    follows = "linear"
    activation = getattr(layer, "activation", None)
    if activation is not None and "activation" in config:
        own = getattr(activation, "__name__", "")
        if not _is_builtin(activation):
            config["activation"] = activation  # A function of TensorFlow, or of the user.
        elif own in ACTIVATIONS:
            config["activation"] = ACTIVATIONS[own]
        elif hasattr(layer, "cell"):
            raise TaskError(f"has the activation {own} in its loop, which Keras 2 lacks")
        else:
            config["activation"], follows = "linear", own
    return _made(kind, twin, config), follows


def _made(kind: type, twin: type, config: Mapping[str, Any]) -> Any:
    translated = translate(kind, twin, config)
    activation = translated.get("activation")
    if callable(activation):
        # No description of it would be found again.
        translated["activation"] = "linear"
        made = twin.from_config(translated)  # type: ignore[attr-defined]
        made.activation = activation
        return made
    if kind.__name__ == "MultiHeadAttention":
        return twin(**translated)  # Its description holds shapes, too.
    return twin.from_config(translated)  # type: ignore[attr-defined]


def _config(layer: Any) -> dict[str, Any]:
    """Return a layer's configuration; that of an activation of the user's own is no text."""
    import keras

    activation = getattr(layer, "activation", None)
    if activation is None or _is_builtin(activation):
        return dict(layer.get_config())
    layer.activation = keras.activations.linear
    try:
        return dict(layer.get_config())
    finally:
        layer.activation = activation


def translate(kind: type, twin: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a layer's class in Keras 2.

    Args:
        kind: The class in Keras 3.
        twin: The class in Keras 2.
        config: ``get_config()`` of the layer.

    Raises:
        TaskError: If one of them has no counterpart, and is not its default.
    """
    known = _arguments(twin)
    defaults = _arguments(kind)
    found: dict[str, Any] = {}
    for key, value in config.items():
        own = RENAMED.get(kind.__name__, {}).get(key, key)
        if key == "dtype":
            found["dtype"] = _policy(value)
        elif own in known or own in ("name", "trainable"):
            found[own] = _plain(value)
        elif key in _IGNORED or value is None or value is False:
            continue
        elif (key, value) == ("data_format", "channels_last"):
            continue  # What else there is, Keras 2 says with that argument.
        elif key not in defaults or value != defaults[key].default:
            raise TaskError(f"has {key}={value!r}, which Keras 2 lacks")
    return found


def _arguments(kind: type) -> dict[str, inspect.Parameter]:
    found: dict[str, inspect.Parameter] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.partition(".")[0] not in ("keras", "tf_keras"):
            continue
        if "__init__" in vars(base) and not base.__name__ == "Layer":
            parameters = inspect.signature(vars(base)["__init__"]).parameters
            # What a class does not hand on to its base is not among its arguments.
            if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
                found = {}
            found.update(parameters)
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {
        name: parameter
        for name, parameter in found.items()
        if name != "self" and parameter.kind not in variable
    }


def _plain(value: Any) -> Any:
    """Return a part of a configuration as Keras 2 writes it.

    Raises:
        TaskError: If it is an object of a class of the user's own, or of one that Keras 2 lacks.
    """
    import keras
    import tf_keras

    if isinstance(value, Mapping):
        if "class_name" not in value:
            return {key: _plain(each) for key, each in value.items()}
        name, module = value["class_name"], str(value.get("module") or "")
        if name == "DTypePolicy":
            return _policy(value)
        if module.startswith("keras.layers"):
            kind, twin = getattr(keras.layers, name), getattr(tf_keras.layers, name, None)
            if twin is None:
                raise TaskError(f"has a {name} in it, which Keras 2 lacks")
            return {"class_name": name, "config": _checked_cell(kind, twin, value["config"])}
        if module.startswith("keras."):
            place = getattr(tf_keras, module.split(".")[1], None)
            if not hasattr(place, name):
                raise TaskError(f"has a {name}, which Keras 2 lacks")
            known = _arguments(getattr(place, name))
            config = {
                key: _plain(each)
                for key, each in value["config"].items()
                # What draws the first weights does not matter: they are carried over.
                if key in known or not (each is None or module == "keras.initializers")
            }
            return {"class_name": name, "config": config}
        if name == "__tuple__":
            return tuple(_plain(each) for each in value["items"])
        raise TaskError(f"has a {name}, which is a class of its own")
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(each) for each in value)
    return value


def _checked_cell(kind: type, twin: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a layer inside another one, whose activations must be known."""
    config = dict(config)
    for key in ("activation", "recurrent_activation"):
        if key in config:
            if config[key] not in ACTIVATIONS:
                raise TaskError(f"has the activation {config[key]} in it, which Keras 2 lacks")
            config[key] = ACTIVATIONS[config[key]]
    return translate(kind, twin, config)


def _policy(value: Any) -> str:
    """Return the name of a dtype policy."""
    if isinstance(value, Mapping):
        return str(value["config"]["name"])
    return str(getattr(value, "name", value))


def _is_own(kind: type) -> bool:
    """Whether a class is one of Keras's own."""
    return kind.__module__.startswith("keras.")


def _is_builtin(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).startswith("keras.")


def _lambda(layer: Any) -> Any:
    import tf_keras

    return tf_keras.layers.Lambda(
        layer.function,
        arguments=dict(layer.arguments or {}),
        name=layer.name,
        dtype=_policy(layer.dtype_policy),
    )


def _normalization(layer: Any) -> Any:
    """Return a ``Normalization`` with the mean and the variance that the layer has learnt."""
    import numpy as np
    import tf_keras

    mean, variance = getattr(layer, "mean", None), getattr(layer, "variance", None)
    if mean is None or variance is None:
        raise TaskError("has learnt no mean and variance: call adapt(...), or give them")
    return tf_keras.layers.Normalization(
        axis=layer.axis,
        mean=np.asarray(mean).reshape(-1) if np.size(mean) > 1 else float(np.ravel(mean)[0]),
        variance=(
            np.asarray(variance).reshape(-1)
            if np.size(variance) > 1
            else float(np.ravel(variance)[0])
        ),
        invert=layer.invert,
        name=layer.name,
    )
