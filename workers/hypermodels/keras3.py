"""A model of Keras 3 rebuilt in Keras 2, layer by layer, where the two are exactly the same.

``import keras`` is Keras 3 today, and KerasTuner's applications build it; pruning, quantization
and conversion know Keras 2. Layers, weights, and what the model is compiled with are carried
over, and the answers of both to random images must be equal. What cannot be is named.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from spaces.errors import TaskError
from spaces.wording import one_line
from workers.hypermodels.keras3_compile import compile_alike
from workers.hypermodels.keras3_layers import from_keras3
from workers.hypermodels.keras3_operations import activation, applied

TOLERANCE = 1e-5
"""How far answers of the two may be apart, as a fraction of the largest."""

TRAINING_TOLERANCE = 1e-4
"""The same in training, where batch normalization adds up in another order."""

N_CHECKED = 2
"""Random images by which the two are compared."""

USUAL_SIZE = 32
"""Of an axis that a model leaves open."""


def is_keras3(model: Any) -> bool:
    """Whether an object is a model of Keras 3."""
    keras = sys.modules.get("keras")
    if keras is None or not getattr(keras, "__version__", "2").startswith("3"):
        return False
    return isinstance(model, keras.Model)


def forget_names() -> None:
    """Have Keras 3, where it is used, number its layers from the beginning."""
    keras = sys.modules.get("keras")
    if keras is not None and getattr(keras, "__version__", "2").startswith("3"):
        keras.utils.clear_session()


def to_keras2(model: Any, input_shape: tuple[int, ...]) -> tuple[Any, tuple[str, ...]]:
    """Return the same model in Keras 2, and notes on what is not in it.

    Args:
        model: Sequential or functional model of Keras 3.
        input_shape: Shape of a sample, for a model without an ``Input``.

    Raises:
        TaskError: If a part of it has no counterpart in Keras 2; names each.
    """
    import keras

    if isinstance(model, keras.Sequential):
        if not model.built:
            model.build((None, *input_shape))
    elif not isinstance(model, keras.src.models.Functional):
        raise TaskError(
            f"build(hp) must return a Sequential or a functional model, but got "
            f"{type(model).__name__}, a subclass of keras.Model, whose layers nothing can prune "
            f"or quantize one by one: return `keras.Model(inputs, outputs)`."
        )
    rebuilding = _Rebuilding()
    rebuilt = rebuilding.model(model)
    if not rebuilding.refused:
        rebuilding.copy_weights()
    if not rebuilding.refused:
        rebuilding.refused.extend(_differences(model, rebuilt, rebuilding.pairs))
    if rebuilding.refused:
        parts = "; ".join(dict.fromkeys(rebuilding.refused))
        raise TaskError(
            f"The Keras 3 model cannot be rebuilt in Keras 2 (tf_keras), which pruning and "
            f"quantization need: {parts}."
        )
    rebuilding.copy_weights()  # A pass in training mode changes moving averages.
    notes = compile_alike(model, rebuilt)
    return rebuilt, (*rebuilding.notes, *notes)


class _Rebuilding:
    """Rebuilds models, nested ones too; a layer that is used twice is one layer again."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []
        self.refused: list[str] = []
        self.notes: list[str] = []
        self._made: dict[int, Callable[..., Any]] = {}

    def model(self, model: Any) -> Any:
        """Return a functional Keras 2 model with the layers of one of Keras 3.

        None if a layer is refused, as those behind it are not connected then.
        """
        import keras
        import tf_keras

        graph = model._functional if isinstance(model, keras.Sequential) else model
        inputs = [_input(tensor) for tensor in graph.inputs]
        outputs = graph._run_through_graph(inputs, call_fn=self._called)
        if self.refused:
            return None
        inputs_alike = inputs[0] if len(inputs) == 1 else inputs
        return tf_keras.Model(inputs_alike, outputs, name=model.name)

    def copy_weights(self) -> None:
        """Give every layer the weights of its counterpart."""
        for layer, twin in self.pairs:
            if type(twin).__name__ == "Normalization":
                continue  # Has its own from the beginning.
            try:
                twin.set_weights([np.asarray(weight) for weight in layer.get_weights()])
            except ValueError:
                self.refused.append(f"{_name(layer)} has weights of other shapes in Keras 2")

    def _called(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        """Call the counterpart of an operation on tensors of Keras 2."""
        import keras

        # What a call of the whole model is told of training goes before what a layer was told
        # when it was connected: so does Keras 3, and Keras 2 does otherwise.
        kwargs = {k: v for k, v in kwargs.items() if v is not None and k != "training"}
        try:
            if isinstance(operation, keras.Layer):
                return self._counterpart(operation)(*args, **kwargs)
            return applied(operation, args, kwargs)
        except TaskError as error:
            why = str(error)
        except Exception as error:
            why = f"cannot be built in Keras 2: {one_line(error, 120)}"
        self.refused.append(f"{_name(operation)} {why}")
        return _stand_ins(operation)

    def _counterpart(self, layer: Any) -> Callable[..., Any]:
        import keras

        if id(layer) not in self._made:
            if isinstance(layer, (keras.Sequential, keras.src.models.Functional)):
                rebuilt = self.model(layer)
                self._made[id(layer)] = rebuilt or (lambda *_, **__: _stand_ins(layer))
            elif _does_nothing_but_train(layer):
                self.notes.append(
                    f"{_name(layer)} changes images in training only, and "
                    f"Keras 2 has no such layer: it is left out."
                )
                self._made[id(layer)] = lambda x, **_: x
            elif _computes_only(layer):
                self._made[id(layer)] = lambda *args, **kwargs: applied(layer, args, kwargs)
            else:
                self._made[id(layer)] = self._layer(layer)
        return self._made[id(layer)]

    def _layer(self, layer: Any) -> Callable[..., Any]:
        twin, follows = from_keras3(layer)
        twin.trainable = layer.trainable
        self.pairs.append((layer, twin))
        if follows == "linear":
            return twin  # type: ignore[no-any-return]
        return lambda *args, **kwargs: activation(follows, twin(*args, **kwargs))


def _name(operation: Any) -> str:
    return f"{type(operation).__name__} {operation.name!r}"


def _input(tensor: Any) -> Any:
    import tf_keras

    return tf_keras.Input(tuple(tensor.shape[1:]), dtype=tensor.dtype, name=tensor.name)


def _stand_ins(operation: Any) -> Any:
    """Return tensors of the shape that an operation gives, to find what else is refused."""
    import tf_keras

    made = [
        tf_keras.Input(tuple(tensor.shape[1:]), dtype=tensor.dtype)
        for tensor in operation._inbound_nodes[0].output_tensors
    ]
    return made[0] if len(made) == 1 else made


def _does_nothing_but_train(layer: Any) -> bool:
    """Whether a layer that Keras 2 lacks has no weights, and gives back what it gets."""
    import tf_keras

    kind = type(layer)
    if kind.__module__.startswith("keras.") and hasattr(tf_keras.layers, kind.__name__):
        return False
    if layer.weights or len(layer._inbound_nodes[0].input_tensors) != 1:
        return False
    shape = layer._inbound_nodes[0].input_tensors[0].shape
    images = _random(shape)
    try:
        return bool(np.array_equal(np.asarray(layer(images, training=False)), images))
    except Exception:
        return False


def _computes_only(layer: Any) -> bool:
    """Whether a layer that Keras 2 lacks has no weights, and does in training what it does then.

    It is what its ``call`` does, one of the user's own too.
    """
    import tf_keras

    kind = type(layer)
    if kind.__module__.startswith("keras.") and hasattr(tf_keras.layers, kind.__name__):
        return False
    return not layer.weights and not layer._call_has_training_arg


def _random(shape: tuple[int | None, ...], dtype: str = "float32") -> Any:
    sizes = [N_CHECKED, *(USUAL_SIZE if size is None else size for size in shape[1:])]
    images = np.random.default_rng(0).random(sizes, dtype=np.float32)
    return images if dtype.startswith(("float", "bfloat")) else (255 * images).astype(dtype)


def _differences(model: Any, rebuilt: Any, pairs: list[tuple[Any, Any]]) -> list[str]:
    """Return which layers answer otherwise than their counterparts; none if both models agree.

    Raises:
        TaskError: If the model of Keras 3 takes no images of the shape that it asks for.
    """
    images = [_random(tuple(tensor.shape), str(tensor.dtype)) for tensor in model.inputs]
    shown = images[0] if len(images) == 1 else images
    try:
        wanted = model(shown, training=False)
    except Exception as error:
        text = one_line(re.sub(r"\x1b\[[0-9;]*m", "", str(error)), 200)
        raise TaskError(f"The Keras 3 model fails on random images: {text}") from error
    in_training = [
        f"{_name(layer)} is another layer in training there"
        for layer, twin in pairs
        if _has_moving_averages(layer)
        and not _agree(layer, twin, TRAINING_TOLERANCE, training=True)
    ]
    if _are_close(wanted, rebuilt(shown, training=False), TOLERANCE):
        return in_training
    found = [
        f"{_name(layer)} is another layer there"
        for layer, twin in pairs
        if not _agree(layer, twin, TOLERANCE, training=False)
    ]
    return found or ["it answers otherwise, although each layer is the same"]


def _has_moving_averages(layer: Any) -> bool:
    """Whether a layer computes otherwise in training, and draws no numbers."""
    return type(layer).__name__ == "BatchNormalization"


def _agree(layer: Any, twin: Any, tolerance: float, *, training: bool) -> bool:
    """Whether two layers alone give the same for random numbers; they do where none fit."""
    shapes = [tuple(tensor.shape) for tensor in layer._inbound_nodes[0].input_tensors]
    if len(shapes) != 1:
        return True
    numbers = _random(shapes[0])
    before = layer.get_weights(), twin.get_weights()
    told = {"training": training} if layer._call_has_training_arg else {}
    try:
        return _are_close(layer(numbers, **told), twin(numbers, **told), tolerance)
    finally:
        layer.set_weights(before[0])
        twin.set_weights(before[1])


def _are_close(wanted: Any, found: Any, tolerance: float) -> bool:
    import tensorflow as tf

    for one, other in zip(tf.nest.flatten(wanted), tf.nest.flatten(found), strict=True):
        a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
        nearly = tolerance * max(1e-3, float(np.abs(a).max(initial=0)))
        if a.shape != b.shape or not np.allclose(a, b, rtol=0, atol=nearly, equal_nan=True):
            return False
    return True
