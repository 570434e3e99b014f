"""Models do what their own code says: the loss of ``compile``, the range of pixels, one unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.data.dataset import Dataset, Split, fingerprint_arrays
from spaces.errors import TaskError
from spaces.space.compression import config_from_params, joint_space
from spaces.tasks.task import Task
from workers.messages.result import EvaluateRequest

SIDE = 8


@pytest.fixture(autouse=True)
def keras_2(keras: Any) -> None:
    """User code is imported after TensorFlow was set up, as in every process of ours."""


def make_split(n: int, seed: int) -> Split:
    """Noisy pictures whose upper half is brighter in class 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    images = rng.integers(0, 120, (n, SIDE, SIDE, 1), dtype=np.uint8)
    images[labels == 1, : SIDE // 2] += 60
    return Split(images, labels.astype(np.int64))


@pytest.fixture(scope="module")
def pictures() -> Dataset:
    splits = (make_split(200, 0), make_split(60, 1), make_split(20, 2))
    names = ("even", "bright above")
    return Dataset("halves", *splits, names, fingerprint_arrays(names, splits))


@pytest.fixture(scope="module")
def floats(pictures: Dataset) -> Dataset:
    def as_floats(split: Split) -> Split:
        return Split(split.images.astype(np.float32) / 255, split.labels)

    splits = (as_floats(pictures.train), as_floats(pictures.val), as_floats(pictures.test))
    names = pictures.class_names
    return Dataset("floats", *splits, names, fingerprint_arrays(names, splits))


def study(build: Any, pictures: Dataset, **params: Any) -> tuple[Any, TrialConfig, str]:
    """Return what a run knows: the model, its default configuration, and notes."""
    from workers.hypermodels.describe import describe_model, load_hypermodel

    hypermodel = load_hypermodel(build, pictures.input_shape, 2, pictures)
    described = describe_model(hypermodel)
    task = Task(name="t", description="", model=build, load_data=lambda request: pictures)
    space = joint_space(
        task, described.parameters, described.schemes, described.prunable, described.settled
    )
    config = config_from_params(
        {**space.defaults(), **params},
        task="t",
        data_fingerprint=pictures.fingerprint,
        epochs=4,
        seed=0,
        settled=described.settled,
    )
    return hypermodel, config, " ".join(described.notes)


def network(
    *last: Any, first: tuple[Any, ...] = (), units: int = 2, activation: Any = None
) -> Any:
    import tf_keras

    k = tf_keras.layers
    return tf_keras.Sequential(
        [tf_keras.Input((SIDE, SIDE, 1)), *first, k.Flatten(), k.Dense(units, activation), *last]
    )


def layer(name: str, *args: Any, **kwargs: Any) -> Any:
    import tf_keras

    return getattr(tf_keras.layers, name)(*args, **kwargs)


def compiled(model: Any, loss: Any, rate: float = 0.05) -> Any:
    import tf_keras

    model.compile(tf_keras.optimizers.SGD(rate), loss, ["accuracy"])
    return model


def loss_of(name: str, **settings: Any) -> Any:
    import tf_keras

    return getattr(tf_keras.losses, name)(**settings)


SPARSE = "sparse_categorical_crossentropy"
FIT: list[tuple[str, Callable[[], Any]]] = [
    (
        "softmax, Flatten",
        lambda: compiled(network(layer("Flatten"), activation="softmax"), SPARSE),
    ),
    (
        "softmax, Lambda",
        lambda: compiled(network(layer("Lambda", lambda x: x), activation="softmax"), [SPARSE]),
    ),
    (
        "smoothed",
        lambda: compiled(
            network(layer("Reshape", (2,)), activation="softmax"),
            loss_of("CategoricalCrossentropy", label_smoothing=0.1),
        ),
    ),
    (
        "logits called probabilities",
        lambda: compiled(network(), SPARSE, rate=0.01),
    ),
    (
        "logits",
        lambda: compiled(network(), loss_of("SparseCategoricalCrossentropy", from_logits=True)),
    ),
    (
        "one sigmoid",
        lambda: compiled(network(units=1, activation="sigmoid"), "binary_crossentropy"),
    ),
    (
        "one logit",
        lambda: compiled(network(units=1), loss_of("BinaryCrossentropy", from_logits=True)),
    ),
    (
        "one smoothed",
        lambda: compiled(
            network(units=1, activation="sigmoid"),
            loss_of("BinaryCrossentropy", label_smoothing=0.2),
        ),
    ),
    (
        "one focal",
        lambda: compiled(
            network(units=1, activation="sigmoid"), loss_of("BinaryFocalCrossentropy")
        ),
    ),
    ("one distance", lambda: compiled(network(units=1), "mse", rate=0.01)),
    ("one hinge", lambda: compiled(network(units=1, activation="tanh"), "hinge")),
    (
        "pixels",
        lambda: compiled(
            network(first=(layer("Rescaling", 1 / 127.5, offset=-1),), activation="softmax"),
            {"dense": SPARSE},
        ),
    ),
    (
        "one of pixels",
        lambda: compiled(
            network(first=(layer("Lambda", lambda x: x / 255),), units=1, activation="sigmoid"),
            "binary_crossentropy",
        ),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("net", [each[1] for each in FIT], ids=[each[0] for each in FIT])
def test_training_does_what_model_fit_does(net: Callable[[], Any], pictures: Dataset) -> None:
    """An epoch without shuffling gives the same weights as Keras, and the same accuracy."""
    import keras_tuner
    import tf_keras

    from workers.training.loop import train
    from workers.trial.train_config import build

    class Unshuffled(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return net()

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            return model.fit(*args, batch_size=20, shuffle=False, **kwargs)

    tf_keras.backend.clear_session()
    hypermodel, config, _ = study(Unshuffled(), pictures)
    config = replace(config, training=replace(config.training, epochs=2))
    ours, _ = build(hypermodel, config)
    tf_keras.backend.clear_session()
    theirs = net()
    theirs.set_weights(ours.get_weights())
    before = theirs.get_weights()[0]
    takes_pixels = any(
        type(each).__name__ in ("Rescaling", "Lambda") for each in theirs.layers[:1]
    )
    images, val_images = (
        split.images.astype(np.float32) / (1 if takes_pixels else 255)
        for split in (pictures.train, pictures.val)
    )
    labels, val_labels = (s.labels.astype(np.float32) for s in (pictures.train, pictures.val))
    if "Categorical" in type(theirs.loss).__name__ and "Sparse" not in type(theirs.loss).__name__:
        labels, val_labels = (
            np.eye(2, dtype=np.float32)[each.astype(int)] for each in (labels, val_labels)
        )
    if theirs.output_shape[-1] == 1 and theirs.layers[-1].activation.__name__ == "linear":
        if not isinstance(theirs.loss, str):  # Logits: Keras's "accuracy" would cut at 0.5.
            theirs.compile(
                theirs.optimizer, theirs.loss, [tf_keras.metrics.BinaryAccuracy(threshold=0.0)]
            )
    elif theirs.output_shape[-1] == 1 and theirs.layers[-1].activation.__name__ == "tanh":
        theirs.compile(
            theirs.optimizer, theirs.loss, [tf_keras.metrics.BinaryAccuracy(threshold=0.0)]
        )
    fit = theirs.fit(
        images,
        labels,
        batch_size=20,
        shuffle=False,
        epochs=2,
        verbose=0,
        validation_data=(val_images, val_labels),
    )
    history = train(ours, pictures, config)
    assert np.abs(theirs.get_weights()[0] - before).max() > 1e-3
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    accuracies = next(
        values for name, values in fit.history.items() if "val" in name and "acc" in name
    )
    np.testing.assert_allclose(history["val_accuracy"], accuracies, atol=0.02)
    np.testing.assert_allclose(history["val_loss"], fit.history["val_loss"], rtol=1e-3)


def test_a_loss_that_does_not_go_with_the_outputs_is_told(pictures: Dataset) -> None:
    _, config, notes = study(lambda hp: compiled(network(), SPARSE), pictures)
    assert "gives logits" in notes and "from_logits=False" in notes
    assert config.training.as_written


def test_configurations_of_before_train_as_before(pictures: Dataset) -> None:
    """Without ``as_written`` the last layer's name decides, as it did."""
    from workers.training.compiled import own_training
    from workers.training.losses import interface_of
    from workers.trial.train_config import build

    def net(hp: Any) -> Any:
        rescaling = layer("Rescaling", 1 / 255)
        return compiled(
            network(layer("Flatten"), first=(rescaling,), activation="softmax"), SPARSE
        )

    hypermodel, config, notes = study(net, pictures)
    assert config.training.as_written and "0..255" in notes
    assert TrialConfig.from_dict(config.to_dict()) == config
    now, _ = build(hypermodel, config)
    assert interface_of(now).factor == 255 and not interface_of(now).are_logits
    old = replace(config, training=replace(config.training, as_written=False))
    assert "as_written" not in old.to_dict()["training"]
    before, _ = build(hypermodel, old)
    assert interface_of(before).factor == 1 and interface_of(before).are_logits
    assert own_training(before).loss is None


def test_usual_models_are_not_marked(pictures: Dataset) -> None:
    for net in (network, lambda: network(activation="softmax")):
        _, config, _ = study(lambda hp, net=net: net(), pictures)
        assert not config.training.as_written
        assert config.hash == TrialConfig.from_dict(config.to_dict()).hash


def test_floats_that_do_not_fit_a_rescaling_are_told(floats: Dataset) -> None:
    from workers.training.losses import interface_of
    from workers.trial.train_config import build

    net = lambda hp: network(first=(layer("Rescaling", 1 / 255),))  # noqa: E731
    hypermodel, config, notes = study(net, floats)
    assert "hold 0 to" in notes and "uint8" in notes
    assert interface_of(build(hypermodel, config)[0]).factor == 1


def two_outputs(hp: Any) -> Any:
    import tf_keras

    inputs = tf_keras.Input((SIDE, SIDE, 1))
    flat = tf_keras.layers.Flatten()(inputs)
    return tf_keras.Model(inputs, [tf_keras.layers.Dense(2)(flat) for _ in range(2)])


def two_inputs(hp: Any) -> Any:
    import tf_keras

    inputs = [tf_keras.Input((SIDE, SIDE, 1)) for _ in range(2)]
    both = tf_keras.layers.Flatten()(tf_keras.layers.Add()(inputs))
    return tf_keras.Model(inputs, tf_keras.layers.Dense(2)(both))


def one_by_tf(hp: Any) -> Any:
    import tensorflow as tf

    return network(units=1, activation=tf.nn.softmax)


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (lambda hp: network(units=1, activation="softmax"), "always 1"),
        (one_by_tf, "always 1"),
        (two_inputs, r"2 inputs, \(8, 8, 1\), \(8, 8, 1\)"),
        (lambda hp: network(units=3), "one unit that stands for the second, but.*3"),
        (two_outputs, r"2 outputs, \(2,\), \(2,\)"),
    ],
)
def test_outputs_that_cannot_be_used_get_one_line(net: Any, says: str, pictures: Dataset) -> None:
    with pytest.raises(TaskError, match=says) as error:
        study(net, pictures)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("is_logit", [False, True])
@pytest.mark.parametrize("own_compile", [False, True])
def test_one_unit_is_pruned_quantized_and_measured(
    is_logit: bool, own_compile: bool, pictures: Dataset
) -> None:
    from workers.conversion.accuracy import tflite_scores
    from workers.training.losses import interface_of
    from workers.trial.evaluate import TrialEvaluator
    from workers.trial.train_config import build, train_config

    def net(hp: Any) -> Any:
        model = network(units=1, activation=None if is_logit else "sigmoid")
        if own_compile:
            loss = loss_of("BinaryCrossentropy", from_logits=is_logit)
            return compiled(model, loss, rate=0.2)
        return model

    hypermodel, config, _ = study(
        net,
        pictures,
        pruning_schedule="constant",
        final_sparsity=0.3,
        quantization="qat_int8",
        **({} if own_compile else {"learning_rate": 0.02}),
    )
    config = replace(config, training=replace(config.training, epochs=12, batch_size=16))
    assert interface_of(build(hypermodel, config)[0]).are_logits == is_logit
    trained = train_config(hypermodel, pictures, config)
    assert trained.history["val_accuracy"][-1] > 0.9
    assert trained.sparsity["overall"] == pytest.approx(0.3, abs=0.02)
    evaluator = object.__new__(TrialEvaluator)
    evaluator._dataset, evaluator._hypermodel = pictures, hypermodel
    evaluator._windows = evaluator._elsewhere = None
    result = evaluator(EvaluateRequest(config))
    assert result.point is not None, result.reason
    points = {p.config.quantization: p for p in (result.point, *result.siblings)}
    assert set(points) == {*POST_TRAINING_SCHEMES, QuantizationScheme.QAT_INT8}
    images = pictures.val.images.astype(np.float32) / 255
    said = trained.model(images, training=False).numpy()[:, 0]
    truth = ((said > (0 if is_logit else 0.5)) == pictures.val.labels).mean()
    for scheme, point in points.items():
        scores, _ = tflite_scores(point.tflite, pictures.val.images, are_logits=is_logit)
        assert scores.shape == (60, 2)
        expected = float((scores.argmax(axis=1) == pictures.val.labels).mean())
        assert point.accuracy == pytest.approx(expected), scheme
        if scheme is not QuantizationScheme.QAT_INT8:
            assert point.accuracy == pytest.approx(truth, abs=0.1), scheme
            np.testing.assert_allclose(
                scores[:, 1], said, atol=0.15 * max(1.0, float(np.abs(said).max()))
            )


def mixed(where: str) -> Any:
    import tf_keras

    policy = "mixed_float16"
    if where == "within build":
        tf_keras.mixed_precision.set_global_policy(policy)
    dense = layer("Dense", 4, activation="relu", dtype=policy if where == "a layer" else None)
    last = layer("Dense", 2, activation="softmax", dtype="float32")
    return compiled(network(dense, last, units=4), SPARSE)


@pytest.mark.parametrize("where", ["at import", "within build", "a layer"])
def test_mixed_precision_is_trained_in_float32(where: str, pictures: Dataset, keras: Any) -> None:
    from workers.conversion.convert import float_tflite
    from workers.conversion.runtime import outputs
    from workers.trial.train_config import train_config

    if where == "at import":
        keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        hypermodel, config, notes = study(lambda hp: mixed(where), pictures)
        assert "float32, not in mixed_float16" in notes
        trained = train_config(hypermodel, pictures, config)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model = trained.model
    assert model.output.dtype == "float32" or model(np.zeros((1, 8, 8, 1))).dtype == "float32"
    images = pictures.val.images.astype(np.float32) / 255
    np.testing.assert_allclose(
        outputs(float_tflite(model), pictures.val.images), model(images).numpy(), atol=1e-4
    )


def test_weights_of_other_types_are_refused(pictures: Dataset) -> None:
    def net(hp: Any) -> Any:
        return network(layer("Dense", 2, dtype="float64"), units=4)

    with pytest.raises(TaskError, match="weights of float32, but layer.*float64"):
        study(net, pictures)


def test_an_adapted_normalization_keeps_its_mean(pictures: Dataset) -> None:
    from workers.hypermodels.fitting import fitted

    def net() -> Any:
        import tf_keras

        normalization = tf_keras.layers.Normalization()
        normalization.adapt(pictures.train.images.reshape(200, -1).astype(np.float32) / 255)
        return tf_keras.Sequential(
            [tf_keras.Input((SIDE * SIDE,)), normalization, tf_keras.layers.Dense(2)]
        )

    model = net()
    images = pictures.val.images.astype(np.float32) / 255
    np.testing.assert_allclose(
        fitted(model, (SIDE, SIDE, 1))(images).numpy(),
        model(images.reshape(-1, SIDE * SIDE)).numpy(),
        atol=1e-5,
    )
