"""The files of a firmware package, and the arena that its model needs.

=========================  ======================================================================
``model_data.h``, ``.cc``  bytes and labels of the model, scales and zero points, its arena
``model_resolver.h``       its operators, for tflite-micro
``preprocess.json``        what is done to a picture or to readings, as data and in words
``preprocess.h``, ``.c``   the same for a camera frame
``predict.py``             a reference: NumPy, LiteRT, Pillow
``main.cc``                runs one picture on tflite-micro and prints the label
``labels.txt``             a class a line, in the order of the outputs
=========================  ======================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ConversionError, DeviceError, ExportError
from spaces.wording import one_line
from workers.devices.micro import MICRO_SCHEMES, arena_bytes
from workers.firmware import c_sources
from workers.firmware.micro_operators import resolver_methods
from workers.firmware.model import FirmwareModel
from workers.firmware.preprocessing import preprocess_json

LABELS_NAME = "labels.txt"
MICRO_NAMES = ("model_resolver.h", "main.cc")
"""Written only of models that tflite-micro can run."""

PACKAGE_NAMES = (
    "model_data.h",
    "model_data.cc",
    "preprocess.json",
    "preprocess.h",
    "preprocess.c",
    "predict.py",
    LABELS_NAME,
    *MICRO_NAMES,
)
"""All that :func:`write_package` writes."""

INTERPRETER_BYTES = 8192
"""What is left for the interpreter's own structures where they were not measured."""


@dataclass(frozen=True)
class MicroFit:
    """Whether, and in what memory, tflite-micro runs a model.

    Attributes:
        arena_bytes: The smallest arena in which it does; None if not known.
        why_not: Why it cannot; empty if it can or nobody knows.
        why_unknown: Why the arena is not known; empty if it is.
    """

    arena_bytes: int | None = None
    why_not: str = ""
    why_unknown: str = ""


def micro_fit(tflite: bytes, scheme: QuantizationScheme) -> MicroFit:
    """Find out whether tflite-micro runs a model, and in what arena.

    Args:
        tflite: The model.
        scheme: Its quantization scheme.
    """
    if scheme not in MICRO_SCHEMES:
        why = (
            f"tflite-micro runs no {scheme} models: its kernels take neither float16 weights nor "
            f"integer weights with float activations"
        )
        return MicroFit(why_not=why, why_unknown=why)
    try:
        resolver_methods(tflite)
        return MicroFit(arena_bytes(tflite))
    except ConversionError as error:
        why = one_line(error, 300)
        return MicroFit(why_not=why, why_unknown=why)
    except DeviceError as error:
        return MicroFit(why_unknown=one_line(error, 300))


def package_files(model: FirmwareModel) -> dict[str, str]:
    """Return the text of every file by its name.

    Raises:
        ConversionError: If the model has an operator that tflite-micro has no kernel for,
            although ``why_not`` does not say so.
    """
    found = {
        "model_data.h": c_sources.model_data_h(model, None if model.why_not else _arena(model)),
        "model_data.cc": c_sources.model_data_cc(model),
        "preprocess.json": preprocess_json(model),
        "preprocess.h": c_sources.preprocess_h(model),
        "preprocess.c": c_sources.preprocess_c(model),
        "predict.py": c_sources.predict_py(),
        LABELS_NAME: "".join(f"{_label(name)}\n" for name in model.class_names),
    }
    if not model.why_not:
        found["model_resolver.h"] = c_sources.model_resolver_h(resolver_methods(model.deployed))
        found["main.cc"] = c_sources.main_cc(model)
    return found


def write_package(model: FirmwareModel, folder: Path) -> tuple[str, ...]:
    """Write the files of a package; remove those of an earlier one that this one has not.

    Args:
        model: What it is of.
        folder: An existing folder.

    Returns:
        Names of the files.

    Raises:
        ExportError: If they cannot be written.
    """
    found = package_files(model)
    try:
        for name in PACKAGE_NAMES:
            if name not in found:
                (folder / name).unlink(missing_ok=True)
        for name, text in found.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportError(
            f"The firmware's files cannot be written to {folder}: {error.strerror or error}. "
            f"Make room, or give another folder with -o."
        ) from error
    return tuple(found)


def _label(name: str) -> str:
    """Return a class's name as a line: other separators than line ends stay."""
    return re.sub(r"[\r\n]+", " ", name)


def _arena(model: FirmwareModel) -> c_sources.Arena:
    """Return how large the arena is to be, and where that number comes from."""
    if model.compiled is not None and model.compiled_ram_bytes is not None:
        n_bytes = model.compiled_ram_bytes + INTERPRETER_BYTES
        note = (
            f"What the device's compiler says ({model.compiled_ram_bytes}), and "
            f"{INTERPRETER_BYTES} for the interpreter, which nobody measured."
        )
    elif model.arena_bytes is not None:
        n_bytes = model.arena_bytes + c_sources.ALIGNMENT
        note = "Measured with tflite-micro on a 64-bit machine; a 32-bit one needs a little less."
    else:
        n_bytes = activation_bytes(model.tflite) + INTERPRETER_BYTES
        note = (
            f"Not measured: all activations, none sharing memory with another, and "
            f"{INTERPRETER_BYTES} for the interpreter. interpreter.arena_used_bytes() tells what "
            f"it needs."
        )
    return c_sources.Arena(_rounded(n_bytes), note)


def _rounded(n_bytes: int) -> int:
    return -(-n_bytes // c_sources.ALIGNMENT) * c_sources.ALIGNMENT


def activation_bytes(tflite: bytes) -> int:
    """Return what all tensors that are no constants take together, at one sample."""
    from workers.conversion.flatbuffer import read_model
    from workers.conversion.runtime import load

    model = read_model(tflite)
    constant = {
        index
        for index, tensor in enumerate(model.subgraphs[0].tensors)
        if model.buffers[tensor.buffer].data is not None
    }
    return sum(
        int(np.prod(tensor["shape"], dtype=np.int64)) * np.dtype(tensor["dtype"]).itemsize
        for tensor in load(tflite).get_tensor_details()
        if tensor["index"] not in constant
    )
