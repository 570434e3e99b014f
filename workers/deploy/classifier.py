"""A deployed image classifier: a ``.tflite``, the names of its classes, and what it takes.

Needs the folder that ``search retrain`` writes and LiteRT, and nothing of training. Pictures are
prepared by the code that prepared them for training (``spaces.data.pictures``), and divided by 255
as networks saw them there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from spaces.data.pictures import RESIZE_RULE, fit_picture, gray_pictures, read_picture
from spaces.data.pixel_values import Scales
from spaces.errors import ConversionError, ModelError
from workers.conversion.accuracy import scores_by_class
from workers.conversion.flatbuffer import gives_probabilities
from workers.conversion.pixel_scaling import UINT8_SCALE, usual_scaling
from workers.conversion.runtime import (
    BATCH_SIZE,
    Array,
    dequantized,
    fixed_batch,
    invoke,
    load,
    quantize_input,
)
from workers.deploy.evaluation import probabilities

if TYPE_CHECKING:
    from PIL import Image

MODEL_NAME = "model.tflite"
LABELS_NAME = "labels.txt"
METRICS_NAME = "metrics.json"
"""What ``workers.deploy.retrain`` calls them; that module needs the data, this one does not."""

_COMMAND_STREAM = b"ethos-u"  # Operator of files that Vela has compiled.


@dataclass(frozen=True)
class Classifier:
    """A model that is ready to label pictures. Not for several threads at once.

    Attributes:
        path: Of the ``.tflite``.
        labels: One name a class, in the order of the model's outputs.
        input_shape: Height, width, channels (1 or 3).
        scale: What pixels, 0 to 255, are divided by.
        offset: What is added then.
        note: How pixels become what the model was trained on, where that was found out by the
            range of its arrays; empty otherwise.
        value_ranges: What becomes 0 and 255 of pictures with more than 8 bits a channel; those
            of other kinds go by their own values.
    """

    path: Path
    labels: tuple[str, ...]
    input_shape: tuple[int, int, int]
    scale: float
    _tflite: bytes = field(repr=False)
    _is_probability: bool = field(repr=False)
    _n_units: int = field(repr=False)
    _interpreters: dict[int, Any] = field(default_factory=dict, repr=False)
    value_ranges: Scales = field(default_factory=dict)
    offset: float = 0.0
    note: str = ""

    def read(self, file: BinaryIO) -> npt.NDArray[np.uint8]:
        """Decode a picture and bring it to the model's size and channels.

        Raises:
            ValueError: If it cannot be decoded; the text says why, in a few words.
        """
        height, width, _ = self.input_shape
        name = str(getattr(file, "name", ""))
        return self._channels(read_picture(file, (height, width), self.value_ranges, name))

    def fit(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Bring an RGB image to the model's size and channels."""
        height, width, _ = self.input_shape
        return self._channels(fit_picture(image, height, width))

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return ``[n, classes]``: what the model gives each class, in [0, 1].

        They are the model's own outputs where these are probabilities, and their softmax
        otherwise. One unit stands for the second of two classes. A row has NaN where the model
        computed no finite numbers.

        Args:
            images: ``[n, height, width, channels]`` from :meth:`read` or :meth:`fit`.

        Raises:
            ConversionError: If a kernel fails.
        """
        found = np.empty((len(images), self._n_units))
        start = 0
        while start < len(images):
            # A rest is run one by one: an interpreter for every possible rest would cost more.
            n = BATCH_SIZE if len(images) - start >= BATCH_SIZE and self._can_batch() else 1
            found[start : start + n] = self._run(images[start : start + n])
            start += n
        found = scores_by_class(found, are_logits=not self._is_probability)
        return found if self._is_probability else probabilities(found, are_logits=True)

    def _run(self, batch: npt.NDArray[np.uint8]) -> Array:
        interpreter = self._interpreters.get(len(batch))
        if interpreter is None:
            interpreter = self._interpreters[len(batch)] = load(self._tflite, len(batch))
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        images: Array = batch
        if self.scale != UINT8_SCALE or self.offset:
            images = batch.astype(np.float32) / np.float32(self.scale) + np.float32(self.offset)
        interpreter.set_tensor(taken["index"], quantize_input(images, taken))
        invoke(interpreter)
        return dequantized(interpreter.get_tensor(given["index"]), given)

    def _can_batch(self) -> bool:
        """Whether the model takes several pictures at once; not every foreign one does."""
        if BATCH_SIZE not in self._interpreters:
            self._interpreters[BATCH_SIZE] = _batch_interpreter(self._tflite, self._n_units)
        return self._interpreters[BATCH_SIZE] is not None

    def _channels(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if self.input_shape[2] == 3:
            return picture
        return gray_pictures(picture)


def load_classifier(path: Path, *, scale: float | None = None) -> Classifier:
    """Load a model with what lies beside it.

    ``labels.txt`` must be there, a class a line. Where ``metrics.json`` says under ``input`` how
    pictures were prepared, that is checked and followed; otherwise it goes by the model's input.

    Args:
        path: The ``.tflite``, or the folder that ``search retrain`` wrote.
        scale: Divide pixels, 0 to 255, by this; None for what ``metrics.json`` says, or else 255.

    Raises:
        ModelError: If there is no such model, or it cannot be used to classify pictures.
    """
    path = _find_model(path)
    tflite = _read_bytes(path)
    interpreter = _load(path, tflite)
    shape, n_units = _check_signature(path, interpreter)
    # One unit stands for the second of two classes.
    labels = _read_labels(path, max(2, n_units))
    stated = _stated(path, "input")
    _check_stated(path, stated, shape)
    offset, note = 0.0, ""
    if scale is None:
        scale, offset, note = _stated_scale(path, stated)
    return Classifier(
        path=path,
        labels=labels,
        input_shape=shape,
        scale=scale,
        _tflite=tflite,
        _is_probability=_is_probability(tflite, _stated(path, "output")),
        _n_units=n_units,
        _interpreters={1: interpreter},
        value_ranges=_stated_ranges(path, stated),
        offset=offset,
        note=note,
    )


def _find_model(path: Path) -> Path:
    if path.is_dir():
        if not (path / MODEL_NAME).is_file():
            raise ModelError(
                f"{path} must hold a {MODEL_NAME}, as the folder that `search retrain` writes "
                "does, but has none."
            )
        return path / MODEL_NAME
    if not path.exists():
        raise ModelError(
            f"No such model: {path}. Name a .tflite, or the folder that `search retrain` wrote."
        )
    return path


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error


def _load(path: Path, tflite: bytes) -> Any:
    if tflite[4:8] != b"TFL3":
        beside = path.with_name(MODEL_NAME)
        hint = f" Did you mean {beside}?" if beside != path and beside.is_file() else ""
        raise ModelError(f"A .tflite model is needed, but {path} is another file.{hint}")
    if _COMMAND_STREAM in tflite:
        raise ModelError(
            f"{path} is compiled for an Ethos-U and runs there only. Classify with the "
            f"{MODEL_NAME} it was compiled from."
        )
    try:
        return load(tflite)
    except ConversionError as error:
        raise ModelError(f"{path} cannot be used: {str(error).rstrip('.')}.") from error


def _check_signature(path: Path, interpreter: Any) -> tuple[tuple[int, int, int], int]:
    """Return the shape of an image and the number of outputs."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    taken = [tuple(int(n) for n in details["shape"]) for details in inputs]
    given = [tuple(int(n) for n in details["shape"]) for details in outputs]
    is_classifier = (
        len(taken) == len(given) == 1
        and len(taken[0]) == 4
        and min(taken[0][1:]) > 0
        and taken[0][3] in (1, 3)
        and len(given[0]) == 2
        and given[0][0] == 1
        and given[0][1] >= 1
        and all(_is_usable(details) for details in (inputs[0], outputs[0]))
    )
    if not is_classifier:
        raise ModelError(
            f"{path} must be an image classifier: one input [1, height, width, 1 or 3] and one "
            f"output [1, classes], but its inputs are {_signature(inputs)} and its outputs "
            f"{_signature(outputs)}."
        )
    _, height, width, channels = taken[0]
    return (height, width, channels), given[0][1]


