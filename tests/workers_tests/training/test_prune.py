"""Pruning: the schedule in steps, what is pruned, and that TFMOT would do the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset, Split
from spaces.errors import ConfigError
from workers.training.hooks import Hooks
from workers.training.prune import (
    Pruner,
    achieved_sparsity,
    make_schedule,
    mask_smallest,
    pruning_steps,
)

SHAPE = (12, 12, 1)


@st.composite
def pruning_configs(draw: Callable[..., Any]) -> PruningConfig:
    """Any valid schedule."""
    begin = draw(st.floats(0, 1, exclude_max=True))
    return PruningConfig(
        schedule=draw(st.sampled_from(["constant", "polynomial"])),
        final_sparsity=draw(st.floats(0.01, 0.99)),
        begin=begin,
        end=draw(st.floats(begin, 1, exclude_min=True)),
        frequency=draw(st.floats(0, 1, exclude_min=True)),
    )


@given(pruning_configs(), st.integers(1, 200_000))
def test_the_last_mask_update_is_at_the_end_and_within_training(
    config: PruningConfig, total_steps: int
) -> None:
    begin, end, frequency = pruning_steps(config, total_steps)

    assert 0 <= begin < end <= total_steps
    assert frequency >= 1
    assert (end - begin) % frequency == 0


@given(pruning_configs(), st.integers(100, 200_000))
def test_pruning_happens_where_the_fractions_say(config: PruningConfig, total_steps: int) -> None:
    begin, end, frequency = pruning_steps(config, total_steps)

    assert abs(end / total_steps - config.end) <= 1 / total_steps
    # One step of rounding, one that TFMOT does not have, and one frequency to come out even.
    latest = config.begin + max(config.frequency, 1 / total_steps) + 2 / total_steps
    assert config.begin - 2 / total_steps <= begin / total_steps <= latest
    assert frequency / total_steps <= config.frequency + 1 / total_steps


@pytest.mark.parametrize("batch_size", [16, 32, 64, 128])
@pytest.mark.parametrize("epochs", [1, 5])
def test_fractions_mean_the_same_at_every_batch_size(batch_size: int, epochs: int) -> None:
    total_steps = 640 // batch_size * epochs
    config = PruningConfig("polynomial", 0.8, begin=0.2, end=0.8, frequency=0.2)

    begin, end, _ = pruning_steps(config, total_steps)

    assert end == round(0.8 * total_steps)
    assert begin < 0.45 * total_steps


def test_a_schedule_needs_steps_and_a_sparsity() -> None:
    with pytest.raises(ConfigError, match="total_steps"):
        pruning_steps(PruningConfig("constant", 0.5), 0)
    with pytest.raises(ConfigError, match="none"):
        pruning_steps(PruningConfig(), 100)


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras 2, set up as in a worker."""
    from workers.training.keras_compat import configure_tensorflow, seed_everything

    configure_tensorflow(threads=1)
    import tf_keras

    seed_everything(0)
    return tf_keras


@pytest.fixture
def dataset() -> Dataset:
    """Noise with labels; what is learned does not matter here."""
    rng = np.random.default_rng(0)
    train, val, test = (
        Split(rng.integers(0, 256, (n, *SHAPE), dtype=np.uint8), rng.integers(0, 3, n))
        for n in (160, 40, 10)
    )
    return Dataset("noise", train, val, test, class_names=("a", "b", "c"), fingerprint="0")


