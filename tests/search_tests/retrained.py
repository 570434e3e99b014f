"""What ``metrics.json`` holds after a retraining, made up but of the real judge."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from workers.deploy.evaluation import judge, spread

NAMES = ("apple", "<b>pear</b>", "plum")
HISTORY = {
    "loss": [1.2, 0.7, 0.4, 0.3],
    "accuracy": [0.4, 0.7, 0.9, 0.95],
    "val_loss": [1.1, 0.8, 0.5, 0.6],
    "val_accuracy": [0.5, 0.7, 0.95, 0.9],
}


def picture() -> str:
    """A PNG file in base64."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def model(n_wrong: int, **values: Any) -> dict[str, Any]:
    """A row of 60 test images, so many of which are called pears."""
    labels = np.repeat([0, 1, 2], 20)
    scores = np.eye(3)[labels] * 0.8 + 0.1
    scores[:n_wrong] = [0.1, 0.8, 0.1]
    row = judge(scores, labels, NAMES, are_logits=False)
    sizes = {"tflite_bytes": 57_000, "gzip_bytes": 52_000, "latency_ms": 0.03, "sparsity": 0.0}
    return {**row, **sizes, **values}


def metrics(**changes: Any) -> dict[str, Any]:
    """A pruned model's; ``changes`` replaces what is given."""
    deployed = model(4, tflite_bytes=18_300, gzip_bytes=12_400, latency_ms=0.22, sparsity=0.5)
    return {
        "study": "fruit",
        "trial": 7,
        "task": "fruit",
        "data": "drawn",
        "promised": {"accuracy": 0.95, "size_bytes": 12_300, "latency_ms": 0.21},
        "measured": {
            "images": 100,
            "accuracy": 0.96,
            "size_bytes": 12_400,
            "latency_ms": 0.22,
            "ram_bytes": 21_000,
        },
        "micro": {"arena_bytes": 21_000, "why_not": "", "why_unknown": ""},
        "preprocessing": ["Divide by 255.", "Fill the input."],
        "epochs": 4,
        "test": {"images": 60, "accuracy": 56 / 60, "accuracy_float32": 57 / 60},
        "models": {
            "float": model(1, history=HISTORY),
            "pruned": model(3, gzip_bytes=30_000, sparsity=0.5),
            "deployed": deployed,
        },
        "notes": [],
        "curves": {
            "phases": [{"name": "training", "epochs": 4, "kept": 4, "pruning": [1.0, 3.0]}],
            "history": HISTORY,
            "best_epoch": 3,
        },
        "grad_cam": {
            "layer": "conv2d_1",
            "note": "",
            "images": [
                {"index": 0, "label": 0, "predicted": 1, "confidence": 0.8},
                {"index": 21, "label": 1, "predicted": 1, "confidence": 0.7},
            ],
        },
        "seeds": None,
        "generated_pictures": True,
        "same_data": True,
        "identical_to_trial": False,
        "size_metric": "gzip",
        "latency": {"device": "host", "runtime": "a runtime"},
        "config": {
            "hyperparameters": {"filters_1": 8},
            "training": {"learning_rate": 0.003},
            "pruning": {"schedule": "polynomial"},
            "quantization": "int8",
            "seed": 0,
            "threads": 1,
        },
        "versions": {"tensorflow": "2.21.0"},
        **changes,
    }


SEEDS = {
    "own_seed": 0,
    "runs": [
        {"seed": 1, "accuracy": 0.9, "val_accuracy": 0.9, "size_bytes": 12e3, "latency_ms": 0.2},
        {"seed": 2, "reason": "loss became NaN in epoch 1"},
        {"seed": 3, "accuracy": 0.92, "val_accuracy": 0.9, "size_bytes": 13e3, "latency_ms": 0.2},
    ],
    "accuracy": spread([0.9, 0.92]),
    "val_accuracy": spread([0.9, 0.9]),
    "size_bytes": spread([12e3, 13e3]),
    "latency_ms": spread([0.2, 0.2]),
}
