"""Tiny ``.tflite`` classifiers, written operator by operator: no training, no TensorFlow.

A picture's mean colour times :data:`GAIN` is the score of its classes, one a channel: red, green
and blue. So every probability can be computed by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

GAIN = 4.0


def expected(images: npt.NDArray[Any], scale: float = 255.0) -> npt.NDArray[np.float64]:
    """Return the probabilities of images ``[n, height, width, channels]``."""
    scores = GAIN * images.astype(np.float64).mean(axis=(1, 2)) / scale
    powers = np.exp(scores)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def colour_model(
    height: int = 8,
    width: int = 8,
    *,
    softmax: bool = True,
    int8: bool = False,
    any_batch: bool = True,
    channels: int = 3,
    gain: float = GAIN,
) -> bytes:
    """Return a classifier of RGB images.

    Args:
        height: Of images, in pixels.
        width: Of images, in pixels.
        softmax: Whether it ends in a softmax, or gives bare scores.
        int8: Whether input and output are integers, as those of fully quantized models.
        any_batch: Whether it can be resized to more than one image.
        channels: 3, or 1 for gray images (which the model sees as red ones).
        gain: What mean colours are multiplied by.
    """
    from ai_edge_litert import schema_py_generated as schema

    file = _File(schema)
    shape = (1, height, width, channels)
    pixels = file.tensor(shape)
    means = file.tensor((1, channels))
    scores = file.tensor((1, 3))
    taken = pixels
    if int8:
        taken = file.tensor(shape, np.int8, quantization=(1 / 255, -128))
        file.operator("DEQUANTIZE", [taken], pixels)
    axes = file.tensor((2,), np.int32, np.array([1, 2], np.int32))
    if not any_batch:  # To a size of one image, which no batch has.
        fixed = file.tensor(shape)
        sizes = np.array(shape, np.int32)
        file.operator("RESHAPE", [pixels, file.tensor((4,), np.int32, sizes)], fixed)
        pixels = fixed
    file.operator("MEAN", [pixels, axes], means, schema.ReducerOptionsT())
    gains = gain * np.eye(3, channels, dtype=np.float32)
    weights = file.tensor((3, channels), np.float32, gains)
    file.operator(
        "FULLY_CONNECTED", [means, weights], scores, schema.FullyConnectedOptionsT(), absent=1
    )
    last = scores
    if softmax:
        last = file.tensor((1, 3))
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        file.operator("SOFTMAX", [scores], last, options)
    if int8:
        quantization = (1 / 256, -128) if softmax else (0.05, 0)
        rounded = file.tensor((1, 3), np.int8, quantization=quantization)
        file.operator("QUANTIZE", [last], rounded)
        last = rounded
    return file.pack(taken, last)


def unlabelled_model() -> bytes:
    """Return a model that gives a picture back, which no classifier does."""
    from ai_edge_litert import schema_py_generated as schema

    file = _File(schema)
    pixels, same = file.tensor((1, 8, 8, 3)), file.tensor((1, 8, 8, 3))
    file.operator("RELU", [pixels], same)
    return file.pack(pixels, same)


def compiled_model() -> bytes:
    """Return a model as Vela compiles them: all of it is one operator of the accelerator."""
    from ai_edge_litert import schema_py_generated as schema

    file = _File(schema)
    pixels, scores = file.tensor((1, 8, 8, 3), np.int8), file.tensor((1, 3), np.int8)
    file.operator("CUSTOM", [pixels], scores, custom=b"ethos-u")
    return file.pack(pixels, scores)


class _File:
    """Collects tensors and operators of one graph."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.operatorCodes = []
        self._model.buffers = [schema.BufferT()]  # The first means "no data".

    def tensor(
        self,
        shape: tuple[int, ...],
        dtype: Any = np.float32,
        data: npt.NDArray[Any] | None = None,
        quantization: tuple[float, int] | None = None,
    ) -> int:
        types = self._schema.TensorType
        tensor = self._schema.TensorT()
        tensor.name = f"t{len(self._graph.tensors)}".encode()
        tensor.shape = list(shape)
        tensor.type = {np.float32: types.FLOAT32, np.int8: types.INT8, np.int32: types.INT32}[
            dtype
        ]
        tensor.buffer = 0
        if data is not None:
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(self._schema.BufferT())
            self._model.buffers[-1].data = np.frombuffer(data.tobytes(), np.uint8)
        if quantization is not None:
            tensor.quantization = self._schema.QuantizationParametersT()
            tensor.quantization.scale = [quantization[0]]
            tensor.quantization.zeroPoint = [quantization[1]]
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def operator(
        self,
        name: str,
        inputs: list[int],
        output: int,
        options: Any = None,
        *,
        absent: int = 0,
        custom: bytes | None = None,
    ) -> None:
        code = self._schema.OperatorCodeT()
        code.builtinCode = getattr(self._schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = custom
        code.version = 2 if name in ("DEQUANTIZE",) else 1
        operator = self._schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes)
        operator.inputs = inputs + [-1] * absent
        operator.outputs = [output]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self._model.operatorCodes.append(code)
        self._graph.operators.append(operator)

    def pack(self, taken: int, given: int) -> bytes:
        from ai_edge_litert.tools import flatbuffer_utils

        self._graph.inputs, self._graph.outputs = [taken], [given]
        self._model.subgraphs = [self._graph]
        return bytes(flatbuffer_utils.convert_object_to_bytearray(self._model))
