"""What is done to a picture or to readings before a model sees them: as data, and in words."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from spaces.data.pictures import LUMA, RESIZE_RULE
from workers.firmware.model import FirmwareModel

FORMAT = "search-preprocess"
VERSION = 1


def preprocess_json(model: FirmwareModel) -> str:
    """Return the content of ``preprocess.json``, which ``predict.py`` follows.

    Its ``picture`` is null where the model takes readings.
    """
    return json.dumps(_rule(model), indent=2, ensure_ascii=False) + "\n"


def preprocess_words(model: FirmwareModel) -> list[str]:
    """Return the same as steps, a sentence or two each."""
    height, width, channels = model.shape
    steps = _picture_steps(model) if model.pixels is not None else _value_steps(model)
    dtype = np.dtype(model.input["tflite_dtype"])
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        steps.append(
            f"Quantize: q = round(x / {model.input['tflite_scale']:.9g}) + "
            f"({model.input['tflite_zero_point']}), halves away from zero, clipped to "
            f"{limits.min}..{limits.max} ({dtype.name})."
        )
    order = "red, green, blue" if model.pixels is not None else f"its {channels} channels"
    steps.append(
        f"Fill the input [1, {height}, {width}, {channels}] row by row from the top"
        + (f", for each place {order}." if channels > 1 else ".")
    )
    return steps


def _rule(model: FirmwareModel) -> dict[str, Any]:
    picture = None
    if model.pixels is not None:
        picture = {
            "colour_order": "RGB",
            "resize": RESIZE_RULE,
            "resize_as": "Pillow: ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)",
            "gray_weights": list(LUMA) if model.is_gray else None,
            "divide_by": model.pixels.divide_by,
            "add": model.pixels.add,
            "more_than_8_bits": dict(model.input.get("value_ranges") or {}),
        }
    return {
        "format": FORMAT,
        "version": VERSION,
        "in_words": preprocess_words(model),
        "kind": model.input.get("kind", "image"),
        "picture": picture,
        "standardization": model.input.get("standardization"),
        "input": {"shape": list(model.shape), **_number_format(model.input)},
        "output": {
            "values": "logits" if model.are_logits else "probabilities",
            **_number_format(model.output),
        },
        "labels": list(model.class_names),
    }


def _number_format(form: Any) -> dict[str, Any]:
    return {name: form[f"tflite_{name}"] for name in ("dtype", "scale", "zero_point")}


def _picture_steps(model: FirmwareModel) -> list[str]:
    assert model.pixels is not None
    height, width, _ = model.shape
    part = f"the largest part in the middle whose sides are as {width} (width) to {height}"
    if height == width:
        part = "the largest square in the middle"
    steps = [
        "Take the picture upright (as its EXIF says), in RGB with 8 bits a channel, transparent "
        "parts on white. A camera that sends gray gives red = green = blue.",
        f"Crop: keep {part}. Its edges may lie between pixels. No borders, no distortion.",
        f"Scale to {width}x{height} pixels with a bicubic filter (Keys 1981, a = -0.5), as "
        f"Pillow's ImageOps.fit(image, ({width}, {height}), Image.Resampling.BICUBIC) does: "
        f"with scale = side of the crop / side of the result, pixel i of a row is the weighted "
        f"mean of the pixels whose centres lie within 2 * max(1, scale) of (i + 0.5) * scale, "
        f"counted from the edge of the crop; pixels of the frame just outside the crop count, "
        f"and the weights are made to sum to 1. Rows first, then columns; after each, round to "
        f"the nearest of 0..255.",
    ]
    if model.is_gray:
        steps.append(
            "Gray, after scaling: 0.299 red + 0.587 green + 0.114 blue, rounded to the nearest "
            "level. Nothing is inverted."
        )
    steps.append(f"The network sees levels {model.pixels.how}.")
    return steps


def _value_steps(model: FirmwareModel) -> list[str]:
    height, width, channels = model.shape
    place = f"{width} time steps" if height == 1 else f"{height} rows of {width}"
    steps = [f"Take {place}, each with {channels} channel{'s' if channels > 1 else ''}."]
    if model.input.get("standardization") is not None:
        steps.append(
            "Standardize each channel: x = (reading - mean) / deviation, with the numbers under "
            "`standardization`, which are those of the training split."
        )
    else:
        low, high = model.input["range"]
        steps.append(f"They are taken as they are; in training they were {low:g} to {high:g}.")
    return steps
