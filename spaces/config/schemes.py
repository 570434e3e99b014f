"""Quantization schemes, and what TFMOT and LiteRT can do with each: one declared table.

Names of numbers: a weight of ``int4`` takes half a byte. Which combinations exist is declared
here, so that no trial is spent on finding out. The facts behind the table were run against
tensorflow 2.21, tensorflow-model-optimization 0.8.1, litert-quantizer 0.11 and
ai-edge-litert 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class QuantizationScheme(str, Enum):
    """Number formats of the weights and activations of a converted model.

    The values are stored in databases: they are only ever added to.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"  # float16 weights, float32 arithmetic
    DYNAMIC_RANGE = "dynamic_range"  # int8 weights, activations quantized as they come
    DYNAMIC_INT4 = "dynamic_int4"  # int4 weights, activations quantized as they come
    INT8 = "int8"  # full integer: weights and activations, ranges calibrated
    INT16X8 = "int16x8"  # int16 activations, int8 weights, ranges calibrated
    QAT_INT8 = "qat_int8"  # full integer, ranges learned by quantization-aware training

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class SchemeInfo:
    """What a scheme needs and allows.

    Attributes:
        meaning: One line for people.
        weight_bits: Bits of one weight in the file.
        trains: Whether it needs training of its own. Schemes which do not are fanned out to
            after every training.
        calibrates: Whether activation ranges are fixed with a representative dataset.
        sparse_encoding: Whether a sparsity-encoded file of this scheme converts and works.
            Integer and dynamic-range files convert; then XNNPACK refuses them, or, with int16
            activations, they run and give nonsense.
    """

    meaning: str
    weight_bits: int
    trains: bool = False
    calibrates: bool = False
    sparse_encoding: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether it promises integers throughout: weights, activations, input and output."""
        return self.calibrates or self.trains


SCHEMES: Mapping[QuantizationScheme, SchemeInfo] = MappingProxyType(
    {
        QuantizationScheme.FLOAT32: SchemeInfo("float32 throughout", 32, sparse_encoding=True),
        QuantizationScheme.FLOAT16: SchemeInfo(
            "float16 weights, float32 arithmetic", 16, sparse_encoding=True
        ),
        QuantizationScheme.DYNAMIC_RANGE: SchemeInfo(
            "int8 weights, activations quantized as they come", 8
        ),
        QuantizationScheme.DYNAMIC_INT4: SchemeInfo(
            "int4 weights, activations quantized as they come", 4
        ),
        QuantizationScheme.INT8: SchemeInfo("int8 weights and activations", 8, calibrates=True),
        QuantizationScheme.INT16X8: SchemeInfo(
            "int8 weights, int16 activations", 8, calibrates=True
        ),
        QuantizationScheme.QAT_INT8: SchemeInfo(
            "int8 weights and activations, trained with simulated quantization", 8, trains=True
        ),
    }
)
"""The table, in the order in which schemes are shown."""

POST_TRAINING_SCHEMES: tuple[QuantizationScheme, ...] = tuple(
    scheme for scheme, info in SCHEMES.items() if not info.trains
)
"""Schemes that any trained float network can be converted to."""
