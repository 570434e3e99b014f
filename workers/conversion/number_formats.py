"""Number formats of what a ``.tflite`` takes and gives, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workers.conversion.runtime import load


def input_format(tflite: bytes) -> dict[str, Any]:
    """Return the number format of a file's input.

    Returns:
        ``tflite_dtype``, and ``tflite_scale`` and ``tflite_zero_point``: an integer stands for
        ``(integer - zero_point) * scale``; both are None of floats.

    Raises:
        ConversionError: If the runtime cannot load the model.
    """
    return _number_format(load(tflite).get_input_details()[0])


def output_format(tflite: bytes) -> dict[str, Any]:
    """Return the number format of a file's output, as :func:`input_format`.

    Raises:
        ConversionError: If the runtime cannot load the model.
    """
    return _number_format(load(tflite).get_output_details()[0])


def _number_format(details: Mapping[str, Any]) -> dict[str, Any]:
    dtype = np.dtype(details["dtype"])
    is_float = np.issubdtype(dtype, np.floating)
    scale, zero_point = details["quantization"]
    return {
        "tflite_dtype": dtype.name,
        "tflite_scale": None if is_float else float(scale),
        "tflite_zero_point": None if is_float else int(zero_point),
    }
