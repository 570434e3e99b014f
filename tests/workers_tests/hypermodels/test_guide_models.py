"""KerasTuner's own kinds of models, unchanged: what is searched, how they train, what is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.config.trial import ParamValue, TrialConfig
from spaces.data.dataset import Dataset, Split, fingerprint_arrays
from spaces.data.request import DataRequest
from spaces.errors import DataError, TaskError, TrialFailedError
from spaces.space.compression import config_from_params, joint_space
from spaces.space.search_space import SearchSpace
from spaces.tasks.registry import resolve_task
from spaces.tasks.task import Task
from workers.messages.result import EvaluateRequest

FILE = Path(__file__).parents[1] / "guide_models.py"
SIDE = 8


@pytest.fixture(autouse=True)
def keras_2(keras: Any) -> None:
    """User code is imported after TensorFlow was set up, as in every process of ours."""


def make_split(n: int, seed: int) -> Split:
    """Noisy pictures whose upper half is brighter in class 1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    images = rng.integers(0, 120, (n, SIDE, SIDE, 1), dtype=np.uint8)
    images[labels == 1, : SIDE // 2] += 100
    return Split(images, labels.astype(np.int64))


@pytest.fixture(scope="module")
def pictures() -> Dataset:
    splits = (make_split(200, 0), make_split(60, 1), make_split(20, 2))
    names = ("even", "bright above")
    return Dataset("halves", *splits, names, fingerprint_arrays(names, splits))


@dataclass(frozen=True)
class Studied:
    """What a run knows of a model."""

    hypermodel: Any
    space: SearchSpace
    settled: Mapping[str, ParamValue]
    schemes: tuple[QuantizationScheme, ...]
    notes: str

    def config(self, **params: ParamValue) -> TrialConfig:
        known = {**self.space.defaults(), **params}
        return config_from_params(
            known, task="t", data_fingerprint="0", epochs=4, seed=0, settled=self.settled
        )


STUDIED: dict[str, Studied] = {}
"""Models of the file that were read already; building is all that is done with them."""


def study(model: Any, pictures: Dataset) -> Studied:
    if not isinstance(model, str):
        return read(model, pictures)
    if model not in STUDIED:
        STUDIED[model] = read(model, pictures)
    return STUDIED[model]


def read(model: Any, pictures: Dataset) -> Studied:
    from workers.hypermodels.describe import describe_model, load_hypermodel

    task = resolve_task(f"{FILE}:{model}") if isinstance(model, str) else make_task(model)
    hypermodel = load_hypermodel(task.model, pictures.input_shape, 2, pictures)
    described = describe_model(hypermodel)
    space = joint_space(
        task, described.parameters, described.schemes, described.prunable, described.settled
    )
    notes = " ".join(described.notes)
    return Studied(hypermodel, space, described.settled, described.schemes, notes)


def make_task(model: Any) -> Task:
    return Task(name="t", description="", model=model, load_data=lambda request: None)  # type: ignore[arg-type, return-value]


def final_accuracy(studied: Studied, pictures: Dataset, **params: ParamValue) -> float:
    from workers.trial.train_config import train_config

    trained = train_config(studied.hypermodel, pictures, studied.config(**params))
    return trained.history["val_accuracy"][-1]


def test_a_compiled_learning_rate_is_the_only_one(pictures: Dataset) -> None:
    studied = study("build_perceptron", pictures)
    names = set(studied.space.names)
    assert {"depth", "width_0", "width_1", "activation", "dropout", "lr", "batch_size"} <= names
    assert not {"learning_rate", "optimizer", "weight_decay"} & names
    assert [c.values for c in studied.space["width_1"].conditions] == [(2,)]
    config = studied.config(lr=0.02)
    assert config.training.from_model and config.hyperparameter_dict["lr"] == 0.02
    assert TrialConfig.from_dict(config.to_dict()) == config
    assert "Adam" in studied.notes


@pytest.mark.slow
def test_it_trains_at_the_compiled_rate(pictures: Dataset) -> None:
    studied = study("build_perceptron", pictures)
    assert final_accuracy(studied, pictures, lr=0.05) > 0.9
    slow = studied.config(lr=0.001)
    from workers.trial.train_config import train_config

    histories = [
        train_config(studied.hypermodel, pictures, config).history["loss"]
        for config in (slow, slow, studied.config(lr=0.1))
    ]
    assert histories[0] == histories[1] != histories[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "rate", "loss", "last"),
    [
        ("sgd", 0.1, "sparse_categorical_crossentropy", "softmax"),
        ("adam", 0.01, "categorical_crossentropy", "softmax"),
        ("rmsprop", 0.01, "mean_squared_error", "sigmoid"),
    ],
)
def test_an_epoch_does_what_model_fit_would_do(
    optimizer: str, rate: float, loss: str, last: str, pictures: Dataset
) -> None:
    import keras_tuner
    import tf_keras

    from workers.training.loop import train
    from workers.trial.train_config import build

    def net() -> Any:
        layers = tf_keras.layers
        model = tf_keras.Sequential([layers.Flatten(), layers.Dense(2, activation=last)])
        # tf_keras.optimizers.get() takes names alone.
        config = {"class_name": optimizer, "config": {"learning_rate": rate}}
        model.compile(tf_keras.optimizers.get(config), loss)
        return model

    class Unshuffled(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return net()

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            return model.fit(*args, batch_size=20, shuffle=False, **kwargs)

    studied = study(Unshuffled(), pictures)
    config = studied.config()
    config = replace(config, training=replace(config.training, epochs=1))
    ours, _ = build(studied.hypermodel, config)
    images = pictures.train.images.astype(np.float32) / 255
    labels: Any = pictures.train.labels
    theirs = net()
    theirs.build(ours.input_shape)
    theirs.set_weights(ours.get_weights())
    before = theirs.get_weights()[0]
    answers = labels if loss.startswith("sparse") else np.eye(2, dtype=np.float32)[labels]
    theirs.fit(images, answers, batch_size=20, shuffle=False, epochs=1, verbose=0)
    train(ours, pictures, config)
    assert np.abs(theirs.get_weights()[0] - before).max() > 1e-3
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_a_tuned_fit_joins_the_search(pictures: Dataset) -> None:
    studied = study("TunedFit", pictures)
    assert {"images_a_step", "shuffle"} <= set(studied.space.names)
    # What cannot matter here is not searched, and what is not heeded is said.
    assert not {"normalize", "rounds", "batch_size", "learning_rate"} & set(studied.space.names)
    for said in ("normalize, rounds", "--epochs", "changes the images"):
        assert said.lower() in studied.notes.lower()
    assert studied.config(images_a_step=32).training.batch_size == 32


def test_what_fit_says_reaches_the_training(pictures: Dataset) -> None:
    from workers.training.compiled import own_training, resolved
    from workers.trial.train_config import build

    studied = study("TunedFit", pictures)
    config = studied.config(images_a_step=32, shuffle=False)
    model, _ = build(studied.hypermodel, config)
    own = own_training(model)
    assert resolved(config.training, model).batch_size == 32
    assert not own.shuffle and own.loop is None
    assert own.loss is not None
    # Sure and wrong, with smoothing: class 1 counts twice.
    logits = np.array([[0.0, 4.0], [4.0, 0.0]], np.float32)
    first, second = np.array(own.loss(np.array([0, 1]), logits))
    assert second == pytest.approx(2 * first, rel=1e-5)
    assert first == pytest.approx(
        0.95 * np.log(1 + np.e**4) + 0.05 * np.log(1 + np.e**-4), rel=1e-4
    )


@pytest.mark.slow
def test_a_loop_of_its_own_runs_and_is_pruned_after(pictures: Dataset) -> None:
    from workers.training.loop import evaluate
    from workers.trial.train_config import train_config

    studied = study("OwnLoop", pictures)
    assert "loop of its own" in studied.notes
    assert {"width", "batch_size", "learning_rate"} <= set(studied.space.names)
    assert studied.space["learning_rate"].default == 3e-2
    dense = train_config(studied.hypermodel, pictures, studied.config())
    assert dense.history["val_accuracy"][-1] > 0.9
    # Each figure is of its own split.
    for name, split in (("", pictures.train), ("val_", pictures.val)):
        measured = evaluate(dense.model, split)
        assert (dense.history[f"{name}loss"][-1], dense.history[f"{name}accuracy"][-1]) == measured
    assert dense.history["loss"] != dense.history["val_loss"]
    assert dense.model.input_shape == (None, SIDE, SIDE, 1)
    pruned = studied.config(
        pruning_schedule="polynomial", final_sparsity=0.6, quantization="qat_int8"
    )
    trained = train_config(studied.hypermodel, pictures, pruned)
    assert trained.sparsity["overall"] == pytest.approx(0.6, abs=0.02)
    assert trained.qat_model is not None
    again = train_config(studied.hypermodel, pictures, pruned)
    for one, other in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["build_perceptron", "TunedFit", "OwnLoop"])