def _is_usable(details: Mapping[str, Any]) -> bool:
    dtype = np.dtype(details["dtype"])
    if dtype == np.float32:
        return True
    return dtype in (np.int8, np.uint8, np.int16) and details["quantization"][0] > 0


def _signature(tensors: list[dict[str, Any]]) -> str:
    parts = [
        f"{np.dtype(details['dtype']).name} {[int(n) for n in details['shape']]}"
        for details in tensors
    ]
    return ", ".join(parts) or "none"


def _read_labels(path: Path, n_classes: int) -> tuple[str, ...]:
    file = path.with_name(LABELS_NAME)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ModelError(
            f"{file} must name the model's {n_classes} classes, one a line, but is not there. "
            "`search retrain` writes it beside the model; copy it too."
        ) from None
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError:
        raise ModelError(f"{file} must be text in UTF-8, but is not. Save it as such.") from None
    # Not splitlines(): names of folders may hold other separators.
    labels = tuple(line.rstrip("\r") for line in text.rstrip("\r\n").split("\n"))
    if len(labels) != n_classes:
        raise ModelError(
            f"{file} must have a line for each of the model's {n_classes} classes, but has "
            f"{len(labels) if text.strip() else 0}. Take the one that was written with the model."
        )
    return labels


def _stated(path: Path, what: str) -> Mapping[str, Any] | None:
    """Return what ``metrics.json`` says of input or output; None if there is nothing."""
    file = path.with_name(METRICS_NAME)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ModelError(f"{file} is no JSON ({error}). Restore or remove it.") from None
    stated = content.get(what) if isinstance(content, dict) else None
    return stated if isinstance(stated, dict) else None


