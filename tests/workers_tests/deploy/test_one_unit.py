"""A model of one unit for two classes, retrained, reported and used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.data.request import DataRequest, no_progress
from spaces.space.compression import config_from_params, joint_space
from spaces.tasks.registry import resolve_task
from tests.workers_tests.full_training import asked
from workers.deploy.classifier import load_classifier
from workers.deploy.retrain import retrain_job
from workers.messages.result import EvaluateRequest
from workers.trial.evaluate import TrialEvaluator

pytestmark = pytest.mark.slow

TASK = """
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers
from spaces import Dataset, Split, Task, fingerprint_arrays

NAMES = ("dark above", "bright above")


def load_data(request):
    rng = np.random.default_rng(0)

    def split(n):
        labels = np.arange(n) % 2
        images = rng.integers(0, 150, (n, 12, 12, 3), dtype=np.uint8)
        images[labels == 1, :6] += 60
        return Split(images, labels)

    splits = (split(240), split(80), split(40))
    return Dataset("halves", *splits, NAMES, fingerprint_arrays(NAMES, splits))


def build(hp):
    model = keras.Sequential()
    model.add(layers.Rescaling(1.0 / 127.5, offset=-1, input_shape=(12, 12, 3)))
    model.add(layers.Conv2D(8, 3, strides=2, activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(1, activation="sigmoid" if PROBABILITY else None))
    loss = keras.losses.BinaryCrossentropy(from_logits=not PROBABILITY)
    model.compile(keras.optimizers.Adam(0.01), loss, ["accuracy", keras.metrics.Recall()])
    return model


TASK = Task(
    name="halves",
    description="two halves",
    model=build,
    load_data=load_data,
    augmentations=("none", "flip"),
)
"""


def exported(ref: str, scheme: str, folder: Path) -> tuple[dict[str, Any], Any]:
    """Return what ``search export`` writes of a trial, and its data."""
    from workers.hypermodels.describe import describe_model, load_hypermodel

    task = resolve_task(ref)
    dataset = task.load_data(DataRequest(None, folder))
    hypermodel = load_hypermodel(task.model, dataset.input_shape, 2, dataset)
    described = describe_model(hypermodel)
    space = joint_space(
        task, described.parameters, described.schemes, described.prunable, described.settled
    )
    config = config_from_params(
        {**space.defaults(), "quantization": scheme},
        task=ref,
        data_fingerprint=dataset.fingerprint,
        epochs=6,
        seed=0,
        settled=described.settled,
    )
    assert TrialConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    result = TrialEvaluator(ref, dataset)(EvaluateRequest(config, fan_out=False))
    assert result.point is not None, result.reason
    content = {
        "study": "halves",
        "trial": 1,
        "config": config.to_dict(),
        "data_path": None,
        "size_metric": "gzip",
        "device": "host",
        "measured": {
            "accuracy": result.point.accuracy,
            "tflite_sha256": result.point.tflite_sha256,
            "metrics": dict(result.point.metrics),
        },
    }
    return json.loads(json.dumps(content)), dataset


@pytest.mark.parametrize("is_probability", [True, False])
@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_one_unit_is_retrained_reported_and_used(
    is_probability: bool, scheme: str, keras: Any, tmp_path: Path
) -> None:
    path = tmp_path / "halves.py"
    path.write_text(f"PROBABILITY = {is_probability}\n{TASK}")
    content, dataset = exported(f"{path}:TASK", scheme, tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    metrics = retrain_job(
        no_progress,
        export=content,
        out_dir=str(out),
        cache_dir=str(tmp_path / "cache"),
        options=asked(float_model=False, tta=True),
    )
    assert metrics["identical_to_trial"]
    assert metrics["output"]["units"] == 1 and metrics["output"]["classes"] == 2
    assert metrics["output"]["values"] == ("probabilities" if is_probability else "logits")
    deployed = metrics["models"]["deployed"]
    assert deployed["accuracy"] > 0.9
    confusion = np.array(deployed["confusion"])
    assert confusion.shape == (2, 2) and confusion.sum() == 40
    assert np.trace(confusion) == round(40 * deployed["accuracy"])
    assert [row["name"] for row in deployed["per_class"]] == ["dark above", "bright above"]
    assert deployed["loss"] < 0.4
    assert metrics["models"]["float"]["tta"]["accuracy"] > 0.9
    assert metrics["grad_cam"]["layer"] is not None, metrics["grad_cam"]["note"]
    assert any(row["heatmap"] for row in metrics["grad_cam"]["images"])
    measured = metrics["measured"]["metrics"]
    assert set(measured) == {"recall", "auc"} and measured["auc"] > 0.95
    assert measured == pytest.approx(content["measured"]["metrics"])
    classifier = load_classifier(out)
    assert classifier.labels == ("dark above", "bright above")
    test = dataset.test
    found = classifier.probabilities(test.images)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)
    accuracy = float((found.argmax(axis=1) == test.labels).mean())
    assert accuracy == deployed["accuracy"]
    # The saved Keras model takes what the file takes.
    network = keras.models.load_model(out / "model.keras")
    said = network(test.images.astype(np.float32) / 255).numpy()[:, 0]
    chances = said if is_probability else 1 / (1 + np.exp(-said))
    tolerance = 1e-4 if QuantizationScheme(scheme) is QuantizationScheme.FLOAT32 else 0.1
    np.testing.assert_allclose(found[:, 1], chances, atol=tolerance)