def test_a_trial_gives_several_models_and_the_same_ones_again(
    name: str, pictures: Dataset
) -> None:
    from workers.trial.evaluate import TrialEvaluator

    ref = f"{FILE}:{name}"
    config = study(name, pictures).config(quantization="int8")
    first = TrialEvaluator(ref, pictures)(EvaluateRequest(config))
    assert first.point is not None, first.reason
    schemes = {point.config.quantization for point in (first.point, *first.siblings)}
    assert schemes == set(POST_TRAINING_SCHEMES)
    stored = TrialConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    again = TrialEvaluator(ref, pictures)(EvaluateRequest(stored, fan_out=False))
    assert again.point is not None and again.point.tflite == first.point.tflite


def test_a_loop_is_not_run_to_find_its_parameters(pictures: Dataset) -> None:
    import keras_tuner

    from workers.hypermodels.describe import load_hypermodel
    from workers.trial.train_config import build

    steps: list[int] = []

    class Endless(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return plain_net()

        def fit(self, hp: Any, model: Any, x: Any, y: Any, **kwargs: Any) -> None:
            hp.Int("late", 1, 2)
            try:
                while True:
                    steps.append(len(steps))
                    model(x[:2])
            except Exception:  # It may not be stopped by what a user catches.
                pass

    hypermodel = load_hypermodel(Endless(), pictures.input_shape, 2, pictures)
    config = replace(study(plain_net, pictures).config(), hyperparameters=())
    build(hypermodel, config)
    assert steps == [0]


def plain_net(
    hp: Any = None, *, activation: str = "relu", shape: tuple[int, ...] = (8, 8, 1)
) -> Any:
    import tf_keras

    return tf_keras.Sequential(
        [
            tf_keras.Input(shape),
            tf_keras.layers.Flatten(),
            tf_keras.layers.Dense(4, activation=activation),
            tf_keras.layers.Dense(2),
        ]
    )


@pytest.mark.parametrize("shape", [(8, 8), (64,), (4, 16), (8, 8, 1)])
def test_pictures_come_in_the_shape_that_a_model_takes(
    shape: tuple[int, ...], pictures: Dataset
) -> None:
    from workers.hypermodels.fitting import fitted

    model = plain_net(shape=shape)
    ours = fitted(model, pictures.input_shape)
    assert ours.input_shape == (None, SIDE, SIDE, 1)
    images = pictures.val.images.astype(np.float32) / 255
    np.testing.assert_array_equal(
        ours.predict(images, verbose=0), model.predict(images.reshape(-1, *shape), verbose=0)
    )


def test_quantization_aware_training_is_kept_for_networks_that_take_it(pictures: Dataset) -> None:
    def some(hp: Any) -> Any:
        return plain_net(activation=hp.Choice("activation", ["relu", "elu"]))

    studied = study(some, pictures)
    assert QuantizationScheme.QAT_INT8 in studied.schemes
    assert "Dense(elu)" in studied.notes
    none = study(partial(plain_net, activation="elu"), pictures)
    assert none.schemes == POST_TRAINING_SCHEMES


def test_a_network_without_it_ends_at_the_gate(pictures: Dataset) -> None:
    from workers.devices.registry import get_device
    from workers.trial.gate import check_gate

    config = study(plain_net, pictures).config(quantization="qat_int8")
    request = EvaluateRequest(config)
    gate = check_gate(
        plain_net(activation="elu"),
        request,
        np.zeros((4, 8, 8, 1), np.float32),
        get_device("host"),
    )
    assert "Dense(elu)" in gate.reason and gate.size_bytes is None


def test_a_model_that_is_compiled_for_some_values_only_says_so(pictures: Dataset) -> None:
    def build(hp: Any) -> Any:
        model = plain_net()
        if hp.Boolean("compiled", default=True):
            model.compile("adam", "sparse_categorical_crossentropy")
        return model

    studied = study(build, pictures)
    with pytest.raises(TrialFailedError, match="not with these"):
        final_accuracy(studied, pictures, compiled=False)


def mixed(hp: Any) -> Any:
    import keras
    import tf_keras

    return tf_keras.Sequential([keras.layers.Flatten(), tf_keras.layers.Dense(2)])


def keras_3_optimizer(hp: Any) -> Any:
    import keras

    model = plain_net()
    model.compile(keras.optimizers.Adam())
    return model


def subclassed(hp: Any) -> Any:
    import tf_keras

    class Net(tf_keras.Model):
        pass

    return Net()


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (mixed, "import tf_keras as keras"),
        (keras_3_optimizer, "import tf_keras as keras"),
        (subclassed, "tf_keras.Model\\(inputs, outputs\\)"),
    ],
)
def test_what_cannot_be_used_gets_one_line(build: Any, says: str, pictures: Dataset) -> None:
    with pytest.raises(TaskError, match=says) as error:
        study(build, pictures)
    assert "\n" not in str(error.value)


