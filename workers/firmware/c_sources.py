"""The C and C++ sources of a model: its bytes, its operators, its preprocessing, a program."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from string import Template
from typing import NamedTuple

import numpy as np

from workers.firmware.c_text import c_double, c_float, c_note, c_rows, c_string
from workers.firmware.model import FirmwareModel

ALIGNMENT = 16
"""Bytes at whose multiples a model and an arena must begin."""

FRAME = (480, 640)
"""Height and width of the largest frame that ``preprocess.c`` takes as it comes: VGA."""

_C_TYPES = {"float32": "float", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t"}


class Arena(NamedTuple):
    """The block of memory that an interpreter takes all from.

    Attributes:
        n_bytes: Its size.
        note: Where that number comes from.
    """

    n_bytes: int
    note: str


def model_data_h(model: FirmwareModel, arena: Arena | None) -> str:
    """Return the header of the model's bytes.

    Args:
        model: What it is of.
        arena: What the interpreter is to be given; None where none runs it.
    """
    height, width, channels = model.shape
    numbers = {
        "MODEL_BYTES": len(model.deployed),
        "MODEL_CLASSES": len(model.class_names),
        "MODEL_INPUT_HEIGHT": height,
        "MODEL_INPUT_WIDTH": width,
        "MODEL_INPUT_CHANNELS": channels,
        "MODEL_INPUT_VALUES": height * width * channels,
        "MODEL_INPUT_SCALE": c_float(model.input["tflite_scale"] or 1.0),
        "MODEL_INPUT_ZERO_POINT": f"({model.input['tflite_zero_point'] or 0})",
        "MODEL_OUTPUT_UNITS": int(model.output["units"]),
        "MODEL_OUTPUT_SCALE": c_float(model.output["tflite_scale"] or 1.0),
        "MODEL_OUTPUT_ZERO_POINT": f"({model.output['tflite_zero_point'] or 0})",
        "MODEL_OUTPUT_IS_LOGITS": int(model.are_logits),
    }
    return _template("model_data.h").substitute(
        sha256=model.sha256,
        numbers="\n".join(f"#define {name} {value}" for name, value in numbers.items()),
        arena=""
        if arena is None
        else f"\n{c_note(arena.note)}\n#define MODEL_ARENA_BYTES {arena.n_bytes}\n",
        input_type=_C_TYPES[model.input["tflite_dtype"]],
        output_type=_C_TYPES[model.output["tflite_dtype"]],
        alignment=ALIGNMENT,
    )


def model_data_cc(model: FirmwareModel) -> str:
    """Return the model's bytes and the names of its classes."""
    return _template("model_data.cc").substitute(
        alignment=ALIGNMENT,
        data=c_rows(f"0x{byte:02x}" for byte in model.deployed),
        labels="\n".join(f"    {c_string(name)}," for name in model.class_names),
    )


def model_resolver_h(methods: tuple[str, ...]) -> str:
    """Return the header that registers a model's operators.

    Args:
        methods: From :func:`workers.firmware.micro_operators.resolver_methods`.
    """
    return _template("model_resolver.h").substitute(
        n=len(methods),
        methods="\n".join(f"  TF_LITE_ENSURE_STATUS(resolver.{method}());" for method in methods),
    )


def preprocess_h(model: FirmwareModel) -> str:
    """Return the header of the preprocessing."""
    if model.pixels is None:
        return _template("preprocess_values.h").substitute()
    return _template("preprocess_pictures.h").substitute(
        gray_tolerance=", but for gray halfway between two levels" if model.is_gray else "",
        max_scale=_max_scale(model),
    )


def preprocess_c(model: FirmwareModel) -> str:
    """Return the preprocessing: of camera frames, or of readings."""
    return _preprocess_values(model) if model.pixels is None else _preprocess_pictures(model)


def main_cc(model: FirmwareModel) -> str:
    """Return a program that runs the model on one file and prints the label."""
    is_picture = model.pixels is not None
    return _template("main.cc").substitute(
        noun="picture" if is_picture else "sample",
        example="picture.ppm" if is_picture else "readings.csv",
        source="camera" if is_picture else "sensor",
        threshold="0.0f" if model.are_logits else "0.5f",
        classify=_text("classify_pictures.cc" if is_picture else "classify_values.cc"),
    )


def predict_py() -> str:
    """Return the reference in Python, which reads ``preprocess.json``."""
    return _text("predict.py")


def _preprocess_pictures(model: FirmwareModel) -> str:
    assert model.pixels is not None
    scale = _max_scale(model)
    taps, (_, width, _) = 4 * scale + 1, model.shape
    levels = model.input_levels()
    table, value = "", f"(float){{level}} / {c_float(model.pixels.divide_by)}"
    if levels is not None:
        table = (
            "/* What each level of a picture is as a number of the input. */\n"
            f"static const model_input_t input_of_level[256] = {{\n{c_rows(levels)}\n}};\n"
        )
        value = "input_of_level[{level}]"
    elif model.pixels.add:
        value += f" + {c_float(model.pixels.add)}"
    return _template("preprocess_pictures.c").substitute(
        scratch_kb=f"{(taps * width * (4 + 3) + 4 * taps + 8 * width) / 1000:.1f}",
        level_table=table,
        to_input=_template("gray_pixel.c" if model.is_gray else "colour_pixel.c").substitute(
            value=value.format(level="level" if model.is_gray else "pixel[plane]")
        ),
    )


def _preprocess_values(model: FirmwareModel) -> str:
    scaling = model.input.get("standardization")
    table, value = "", "double value = (double)readings[i];"
    if scaling is not None:
        table = "".join(
            f"static const double {name}[MODEL_INPUT_CHANNELS] = {{\n"
            f"{c_rows(map(c_double, scaling[name]))}\n}};\n"
            for name in ("mean", "deviation")
        )
        value = (
            "int channel = i % MODEL_INPUT_CHANNELS;\n"
            "    double value = ((double)readings[i] - mean[channel]) / deviation[channel];"
        )
    dtype = np.dtype(model.input["tflite_dtype"])
    store = "input[i] = (float)value;"
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        store = (
            "/* Halves are rounded away from zero, as the converter's own kernel does. */\n"
            "    float scaled = roundf((float)value / MODEL_INPUT_SCALE);\n"
            "    scaled += MODEL_INPUT_ZERO_POINT;\n"
            f"    if (scaled < {limits.min}.0f) scaled = {limits.min}.0f;\n"
            f"    if (scaled > {limits.max}.0f) scaled = {limits.max}.0f;\n"
            "    input[i] = (model_input_t)scaled;"
        )
    return _template("preprocess_values.c").substitute(
        standardization=table, standardized=f"    {value}", quantized=f"    {store}"
    )


def _max_scale(model: FirmwareModel) -> int:
    """Return by how much a VGA frame is scaled down, rounded up; 2 at least."""
    height, width, _ = model.shape
    return max(2, math.ceil(min(FRAME[0] / height, FRAME[1] / width)))


@cache
def _text(name: str) -> str:
    return (files("workers.firmware") / "templates" / name).read_text(encoding="utf-8")


def _template(name: str) -> Template:
    return Template(_text(name))
