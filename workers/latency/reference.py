"""Networks of convolutions with weights from a seed, written without TensorFlow.

One of them is the reference that latencies are compared with: the same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

REFERENCE_NAME = "conv-16x16-v1"
"""Stored with every ratio; another network gets another name."""


@cache
def reference_tflite() -> bytes:
    """Return the reference network: float32, three convolutions, some 30 us on a fast core."""
    return conv_stack(16, 8, (32, 32, 16))


def conv_stack(size: int, channels: int, filters: Sequence[int]) -> bytes:
    """Return a float32 ``.tflite`` of 3x3 convolutions with ReLU, one after another.

    Args:
        size: Height and width of the input and of all that follows.
        channels: Channels of the input.
        filters: Channels that each convolution gives.
    """
    # Half a second's import in all; workers have done it already.
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    rng = np.random.default_rng(0)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 1
    graph = schema.SubGraphT()
    graph.name, graph.tensors, graph.operators = b"main", [], []
    model = schema.ModelT()
    model.version, model.description = 3, b"reference"
    model.operatorCodes, model.subgraphs = [code], [graph]
    model.buffers = [schema.BufferT()]  # The first means "no data".

    def tensor(shape: tuple[int, ...], values: Any = None) -> int:
        added = schema.TensorT()
        added.name, added.type, added.shape = (
            b"t%d" % len(graph.tensors),
            schema.TensorType.FLOAT32,
            list(shape),
        )
        added.buffer = 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
            model.buffers.append(buffer)
            added.buffer = len(model.buffers) - 1
        graph.tensors.append(added)
        return len(graph.tensors) - 1

    image = tensor((1, size, size, channels))
    graph.inputs = [image]
    for n_filters in filters:
        kernel_shape = (n_filters, 3, 3, channels)
        kernel = tensor(kernel_shape, rng.normal(0, (9 * channels) ** -0.5, kernel_shape))
        bias = tensor((n_filters,), np.zeros(n_filters))
        output = tensor((1, size, size, n_filters))
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = 1
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU
        operator = schema.OperatorT()
        operator.opcodeIndex = 0
        operator.inputs, operator.outputs = [image, kernel, bias], [output]
        operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
        operator.builtinOptions = options
        graph.operators.append(operator)
        image, channels = output, n_filters
    graph.outputs = [image]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
