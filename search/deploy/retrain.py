"""Train an exported configuration in full: the files to deploy, and what they measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from search.deploy.deployed_folder import ABOUT_NAMES, output_folder, write_about
from search.deploy.export import check_export, read_export
from search.deploy.options import RetrainOptions
from search.deploy.report_page import retrain_page
from search.notebook import progress_for_notebook
from search.options import options_of, takes_options
from spaces.data.cache import default_cache_dir
from spaces.data.request import Progress, no_progress
from spaces.errors import ExportError
from spaces.tasks.registry import canonical_ref, is_builtin
from workers.deploy.full_training import FullTraining
from workers.deploy.model_folder import REPORT_NAME
from workers.deploy.onnx_model import check_onnx_extra
from workers.deploy.retrain import PICTURES
from workers.devices.registry import canonical_device, is_builtin_device
from workers.firmware.package import PACKAGE_NAMES
from workers.processes.child_process import run_job

DEPLOYED_FILES = (
    "model.tflite",
    "model.keras",
    "model_keras3.keras",
    "metrics.json",
    "model_float.tflite",
    "model_compiled.tflite",
    "model.onnx",
    "report.html",
    *PACKAGE_NAMES,
    *ABOUT_NAMES,
)


@takes_options(RetrainOptions)
def retrain(
    export: str | Path | Mapping[str, Any],
    out_dir: str | Path,
    *,
    progress: Progress = no_progress,
    **given: Any,
) -> dict[str, Any]:
    """Train what ``search export`` wrote and leave the files that deployment needs.

    At the trial's own epochs and on its own data, ``model.tflite`` is the trial's, byte for
    byte, on the same machine with the same library versions. The test split is measured here,
    and nowhere before.

    Args:
        export: File written by ``search export``, or what ``export_config`` returns.
        out_dir: Folder for ``model.tflite``, ``model.keras``, ``metrics.json``, ``report.html``,
            the firmware's files (:mod:`workers.firmware.package`), ``MODEL_CARD.md``,
            ``export.json`` and ``SHA256SUMS``, ``model_compiled.tflite`` where the device has a
            compiler of its own, and ``model.onnx`` where it is asked for; made if it is not there.
        progress: Called after every epoch; in a notebook, a bar unless it is given.
        {options}

    Returns:
        The content of ``metrics.json``.

    Raises:
        ConfigError: If an option breaks its rule.
        ExportError: If the exported file cannot be used, or the files cannot be written.
        DataError: If the data is gone or is not what the trial was trained on.
    """
    options = options_of(RetrainOptions, given, "retrain")
    if options.onnx:
        check_onnx_extra()  # Now, and not after an hour of training.
    progress = progress_for_notebook(progress)
    if isinstance(export, Mapping):
        content = check_export(dict(export))
    else:
        content = read_export(Path(export))
    task = task_ref(content["config"]["task"], options.task)
    device = device_ref(content["device"], options.device)
    folder = output_folder(Path(out_dir), DEPLOYED_FILES, options.force)
    data = None if options.data is None else str(Path(options.data).absolute())
    weights = None if options.weights is None else str(Path(options.weights).absolute())
    asked = replace(options, task=task, device=device, data=data, weights=weights)
    metrics = dict(
        run_job(
            "workers.deploy.retrain:retrain_job",
            {
                "export": content,
                "out_dir": str(folder),
                "cache_dir": str(default_cache_dir()),
                "options": {one.name: getattr(asked, one.name) for one in fields(FullTraining)},
            },
            progress,
        )
    )
    rows = metrics["grad_cam"]["images"]
    pictures = [{name: row.pop(name) for name in PICTURES} for row in rows]
    try:
        page = retrain_page(metrics, pictures)
        (folder / REPORT_NAME).write_text(page, encoding="utf-8")
    except OSError as error:
        raise ExportError(
            f"{REPORT_NAME} cannot be written to {folder}: {error.strerror or error}."
        ) from error
    write_about(folder, content, metrics=metrics, names=DEPLOYED_FILES)
    return metrics


def task_ref(exported: str, given: str | None) -> str:
    """Return the task to load; nothing that a file names is imported unasked."""
    if given is not None:
        return canonical_ref(given)
    if not is_builtin(exported):
        raise ExportError(
            f"The exported task is code of your own, which runs only if you name it: add --task "
            f"{exported} (or where that file lies now)."
        )
    return exported


def device_ref(exported: str, given: str | None) -> str:
    """Return the device to measure on; nothing that a file names is imported unasked."""
    if given is not None:
        return canonical_device(given)
    if not is_builtin_device(exported):
        raise ExportError(
            f"The exported device is code of your own, which runs only if you name it: add "
            f"--device {exported} (or where that file lies now)."
        )
    return exported