def build(keras: Any) -> Any:
    """A network with every kind of layer that matters to pruning."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(6, 3, use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.SeparableConv2D(5, 3, name="separable"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="dense"),
        ]
    )


def trial(schedule: PruningConfig, *, batch_size: int = 16, epochs: int = 2) -> TrialConfig:
    """A short training with a schedule."""
    training = TrainingConfig(1e-3, batch_size, epochs=epochs, weight_decay=1e-3)
    return TrialConfig("noise", "0", (), training, schedule)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["constant", "polynomial"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize(("batch_size", "epochs"), [(16, 2), (160, 1), (1000, 2)])
def test_the_final_sparsity_is_reached_and_kept(
    keras: Any, dataset: Dataset, schedule: str, optimizer: str, batch_size: int, epochs: int
) -> None:
    from workers.training.loop import train_epochs

    model = build(keras)
    n_steps = max(1, 160 // batch_size) * epochs
    pruner = Pruner(model, PruningConfig(schedule, 0.75, begin=0.1, end=0.6), n_steps)
    config = TrainingConfig(0.01, batch_size, optimizer=optimizer, weight_decay=1e-3)

    train_epochs(model, dataset.train, dataset.val, config, epochs=epochs, seed=0, pruner=pruner)

    sparsity = achieved_sparsity(model)
    assert set(sparsity) == {"overall", "conv", "separable", "dense"}
    sizes = {"conv": 54, "separable": 30, "dense": 540}
    for name, size in sizes.items():
        assert sparsity[name] == pytest.approx(0.75, abs=0.501 / size)
    assert sparsity["overall"] == pytest.approx(0.75, abs=1.6 / sum(sizes.values()))


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["constant", "polynomial"])
def test_masks_are_those_of_tfmot(keras: Any, dataset: Dataset, schedule: str) -> None:
    """TFMOT's wrappers in ``model.fit``, with the same batches, prune the same weights."""
    import tensorflow_model_optimization as tfmot

    from workers.training.loop import train

    config = trial(PruningConfig(schedule, 0.6, begin=0.2, end=0.75, frequency=0.1))
    ours = build(keras)
    theirs = keras.models.clone_model(ours)
    theirs.set_weights(ours.get_weights())

    train(ours, dataset, config)

    wrapped = tfmot.sparsity.keras.prune_low_magnitude(
        theirs, pruning_schedule=make_schedule(config.pruning, total_steps=20)
    )
    wrapped.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(config.training.learning_rate, 20)
        ),
        "sparse_categorical_crossentropy",
    )
    # Weight decay would reach biases there; it plays no part in which weights are the largest.
    order = np.concatenate(
        [np.random.default_rng((0, epoch)).permutation(160) for epoch in (0, 1)]
    )
    wrapped.fit(
        dataset.train.images[order] / np.float32(255),
        dataset.train.labels[order],
        batch_size=16,
        shuffle=False,
        verbose=0,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
    )
    stripped = tfmot.sparsity.keras.strip_pruning(wrapped)

    assert achieved_sparsity(ours) == pytest.approx(achieved_sparsity(stripped))
    same = [
        (a == 0) == (b == 0)
        for a, b in zip(ours.get_weights(), stripped.get_weights(), strict=True)
        if a.ndim > 1
    ]
    # The last bits of sums differ, so a weight at the threshold may fall on its other side.
    assert np.mean(np.concatenate([each.ravel() for each in same])) > 0.98


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["constant", "polynomial"])
def test_pruning_goes_on_from_what_is_sparse(keras: Any, dataset: Dataset, schedule: str) -> None:
    from workers.training.loop import train

    model = build(keras)
    train(model, dataset, trial(PruningConfig(schedule, 0.5, begin=0.1, end=0.6)))
    before = model.get_weights()
    zeros_during: list[float] = []

    def pause() -> None:
        zeros_during.append(achieved_sparsity(model)["overall"])

    train(
        model, dataset, trial(PruningConfig(schedule, 0.8, begin=0.4, end=0.9)), Hooks(pause=pause)
    )

    assert achieved_sparsity(model)["overall"] == pytest.approx(0.8, abs=0.01)
    assert min(zeros_during) == pytest.approx(0.5, abs=0.01)  # They never grow in between.
    for old, new in zip(before, model.get_weights(), strict=True):
        if old.ndim > 1:
            assert np.all(new[old == 0] == 0)


@pytest.mark.slow
def test_a_lower_target_lets_zeros_grow_anew(keras: Any, dataset: Dataset) -> None:
    from workers.training.loop import train

    model = build(keras)
    mask_smallest(model, 0.9)

    train(model, dataset, trial(PruningConfig("polynomial", 0.6, begin=0.4, end=0.9)))

    assert achieved_sparsity(model)["overall"] == pytest.approx(0.6, abs=0.01)


@pytest.mark.slow
def test_masking_before_training_keeps_the_largest_weights(keras: Any) -> None:
    model = build(keras)
    before = model.get_layer("dense").kernel.numpy()

    mask_smallest(model, 0.9)

    after = model.get_layer("dense").kernel.numpy()
    assert achieved_sparsity(model)["dense"] == pytest.approx(0.9)
    assert np.abs(before[after == 0]).max() <= np.abs(before[after != 0]).min()
    np.testing.assert_array_equal(after[after != 0], before[after != 0])
    assert not np.any(model.get_layer("depthwise").depthwise_kernel.numpy() == 0)


@pytest.mark.slow
def test_equal_weights_are_pruned_to_the_number(keras: Any) -> None:
    model = keras.Sequential(
        [keras.layers.Input((10,)), keras.layers.Dense(10, kernel_initializer="ones")]
    )

    mask_smallest(model, 0.3)

    assert achieved_sparsity(model)["overall"] == pytest.approx(0.3)


@pytest.mark.slow
def test_a_model_within_the_model_is_pruned_too(keras: Any) -> None:
    inner = keras.Sequential(
        [keras.layers.Input((8,)), keras.layers.Dense(8, name="d")], name="in"
    )
    model = keras.Sequential([keras.layers.Input((8,)), inner, keras.layers.Dense(4, name="out")])

    mask_smallest(model, 0.5)

    assert achieved_sparsity(model) == {"overall": 0.5, "in/d": 0.5, "out": 0.5}


@pytest.mark.slow
def test_a_model_without_kernels_has_no_sparsity(keras: Any) -> None:
    model = keras.Sequential([keras.layers.Input(SHAPE), keras.layers.Flatten()])

    assert achieved_sparsity(model) == {"overall": 0.0}
