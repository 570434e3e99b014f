"""Trials that were exported, and how tests retrain them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset
from spaces.data.request import Progress, no_progress
from tests.workers_tests.full_training import asked
from workers.deploy.retrain import retrain_job
from workers.messages.result import EvaluateRequest, Point
from workers.trial.evaluate import TrialEvaluator


class Exported(NamedTuple):
    """A trial, what ``search export`` writes of it, and its data."""

    point: Point
    content: dict[str, Any]
    dataset: Dataset


USUAL = TrainingConfig(0.01, batch_size=32, epochs=3, qat_epochs=1)
RECIPE = replace(
    USUAL,
    augmentation="shift+zoom",
    augmentation_strength=0.2,
    label_smoothing=0.05,
    lr_schedule="plateau",
    ema=0.1,
)
PRUNED = PruningConfig("polynomial", 0.5, 0.2, 0.7)


def export(
    ref: str,
    dataset: Dataset,
    scheme: QuantizationScheme,
    training: TrainingConfig = USUAL,
    pruning: PruningConfig = PRUNED,
) -> Exported:
    """Evaluate a trial and export it."""
    config = TrialConfig(
        task=ref,
        data_fingerprint=dataset.fingerprint,
        hyperparameters=(("units", 16),),
        training=training,
        pruning=pruning,
        quantization=scheme,
    )
    result = TrialEvaluator(ref, dataset)(EvaluateRequest(config, fan_out=False))
    assert result.point is not None, result.reason
    content = {
        "study": "corners",
        "trial": 7,
        "config": config.to_dict(),
        "data_path": None,
        "size_metric": "gzip",
        "device": "host",
        "measured": {
            "accuracy": result.point.accuracy,
            "tflite_sha256": result.point.tflite_sha256,
        },
    }
    # What was exported is read back from a file.
    return Exported(result.point, json.loads(json.dumps(content)), dataset)


def retrain(
    exported: Exported, folder: Path, progress: Progress = no_progress, **options: Any
) -> dict[str, Any]:
    """Retrain into the folder ``out``."""
    out_dir = folder / "out"
    out_dir.mkdir(exist_ok=True)
    return retrain_job(
        progress,
        export=exported.content,
        out_dir=str(out_dir),
        cache_dir=str(folder / "cache"),
        options=asked(**options),
    )
