"""Reads and rewrites ``.tflite`` files: same bytes for the same network, and its arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from workers.conversion.runtime import invoke, load


def canonical(tflite: bytes) -> bytes:
    """Return the same model without what depends on the process that converted it.

    The converter names tensors after Keras's scopes and its own counters, which differ from
    one conversion to the next, and leaves its version in the metadata. None of this is needed
    to run the model. Without it, the same weights give the same bytes, and small models get
    smaller.
    """
    model = read_model(tflite)
    model.description = b"search"
    model.metadata = None
    model.signatureDefs = None
    for number, graph in enumerate(model.subgraphs):
        graph.name = b"main" if number == 0 else b"graph%d" % number
        # Unique in the whole file, or litert-quantizer refuses it.
        prefix = b"t" if number == 0 else b"g%dt" % number
        for index, tensor in enumerate(graph.tensors):
            tensor.name = prefix + b"%d" % index
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = b"image"
    graph.tensors[graph.outputs[0]].name = b"scores"
    _drop_unused_buffers(model)
    return _pack(model)


def count_macs(tflite: bytes) -> int:
    """Return the multiply-accumulates of one inference.

    Counted are convolutions (plain, depthwise, transposed) and fully connected layers; additions
    of biases, pooling and activations are not, as is usual.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    model = read_model(tflite)
    # The file says 1 for every size that depends on the batch, also where a layer moves pixels
    # or positions into the batch (dilated convolutions do). Only a run knows those sizes.
    interpreter = load(tflite)
    invoke(interpreter)
    shapes = [
        {
            tensor["index"]: tensor["shape"]
            for tensor in interpreter.get_tensor_details(subgraph_index=number)
        }
        for number in range(len(model.subgraphs))
    ]
    times = _times_run(model)
    total = 0
    for number, name, operator in operators(model):
        inputs = [shapes[number][index] for index in operator.inputs if index >= 0]
        outputs = operator.outputs
        if len(outputs):
            macs = operator_macs(name, inputs, shapes[number][outputs[0]])
            total += times[number] * macs
    return total


def operators(model: Any) -> Iterator[tuple[int, str, Any]]:
    """Give each operation of a model as :func:`read_model` returns it.

    Returns:
        Number of the subgraph, name of the operation, and its object.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    names = [
        flatbuffer_utils.opcode_to_name(model, index) or "UNKNOWN"
        for index in range(len(model.operatorCodes))
    ]
    for number, graph in enumerate(model.subgraphs):
        for operator in graph.operators:
            name = names[operator.opcodeIndex]
            custom = model.operatorCodes[operator.opcodeIndex].customCode
            if name == "CUSTOM" and custom:
                name = bytes(custom).decode("utf-8", "replace")
            yield number, name, operator


def _times_run(model: Any) -> list[int]:
    """Return how often each subgraph is run in an inference: the body of a loop once a step."""
    times = [1] * len(model.subgraphs)
    for number, name, operator in operators(model):
        # The body of an inner loop stands behind the outer one's.
        if name == "WHILE":
            options = operator.builtinOptions
            steps = _steps_of(model, options.condSubgraphIndex)
            times[options.bodySubgraphIndex] = times[number] * steps
    return times


def _steps_of(model: Any, condition: int) -> int:
    """Return how often a loop is run whose condition is that a counter is below a constant."""
    limits = []
    for number, name, operator in operators(model):
        if number == condition and name == "LESS":
            tensor = model.subgraphs[number].tensors[operator.inputs[1]]
            data = model.buffers[tensor.buffer].data
            if data is not None and len(data) == 4:
                limits.append(int(np.frombuffer(bytes(bytearray(data)), np.int32)[0]))
    return max(1, min(limits, default=1))


def operator_macs(name: str, inputs: list[Any], output: Any) -> int:
    """Return the multiply-accumulates of one operation; 0 for those that are not counted.

    Args:
        name: Of the operation, such as ``CONV_2D``.
        inputs: Their shapes.
        output: Shape of the first.
    """
    if name == "CONV_2D":  # Weights: [out, height, width, in].
        return _n(output[:3]) * _n(inputs[1])
    if name == "DEPTHWISE_CONV_2D":  # Weights: [1, height, width, out].
        return _n(output[:3]) * _n(inputs[1])
    if name == "TRANSPOSE_CONV":  # Inputs: output shape, weights [out, height, width, in], image.
        return _n(inputs[2][:3]) * _n(inputs[1])
    if name == "FULLY_CONNECTED":  # Weights: [out, in]; once for each row of the input.
        return _n(inputs[0]) // int(inputs[1][-1]) * _n(inputs[1])
    return 0


def _n(shape: Any) -> int:
    return int(np.prod([int(size) for size in shape], dtype=np.int64))


def gives_probabilities(tflite: bytes) -> bool:
    """Whether a softmax or sigmoid comes last, before what changes format or shape only.

    For files of which nobody says what they give.
    """
    model = read_model(tflite)
    graph = model.subgraphs[0]
    wanted = graph.outputs[0]
    for number, name, operator in reversed(list(operators(model))):
        if number != 0 or wanted not in operator.outputs:
            continue
        if name not in ("DEQUANTIZE", "QUANTIZE", "RESHAPE"):
            return name in ("SOFTMAX", "LOGISTIC")
        wanted = operator.inputs[0]
    return False


def _drop_unused_buffers(model: Any) -> None:
    """Leave out data that no tensor refers to, that of dropped metadata for one."""
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    used = sorted({0, *(tensor.buffer for tensor in tensors)})  # The first means "no data".
    model.buffers = [model.buffers[index] for index in used]
    new_index = {old: new for new, old in enumerate(used)}
    for tensor in tensors:
        tensor.buffer = new_index[tensor.buffer]


def _pack(model: Any) -> bytes:
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def read_model(tflite: bytes) -> Any:
    """Return a model as objects, with weights that lie behind the flatbuffer taken in.

    litert-quantizer leaves the larger ones there and refers to them by offset.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    return flatbuffer_utils.read_model_from_bytearray(bytearray(tflite))
