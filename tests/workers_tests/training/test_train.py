"""The training loop: the same results as Keras, from memory, the same in every process."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.config.trial import OPTIMIZERS, PruningConfig, TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset, Split
from spaces.errors import TrialFailedError
from workers.training.hooks import Hooks
from workers.training.loop import METRIC_NAMES, evaluate, steps_per_epoch, train, train_epochs

SHAPE = (8, 8, 1)
TRAINING = TrainingConfig(0.01, batch_size=16, epochs=2)


def make_split(n: int, seed: int) -> Split:
    """Pictures whose brightest corner is the label, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    images = rng.integers(0, 120, (n, *SHAPE), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 60
    return Split(images, labels)


def make_dataset(n: int = 330) -> Dataset:
    """The same pictures every time, in every process."""
    return Dataset(
        "corners",
        train=make_split(n, 0),
        val=make_split(300, 1),
        test=make_split(10, 2),
        class_names=("a", "b", "c", "d"),
        fingerprint="0",
    )


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Read-only arrays, as a worker gets them."""
    data = make_dataset()
    for split in (data.train, data.val, data.test):
        split.images.setflags(write=False)
        split.labels.setflags(write=False)
    return data


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras 2, set up as in a worker."""
    from workers.training.keras_compat import configure_tensorflow

    configure_tensorflow(threads=1)
    import tf_keras

    return tf_keras


def build(keras: Any, *, softmax: bool = True, dropout: float = 0.0, l2: float = 0.0) -> Any:
    """A small network, the same every time."""
    from workers.training.keras_compat import seed_everything

    seed_everything(5)
    layers = keras.layers
    regularizer = keras.regularizers.L2(l2) if l2 else None
    return keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(4, 3, use_bias=False, kernel_regularizer=regularizer, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Flatten(),
            *([layers.Dropout(dropout)] if dropout else []),
            layers.Dense(4, name="logits"),
            *([layers.Softmax()] if softmax else []),
        ]
    )


def weights_hash(model: Any) -> str:
    """Hash of all weights, bit for bit."""
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(array.tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("n_images", "batch_size", "expected"), [(330, 16, 20), (320, 16, 20), (5, 16, 1), (16, 16, 1)]
)
def test_an_epoch_has_full_batches_only(n_images: int, batch_size: int, expected: int) -> None:
    assert steps_per_epoch(n_images, batch_size) == expected


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_optimizers_compute_what_keras_computes(
    keras: Any, optimizer: str, weight_decay: float
) -> None:
    import tensorflow as tf

    from workers.training.optimizers import make_optimizer

    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)]
    ours, theirs = ([tf.Variable(each) for each in start] for _ in range(2))
    classes = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": lambda *args, **kw: keras.optimizers.SGD(*args, momentum=0.9, nesterov=True, **kw),
    }
    # AdamW takes no None for no decay.
    none = 0.0 if optimizer == "adamw" else None
    reference = classes[optimizer](0.05, weight_decay=weight_decay or none)
    reference.exclude_from_weight_decay([theirs[1]])
    apply_gradients = make_optimizer(optimizer, ours, weight_decay)

    for _ in range(20):
        gradients = [tf.constant(rng.normal(size=each.shape).astype(np.float32)) for each in start]
        apply_gradients(gradients, tf.constant(0.05))
        reference.apply_gradients(zip(gradients, theirs, strict=True))

    for our, their, first in zip(ours, theirs, start, strict=True):
        np.testing.assert_allclose(our.numpy(), their.numpy(), rtol=1e-4, atol=1e-5)
        assert np.abs(our.numpy() - first).max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_training_gives_what_fit_gives(keras: Any, dataset: Dataset, l2: float) -> None:
    """On the same batches, with the same learning rates, within the last bits of sums."""
    ours, theirs = build(keras, l2=l2), build(keras, l2=l2)

    history = train_epochs(ours, dataset.train, dataset.val, TRAINING, epochs=2, seed=7)

    theirs.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 40)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    for epoch in range(2):
        order = np.random.default_rng((7, epoch)).permutation(330)[:320]
        theirs.fit(
            dataset.train.images[order] / np.float32(255),
            dataset.train.labels[order],
            batch_size=16,
            shuffle=False,
            verbose=0,
        )
    loss, accuracy = theirs.evaluate(
        dataset.val.images / np.float32(255), dataset.val.labels, verbose=0
    )
    for our, their in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(our, their, atol=1e-3)
    assert set(history) == set(METRIC_NAMES)
    assert history["val_accuracy"][-1] == pytest.approx(accuracy, abs=0.01)
    if not l2:  # Keras adds the regularization to its loss on the validation split too.
        assert history["val_loss"][-1] == pytest.approx(loss, abs=1e-3)
    assert history["accuracy"][1] > history["accuracy"][0] > 0.3