class Sized:
    """Its arguments are its author's own."""

    def __init__(self, width: int) -> None:
        self.width = width

    def build(self, hp: Any) -> Any:
        return plain_net()


def seven(hp: Any) -> Any:
    import tf_keras

    layers = tf_keras.layers
    return tf_keras.Sequential([layers.Flatten(), layers.Dense(7)])


def failing(hp: Any) -> Any:
    raise RuntimeError("no such block")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Sized, r"MODEL = Sized\(...\)"),
        (seven, "one output of 2 units.*7"),
        (failing, "no such block"),
    ],
)
def test_what_does_not_fit_gets_one_line(model: Any, says: str, pictures: Dataset) -> None:
    with pytest.raises(TaskError, match=says) as error:
        study(model, pictures)
    assert "\n" not in str(error.value)
    assert study(Sized(3), pictures).schemes


def test_a_model_that_cannot_be_made_says_so_before_a_folder_is_read(tmp_path: Path) -> None:
    from spaces.tasks.keras_tuner_models import wanted_shape

    with pytest.raises(TaskError, match=r"MODEL = Sized\(...\)"):
        wanted_shape(Sized)


def test_layers_without_compression_leave_out_what_cannot_be(pictures: Dataset) -> None:
    def odd(hp: Any) -> Any:
        import tf_keras

        layers = tf_keras.layers
        width = hp.Int("width", 4, 8)
        model = tf_keras.Sequential([layers.Flatten(), layers.GaussianNoise(0.1)])
        model.add(layers.Lambda(lambda x: 2.0 * x))
        for number in range(hp.Int("depth", 1, 2)):
            model.add(layers.Dense(hp.Int(f"width_{number}", width, 16)))  # Its range moves.
        model.add(layers.Dense(2))
        return model

    studied = study(odd, pictures)
    assert studied.schemes == POST_TRAINING_SCHEMES
    assert "final_sparsity" in studied.space.names
    assert "qat_int8 is not searched" in studied.notes and "Lambda" in studied.notes
    assert "range of 'width_0' changes" in studied.notes


