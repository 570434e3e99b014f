"""Which operations of an integer ``.tflite`` file run in floats all the same.

A file that is "full integer" by the name of its scheme may hold islands of floats, where a
quantizer knows no integer kernel: values are turned to floats, computed, and turned back. A
microcontroller or an NPU that has integers only cannot run them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from workers.conversion.flatbuffer import operators, read_model

BETWEEN = ("QUANTIZE", "DEQUANTIZE")
"""Turn integers to floats or back; counted only where nothing else is float."""


def float_operations(tflite: bytes) -> dict[str, int]:
    """Return how many operations of a file compute with floats, by the operation's name.

    Read from the file: an operation counts if any tensor that it takes or gives is of floats.
    Those that only turn numbers into another format count if there are no others, as where
    the model's output is float.
    """
    from ai_edge_litert import schema_py_generated as schema

    floats = (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16, schema.TensorType.FLOAT64)
    found: Counter[str] = Counter()
    model = read_model(tflite)
    for number, name, operator in operators(model):
        tensors = model.subgraphs[number].tensors
        used = [*operator.inputs, *operator.outputs]
        if any(index >= 0 and tensors[index].type in floats for index in used):
            found[name] += 1
    graph = model.subgraphs[0]
    ends = [graph.tensors[index].type for index in (*graph.inputs, *graph.outputs)]
    is_float_outside = any(kind in floats for kind in ends)
    computing = {name: n for name, n in found.items() if name not in BETWEEN}
    return dict(sorted((computing or (found if is_float_outside else {})).items()))


def describe_float_operations(found: Mapping[str, int]) -> str:
    """Return the operations in words: ``3 float operations (ELU, 2 LOGISTIC)``."""
    total = sum(found.values())
    names = ", ".join(name if n == 1 else f"{n} {name}" for name, n in found.items())
    return f"{total} float operation{'' if total == 1 else 's'} ({names})"
