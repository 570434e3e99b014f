"""Retraining an exported configuration: the files of deployment, and what they promise."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrialConfig
from spaces.data.dataset import Dataset
from spaces.data.pictures import RESIZE_RULE
from spaces.data.request import DataRequest, no_progress
from spaces.errors import DataError, ExportError, TrialFailedError
from spaces.tasks.registry import resolve_task
from tests.workers_tests.deploy.exported import RECIPE, USUAL, Exported, export, retrain
from tests.workers_tests.full_training import asked
from workers.conversion.accuracy import tflite_accuracy
from workers.conversion.runtime import load, network_input, outputs
from workers.deploy.model_folder import (
    FLOAT_NAME,
    KERAS3_NAME,
    KERAS_NAME,
    METRICS_NAME,
    TFLITE_NAME,
)
from workers.deploy.onnx_model import ONNX_NAME
from workers.deploy.retrain import retrain_job
from workers.firmware.package import LABELS_NAME, PACKAGE_NAMES
from workers.hypermodels.describe import load_hypermodel
from workers.messages.result import EvaluateRequest
from workers.training.prune import achieved_sparsity
from workers.training.start_weights import remember
from workers.training.weight_files import read_weight_file
from workers.trial.evaluate import TrialEvaluator
from workers.trial.train_config import build

pytestmark = pytest.mark.slow

S = QuantizationScheme


@pytest.fixture(scope="module")
def task_ref(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("task") / "corners.py"
    shutil.copy(Path(__file__).parents[1] / "corners_task.py", path)
    return f"{path}:TASK"


@pytest.fixture(scope="module")
def dataset(task_ref: str, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    request = DataRequest(None, tmp_path_factory.mktemp("data"))
    return resolve_task(task_ref).load_data(request)


@pytest.fixture(scope="module")
def exported(task_ref: str, dataset: Dataset) -> Exported:
    return export(task_ref, dataset, S.INT8)


@pytest.fixture(scope="module")
def retrained(
    exported: Exported, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    """Metrics of one retraining as the trial was, and its folder; only to be looked at."""
    folder = tmp_path_factory.mktemp("retrained")
    return retrain(exported, folder), folder


@pytest.mark.parametrize("scheme", [S.INT8, S.QAT_INT8])
def test_it_gives_the_model_of_the_trial(
    task_ref: str,
    dataset: Dataset,
    exported: Exported,
    retrained: tuple[dict[str, Any], Path],
    tmp_path: Path,
    scheme: QuantizationScheme,
) -> None:
    metrics, folder = retrained
    if scheme is not S.INT8:
        exported, folder = export(task_ref, dataset, scheme, RECIPE), tmp_path
        metrics = retrain(exported, folder)
    assert metrics["identical_to_trial"] is True
    assert metrics["same_data"] is True
    assert (folder / "out" / TFLITE_NAME).read_bytes() == exported.point.tflite
    measured = metrics["measured"]
    assert measured["accuracy"] == exported.point.accuracy
    assert measured["size_bytes"] == exported.point.size_bytes
    assert measured["tflite_sha256"] == exported.point.tflite_sha256
    assert metrics["sparsity"]["overall"] == pytest.approx(0.5, abs=0.02)


def test_it_leaves_what_deployment_needs(
    keras: Any, exported: Exported, retrained: tuple[dict[str, Any], Path]
) -> None:
    metrics, folder = copy.deepcopy(retrained[0]), retrained[1]
    out_dir = folder / "out"
    names = {TFLITE_NAME, FLOAT_NAME, KERAS_NAME, KERAS3_NAME, METRICS_NAME, *PACKAGE_NAMES}
    assert {path.name for path in out_dir.iterdir()} == names
    labels = (out_dir / LABELS_NAME).read_text()
    assert labels == "top left\ntop right\nbottom left\nbottom right\n"
    for row in metrics["grad_cam"]["images"]:
        assert row.pop("picture") and row.pop("heatmap")  # For the report.
    assert json.loads((out_dir / METRICS_NAME).read_text()) == metrics
    tflite = (out_dir / TFLITE_NAME).read_bytes()
    assert metrics["measured"]["tflite_sha256"] == hashlib.sha256(tflite).hexdigest()
    # The Keras file is the network before quantization.
    split = exported.dataset.test
    model = keras.models.load_model(out_dir / KERAS_NAME)
    scores = model.predict(network_input(split.images), verbose=0)
    assert (scores.argmax(1) == split.labels).mean() == pytest.approx(
        metrics["test"]["accuracy_float32"], abs=1e-9
    )
    agree = scores.argmax(1) == outputs(tflite, split.images).argmax(1)
    assert agree.mean() > 0.9
    assert achieved_sparsity(model) == pytest.approx(metrics["sparsity"])


def test_metrics_say_what_was_promised_and_what_came_out(
    exported: Exported, retrained: tuple[dict[str, Any], Path]
) -> None:
    metrics, _ = retrained
    assert (metrics["study"], metrics["trial"]) == ("corners", 7)
    assert metrics["data"] == "corners"
    assert metrics["generated_pictures"] is False
    assert metrics["promised"] == exported.content["measured"]
    test = exported.dataset.test
    assert metrics["test"]["images"] == len(test)
    assert metrics["test"]["accuracy"] == tflite_accuracy(exported.point.tflite, test)
    assert metrics["epochs"] == 3
    assert {len(values) for values in metrics["history"].values()} == {3}
    assert metrics["ledger"]["gzip_bytes"] == metrics["measured"]["size_bytes"]
    assert metrics["latency"]["device"] == "host"
    assert TrialConfig.from_dict(metrics["config"]) == exported.point.config


def test_it_learns_from_validation_where_it_is_asked_to(
    exported: Exported, retrained: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    found = []
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        metrics = retrain(exported, tmp_path / name, with_validation=True, seeds=1)
        found.append((tmp_path / name / "out" / TFLITE_NAME).read_bytes())
    assert found[0] == found[1] != exported.point.tflite
    assert metrics["identical_to_trial"] is False
    assert metrics["same_data"] is True
    assert metrics["with_validation"] is True and retrained[0]["with_validation"] is False
    # As the same configuration on the joined pictures, by hand.
    joined = exported.dataset.learning_from_validation(tmp_path)
    assert len(joined.train) == len(exported.dataset.train) + len(exported.dataset.val)
    by_hand = TrialEvaluator(exported.point.config.task, joined)(
        EvaluateRequest(
            exported.point.config.with_data_fingerprint(joined.fingerprint), fan_out=False
        )
    )
    assert by_hand.point is not None and by_hand.point.tflite == found[0]
    assert metrics["test"]["accuracy"] == tflite_accuracy(found[0], exported.dataset.test)
    # What was learned from says nothing, and is nowhere.
    text = (tmp_path / "again" / "out" / METRICS_NAME).read_text()
    assert "val_accuracy" not in text and "val_loss" not in text
    assert not {"accuracy", "accuracy_interval", "class_scores"} & set(metrics["measured"])
    assert json.loads(text)["measured"]["size_bytes"] == metrics["measured"]["size_bytes"]


def test_what_starts_from_weights_of_a_file_is_made_again(
    keras: Any, task_ref: str, dataset: Dataset, exported: Exported, tmp_path: Path
) -> None:
    hypermodel = load_hypermodel(resolve_task(task_ref).model, (12, 12, 1), 4, dataset)
    build(hypermodel, exported.point.config)[0].save(tmp_path / "mine.keras")
    build(hypermodel, exported.point.config.with_seed(1))[0].save(tmp_path / "other.keras")
    file = read_weight_file(tmp_path / "mine.keras")
    remember(file)
    training = replace(
        USUAL, weights=file.sha256, frozen_share=0.4, fine_tuning_factor=0.2, epochs=2
    )
    found = export(task_ref, dataset, S.QAT_INT8, training)
    found.content["weights_path"] = str(tmp_path / "gone.keras")
    with pytest.raises(DataError, match="No such file"):
        retrain(found, tmp_path)
    (tmp_path / "out").rmdir()
    with pytest.raises(DataError, match="must be those that the trial started from"):
        retrain(found, tmp_path, weights=str(tmp_path / "other.keras"))
    (tmp_path / "out").rmdir()
    metrics = retrain(found, tmp_path, weights=str(tmp_path / "mine.keras"))
    assert metrics["identical_to_trial"] is True
    (tmp_path / "again").mkdir()
    with pytest.raises(DataError, match="starts from random weights, so --weights"):
        retrain(exported, tmp_path / "again", weights=str(tmp_path / "mine.keras"))


def test_other_epochs_give_another_model(exported: Exported, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ONNX_NAME).write_bytes(b"of an earlier retraining")
    metrics = retrain(exported, tmp_path, epochs=5, progress=lambda *event: seen.append(event))
    assert metrics["onnx"] is None and not (tmp_path / "out" / ONNX_NAME).exists()
    assert metrics["identical_to_trial"] is False
    assert metrics["same_data"] is True
    assert metrics["epochs"] == 5
    config = exported.point.config
    expected = replace(config, training=replace(config.training, epochs=5))
    assert TrialConfig.from_dict(metrics["config"]) == expected
    assert metrics["measured"]["tflite_sha256"] != exported.point.tflite_sha256
    # Pruning follows its schedule over the new number of epochs.
    assert metrics["sparsity"]["overall"] == pytest.approx(0.5, abs=0.02)
    assert [event for event in seen if event[0] == "training"] == [
        ("training", epoch, 5) for epoch in range(1, 6)
    ]
    assert ("measuring", 1, 1) in seen
    assert seen[-1] == ("looking at pictures", 1, 1)


def test_data_that_changed_unasked_is_refused(exported: Exported, tmp_path: Path) -> None:
    changed = tmp_path / "seed.txt"
    changed.write_text("1")
    content = {**exported.content, "data_path": str(changed)}
    with pytest.raises(DataError, match="must be what the trial was trained on") as error:
        retrain(exported._replace(content=content), tmp_path)
    assert exported.dataset.fingerprint in str(error.value)
    assert "--data" in str(error.value)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_gone_when_training_ends_is_said(
    exported: Exported, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="cannot be written.*-o") as error:
        retrain_job(
            no_progress,
            export=exported.content,
            out_dir=str(tmp_path / "gone"),
            cache_dir=str(tmp_path / "cache"),
            options=asked(epochs=1),
        )
    assert "\n" not in str(error.value)


def test_other_data_that_was_named_is_trained_on(exported: Exported, tmp_path: Path) -> None:
    other = tmp_path / "seed.txt"
    other.write_text("1")
    metrics = retrain(exported, tmp_path, data=str(other))
    assert metrics["same_data"] is False
    assert metrics["identical_to_trial"] is False
    assert metrics["config"]["data_fingerprint"] != exported.dataset.fingerprint
    assert metrics["measured"]["accuracy"] > 0.8


def test_the_input_table_prepares_a_picture_as_training_did(
    exported: Exported, retrained: tuple[dict[str, Any], Path]
) -> None:
    metrics, folder = retrained
    table = metrics["input"]
    assert table["shape"] == [12, 12, 1]
    assert (table["dtype"], table["scale"], table["range"]) == ("uint8", 255.0, [0.0, 1.0])
    assert table["resize"] == RESIZE_RULE
    assert table["tflite_dtype"] == "int8"
    assert metrics["output"]["values"] == "probabilities"
    assert metrics["output"]["classes"] == 4
    # Nothing but the table and the file: the same answers.
    interpreter = load((folder / "out" / TFLITE_NAME).read_bytes())
    image = exported.dataset.test.images[:1]
    seen = image / table["scale"] / table["tflite_scale"] + table["tflite_zero_point"]
    details = interpreter.get_input_details()[0]
    interpreter.set_tensor(details["index"], np.clip(np.round(seen), -128, 127).astype(np.int8))
    interpreter.invoke()
    given = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_array_equal(given, outputs(exported.point.tflite, image))


def test_float_pruned_and_deployed_stand_side_by_side(exported: Exported, tmp_path: Path) -> None:
    metrics = retrain(exported, tmp_path, float_model=True, tta=True, seeds=2, onnx=True)
    assert metrics["onnx"]["labels_differ"] == 0
    assert metrics["onnx"]["images"] == len(exported.dataset.val)
    assert (tmp_path / "out" / ONNX_NAME).stat().st_size > 1000
    models, test = metrics["models"], exported.dataset.test
    assert list(models) == ["float", "pruned", "deployed"]
    assert [round(row["sparsity"], 1) for row in models.values()] == [0.0, 0.5, 0.5]
    assert models["deployed"]["accuracy"] == tflite_accuracy(exported.point.tflite, test)
    assert models["deployed"]["tflite_bytes"] == len(exported.point.tflite)
    assert models["deployed"]["gzip_bytes"] == exported.point.size_bytes
    assert models["pruned"]["accuracy"] == metrics["test"]["accuracy_float32"]
    # Zeros compress; int8 is a quarter.
    assert models["float"]["gzip_bytes"] > models["pruned"]["gzip_bytes"]
    assert models["float"]["tflite_bytes"] == models["pruned"]["tflite_bytes"]
    assert models["pruned"]["tflite_bytes"] > 1.5 * models["deployed"]["tflite_bytes"]
    for row in models.values():
        assert np.sum(row["confusion"]) == len(test)
        assert np.trace(row["confusion"]) / len(test) == pytest.approx(row["accuracy"])
        assert row["latency_ms"] > 0 and 0 < row["loss"] < 1
    # The float model is the same training, without what compresses.
    config = TrialConfig.from_dict(metrics["config"]).without_compression()
    history = models["float"]["history"]
    assert len(history["loss"]) == config.training.epochs
    assert history != metrics["history"]
    assert models["float"]["tta"]["views"][0] == "as it is"
    assert 0.5 < models["float"]["tta"]["accuracy"] <= 1
    assert "tta" not in models["deployed"]
    # Other seeds give other models; the files are of its own.
    seeds = metrics["seeds"]
    assert (seeds["own_seed"], [run["seed"] for run in seeds["runs"]]) == (0, [1, 2])
    accuracies = [run["accuracy"] for run in seeds["runs"]]
    assert seeds["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert seeds["size_bytes"]["max"] == max(run["size_bytes"] for run in seeds["runs"])
    assert (tmp_path / "out" / TFLITE_NAME).read_bytes() == exported.point.tflite


def test_what_is_not_pruned_is_its_own_float_model(
    task_ref: str, dataset: Dataset, tmp_path: Path
) -> None:
    plain = export(task_ref, dataset, S.FLOAT32, pruning=PruningConfig())
    seen = []
    metrics = retrain(plain, tmp_path, lambda *event: seen.append(event[0]), float_model=True)
    models = metrics["models"]
    assert models["pruned"] is None
    assert models["float"]["confusion"] == models["deployed"]["confusion"]
    assert "training the float model" not in seen
    assert "Nothing is pruned" in metrics["notes"][0]


def test_patience_ends_training_with_the_best_weights(exported: Exported, tmp_path: Path) -> None:
    metrics = retrain(exported, tmp_path, epochs=30, patience=2)
    curves = metrics["curves"]
    history, kept = curves["history"]["val_accuracy"], curves["phases"][0]["kept"]
    assert metrics["patience"] == 2
    assert metrics["epochs"] == len(history) == kept + 2 < 30
    assert curves["best_epoch"] == kept
    # Not before the mask is final, at 70 % of the planned epochs; from there on the best.
    assert kept >= 21
    assert history[kept - 1] == max(history[20:])
    assert curves["phases"][0]["pruning"] == [6.0, 21.0]
    assert metrics["sparsity"]["overall"] == pytest.approx(0.5, abs=0.02)


def test_a_float_model_that_diverges_is_said_and_the_files_are_there(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.deploy import comparison
    from workers.trial.train_config import train_config as honest

    def train(hypermodel: Any, dataset: Dataset, config: TrialConfig, **options: Any) -> Any:
        if not config.pruning.is_active or config.seed == 1:
            raise TrialFailedError("loss became NaN in epoch 1")
        return honest(hypermodel, dataset, config, **options)

    monkeypatch.setattr(comparison, "train_config", train)
    metrics = retrain(exported, tmp_path, float_model=True, seeds=1)
    assert metrics["models"]["float"] is None
    assert metrics["notes"] == [
        "There is no float model to compare with: loss became NaN in epoch 1."
    ]
    assert metrics["seeds"]["runs"] == [{"seed": 1, "reason": "loss became NaN in epoch 1"}]
    assert "accuracy" not in metrics["seeds"]
    assert (tmp_path / "out" / TFLITE_NAME).read_bytes() == exported.point.tflite
