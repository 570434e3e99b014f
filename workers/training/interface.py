"""What a model takes and gives, found by looking at it: no layer's name says it for sure.

A softmax may stand before a ``Flatten``, in an average of two branches or under a name of its
own; pixels may be divided by 255 within the model, in any of five ways. So a model is run on
inputs that are known, and what comes out says what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from workers.training.losses import Interface, ends_in_softmax

if TYPE_CHECKING:
    import numpy.typing as npt

PIXELS = 255.0
"""Highest value of a pixel, which networks see as 1 unless they divide it themselves."""

N_PROBES = 8
"""Inputs that a model is run on, for each of the weights it is tried with."""

N_WEIGHTS = 3
"""Weights tried: its own, and others around them. What starts at zero tells nothing by itself."""

SUM_TOLERANCE = 1e-3

_SMALL_SLOPE = 1 / 50
_FAR_ZERO = 10.0
"""A model takes pixels from 0 to 255 if what it does to them first shrinks 0..1 to a fiftieth, or
has its zero, which is about the mean of what it takes, ten times beyond 1."""


def observed(model: Any, images: npt.NDArray[Any] | None = None) -> Interface:
    """Return what a model takes and gives.

    Args:
        model: Built Keras 2 model with one input and one output of rank 2; left as it was.
        images: Some that it is to see, as in a data set; None for random ones only.
    """
    are_bytes = images is None or images.dtype == np.uint8
    factor = PIXELS if are_bytes and takes_bytes(model) else 1.0
    ending = _plain_ending(model)
    if ending is not None:
        return Interface(are_logits=ending == "linear", factor=factor)
    return Interface(are_logits=not _gives_probabilities(model, factor, images), factor=factor)


def as_before(model: Any) -> Interface:
    """Return what earlier versions took a model for, by the name of its last layer."""
    return Interface(are_logits=not ends_in_softmax(model))


def range_notes(
    model: Any, interface: Interface, images: npt.NDArray[Any] | None
) -> tuple[str, ...]:
    """Return what a person should know of the range of a model's input, one line each."""
    if interface.factor != 1.0:
        return (
            "The model brings pixels from 0..255 to its own range, and gets them so, also in "
            "training; the files that are deployed take pictures from 0 to 1 as all others do.",
        )
    if images is not None and images.dtype != np.uint8 and takes_bytes(model):
        low, high = float(images.min()), float(images.max())
        if high <= 1.0:
            return (
                f"The model brings numbers from 0..255 to its own range, but the arrays hold "
                f"{low:g} to {high:g}: give uint8 images, or leave the rescaling out of the "
                f"model.",
            )
    return ()


def takes_bytes(model: Any) -> bool:
    """Whether a model takes pixels from 0 to 255, and brings them to another range itself.

    Looked at is what happens before the first layer that learns: a ``Rescaling``, a
    ``Normalization``, a ``Lambda``, plain arithmetic, a layer of one's own, also of a model within
    the model.
    """
    import tf_keras

    mapped = _first_map(model)
    if mapped is None:
        return False
    source, tensor = mapped
    try:
        first = tf_keras.Model(source, tensor)
        shape = tuple(1 if n is None else n for n in source.shape[1:])
        values = np.array([0.0, 1.0, PIXELS], np.float32)
        inputs = np.ones((3, *shape), np.float32) * values.reshape(-1, *(1 for _ in shape))
        found = np.asarray(first(inputs, training=False), np.float64).reshape(3, -1)
    except Exception:  # Code of one's own may take no such input: then nothing is known.
        return False
    at_0, at_1, at_255 = found.mean(axis=1)
    slope = (at_255 - at_0) / PIXELS
    if not np.isfinite(found).all() or slope == 0:
        return False
    if abs(at_1 - at_0 - slope) > 0.1 * abs(slope):
        return False  # Not in proportion: no change of range.
    return bool(abs(slope) <= _SMALL_SLOPE or -at_0 / slope > _FAR_ZERO)


def _first_map(model: Any) -> tuple[Any, Any] | None:
    """Return input and output of what a model does before its first layer that learns."""
    import tf_keras

    inputs = getattr(model, "inputs", None)
    if not inputs or len(inputs) != 1:
        return None
    layer = inputs[0]._keras_history.layer
    source = tensor = inputs[0]
    n_values = int(np.prod([1 if n is None else n for n in source.shape[1:]]))
    inside = {id(each) for each in model.layers}
    while True:
        # A layer may stand in several models.
        nodes = [
            node
            for node in layer.outbound_nodes
            if id(node.layer) in inside and any(each is tensor for each in node.keras_inputs)
        ]
        if len(nodes) != 1:
            break
        following = nodes[0].layer
        if hasattr(following, "layers"):
            if tensor is source:
                return _first_map(following)
            break
        if following.trainable_weights or isinstance(following, tf_keras.layers.Flatten):
            break
        output = nodes[0].outputs
        if isinstance(output, (list, tuple)):
            break
        if int(np.prod([1 if n is None else n for n in output.shape[1:]])) != n_values:
            break
        layer, tensor = following, output
    return None if tensor is source else (source, tensor)


def _plain_ending(model: Any) -> str | None:
    """Return the activation of the very last layer where that leaves no doubt."""
    import tf_keras

    layer = model.get_layer(model.output_names[0])
    while hasattr(layer, "layers"):  # A model within the model.
        layer = layer.get_layer(layer.output_names[0])
    activations = tf_keras.activations
    if type(layer) is tf_keras.layers.Softmax:
        return "softmax"
    if type(layer) not in (tf_keras.layers.Dense, tf_keras.layers.Activation):
        return None
    if layer.activation is activations.softmax:
        return "softmax"
    if layer.activation is activations.linear and type(layer) is tf_keras.layers.Dense:
        return "linear"
    return None


def _gives_probabilities(model: Any, factor: float, images: npt.NDArray[Any] | None) -> bool:
    """Whether all outputs are in [0, 1], with any weights.

    Of several units they add up to 1 after a softmax; sigmoids are probabilities each.
    """
    rng = np.random.default_rng(0)
    shape = tuple(16 if n is None else n for n in model.input_shape[1:])
    probes = [rng.random((N_PROBES, *shape)), 3.0 * rng.standard_normal((N_PROBES, *shape))]
    if images is not None and images.shape[1:] == shape and len(images):
        real = np.asarray(images[:N_PROBES], np.float64)
        probes.append(real / PIXELS if images.dtype == np.uint8 else real)
    inputs = (factor * np.concatenate(probes)).astype(np.float32)
    for number in range(N_WEIGHTS):
        with _other_weights(model, rng if number else None):
            found = np.asarray(model(inputs, training=False), np.float64)
        found = found[np.isfinite(found).all(axis=1)]
        if found.min(initial=0.0) < -SUM_TOLERANCE or found.max(initial=0.0) > 1 + SUM_TOLERANCE:
            return False
    return True


@contextmanager
def _other_weights(model: Any, rng: np.random.Generator | None) -> Iterator[None]:
    """Have weights that learn somewhere else within the block."""
    if rng is None:
        yield
        return
    kept = [np.array(variable) for variable in model.trainable_variables]
    try:
        for variable, value in zip(model.trainable_variables, kept, strict=True):
            spread = 0.3 + float(value.std())
            variable.assign(value + spread * rng.standard_normal(value.shape).astype(value.dtype))
        yield
    finally:
        for variable, value in zip(model.trainable_variables, kept, strict=True):
            variable.assign(value)