def _check_stated(
    path: Path, stated: Mapping[str, Any] | None, shape: tuple[int, int, int]
) -> None:
    if stated is None:
        return
    if stated.get("shape", list(shape)) != list(shape):
        raise ModelError(
            f"{path} takes images of {list(shape)}, but {METRICS_NAME} beside it speaks of "
            f"{stated['shape']}. Keep the files of one retraining together."
        )
    if stated.get("resize") not in (None, RESIZE_RULE):
        raise ModelError(
            f"{path} was trained on pictures resized by the rule {stated['resize']!r}, but this "
            f"version knows {RESIZE_RULE!r} only. Use the version of `search` that trained it."
        )


def _stated_ranges(path: Path, stated: Mapping[str, Any] | None) -> Scales:
    """Return what ``metrics.json`` says of pictures with more than 8 bits; older ones nothing."""
    ranges = (stated or {}).get("value_ranges", {})
    try:
        return {str(kind): (float(low), float(high)) for kind, (low, high) in ranges.items()}
    except (AttributeError, TypeError, ValueError):
        raise ModelError(
            f"`value_ranges` in {path.with_name(METRICS_NAME)} must hold two numbers a kind, but "
            f"got {ranges!r}."
        ) from None


def _stated_scale(path: Path, stated: Mapping[str, Any] | None) -> tuple[float, float, str]:
    """Return scale, offset, and what is to be said of them."""
    if stated is None or "scale" not in stated:
        return UINT8_SCALE, 0.0, ""
    scale = stated["scale"]
    if scale is None:
        return _by_range(path, stated.get("range"))
    if not isinstance(scale, (int, float)) or not scale > 0:
        raise ModelError(
            f"`scale > 0` must hold in {path.with_name(METRICS_NAME)}, but got {scale!r}."
        )
    return float(scale), 0.0, ""


def _by_range(path: Path, found: Any) -> tuple[float, float, str]:
    """Return scale and offset of the usual range that a model's arrays of floats had."""
    is_range = (
        isinstance(found, (list, tuple))
        and len(found) == 2
        and all(isinstance(end, (int, float)) for end in found)
    )
    if not is_range:
        raise ModelError(
            f"{path} was trained on arrays of floats, so nothing says what to divide a "
            "picture's pixels (0 to 255) by. Say it with --scale: 255 if the arrays held 0 to "
            "1, 1 if they held 0 to 255."
        )
    low, high = (float(end) for end in found)
    scaling = usual_scaling(low, high)
    if scaling is not None:
        note = f"Pixels are {scaling.how}: {path.name} was trained on {low:g} to {high:g}."
        return scaling.divide_by, scaling.add, note
    raise ModelError(
        f"{path} was trained on floats from {low:g} to {high:g}, and pictures' pixels (0 to 255) "
        f"become such by no usual rule (0 to 1, -1 to 1, 0 to 255). Say with --scale what to "
        f"divide them by, or train it on uint8 pictures."
    )


def _is_probability(tflite: bytes, stated: Mapping[str, Any] | None) -> bool:
    """Whether a model gives probabilities: as ``metrics.json`` says, or by its last operation."""
    values = None if stated is None else stated.get("values")
    if values in ("probabilities", "logits"):
        # Earlier versions went by the last layer's name, the file itself knows better.
        return values == "probabilities" or gives_probabilities(tflite)
    return gives_probabilities(tflite)


def _batch_interpreter(tflite: bytes, n_classes: int) -> Any:
    """Return an interpreter for whole batches; None if the model takes one picture only."""
    if fixed_batch(tflite) is not None:
        return None
    try:
        interpreter = load(tflite, BATCH_SIZE)
        # A reshape to a fixed size shows no sooner than when it is run.
        invoke(interpreter)
    except ConversionError:
        return None
    shape = tuple(interpreter.get_output_details()[0]["shape"])
    return interpreter if shape == (BATCH_SIZE, n_classes) else None
