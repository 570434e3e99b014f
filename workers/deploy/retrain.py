"""Train one exported configuration in full and leave everything that deployment needs.

Runs in a process of its own, set up like a worker: TensorFlow's thread count decides which
weights come out, and a process that has used TensorFlow before cannot change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.data.accuracy_context import wilson_interval
from spaces.data.request import Progress
from spaces.errors import ConversionError, TrialFailedError
from spaces.tasks.source import describe_change
from workers.conversion.runtime import network_input
from workers.deploy.full_training import FullTraining, bench_of
from workers.deploy.learned_validation import leave_out_validation, validation_notes
from workers.deploy.model_folder import COMPILED_NAME, write_metrics, write_models
from workers.deploy.model_input import describe_input, describe_output
from workers.deploy.onnx_model import ONNX_NAME, write_onnx
from workers.devices.device import N_COMPARED
from workers.firmware.model import FirmwareModel
from workers.firmware.package import micro_fit
from workers.firmware.preprocessing import preprocess_words
from workers.training.losses import interface_of
from workers.trial.measure import N_REPRESENTATIVE, convert_trained, own_metrics
from workers.trial.prepare import code_hashes

if TYPE_CHECKING:
    from workers.deploy.comparison import Bench
    from workers.trial.train_config import Trained

PICTURES = ("picture", "heatmap")
"""What is returned for the report, and not written to ``metrics.json``."""


def retrain_job(
    progress: Progress,
    export: dict[str, Any],
    out_dir: str,
    cache_dir: str,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Retrain what ``search export`` wrote; JSON in and out (see
    ``workers.processes.child_process``).

    The files of deployment are written as soon as they are trained; what they are compared with
    is trained afterwards.

    Args:
        progress: Called after every epoch.
        export: The exported file's content, checked already.
        out_dir: Existing folder to write ``model.tflite``, ``model.keras``, ``metrics.json`` and
            the firmware's files (:mod:`workers.firmware.package`) to; and what is compiled from
            the first, for a device that has a compiler of its own.
        cache_dir: Where decoded images are kept.
        options: Fields of :class:`FullTraining`.

    Returns:
        The content of ``metrics.json``, with the pictures for the report among ``grad_cam``.

    Raises:
        DataError: If the data is not what the trial was trained on, and was not named anew.
        ExportError: If the files cannot be written.
    """
    from workers.conversion.float_operations import describe_float_operations
    from workers.training.keras_compat import configure_tensorflow

    asked = FullTraining(**options)
    exported = TrialConfig.from_dict(export["config"])
    configure_tensorflow(threads=exported.threads)
    bench = bench_of(progress, export, exported, cache_dir, asked)
    config = exported.with_data_fingerprint(bench.dataset.fingerprint)
    if asked.epochs is not None:
        config = config.with_epochs(asked.epochs)
    trainings = bench.train(config, "training")
    trained = trainings[-1]
    progress("measuring", 0, 1)
    model, metrics = _measured(bench, config, trainings, export)
    metrics["patience"] = asked.patience
    metrics["same_data"] = bench.source_fingerprint == exported.data_fingerprint
    metrics["with_validation"] = asked.with_validation
    if asked.with_validation:
        leave_out_validation(metrics)
        metrics["notes"] += validation_notes(trainings[0], config.lineage[0])
    folder = Path(out_dir)
    samples = network_input(bench.dataset.val.images[:N_COMPARED])
    write_models(folder, model, trained, samples, metrics)
    progress("measuring", 1, 1)
    metrics["onnx"] = None
    if asked.onnx:
        are_logits = interface_of(trained.model).are_logits
        metrics["onnx"], why_not = write_onnx(
            folder, model.tflite, bench.dataset.val.images, are_logits=are_logits
        )
        if why_not:
            metrics["notes"].append(f"There is no {ONNX_NAME}: {why_not}.")
    metrics["notes"] += _compare(bench, config, trained, metrics["models"], asked)
    task, device = asked.task or exported.task, asked.device or export["device"]
    metrics["notes"] += _code_notes(export, task, device)
    islands = metrics["ledger"]["float_operations"]
    if islands:
        metrics["notes"].append(
            f"The deployed file is not integer throughout: {describe_float_operations(islands)}."
        )
    if asked.seeds:
        metrics["seeds"] = bench.seeds(config, asked.seeds)
    looked: dict[str, Any] = {"layer": None, "note": "", "images": []}
    if bench.dataset.samples.is_picture:
        looked = _looked_at(bench, trained, model.tflite, progress)
    images = [
        {name: value for name, value in row.items() if name not in PICTURES}
        for row in looked["images"]
    ]
    metrics["grad_cam"] = {**looked, "images": images}
    if asked.with_validation:
        leave_out_validation(metrics)
    write_metrics(folder, metrics)
    return {**metrics, "grad_cam": looked}


def _looked_at(
    bench: Bench, trained: Trained, tflite: bytes, progress: Progress
) -> dict[str, Any]:
    """Return pictures of some test images, and what the network looked at in them."""
    from workers.conversion.accuracy import tflite_scores
    from workers.deploy.grad_cam import grad_cam
    from workers.training.losses import interface_of

    progress("looking at pictures", 0, 1)
    split = bench.dataset.test
    are_logits = interface_of(trained.model).are_logits
    scores, _ = tflite_scores(tflite, split.images, are_logits=are_logits)
    looked = grad_cam(trained.model, split, scores, are_logits=are_logits)
    progress("looking at pictures", 1, 1)
    return looked