def test_a_fit_that_fails_says_where(pictures: Dataset) -> None:
    import keras_tuner

    class Broken(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return plain_net()

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> None:
            raise KeyError("val_f1")

    with pytest.raises(TaskError, match=r"fit\(hp, model, ...\) failed.*val_f1"):
        study(Broken(), pictures)


@pytest.mark.parametrize(
    ("name", "task_name"), [("build_perceptron", "guide_models"), ("TunedFit", "TunedFit")]
)
def test_a_model_is_a_task_whose_data_is_given(name: str, task_name: str, tmp_path: Path) -> None:
    task = resolve_task(f"{FILE}:{name}")
    assert task.name == task_name
    with pytest.raises(DataError, match="--data"):
        task.load_data(DataRequest(None, tmp_path))


@pytest.mark.parametrize(("name", "shape"), [("OwnLoop", (8, 8, 1)), ("TunedFit", (96, 96, 3))])
def test_a_folder_is_read_as_the_model_wants_it(
    name: str, shape: tuple[int, int, int], tmp_path: Path
) -> None:
    from PIL import Image

    for number, class_name in enumerate(("red", "blue")):
        (tmp_path / "pictures" / class_name).mkdir(parents=True)
        for shade in range(5):
            colour = (200 - shade, 0, 0) if number == 0 else (0, 0, 200 - shade)
            Image.new("RGB", (20, 20), colour).save(
                tmp_path / "pictures" / class_name / f"{shade}.png"
            )
    task = resolve_task(f"{FILE}:{name}")
    dataset = task.load_data(DataRequest(tmp_path / "pictures", tmp_path / "cache"))
    assert dataset.input_shape == shape
    if shape[2] == 1:
        by_class = {
            dataset.class_names[label]: int(image[0, 0, 0])
            for image, label in zip(dataset.train.images, dataset.train.labels, strict=True)
        }
        assert by_class["red"] == pytest.approx(0.299 * 198, abs=1)
        assert by_class["blue"] == pytest.approx(0.114 * 198, abs=1)
