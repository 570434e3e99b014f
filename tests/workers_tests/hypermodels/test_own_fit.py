"""Callbacks of ``fit`` and metrics of ``compile``: the same as Keras's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spaces.data.dataset import Dataset
from tests.workers_tests.hypermodels.test_as_written import (  # noqa: F401
    SIDE,
    keras_2,
    layer,
    loss_of,
    network,
    pictures,
    study,
)
from workers.messages.result import EvaluateRequest


def callback(name: str, **settings: Any) -> Any:
    import tf_keras

    return getattr(tf_keras.callbacks, name)(**settings)


def metric(kind: str, /, **settings: Any) -> Any:
    import tf_keras

    return getattr(tf_keras.metrics, kind)(**settings)


def hypermodel_of(net: Callable[[], Any], callbacks: Callable[[], list[Any]]) -> Any:
    import keras_tuner

    class Own(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return net()

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            kwargs["callbacks"] = [*kwargs.get("callbacks", []), *callbacks()]
            return model.fit(*args, batch_size=20, shuffle=False, **kwargs)

    return Own()


def jumpy(rate: float = 0.1, metrics: Any = ("accuracy",)) -> Any:
    """A network with regularization, whose losses fall ever more slowly."""
    import tf_keras

    last = layer("Dense", 2, activation="softmax", kernel_regularizer="l2")
    model = network(last, units=8, activation="tanh")
    model.compile(tf_keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", list(metrics))
    return model


CALLBACKS: list[tuple[str, Callable[[], list[Any]]]] = [
    (
        "stop",
        lambda: [callback("EarlyStopping", patience=2, min_delta=0.06, restore_best_weights=True)],
    ),
    ("stop, last weights", lambda: [callback("EarlyStopping", patience=1, min_delta=0.05)]),
    (
        "stop by accuracy",
        lambda: [
            callback(
                "EarlyStopping", monitor="val_accuracy", patience=3, restore_best_weights=True
            )
        ],
    ),
    (
        "lower",
        lambda: [
            callback(
                "ReduceLROnPlateau",
                factor=0.5,
                patience=1,
                cooldown=1,
                min_lr=0.01,
                min_delta=0.02,
            )
        ],
    ),
    (
        "both",
        lambda: [
            callback("ReduceLROnPlateau", monitor="loss", factor=0.2, patience=1),
            callback("EarlyStopping", patience=4, restore_best_weights=True),
        ],
    ),
    (
        "schedule",
        lambda: [callback("LearningRateScheduler", schedule=lambda epoch, rate: rate * 0.7)],
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "callbacks", [each[1] for each in CALLBACKS], ids=[each[0] for each in CALLBACKS]
)
def test_callbacks_do_what_they_do_in_keras(
    callbacks: Callable[[], list[Any]],
    pictures: Dataset,  # noqa: F811
) -> None:
    from workers.trial.train_config import build, train_config

    hypermodel, config, notes = study(hypermodel_of(jumpy, callbacks), pictures)
    assert "called after every epoch" in notes and config.training.as_written
    config = replace(config, training=replace(config.training, epochs=8))
    start = build(hypermodel, config)[0].get_weights()
    trained = train_config(hypermodel, pictures, config)
    theirs = jumpy()
    theirs.set_weights(start)
    images, val_images = (
        split.images.astype(np.float32) / 255 for split in (pictures.train, pictures.val)
    )
    fit = theirs.fit(
        images,
        pictures.train.labels,
        batch_size=20,
        shuffle=False,
        epochs=8,
        verbose=0,
        validation_data=(val_images, pictures.val.labels),
        callbacks=callbacks(),
    )
    assert trained.epochs_trained == len(fit.history["loss"])
    np.testing.assert_allclose(trained.history["loss"], fit.history["loss"], rtol=2e-3)
    for one, other in zip(trained.model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-4)
    again = train_config(hypermodel, pictures, config)
    for one, other in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # A configuration of before trains on, as it did.
    old = replace(config, training=replace(config.training, as_written=False))
    assert train_config(hypermodel, pictures, old).epochs_trained == 8


def test_callbacks_that_are_not_called_are_told(pictures: Dataset) -> None:  # noqa: F811
    def some() -> list[Any]:
        return [
            callback("EarlyStopping", monitor="val_f1"),
            callback("CSVLogger", filename="log.csv"),
        ]

    _, config, notes = study(hypermodel_of(jumpy, some), pictures)
    assert "not called: EarlyStopping of val_f1, CSVLogger" in notes
    assert not config.training.as_written


def test_a_metric_of_compile_may_be_watched(pictures: Dataset) -> None:  # noqa: F811
    _, _, notes = study(
        hypermodel_of(
            lambda: jumpy(metrics=["AUC"]),
            lambda: [callback("EarlyStopping", monitor="val_auc", mode="max")],
        ),
        pictures,
    )
    assert "called after every epoch: EarlyStopping" in notes


def own_function(truth: Any, outputs: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_mean(outputs[:, 1:], axis=-1)


METRICS: list[tuple[str, Callable[[], list[Any]], set[str]]] = [
    (
        "objects",
        lambda: [
            "accuracy",
            metric("AUC", name="area"),
            metric("Precision"),
            metric("TopKCategoricalAccuracy", k=1, name="top_1"),
        ],
        {"area", "precision", "top_1"},
    ),
    ("names", lambda: ["AUC", "mse", "acc"], {"auc", "mean_squared_error"}),
    (
        "sparse",
        lambda: [metric("SparseTopKCategoricalAccuracy", k=2, name="top_2")],
        {"top_2"},
    ),
    ("by class", lambda: [metric("F1Score")], {"f1_score"}),
    ("a function", lambda: [own_function], {"own_function"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metrics", "names"), [each[1:] for each in METRICS], ids=[each[0] for each in METRICS]
)
def test_metrics_of_compile_are_measured_on_the_file(
    metrics: Callable[[], list[Any]],
    names: set[str],
    pictures: Dataset,  # noqa: F811
) -> None:
    from workers.conversion.accuracy import tflite_outputs
    from workers.trial.evaluate import TrialEvaluator

    hypermodel, config, notes = study(lambda hp: jumpy(0.05, metrics()), pictures)
    assert "cannot be measured" not in notes
    evaluator = object.__new__(TrialEvaluator)
    evaluator._dataset, evaluator._hypermodel = pictures, hypermodel
    evaluator._windows = evaluator._elsewhere = None
    result = evaluator(EvaluateRequest(config))
    assert result.point is not None, result.reason
    for point in (result.point, *result.siblings):
        assert set(point.metrics) == names
        found, _ = tflite_outputs(point.tflite, pictures.val.images)
        if "top_1" in names:
            assert point.metrics["top_1"] == pytest.approx(point.accuracy, abs=0.02)
        if "top_2" in names:
            assert point.metrics["top_2"] == 1.0
        if "own_function" in names:
            assert point.metrics["own_function"] == pytest.approx(found[:, 1].mean(), abs=1e-3)


def failing(truth: Any, outputs: Any) -> Any:
    raise KeyError("no such class")


def test_metrics_of_logits_and_of_nothing(pictures: Dataset) -> None:  # noqa: F811
    """An area is that of the probabilities; what fails is told before the first trial."""
    from workers.training.compiled import own_training
    from workers.trial.train_config import build

    def net(hp: Any) -> Any:
        model = network(units=1)
        loss = loss_of("BinaryCrossentropy", from_logits=True)
        model.compile("adam", loss, [metric("AUC", num_thresholds=2000), failing])
        return model

    hypermodel, config, notes = study(net, pictures)
    assert "Metric failing of compile(...) cannot be measured: KeyError" in notes
    (own,) = own_training(build(hypermodel, config)[0]).metrics
    labels = np.array([0, 0, 0, 1, 1, 1])
    logits = np.array([-5.0, -2.0, 1.0, -3.0, 2.0, 4.0])
    # Of nine pairs, the first of class 1 stands above one, the others above three each.
    assert own.measure(labels, logits[:, None]) == pytest.approx(7 / 9, abs=0.01)


def test_what_a_fit_or_a_model_asks_for_and_does_not_get_is_told(
    pictures: Dataset,  # noqa: F811
) -> None:
    import keras_tuner
    import tf_keras

    class Stepping(tf_keras.Model):
        def train_step(self, data: Any) -> Any:
            raise NotImplementedError

    class Own(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            plain = network(activation="softmax")
            model = Stepping(plain.inputs, plain.outputs)
            model.compile("adam", "sparse_categorical_crossentropy")
            return model

        def fit(self, hp: Any, model: Any, x: Any, y: Any, **kwargs: Any) -> Any:
            return model.fit(x, y, validation_split=0.2, steps_per_epoch=5)

    _, _, notes = study(Own(), pictures)
    assert "train_step of Stepping is not called" in notes
    assert "validation_split and steps_per_epoch of fit(hp, model, ...) are not taken" in notes
