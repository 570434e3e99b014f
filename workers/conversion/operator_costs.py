"""What each operator of a ``.tflite`` costs, for models of time: arithmetic and bytes moved."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from workers.conversion.flatbuffer import operator_macs, operators, read_model
from workers.conversion.runtime import invoke, load


class OperatorCost(NamedTuple):
    """One operator, in one inference of one sample.

    Attributes:
        name: Of the operator, such as ``CONV_2D``.
        macs: Multiply-accumulates.
        moved_bytes: Bytes of activations that it reads and writes.
        weight_bytes: Bytes of its weights; biases are not counted.
    """

    name: str
    macs: int
    moved_bytes: int
    weight_bytes: int


def operator_costs(tflite: bytes) -> list[OperatorCost]:
    """Return the cost of every operator of a model without loops, in the order of the file.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    model = read_model(tflite)
    interpreter = load(tflite)
    invoke(interpreter)  # Only a run knows the sizes that depend on the batch.
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    graph = model.subgraphs[0]

    def is_constant(index: int) -> bool:
        return model.buffers[graph.tensors[index].buffer].data is not None

    found = []
    for number, name, operator in operators(model):
        if number != 0:
            continue
        inputs = [index for index in operator.inputs if index >= 0]
        outputs = list(operator.outputs)
        moved = [index for index in (*inputs, *outputs) if not is_constant(index)]
        weights = [index for index in inputs if is_constant(index)][:1]
        shapes = [tensors[index]["shape"] for index in inputs]
        macs = operator_macs(name, shapes, tensors[outputs[0]]["shape"]) if outputs else 0
        found.append(
            OperatorCost(
                name,
                macs,
                sum(_n_bytes(tensors[index]) for index in moved),
                sum(_n_bytes(tensors[index]) for index in weights) if macs else 0,
            )
        )
    return found


def _n_bytes(tensor: dict[str, Any]) -> int:
    n_values = int(np.prod(tensor["shape"], dtype=np.int64))
    return n_values * int(np.dtype(tensor["dtype"]).itemsize)