@pytest.mark.slow
def test_logits_are_recognized(keras: Any, dataset: Dataset) -> None:
    losses = [
        train_epochs(
            build(keras, softmax=softmax), dataset.train, dataset.val, TRAINING, epochs=1, seed=0
        )["loss"]
        for softmax in (True, False)
    ]

    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.slow
def test_float_arrays_are_taken_as_they_are(keras: Any, dataset: Dataset) -> None:
    def as_float(split: Split) -> Split:
        return Split(split.images.astype(np.float32) / np.float32(255), split.labels)

    data = replace(dataset, train=as_float(dataset.train), val=as_float(dataset.val))
    pictures = train_epochs(build(keras), dataset.train, dataset.val, TRAINING, epochs=1, seed=0)
    floats = train_epochs(build(keras), data.train, data.val, TRAINING, epochs=1, seed=0)

    assert pictures["loss"] == pytest.approx(floats["loss"], rel=1e-5)


@pytest.mark.slow
def test_few_images_make_one_batch(keras: Any) -> None:
    data = make_dataset(n=5)
    model = build(keras)
    before = weights_hash(model)

    history = train_epochs(model, data.train, data.val, TRAINING, epochs=3, seed=0)

    assert len(history["loss"]) == 3
    assert weights_hash(model) != before


RECIPE = replace(
    TRAINING,
    augmentation="shift+rotation+colour+mixup",
    label_smoothing=0.1,
    lr_schedule="cosine_warmup",
    ema=0.1,
    class_weights="balanced",
)
"""Much of what a recipe may hold."""