def _measured(
    bench: Bench, config: TrialConfig, trainings: Sequence[Trained], export: dict[str, Any]
) -> tuple[FirmwareModel, dict[str, Any]]:
    """Convert and measure what is deployed: the model, what is compiled of it, and metrics."""
    from workers.conversion.accuracy import tflite_accuracy, tflite_class_scores
    from workers.conversion.convert import float_tflite, representative_images
    from workers.deploy.comparison import joined_history, phases
    from workers.deploy.evaluation import best_epoch
    from workers.devices.device import compare_on, measure_on
    from workers.training.keras_compat import versions

    dataset, trained, size_metric = bench.dataset, trainings[-1], bench.size_metric
    images = representative_images(dataset.train, seed=config.seed, n=N_REPRESENTATIVE)
    unquantized = float_tflite(trained.model)
    tflite, sizes = convert_trained(trained, config.quantization, unquantized, images, size_metric)
    sizes = compare_on(bench.device, tflite, sizes, dataset.val.images)
    found, sizes = measure_on(bench.device, tflite, sizes)
    latency = found.latency.scaled_to(bench.baseline_ms)
    micro = micro_fit(tflite, config.quantization)
    model = FirmwareModel(
        tflite=tflite,
        class_names=dataset.class_names,
        input=describe_input(dataset, tflite),
        output=describe_output(trained.model, dataset, tflite),
        arena_bytes=micro.arena_bytes,
        why_not=micro.why_not,
        compiled=found.compiled,
        compiled_ram_bytes=found.ram_bytes,
    )
    deployed = bench.row(trained, tflite, latency.latency_ms)
    sha256 = hashlib.sha256(tflite).hexdigest()
    are_logits = interface_of(trained.model).are_logits
    scores = tflite_class_scores(tflite, dataset.val, are_logits=are_logits)
    promised = export.get("measured", {})
    history = joined_history(trainings)
    restored = trainings[0].best_epoch
    metrics = {
        "study": export.get("study"),
        "trial": export.get("trial"),
        "task": export["config"]["task"],
        "data": dataset.name,
        "generated_pictures": dataset.generated,
        "kind": dataset.kind,
        "epochs": sum(step.epochs_trained for step in trainings),
        "promised": promised,
        "measured": {
            "images": len(dataset.val),
            "accuracy": scores["accuracy"],
            "accuracy_interval": list(wilson_interval(scores["accuracy"], len(dataset.val))),
            "class_scores": scores,
            "size_bytes": sizes.size_bytes(size_metric),
            "latency_ms": latency.latency_ms,
            "ram_bytes": micro.arena_bytes if found.ram_bytes is None else found.ram_bytes,
            "tflite_sha256": sha256,
            "metrics": own_metrics(trained, tflite, dataset.val),
        },
        "test": {
            "images": len(dataset.test),
            "metrics": own_metrics(trained, tflite, dataset.test),
            "accuracy": deployed["accuracy"],
            "accuracy_interval": list(wilson_interval(deployed["accuracy"], len(dataset.test))),
            "accuracy_float32": tflite_accuracy(unquantized, dataset.test, are_logits=are_logits),
        },
        "models": {"float": None, "pruned": None, "deployed": deployed},
        "notes": [],
        "curves": {
            "phases": phases(config, trainings),
            "history": history,
            "best_epoch": best_epoch(history) if restored is None else restored + 1,
        },
        "grad_cam": None,
        "seeds": None,
        "identical_to_trial": sha256 == promised.get("tflite_sha256"),
        "input": dict(model.input),
        "output": dict(model.output),
        "micro": asdict(micro),
        "preprocessing": preprocess_words(model),
        "size_metric": size_metric,
        "compiled_file": None if found.compiled is None else COMPILED_NAME,
        "ledger": asdict(sizes),
        "latency": asdict(latency),
        "sparsity": dict(trained.sparsity),
        "history": {name: list(values) for name, values in trained.history.items()},
        "config": config.to_dict(),
        "versions": versions(),
    }
    return model, metrics


def _code_notes(export: dict[str, Any], task: str, device: str) -> list[str]:
    """Return what is to be said of code that is not what the trial was made with."""
    if "code" not in export:
        return []
    changed = describe_change(export["code"], code_hashes(task, device))
    if not changed:
        return []
    return [
        f"The code is not the one that was exported: {changed} changed since. What the trial "
        f"measured is no promise for it."
    ]


def _compare(
    bench: Bench,
    config: TrialConfig,
    trained: Trained,
    models: dict[str, Any],
    asked: FullTraining,
) -> list[str]:
    """Enter the models that the deployed one is compared with; return what is to be said."""
    notes = []
    tta = asked.tta
    if tta and not bench.dataset.samples.is_picture:
        tta = False
        notes.append("Test-time augmentation shifts pictures; these are none, so there is none.")
    row = bench.float_row(trained, tta=tta)
    if config.without_compression() == config.with_quantization(QuantizationScheme.FLOAT32):
        models["float"] = row
        notes.append("Nothing is pruned: the float model is the trained one, before quantization.")
    else:
        models["pruned"] = row
        if asked.float_model:
            try:
                models["float"] = bench.float_twin(config, tta=tta)
            except (TrialFailedError, ConversionError) as error:
                notes.append(f"There is no float model to compare with: {error}.")
    if row["latency_ms"] is None:
        notes.append(f"Float32 models have no latency on {bench.device.name}: {row['why_none']}.")
    return notes
