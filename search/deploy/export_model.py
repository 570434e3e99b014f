"""A point's own model file, exported with all that firmware needs: no training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.deploy.deployed_folder import ABOUT_NAMES, output_folder, write_about
from search.deploy.export import export_config
from search.deploy.retrain import DEPLOYED_FILES
from search.front.nearest import nearest_point
from search.front.picks import PickRule
from search.front.read import find_study, load_front, reading
from search.storage import attributes
from search.storage.artifact_places import place_of, read_file
from search.storage.attributes import DEFAULT_STORAGE
from search.storage.urls import storage_url
from spaces.data.cache import default_cache_dir
from spaces.data.request import Progress, no_progress
from spaces.errors import ExportError
from workers.messages.result import Limits
from workers.processes.child_process import run_job
from workers.processes.run_folder import RunFolder

if TYPE_CHECKING:
    from search.front.read import FrontPoint

MODEL_NAME = "model.tflite"
METRICS_NAME = "metrics.json"


@dataclass(frozen=True)
class MicroRefusal:
    """That a model does not run on tflite-micro.

    Attributes:
        why: The reason.
        nearest: The point of the front most like it that does; None if there is none.
    """

    why: str
    nearest: FrontPoint | None


def export_model(
    study: str,
    out_dir: str | Path,
    storage: str | Path | None = None,
    *,
    rule: PickRule = "knee",
    trial: int | None = None,
    limits: Limits | None = None,
    force: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Write one point's own model and the firmware package that ``retrain`` writes too.

    Nothing is trained, and the test split stays untouched: figures are the trial's.

    Args:
        study: Name of the study.
        out_dir: Folder to write to; made if it is not there.
        storage: Database: a file or an SQLAlchemy URL.
        rule: Which point of the front to pick.
        trial: A trial's number, instead of a rule.
        limits: What the picked point must keep.
        force: Whether to overwrite an earlier package.
        progress: Called with what is done.

    Returns:
        The content of ``metrics.json``.

    Raises:
        StudyError: If there is no such study.
        ConfigError: If no point keeps the limits.
        ExportError: If the trial's file is not kept or was changed, or nothing can be written.
        DataError: If only the data says what the model takes, and it is gone or changed.
    """
    content = export_config(study, storage, rule=rule, trial=trial, limits=limits)
    tflite = _model_file(study, DEFAULT_STORAGE if storage is None else storage, content)
    folder = output_folder(Path(out_dir), DEPLOYED_FILES, force)
    _remove_older(folder)
    with RunFolder() as here:  # The model may come from a bucket.
        path = here.path / MODEL_NAME
        path.write_bytes(tflite)
        found = run_job(
            "workers.deploy.package_model:package_model_job",
            {
                "export": content,
                "tflite_path": str(path),
                "out_dir": str(folder),
                "cache_dir": str(default_cache_dir()),
            },
            progress,
        )
    metrics = _metrics(content, found)
    try:
        (folder / METRICS_NAME).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ExportError(
            f"{METRICS_NAME} cannot be written to {folder}: {error.strerror or error}."
        ) from error
    write_about(folder, content, metrics=metrics, is_retrained=False, names=DEPLOYED_FILES)
    return metrics


def micro_refusal(
    content: Mapping[str, Any], storage: str | Path | None = None
) -> MicroRefusal | None:
    """Return why an exported model does not run on tflite-micro; None if its scheme does.

    Args:
        content: What :func:`search.deploy.export.export_config` returned.
        storage: The database that it is from.
    """
    from workers.devices.micro import MICRO_SCHEMES

    scheme = content["config"]["quantization"]
    runs = [one.value for one in MICRO_SCHEMES]
    if scheme in runs:
        return None
    measured = content["measured"]
    values = (measured["accuracy"], float(measured["size_bytes"]), measured["latency_ms"])
    front = load_front(content["study"], storage)
    nearest = nearest_point(front, values, lambda point: point.quantization in runs)
    return MicroRefusal(f"{scheme} models do not run on tflite-micro", nearest)


def _model_file(study: str, storage: str | Path, content: Mapping[str, Any]) -> bytes:
    """Return a trial's file, after a look at its hash."""
    number = content["trial"]
    with reading(storage) as opened:
        record = find_study(opened, study)
    ids = {trial._trial_id for trial in record.trials if trial.number == number}
    for key, meta in record.system_attrs.items():
        link = attributes.linked_artifact(key)
        if link is None or link[0] not in ids or meta in (None, "null"):
            continue
        if json.loads(meta)["filename"] == MODEL_NAME:
            place = place_of(storage_url(storage), record.user_attrs)
            return _checked(read_file(place, link[1]), f"{link[1]} in {place.where}", content)
    raise ExportError(
        f"The file of trial {number} is not kept: those of points that left the front are "
        f"removed. Pick a point of the front, or train it again: export without --with-model, "
        f"then search retrain."
    )


def _checked(tflite: bytes | None, name: str, content: Mapping[str, Any]) -> bytes:
    number = content["trial"]
    if tflite is None:
        raise ExportError(
            f"The file of trial {number} cannot be read: there is no artifact {name}. The "
            f"folder `artifacts` belongs beside the database, and a bucket is found by your "
            f"account and AWS_ENDPOINT_URL; without the file, export without --with-model and use "
            f"search retrain."
        )
    sha256 = hashlib.sha256(tflite).hexdigest()
    stored = content["measured"].get(attributes.TFLITE_SHA256)
    if stored is not None and sha256 != stored:
        raise ExportError(
            f"Artifact {name} is not the file that trial {number} measured: its SHA-256 is "
            f"{sha256}, and the study says {stored}. Export without --with-model, and train it "
            f"again."
        )
    return tflite


def _metrics(content: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what lies beside the model for whoever runs it, `search classify` for one."""
    data, measured = content["data"], content["measured"]
    return {
        "study": content["study"],
        "trial": content["trial"],
        "task": content["task"],
        "data": data["data_name"],
        "generated_pictures": data["generated"],
        "kind": data.get("kind", "image"),
        "retrained": False,
        "measured": dict(measured),
        "size_metric": content["size_metric"],
        "ledger": measured.get("ledger"),
        "latency": measured.get("latency"),
        "config": content["config"],
        "versions": content["versions"],
        **found,
    }


def _remove_older(folder: Path) -> None:
    """Remove what an earlier retraining left: it tells of another model."""
    for name in (*DEPLOYED_FILES, *ABOUT_NAMES):
        (folder / name).unlink(missing_ok=True)
