"""LiteRT, the runtime that ships: load a model and run batches of images through it.

An artefact counts only after this runtime has loaded and run it: some files convert and then
fail to prepare. Such a failure is a :class:`~spaces.errors.ConversionError`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.errors import ConversionError
from spaces.wording import one_line
from workers.processes.captured import captured

Array = npt.NDArray[Any]

BATCH_SIZE = 10
"""Images an invocation. More spill out of the processor's caches: 600 pictures of 96x96 took 45
ms in tens, 85 ms in hundreds."""


@cache
def runtime_name() -> str:
    """Return runtime, version and kernels, as stored beside every latency."""
    return f"ai-edge-litert {version('ai-edge-litert')} (XNNPACK)"


def fixed_batch(tflite: bytes) -> int | None:
    """Return the one number of images that a file takes an invocation; None for any number.

    Networks with recurrent layers, for example, are converted for single images.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        graph = schema.Model.GetRootAs(tflite, 0).Subgraphs(0)
        tensor = graph.Tensors(graph.Inputs(0))
    except Exception:
        return None  # No such file, or a damaged one: loading it says so.
    if tensor.ShapeSignatureLength() and tensor.ShapeSignature(0) < 0:
        return None
    return int(tensor.Shape(0)) if tensor.ShapeLength() else 1


def load(
    tflite: bytes, batch_size: int = 1, threads: int = 1, *, keep_tensors: bool = False
) -> Any:
    """Return an interpreter that is ready to be invoked on batches of one size.

    Args:
        tflite: A converted model.
        batch_size: Images an invocation.
        threads: Of the interpreter.
        keep_tensors: Whether values between operations can be read afterwards; slower.

    Raises:
        ConversionError: If the runtime cannot load or prepare the model.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with quiet_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keeping tensors is "for debugging"; meant here.
            interpreter = Interpreter(
                model_content=tflite,
                num_threads=threads,
                experimental_preserve_all_tensors=keep_tensors,
            )
            details = interpreter.get_input_details()[0]
            shape = (batch_size, *(int(n) for n in details["shape"][1:]))
            if tuple(details["shape"]) != shape:
                interpreter.resize_tensor_input(details["index"], shape)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"LiteRT cannot run the model: {one_line(error, 200)}") from error
    return interpreter


def invoke(interpreter: Any) -> None:
    """Run once.

    Raises:
        ConversionError: If a kernel fails.
    """
    try:
        interpreter.invoke()
    except RuntimeError as error:
        raise ConversionError(f"LiteRT cannot run the model: {one_line(error, 200)}") from error


def network_input(images: Array) -> npt.NDArray[np.float32]:
    """Return images as networks see them: uint8 divided by 255, floats as they are."""
    if images.dtype == np.uint8:
        scaled: npt.NDArray[np.float32] = images.astype(np.float32) / np.float32(255)
        return scaled
    return images.astype(np.float32, copy=False)


def quantize_input(images: Array, details: dict[str, Any]) -> Array:
    """Return images in the number format of a model's input.

    Args:
        images: ``[n, height, width, channels]`` as in a data set.
        details: Of the input, as the interpreter gives them.
    """
    dtype = np.dtype(details["dtype"])
    if dtype == np.float32:
        return network_input(images)
    scale, zero_point = details["quantization"]
    if images.dtype == np.uint8:
        # Every picture is made of 256 values: quantize those, and look the rest up.
        table = _quantize(network_input(np.arange(256, dtype=np.uint8)), scale, zero_point, dtype)
        return table[images]
    return _quantize(network_input(images), scale, zero_point, dtype)


def _quantize(
    values: npt.NDArray[np.float32], scale: float, zero_point: int, dtype: np.dtype[Any]
) -> Array:
    """Quantize as TFLite's own kernel does: halves are rounded away from zero."""
    # In float32, adding 0.5 would round up the largest number below 0.5 too.
    scaled = (values / np.float32(scale)).astype(np.float64)
    rounded = np.trunc(scaled + np.copysign(0.5, scaled)) + zero_point
    limits = np.iinfo(dtype)
    clipped: Array = np.clip(rounded, limits.min, limits.max)
    return clipped.astype(dtype)


def dequantized(values: Array, details: Mapping[str, Any]) -> Array:
    """Return what a model gave as real numbers; floats as they are.

    Args:
        values: Output of the interpreter.
        details: The interpreter's own, of that output.
    """
    if np.issubdtype(values.dtype, np.floating):
        return values
    scale, zero_point = details["quantization"]
    found: Array = (values.astype(np.float64) - zero_point) * scale
    return found


def outputs(
    tflite: bytes,
    images: Array,
    batch_size: int = BATCH_SIZE,
    threads: int = 1,
    *,
    pause: Callable[[], None] | None = None,
) -> Array:
    """Return raw outputs ``[n, classes]``, in the number format of the model's output.

    Args:
        tflite: A converted model.
        images: As in a data set.
        batch_size: Images an invocation; one where the file takes single images only.
        threads: Of the interpreter.
        pause: Called before every invocation; it may take its time.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    found = []
    batch_size = fixed_batch(tflite) or batch_size
    interpreter = None
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        if interpreter is None or len(batch) != batch_size:
            interpreter = load(tflite, len(batch), threads)
        details = interpreter.get_input_details()[0]
        interpreter.set_tensor(details["index"], quantize_input(batch, details))
        if pause is not None:
            pause()
        invoke(interpreter)
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.concatenate(found)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what C++ code writes to stderr off the terminal; failures come as exceptions."""
    with captured(2):
        yield
