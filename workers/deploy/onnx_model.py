"""The deployed model as ONNX, for runtimes that do not read ``.tflite``; only where it is as good.

tf2onnx turns the operators of a ``.tflite`` one by one into those of ONNX: what is quantized stays
so. Not every file has its like there (int4 has no operators, sums of float16 weights are refused,
and hybrid models are computed in floats), so none is written on trust: ONNX Runtime answers the
pictures that LiteRT answered, and the file stays only if it says the same.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from spaces.errors import ConversionError, ExportError
from spaces.wording import counted, one_line
from workers.conversion.accuracy import scores_by_class
from workers.conversion.number_formats import output_format
from workers.conversion.runtime import Array, dequantized, load, outputs, quantize_input
from workers.deploy.evaluation import predicted_labels, probabilities
from workers.processes.captured import captured

ONNX_NAME = "model.onnx"
OPSET = 17
"""Of ONNX 1.12 (2022): read by whatever is in use, and it has all that is needed."""

MAX_DIFFERENCE = 0.02
"""Of a probability. Integer files differ by some of their 256 steps, where rounding does."""

PACKAGES = ("tf2onnx", "onnx", "onnxruntime")
"""Of extra ``onnx``."""


@dataclass(frozen=True)
class OnnxCheck:
    """How a model of ONNX compares with the ``.tflite`` it was made of.

    Attributes:
        images: Images that both answered.
        labels_differ: How many of them they label differently.
        max_difference: Largest difference of a probability, which a softmax (of one unit: a
            sigmoid) makes where logits come out.
        runtime: Who ran it, with version.
    """

    images: int
    labels_differ: int
    max_difference: float
    runtime: str

    @property
    def is_same(self) -> bool:
        """Whether it says the same, as far as rounding lets it."""
        return self.labels_differ == 0 and self.max_difference <= MAX_DIFFERENCE


def check_onnx_extra() -> None:
    """Look whether the packages of extra ``onnx`` are there.

    Raises:
        ExportError: If one is missing.
    """
    for name in PACKAGES:
        try:
            version(name)
        except PackageNotFoundError:
            raise ExportError(
                f"{ONNX_NAME} needs {name}, which is not there. Add it: pip install "
                f"'litefront[onnx]', or leave out --onnx."
            ) from None


def write_onnx(
    folder: Path, tflite: bytes, images: Array, *, are_logits: bool
) -> tuple[dict[str, Any] | None, str]:
    """Write ``model.onnx`` if it says what the ``.tflite`` says; none stays otherwise.

    Args:
        folder: Existing folder.
        tflite: The deployed model.
        images: To compare on, ``[n, height, width, channels]`` as in a data set.
        are_logits: Whether the model gives logits, and no probabilities.

    Returns:
        :class:`OnnxCheck` as plain data, and an empty text; or None, and why there is no file.

    Raises:
        ExportError: If the file cannot be written.
    """
    path = folder / ONNX_NAME
    try:
        path.unlink(missing_ok=True)  # Of an earlier retraining.
        model = onnx_of(tflite)
        check = compared(model, tflite, images, are_logits=are_logits)
        if not check.is_same:
            return None, (
                f"of {counted(check.images, 'image')} ONNX Runtime labels "
                f"{check.labels_differ:,} differently, by up to {check.max_difference:.3g}"
            )
        path.write_bytes(model)
    except ConversionError as error:
        return None, str(error)
    except OSError as error:
        raise ExportError(
            f"{ONNX_NAME} cannot be written to {folder}: {error.strerror or error}."
        ) from error
    return asdict(check), ""


def onnx_of(tflite: bytes) -> bytes:
    """Return a ``.tflite`` as a model of ONNX, whose input and output have the same numbers.

    Raises:
        ConversionError: If an operator has no like there.
    """
    from tf2onnx import convert

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # It warns of what is checked here.
    with TemporaryDirectory(prefix="search-onnx-") as folder, captured(1), captured(2):
        path = Path(folder) / "model.tflite"
        path.write_bytes(tflite)
        try:
            model, _ = convert.from_tflite(str(path), opset=OPSET)
        except Exception as error:  # It fails in as many ways as there are operators.
            raise ConversionError(
                f"tf2onnx cannot convert it: {one_line(error, 200) or type(error).__name__}"
            ) from error
    content: bytes = model.SerializeToString()
    return content


def compared(model: bytes, tflite: bytes, images: Array, *, are_logits: bool) -> OnnxCheck:
    """Run both on the same images.

    Args:
        model: Of ONNX.
        tflite: What it was made of.
        images: ``[n, height, width, channels]`` as in a data set; at least one.
        are_logits: Whether they give logits, and no probabilities.

    Raises:
        ConversionError: If a runtime cannot run its model.
    """
    import onnxruntime

    details = load(tflite).get_input_details()[0]
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # Fatal only: failures come as exceptions.
        session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        given = quantize_input(images, details)
        # One by one: a converted file may hold the batch of its conversion.
        found = np.concatenate(
            [session.run(None, {name: given[i : i + 1]})[0] for i in range(len(given))]
        )
    except Exception as error:  # Of C++, in classes of its own.
        raise ConversionError(f"ONNX Runtime cannot run it: {one_line(error, 200)}") from error
    expected = outputs(tflite, images)
    if found.shape != expected.shape:
        raise ConversionError(f"it gives {found.shape} where LiteRT gives {expected.shape}")
    numbers = output_format(tflite)
    quantization = (numbers["tflite_scale"], numbers["tflite_zero_point"])
    ours, theirs = (
        scores_by_class(dequantized(values, {"quantization": quantization}), are_logits=are_logits)
        for values in (expected, found)
    )
    chances = [probabilities(scores, are_logits=are_logits) for scores in (ours, theirs)]
    return OnnxCheck(
        images=len(images),
        labels_differ=int((predicted_labels(ours) != predicted_labels(theirs)).sum()),
        max_difference=float(np.abs(chances[0] - chances[1]).max()),
        runtime=f"onnxruntime {version('onnxruntime')}",
    )
