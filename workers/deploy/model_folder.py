"""The folder that ``search retrain`` leaves: names of its files, and how they are written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ExportError
from workers.deploy.model_input import with_input_factor
from workers.deploy.onnx_model import ONNX_NAME
from workers.deploy.plain_keras import plain_model, save_keras3
from workers.firmware.model import FirmwareModel
from workers.firmware.package import write_package

if TYPE_CHECKING:
    from workers.trial.train_config import Trained

TFLITE_NAME = "model.tflite"
KERAS_NAME = "model.keras"
KERAS3_NAME = "model_keras3.keras"
"""The same network for Keras 3; not there where that cannot take it."""

METRICS_NAME = "metrics.json"
FLOAT_NAME = "model_float.tflite"
"""The trained network before quantization; `search demo` can be switched to it."""

COMPILED_NAME = "model_compiled.tflite"
"""What goes on a device that has a compiler of its own."""

REPORT_NAME = "report.html"
"""Written by ``search.deploy.retrain``; an earlier one is removed here, since it tells of other
files. So is an earlier ``model.onnx``."""


def write_models(
    folder: Path, model: FirmwareModel, trained: Trained, samples: Any, metrics: dict[str, Any]
) -> None:
    """Write the models, the package for firmware, and ``metrics``.

    Args:
        folder: Existing folder.
        model: What is deployed.
        trained: What it was made of; the Keras models are the network before quantization.
        samples: Images that the model of Keras 3 must answer alike.
        metrics: Content of ``metrics.json``; a note is added where a file cannot be had.

    Raises:
        ExportError: If a file cannot be written.
    """
    from workers.conversion.convert import float_tflite

    is_float = metrics["config"]["quantization"] == QuantizationScheme.FLOAT32.value
    before = None if is_float else float_tflite(trained.model)
    try:
        for name in (REPORT_NAME, ONNX_NAME):  # Of an earlier retraining.
            (folder / name).unlink(missing_ok=True)
        (folder / TFLITE_NAME).write_bytes(model.tflite)
        for name, content in ((COMPILED_NAME, model.compiled), (FLOAT_NAME, before)):
            if content is None:
                (folder / name).unlink(missing_ok=True)  # Of an earlier retraining.
            else:
                (folder / name).write_bytes(content)
        plain = plain_model(with_input_factor(trained.model))
        plain.save(folder / KERAS_NAME)
        why_not = save_keras3(plain, folder / KERAS3_NAME, samples)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    if why_not:
        metrics["notes"].append(f"There is no {KERAS3_NAME}: {why_not}.")
    write_package(model, folder)
    write_metrics(folder, metrics)


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write ``metrics.json``.

    Raises:
        ExportError: If it cannot be written.
    """
    text = json.dumps(metrics, indent=2)
    # A list of numbers, such as a row of a confusion matrix, takes one line.
    numbers = re.compile(r"\[\n\s*([-+.eE0-9,\n ]+?)\n\s*\]")
    text = numbers.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    try:
        (folder / METRICS_NAME).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> ExportError:
    return ExportError(
        f"The trained model cannot be written to {folder}: {error.strerror or error}. Make "
        f"room, or give another folder with -o."
    )
