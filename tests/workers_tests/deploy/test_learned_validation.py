"""A model's own callbacks where the validation pictures are learned from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spaces.config.trial import TrialConfig
from spaces.data.dataset import Dataset
from spaces.data.request import DataRequest, no_progress
from spaces.tasks.registry import resolve_task
from tests.workers_tests import corners_task
from tests.workers_tests.full_training import asked
from workers.deploy.model_folder import METRICS_NAME
from workers.deploy.retrain import retrain_job
from workers.messages.result import EvaluateRequest
from workers.trial.evaluate import TrialEvaluator

pytestmark = pytest.mark.slow

OWN_FIT = """

import keras_tuner


class Own(keras_tuner.HyperModel):
    def build(self, hp):
        model = build(hp)
        model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
        return model

    def fit(self, hp, model, x, y, **kwargs):
        stop = tf_keras.callbacks.EarlyStopping(monitor="MONITOR", patience=1, min_delta=100.0)
        slow = tf_keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1)
        kwargs["callbacks"] = [stop, slow]
        return model.fit(x, y, batch_size=32, **kwargs)


TASK = Task(name="corners", description="bright corners", model=Own(), load_data=load_data)
"""

LOOP = """        model.fit(x, y, batch_size=32, **kwargs)
        return"""

Retrain = Callable[..., dict[str, Any]]


@pytest.fixture
def retrain(keras: Any, tmp_path: Path) -> Retrain:
    """Retrains a trial of a model whose ``fit`` stops when something gets no better."""

    def made(
        monitor: str = "val_loss", recipe: dict[str, Any] | None = None, *, twice: bool = False
    ) -> dict[str, Any]:
        source = Path(corners_task.__file__).read_text()
        path = tmp_path / "own.py"
        own_fit = OWN_FIT.replace("MONITOR", monitor)
        if twice:
            own_fit = own_fit.replace("        return model.fit", f"{LOOP} model.fit")
        path.write_text(source + (own_fit if recipe is None else ""))
        dataset: Dataset = resolve_task(str(path)).load_data(DataRequest(None, tmp_path))
        own = {"learning_rate": 1.0, "optimizer": "adam", "from_model": True, "as_written": True}
        training = {"batch_size": 32, "epochs": 5, **(own if recipe is None else recipe)}
        config = TrialConfig.from_dict(
            {
                "task": str(path),
                "data_fingerprint": dataset.fingerprint,
                "hyperparameters": {"units": 8, "exotic": False},
                "training": training,
                "quantization": "float32",
                "seed": 0,
            }
        )
        trial = TrialEvaluator(str(path), dataset)(EvaluateRequest(config, fan_out=False))
        assert trial.outcome == "complete", trial.reason
        export = {"config": config.to_dict(), "device": "host", "size_metric": "gzip"}
        (tmp_path / "out").mkdir()
        metrics = retrain_job(
            no_progress,
            export=export,
            out_dir=str(tmp_path / "out"),
            cache_dir=str(tmp_path / "cache"),
            options=asked(with_validation=True),
        )
        return {**metrics, "trial_epochs": trial.epochs_trained}

    return made


def test_what_goes_by_validation_is_not_called_and_that_is_said(
    retrain: Retrain, tmp_path: Path
) -> None:
    metrics = retrain()
    assert (metrics["trial_epochs"], metrics["epochs"]) == (2, 5)
    (note,) = [note for note in metrics["notes"] if "learned from" in note]
    assert note.startswith("EarlyStopping of val_loss would go by pictures that are learned from")
    assert "all 5 epochs, or --epochs N" in note
    # How it learned is kept.
    written = json.loads((tmp_path / "out" / METRICS_NAME).read_text())
    history = written["curves"]["history"]
    assert {name: len(values) for name, values in history.items()} == {"loss": 5, "accuracy": 5}


def test_what_goes_by_training_is_called(retrain: Retrain) -> None:
    metrics = retrain("loss")
    assert (metrics["trial_epochs"], metrics["epochs"]) == (2, 2)
    assert not any("learned from" in note for note in metrics["notes"])


def test_a_schedule_that_goes_by_validation_is_told(retrain: Retrain) -> None:
    recipe = {"learning_rate": 0.01, "optimizer": "adam", "lr_schedule": "plateau"}
    metrics = retrain(recipe=recipe)
    (note,) = [note for note in metrics["notes"] if "learned from" in note]
    assert "plateau" in note and "later than in the trial" in note


def test_a_loop_of_ones_own_is_told(retrain: Retrain) -> None:
    (note,) = [note for note in retrain(twice=True)["notes"] if "learned from" in note]
    assert note.startswith("fit(hp, model, ...) trains by a loop of its own")
