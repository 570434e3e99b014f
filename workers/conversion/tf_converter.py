"""TensorFlow's converter, run on a Keras model: quietly, for any batch, errors in a line."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from spaces.errors import ConversionError
from spaces.wording import one_line
from workers.conversion.flatbuffer import canonical
from workers.conversion.runtime import invoke, load, outputs, quiet_stderr
from workers.training.losses import interface_of


def converted_for_any_batch(model: Any, **settings: Any) -> bytes:
    """Run the converter; for single images where what it makes for any number does not run.

    Recurrent layers are refused for any number of images, and with ``GroupNormalization`` the
    file does not run.

    Raises:
        ConversionError: If the converter refuses an operation of the model.
    """
    tflite: bytes | None = None
    refused: ConversionError | None = None
    try:
        tflite = _converted(model, **settings)
        if _takes_any_batch(tflite):
            return tflite
    except ConversionError as error:
        refused = error
    with contextlib.suppress(ConversionError):
        single = _converted(model, batch=1, **settings)
        invoke(load(single))
        return single
    if tflite is None:
        assert refused is not None
        raise refused
    return tflite


def _takes_any_batch(tflite: bytes) -> bool:
    """Whether a file runs, and answers each of two images as it answers them alone."""
    shape = load(tflite).get_input_details()[0]["shape"]
    images = np.random.default_rng(0).random((2, *shape[1:]), dtype=np.float32)
    try:
        both, alone = (outputs(tflite, images, batch_size) for batch_size in (2, 1))
    except ConversionError:
        return False
    if both.shape != alone.shape:
        return False
    # Integers may differ by a step where a sum is split otherwise.
    nearly = 2.0
    if np.issubdtype(both.dtype, np.floating):
        nearly = 1e-4 * max(1.0, float(np.abs(np.nan_to_num(alone)).max()))
    return bool(np.allclose(both, alone, rtol=0, atol=nearly, equal_nan=True))


def _converted(model: Any, *, batch: int | None = None, **settings: Any) -> bytes:
    """Run TensorFlow's converter on a Keras model.

    On its frozen graph: ``from_keras_model`` writes a SavedModel to disk and reads it back,
    which takes ten times as long (0.7 to 2.4 s of processor time) and ends in the same network.

    Args:
        model: Keras 2 model.
        batch: Images an invocation; None for any number.
        settings: Attributes of the converter.
    """
    import tensorflow as tf

    try:
        with quiet():
            graph = _traced(model, batch)
            converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], model)
            converter.experimental_lower_to_saved_model = False
            for name, value in settings.items():
                setattr(converter, name, value)
            return canonical(bytes(converter.convert()))
    except Exception as error:
        # The converter raises what its passes raise: there is no common class.
        raise ConversionError(f"TFLite cannot convert the model: {_why(error, model)}") from error


_last_traced: tuple[Callable[[], Any], int | None, Any] = (lambda: None, None, None)


def _traced(model: Any, batch: int | None) -> Any:
    """Return the graph of a model's inference, traced once for conversions in a row.

    It reads the weights from the model's variables: training does not make it outdated.
    """
    import tensorflow as tf

    global _last_traced
    if _last_traced[0]() is not model or _last_traced[1] != batch:
        factor = interface_of(model).factor
        inference = tf.function(
            lambda images: model(images if factor == 1.0 else factor * images, training=False),
            autograph=False,
        )
        # A batch of any size, so that LiteRT can resize it even where a layer reshapes.
        images = tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32)
        _last_traced = (weakref.ref(model), batch, inference.get_concrete_function(images))
    return _last_traced[2]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what converters print, log and warn of off the terminal; failures are exceptions."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            quiet_stderr(),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


_NO_OPERATION = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")


def _why(error: BaseException, model: Any) -> str:
    """Return why the converter refuses a model, in a line that names operations and layers."""
    missing = dict.fromkeys(_NO_OPERATION.findall(str(error)))
    if not missing:
        return reason(error)
    layers = _layers_of(missing, model)
    return "; ".join(
        f"LiteRT has no operation tf.{name}"
        + (f", which layer {layers[name]!r} uses" if name in layers else "")
        for name in missing
    )


def _layers_of(operations: Iterable[str], model: Any) -> dict[str, str]:
    """Return the layer that uses each of some operations of TensorFlow, where it is known."""
    found: dict[str, str] = {}
    names = {layer.name for layer in model.layers}
    for operation in _last_traced[2].graph.get_operations() if _last_traced[2] else ():
        if operation.type in operations:
            scopes = [scope for scope in operation.name.split("/") if scope in names]
            found.update({operation.type: scopes[0]} if scopes else {})
    return found


def reason(error: BaseException) -> str:
    """Return what went wrong, without the traceback that the converter puts around it."""
    _, marker, after = str(error).partition(": error: ")
    text = after.partition("\n")[0] if marker else str(error)
    return one_line(text, 300) or type(error).__name__
