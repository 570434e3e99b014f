"""The firmware package of a model that a search measured: its own file, and no training.

Runs in a process of its own: the microcontroller's interpreter ends the process it runs in when
it is given a model that it does not survive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spaces.config.schemes import QuantizationScheme
from spaces.data.network_input import describe_network_input
from spaces.data.request import DataRequest, Progress
from spaces.errors import ConversionError, DataError, DeviceError, ExportError
from spaces.tasks.registry import is_builtin, resolve_task
from spaces.wording import one_line
from workers.conversion.flatbuffer import gives_probabilities
from workers.conversion.number_formats import input_format, output_format
from workers.conversion.runtime import load
from workers.deploy.model_folder import COMPILED_NAME, TFLITE_NAME
from workers.devices.device import Measurement
from workers.devices.registry import get_device, is_builtin_device
from workers.firmware.model import FirmwareModel
from workers.firmware.package import micro_fit, write_package
from workers.firmware.preprocessing import preprocess_words
from workers.trial.prepare import load_task_data


def package_model_job(
    progress: Progress, export: dict[str, Any], tflite_path: str, out_dir: str, cache_dir: str
) -> dict[str, Any]:
    """Write a model and its firmware package; JSON in and out (see
    ``workers.processes.child_process``).

    Args:
        progress: Called with what is done.
        export: The exported configuration of its trial.
        tflite_path: Where the model lies.
        out_dir: Existing folder to write to.
        cache_dir: Where decoded images are kept.

    Returns:
        What belongs into ``metrics.json`` beside the export: ``input``, ``output``, ``micro``,
        ``preprocessing``, ``compiled_file``, and ``notes``.

    Raises:
        ConversionError: If LiteRT cannot load the model.
        DataError: If a study of an earlier version does not say what its models take, and its
            data is gone or changed.
        ExportError: If the files cannot be written, or nothing says what the model takes.
    """
    progress("writing the package", 0, 1)
    tflite = Path(tflite_path).read_bytes()
    data = export["data"]
    taken = data.get("input") or _input_of_data(export, Path(cache_dir), progress)
    micro = micro_fit(tflite, QuantizationScheme(export["config"]["quantization"]))
    compiled, notes = _compiled(export["device"], tflite)
    model = FirmwareModel(
        tflite=tflite,
        class_names=tuple(data["class_names"]),
        input={**taken, **input_format(tflite)},
        output={
            "values": "probabilities" if gives_probabilities(tflite) else "logits",
            "classes": len(data["class_names"]),
            "units": int(load(tflite).get_output_details()[0]["shape"][-1]),
            **output_format(tflite),
        },
        arena_bytes=micro.arena_bytes,
        why_not=micro.why_not,
        compiled=None if compiled is None else compiled.compiled,
        compiled_ram_bytes=None if compiled is None else compiled.ram_bytes,
    )
    folder = Path(out_dir)
    try:
        (folder / TFLITE_NAME).write_bytes(tflite)
        if model.compiled is None:
            (folder / COMPILED_NAME).unlink(missing_ok=True)  # Of an earlier export.
        else:
            (folder / COMPILED_NAME).write_bytes(model.compiled)
    except OSError as error:
        raise ExportError(
            f"The model cannot be written to {folder}: {error.strerror or error}. Make room, or "
            f"give another folder with -o."
        ) from error
    write_package(model, folder)
    progress("writing the package", 1, 1)
    return {
        "input": dict(model.input),
        "output": dict(model.output),
        "micro": asdict(micro),
        "preprocessing": preprocess_words(model),
        "compiled_file": None if model.compiled is None else COMPILED_NAME,
        "notes": notes,
    }


def _compiled(device: str, tflite: bytes) -> tuple[Measurement | None, list[str]]:
    """Return what the study's device makes of a model, and what is to be said of it."""
    if not is_builtin_device(device) or not get_device(device).compiles:
        return None, []
    try:
        get_device(device).check()
        found = get_device(device).measure(tflite)
    except (ConversionError, DeviceError) as error:
        return None, [f"{COMPILED_NAME} is missing: {one_line(error)}"]
    return found, []


def _input_of_data(
    export: Mapping[str, Any], cache_dir: Path, progress: Progress
) -> dict[str, Any]:
    """Return what a model takes by the data it was trained on; earlier studies do not store it."""
    task, about = export["task"], export["data"]
    if not is_builtin(task):
        raise ExportError(
            f"Study {export.get('study')!r} was begun by an earlier version, which did not store "
            f"what its models take. Export without --with-model, and `search retrain` writes the "
            f"same folder."
        )
    path = export.get("data_path")
    request = DataRequest(
        path=None if path is None else Path(path),
        cache_dir=cache_dir,
        progress=progress,
        group_by=about.get("group_by"),
        split_rule=about.get("split_rule", "by_name"),
    )
    dataset = load_task_data(resolve_task(task), request)
    if dataset.fingerprint != about["data_fingerprint"]:
        raise DataError(
            f"The data at {path or 'the task itself'} must be what the study was begun with "
            f"({about['data_fingerprint']}), but got {dataset.fingerprint}: it says what the "
            f"model takes. Bring it back, or use `search retrain`."
        )
    return describe_network_input(dataset)
