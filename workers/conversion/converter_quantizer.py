"""Full-integer quantization by TensorFlow's own converter, where litert-quantizer leaves floats.

litert-quantizer knows no integer form of some operations (leaky ReLU, maxima, PReLU, logarithms)
and computes them in floats between conversions; the converter's quantizers, which are
documented as deprecated, know most of them. They take a float32 ``.tflite`` file, too, so that
nothing but that file is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ConversionError
from spaces.wording import one_line
from workers.conversion.flatbuffer import operators, read_model

MADE_INT16 = frozenset(
    "ABS ADD AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND CONCATENATION CONV_2D "
    "DEPTHWISE_CONV_2D EXP EXPAND_DIMS FULLY_CONNECTED GATHER GELU LEAKY_RELU LOG LOGISTIC "
    "MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD REDUCE_MAX RELU RELU6 RESHAPE RSQRT SHAPE "
    "SOFTMAX SPACE_TO_BATCH_ND SPLIT SQUEEZE STRIDED_SLICE SUB SUM TANH TRANSPOSE "
    "TRANSPOSE_CONV".split()
)
"""Operations that its 16-bit quantizer takes; with FILL, say, it makes files that do not load."""


def converter_quantized(
    float_model: bytes,
    scheme: QuantizationScheme,
    images: npt.NDArray[np.float32],
) -> bytes:
    """Return a float32 file quantized to ``int8`` or ``int16x8`` by the converter.

    Args:
        float_model: As :func:`workers.conversion.convert.float_tflite` returns it.
        scheme: ``int8`` or ``int16x8``.
        images: Representative images.

    Raises:
        ConversionError: If it cannot, or is known to take the whole process down with it.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize import calibrator

    model = read_model(float_model)
    if len(model.subgraphs) > 1:
        # It ends the process by a segmentation fault.
        raise ConversionError(f"{scheme}: the converter does not quantize loops")
    is_int16 = scheme is QuantizationScheme.INT16X8
    names = {name for _, name, _ in operators(model)}
    if is_int16 and names - MADE_INT16:
        refused = ", ".join(sorted(names - MADE_INT16))
        raise ConversionError(f"{scheme}: the converter does not make {refused} 16-bit")

    def one_by_one() -> Iterator[list[Any]]:
        for image in images:
            yield [image[None]]

    try:
        calibration = calibrator.Calibrator(calibrator.add_intermediate_tensors(float_model))
        if is_int16:
            quantized = calibration.calibrate_and_quantize(
                one_by_one, tf.int16, tf.int16, False, tf.int16, tf.int64
            )
        else:
            quantized = mlir_quantize(
                calibration.calibrate(one_by_one),
                input_data_type=tf.int8,
                output_data_type=tf.int8,
            )
    except Exception as error:
        # They raise what C++ gives them: there is no common class.
        raise ConversionError(f"{scheme}: {one_line(error, 200)}") from error
    return bytes(quantized)
