"""Studies for tests, written by the same code as a run writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.space.compression import config_from_params
from spaces.space.search_space import Parameter, SearchSpace
from workers.messages.result import Latency, Ledger, Limits, Point, TaskInfo, TrialResult

# No test of ours is about time, and machines that run tests are busy.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

TASK = TaskInfo(
    name="fruit",
    ref="fruit",
    space=SearchSpace(
        (
            Parameter("learning_rate", "float", 1e-4, 1e-1, log=True, default=1e-3),
            Parameter("batch_size", "categorical", choices=(16, 32), default=32),
            Parameter("optimizer", "categorical", choices=("adam",)),
            Parameter("filters_1", "int", 8, 128, default=32),
            Parameter("pruning_schedule", "categorical", choices=("none",)),
            Parameter(
                "quantization",
                "categorical",
                choices=tuple(scheme.value for scheme in POST_TRAINING_SCHEMES),
                default="float32",
            ),
        )
    ),
    epochs=3,
    data_name="fruit (generated pictures)",
    data_path=None,
    data_fingerprint="0123456789abcdef",
    generated=True,
    class_names=("apple", "orange", "mandarin", "banana"),
    input_shape=(96, 96, 3),
    n_train=3000,
    n_val=600,
    n_test=1000,
)

BITS = {"float32": 32, "float16": 16, "dynamic_int4": 4}


def analytic_point(config: TrialConfig) -> Point:
    """Return a model that is larger, slower and better the more filters it has."""
    filters = int(config.hyperparameter_dict["filters_1"])
    bits = BITS.get(config.quantization.value, 8)
    speed = 2.0 if config.quantization is QuantizationScheme.INT16X8 else 1.0
    ledger = Ledger(
        tflite_bytes=filters * bits * 30,
        gzip_bytes=filters * bits * 25,
        sparse_bytes=None,
        n_params=filters * 200,
        n_nonzero=filters * 200,
        macs=filters * 9000,
    )
    median_ms = filters * speed / 100
    return Point(
        config=config,
        accuracy=0.99 - 1 / filters - 0.002 * (32 / bits),
        size_bytes=ledger.gzip_bytes,
        latency=Latency(median_ms, 0.01, median_ms, 50, 5, 1, "host", "analytic"),
        ledger=ledger,
        tflite=f"{config.hash}".encode(),
    )


def analytic_result(config: TrialConfig) -> TrialResult:
    """Return what a worker would, in no time: every post-training scheme is a point."""
    siblings = tuple(
        analytic_point(config.with_quantization(scheme))
        for scheme in POST_TRAINING_SCHEMES
        if scheme is not config.quantization
    )
    return TrialResult(
        config=config,
        outcome="complete",
        point=analytic_point(config),
        siblings=siblings,
        epochs_trained=config.training.epochs,
        sparsity={"overall": 0.25, "conv_1": 0.25},
        versions={"tensorflow": "2.21.0"},
    )


MakeStudy = Callable[..., str]


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Return a function that fills a study and returns its storage, ``tmp_path/studies.db``."""
    from search.storage.artifacts import ArtifactKeeper
    from search.storage.database import open_storage
    from search.storage.settings import StudySettings
    from search.storage.urls import artifacts_dir, storage_url
    from search.study.create_or_resume import open_study

    def make(
        name: str = "fruit",
        n_trials: int = 8,
        *,
        limits: Limits = Limits(),  # noqa: B008
        generated: bool = True,
        n_failed: int = 0,
    ) -> str:
        path = tmp_path / "studies.db"
        data_name = "fruit (generated pictures)" if generated else "fruit360"
        task = dataclasses.replace(TASK, generated=generated, data_name=data_name)
        keeper = ArtifactKeeper(artifacts_dir(storage_url(path)), name)
        settings = StudySettings(name, task, limits=limits, sampler="random")
        storage = open_storage(path)
        study = open_study(storage, settings, keeper)
        for number in range(n_trials + n_failed):
            asked = study.ask(
                lambda params: config_from_params(
                    params,
                    task="fruit",
                    data_fingerprint=task.data_fingerprint,
                    epochs=task.epochs,
                    seed=0,
                )
            )
            assert asked is not None
            if number < n_trials:
                study.tell(asked.number, analytic_result(asked.config))
            else:
                study.fail(asked.number, "its loss is NaN")
        storage.engine.dispose()
        return str(path)

    return make
