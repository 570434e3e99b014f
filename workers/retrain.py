"""Train one exported configuration in full and leave everything that deployment needs.

Runs in a process of its own, set up like a worker: TensorFlow's thread count decides which
weights come out, and a process that has used TensorFlow before cannot change it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spaces.config import TrialConfig
from spaces.dataset import Dataset
from spaces.errors import DataError, ExportError
from spaces.registry import resolve_task
from spaces.task import Progress
from workers.measure import N_REPRESENTATIVE, convert_trained
from workers.prepare import load_task_data
from workers.training import Trained, Weights, train_config

TFLITE_NAME = "model.tflite"
KERAS_NAME = "model.keras"
LABELS_NAME = "labels.txt"
METRICS_NAME = "metrics.json"
COMPILED_NAME = "model_compiled.tflite"
"""What goes on a device that has a compiler of its own."""


def retrain_job(
    progress: Progress,
    export: dict[str, Any],
    out_dir: str,
    epochs: int | None,
    data: str | None,
    cache_dir: str,
    task: str | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Retrain what ``search export`` wrote; JSON in and out (see ``workers.jobs``).

    Args:
        progress: Called after every epoch.
        export: The exported file's content, checked already.
        out_dir: Existing folder to write ``model.tflite``, ``model.keras``, ``labels.txt``
            and ``metrics.json`` to; and what is compiled from the first,
            for a device that has a compiler of its own.
        epochs: Train so many epochs instead of the trial's.
        data: Train on this data instead of the exported path.
        cache_dir: Where decoded images are kept.
        task: The task to load, where its file has moved; None for the exported one.
        device: The device to measure on, where its file has moved; None for the exported one.

    Returns:
        The content of ``metrics.json``.

    Raises:
        DataError: If the data is not what the trial was trained on, and was not named anew.
        ExportError: If the files cannot be written.
    """
    from workers.accuracy import tflite_accuracy
    from workers.convert import float_tflite, representative_images
    from workers.describe import load_hypermodel
    from workers.device import compare_on, measure_on
    from workers.devices import check_device, get_device
    from workers.keras_compat import configure_tensorflow, versions

    exported = TrialConfig.from_dict(export["config"])
    size_metric = export["size_metric"]
    promised = export.get("measured", {})
    with_ram = promised.get("ledger", {}).get("arena_bytes") is not None
    configure_tensorflow(threads=exported.threads)
    target = get_device(device or export["device"], with_ram=with_ram)
    check_device(target, size_metric)
    loaded = resolve_task(exported.task if task is None else task)
    path = data if data is not None else export.get("data_path")
    dataset = load_task_data(
        loaded, None if path is None else Path(path), Path(cache_dir), progress
    )
    if dataset.fingerprint != exported.data_fingerprint and data is None:
        raise DataError(
            f"The data at {path or 'the task itself'} must be what the trial was trained on "
            f"({exported.data_fingerprint}), but got {dataset.fingerprint}. Bring it back, or "
            f"name the data to train on with --data."
        )
    config = exported.with_data_fingerprint(dataset.fingerprint)
    if epochs is not None:
        config = config.with_epochs(epochs)
    hypermodel = load_hypermodel(loaded.model, dataset.input_shape, dataset.n_classes, dataset)
    trained = _train(hypermodel, dataset, config, progress)
    progress("measuring", 0, 1)
    images = representative_images(dataset.train, seed=config.seed, n=N_REPRESENTATIVE)
    float_model = float_tflite(trained.model)
    tflite, sizes = convert_trained(trained, config.quantization, float_model, images, size_metric)
    sizes = compare_on(target, tflite, sizes, dataset.val.images)
    found, sizes = measure_on(target, tflite, sizes)
    sha256 = hashlib.sha256(tflite).hexdigest()
    metrics = {
        "study": export.get("study"),
        "trial": export.get("trial"),
        "task": exported.task,
        "data": dataset.name,
        "generated_pictures": dataset.generated,
        "same_data": dataset.fingerprint == exported.data_fingerprint,
        "epochs": trained.epochs_trained
        + sum(step.training.epochs for step in config.lineage[:-1]),
        "promised": promised,
        "measured": {
            "accuracy": tflite_accuracy(tflite, dataset.val),
            "size_bytes": sizes.size_bytes(size_metric),
            "latency_ms": found.latency.median_ms,
            "tflite_sha256": sha256,
        },
        "test": {
            "images": len(dataset.test),
            "accuracy": tflite_accuracy(tflite, dataset.test),
            "accuracy_float32": tflite_accuracy(float_model, dataset.test),
        },
        "identical_to_trial": sha256 == promised.get("tflite_sha256"),
        "size_metric": size_metric,
        "compiled_file": None if found.compiled is None else COMPILED_NAME,
        "ledger": asdict(sizes),
        "latency": asdict(found.latency),
        "sparsity": dict(trained.sparsity),
        "history": {name: list(values) for name, values in trained.history.items()},
        "config": config.to_dict(),
        "versions": versions(),
    }
    progress("measuring", 1, 1)
    try:
        _write(Path(out_dir), tflite, found.compiled, trained, dataset.class_names, metrics)
    except OSError as error:
        raise ExportError(
            f"The trained model cannot be written to {out_dir}: {error.strerror or error}. Make "
            f"room, or give another folder with -o."
        ) from error
    return metrics


def _train(hypermodel: Any, dataset: Dataset, config: TrialConfig, progress: Progress) -> Trained:
    """Train what the configuration branched from, one after the other, and then itself."""
    total = sum(step.training.epochs for step in config.lineage)
    done = 0

    def on_epoch(epoch: int, metrics: Any) -> bool:
        progress("training", done + epoch + 1, total)
        return True

    weights: Weights | None = None
    for step in config.lineage:
        trained = train_config(hypermodel, dataset, step, on_epoch=on_epoch, start_weights=weights)
        weights = trained.model.get_weights()
        done += step.training.epochs
    return trained


def _write(
    out_dir: Path,
    tflite: bytes,
    compiled: bytes | None,
    trained: Trained,
    class_names: tuple[str, ...],
    metrics: dict[str, Any],
) -> None:
    """Write the files. The Keras model is the trained network before quantization."""
    (out_dir / TFLITE_NAME).write_bytes(tflite)
    if compiled is None:
        (out_dir / COMPILED_NAME).unlink(missing_ok=True)  # Of an earlier retraining.
    else:
        (out_dir / COMPILED_NAME).write_bytes(compiled)
    trained.model.save(out_dir / KERAS_NAME)
    labels = "".join(f"{name}\n" for name in class_names)
    (out_dir / LABELS_NAME).write_text(labels, encoding="utf-8")
    (out_dir / METRICS_NAME).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