@pytest.mark.slow
@pytest.mark.parametrize("config", [TRAINING, RECIPE], ids=["usual", "recipe"])
def test_memory_maps_are_read_and_chunks_do_not_matter(
    keras: Any,
    dataset: Dataset,
    config: TrainingConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    np.save(tmp_path / "images.npy", dataset.train.images)
    mapped = Split(np.load(tmp_path / "images.npy", mmap_mode="r"), dataset.train.labels)
    whole = build(keras, dropout=0.3)

    monkeypatch.setattr("workers.training.loop.CHUNK_S", 1e9)
    history = train_epochs(whole, dataset.train, dataset.val, config, epochs=2, seed=0)
    for name, value in (("CHUNK_BYTES", 3 * 16 * 64), ("CHUNK_S", 0.0)):
        split_up = build(keras, dropout=0.3)
        monkeypatch.setattr(f"workers.training.loop.{name}", value)
        again = train_epochs(split_up, mapped, dataset.val, config, epochs=2, seed=0)

        assert weights_hash(split_up) == weights_hash(whole)
        assert again == history


@pytest.mark.slow
def test_a_pause_is_possible_throughout_and_changes_nothing(
    keras: Any, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []
    paused: list[str] = []
    model = build(keras, dropout=0.3)

    def pause() -> None:
        paused.append(weights_hash(model))

    config = TrialConfig("corners", "0", (), TRAINING, PruningConfig("constant", 0.5, 0.2, 0.8))
    history = train(model, dataset, config)
    weights.append(weights_hash(model))
    model = build(keras, dropout=0.3)
    monkeypatch.setattr("workers.training.loop.CHUNK_S", 0.0)  # Every step takes longer than that.
    assert train(model, dataset, config, Hooks(pause=pause)) == history
    weights.append(weights_hash(model))

    assert weights[0] == weights[1]
    assert len(paused) == 2 * (20 + 2)  # Before each step and each batch of validation images.
    assert len(set(paused)) > 40


@pytest.mark.slow
def test_training_goes_on_from_weights_that_a_model_has(keras: Any, dataset: Dataset) -> None:
    first = TrialConfig("corners", "0", (), TRAINING)
    second = replace(first, training=replace(TRAINING, epochs=1), seed=3)
    hashes = []
    for _ in range(2):
        before = build(keras)
        train(before, dataset, first)
        branch = build(keras)
        branch.set_weights(before.get_weights())

        history = train(branch, dataset, second)

        hashes.append(weights_hash(branch))
        assert len(history["loss"]) == 1
        assert history["loss"][0] < train(build(keras), dataset, second)["loss"][0]
    assert hashes[0] == hashes[1]


@pytest.mark.slow
def test_what_a_model_was_used_for_before_does_not_matter(keras: Any, dataset: Dataset) -> None:
    """So that the model of the gate can be trained too."""
    from workers.conversion.convert import float_tflite
    from workers.training.prune import mask_smallest

    config = TrialConfig("corners", "0", (), TRAINING, seed=11)
    fresh, used = build(keras, dropout=0.3), build(keras, dropout=0.3)
    train(fresh, dataset, config)
    start = used.get_weights()
    mask_smallest(used, 0.5)
    float_tflite(used)
    used(np.zeros((1, *SHAPE), np.float32), training=True)
    used.set_weights(start)

    train(used, dataset, config)

    assert weights_hash(used) == weights_hash(fresh)


def test_no_epochs_change_nothing(keras: Any, dataset: Dataset) -> None:
    model = build(keras)
    before = weights_hash(model)
    first = TrialConfig("corners", "0", (), TRAINING)
    config = replace(
        first,
        training=replace(TRAINING, epochs=0),
        pruning=PruningConfig("polynomial", 0.5),
        branched_from=first,
    )

    history = train(model, dataset, config)

    assert history == dict.fromkeys(METRIC_NAMES, ())
    assert weights_hash(model) == before


@pytest.mark.slow
def test_training_ends_when_it_is_told_to(keras: Any, dataset: Dataset) -> None:
    told: list[dict[str, float]] = []

    def on_epoch(epoch: int, metrics: Any) -> bool:
        told.append(dict(metrics))
        return epoch < 1

    history = train_epochs(
        build(keras), dataset.train, dataset.val, TRAINING, epochs=5, seed=0, hooks=Hooks(on_epoch)
    )

    assert [metrics["val_loss"] for metrics in told] == list(history["val_loss"])
    assert len(told) == 2


@pytest.mark.slow
def test_a_diverged_training_fails_with_its_epoch(keras: Any, dataset: Dataset) -> None:
    config = TrainingConfig(1e30, batch_size=16, optimizer="sgd")

    with pytest.raises(TrialFailedError, match=r"in epoch 1 \(learning_rate=1e\+30"):
        train_epochs(build(keras), dataset.train, dataset.val, config, epochs=2, seed=0)


@pytest.mark.slow
def test_evaluating_agrees_with_the_history(keras: Any, dataset: Dataset) -> None:
    model = build(keras)

    history = train_epochs(model, dataset.train, dataset.val, TRAINING, epochs=1, seed=0)

    loss, accuracy = evaluate(model, dataset.val)
    assert history["val_loss"][-1] == pytest.approx(loss)
    assert history["val_accuracy"][-1] == accuracy


def trained_hash(
    dataset: Dataset, training: TrainingConfig = TRAINING, *, with_training_before: int = 0
) -> str:
    """Train a dropout network with pruning and return its weights' hash."""
    from workers.training.keras_compat import configure_tensorflow

    configure_tensorflow(threads=1)
    import tf_keras

    config = TrialConfig(
        "corners", "0", (), training, PruningConfig("polynomial", 0.5, 0.2, 0.8), seed=11
    )
    for number in range(with_training_before):
        other = replace(config, pruning=PruningConfig(), seed=number)
        train(build(tf_keras, dropout=0.1 * number, softmax=False), dataset, other)
    model = build(tf_keras, dropout=0.3)
    train(model, dataset, config)
    return weights_hash(model)


@pytest.mark.slow
def test_the_same_weights_in_another_process_and_later_in_this_one(dataset: Dataset) -> None:
    code = (
        "import importlib.util, sys;"
        f"spec = importlib.util.spec_from_file_location('test_train', {__file__!r});"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module);"
        "data = module.make_dataset();"
        "print(module.trained_hash(data), module.trained_hash(data, module.RECIPE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    other_process, with_recipe = done.stdout.split()[-2:]

    assert trained_hash(dataset) == other_process
    assert trained_hash(dataset, RECIPE) == with_recipe != other_process
    assert trained_hash(dataset, with_training_before=3) == other_process
    assert done.stderr == ""  # TensorFlow's chatter is kept from those who run a worker.
