"""Label pictures or readings with the model in this folder: python predict.py FILE...

A reference in few lines: NumPy, LiteRT (or TensorFlow) and, for pictures, Pillow. preprocess.json
says what is done to a file before the model sees it; this does it, and so does preprocess.c.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tensorflow.lite import Interpreter

FOLDER = Path(__file__).resolve().parent
MAX_PIXELS = 100_000_000  # A few kB may hold far more, and would take all memory.
RULE = json.loads((FOLDER / "preprocess.json").read_text(encoding="utf-8"))


def read_picture(path: str) -> Any:
    """Return a picture as ``[height, width, channels]`` levels from 0 to 255."""
    from PIL import Image, ImageOps

    rule = RULE["picture"]
    Image.MAX_IMAGE_PIXELS = None
    try:
        opened = Image.open(path)
        if opened.width * opened.height > MAX_PIXELS:
            sys.exit(f"{path} has {opened.width}x{opened.height} pixels; make it smaller.")
        image = ImageOps.exif_transpose(opened)
    except OSError as error:
        sys.exit(f"{path} cannot be read as a picture: {error}")
    if image.mode.startswith(("I", "F")):
        sys.exit(f"{path} has more than 8 bits a channel; save it with 8.")
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    height, width, channels = RULE["input"]["shape"]
    image = ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.BICUBIC)
    levels = np.asarray(image)
    if channels == 1:
        levels = np.rint(levels @ np.array(rule["gray_weights"]))[..., np.newaxis]
    return levels


def read_values(path: str) -> Any:
    """Return readings as an array of the input's shape, standardized."""
    name = path.lower()
    values = np.load(path) if name.endswith(".npy") else np.loadtxt(path, delimiter=",", ndmin=1)
    values = values.astype(np.float32).reshape(RULE["input"]["shape"]).astype(np.float64)
    if RULE["standardization"] is not None:
        mean, deviation = (np.array(RULE["standardization"][k]) for k in ("mean", "deviation"))
        values = (values - mean) / deviation
    return values


def network_input(path: str) -> Any:
    """Return what the network sees, in real numbers."""
    rule = RULE["picture"]
    if rule is None:
        return read_values(path).astype(np.float32)
    levels = read_picture(path).astype(np.float32)
    return levels / np.float32(rule["divide_by"]) + np.float32(rule["add"])


def model_input(path: str) -> Any:
    """Return the same in the number format of the model's input."""
    values, form = network_input(path), RULE["input"]
    dtype = np.dtype(form["dtype"])
    if dtype == np.float32:
        return values
    scaled = (values / np.float32(form["scale"])).astype(np.float64)
    rounded = np.trunc(scaled + np.copysign(0.5, scaled)) + form["zero_point"]
    return np.clip(rounded, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


def probabilities(given: Any) -> Any:
    """Return a probability for each class of what the model gives."""
    form = RULE["output"]
    scores = given.astype(np.float64)
    if form["scale"] is not None:
        scores = (scores - form["zero_point"]) * form["scale"]
    if len(scores) == 1:  # One unit stands for the second of two classes.
        second = 1 / (1 + np.exp(-scores[0])) if form["values"] == "logits" else scores[0]
        return np.array([1 - second, second])
    if form["values"] == "logits":
        scores = np.exp(scores - scores.max())
        return scores / scores.sum()
    return scores


def main(paths: list[str]) -> None:
    """Print file, label and probability, a line each."""
    if not paths:
        sys.exit(__doc__)
    interpreter = Interpreter(str(FOLDER / "model.tflite"))
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    labels = RULE["labels"]
    for path in paths:
        interpreter.set_tensor(taken["index"], model_input(path)[np.newaxis])
        interpreter.invoke()
        found = probabilities(interpreter.get_tensor(given["index"])[0])
        best = int(found.argmax())
        print(f"{path}\t{labels[best]}\t{found[best]:.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
