"""Quantization-aware training: it keeps what was trained and what was pruned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset, Split
from spaces.errors import ConversionError
from workers.training.loop import evaluate, train
from workers.training.prune import achieved_sparsity
from workers.training.qat import train_quantization_aware

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras 2, set up as in a worker."""
    from workers.training.keras_compat import configure_tensorflow

    configure_tensorflow(threads=1)
    import tf_keras

    return tf_keras


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Pictures with a bright left or right half, and noise."""
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        labels = rng.integers(0, 2, n)
        images = rng.integers(0, 150, (n, *SHAPE), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[:, 4 * label : 4 * label + 4] += 50
        return Split(images, labels)

    return Dataset("halves", split(320), split(200), split(10), ("left", "right"), "0")


def build(keras: Any, *, separable: bool = False) -> Any:
    """A network of the kinds of layers that tasks use."""
    from workers.training.keras_compat import seed_everything

    seed_everything(0)
    layers = keras.layers
    convolution = layers.SeparableConv2D if separable else layers.Conv2D
    inputs = keras.Input(SHAPE)
    x = convolution(8, 3, padding="same", use_bias=False)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.1)(x)
    x = layers.Dense(2)(x)
    return keras.Model(inputs, layers.Softmax()(x))


NOT_PRUNED = PruningConfig()


def trial(pruning: PruningConfig = NOT_PRUNED) -> TrialConfig:
    """A short training and a shorter quantization-aware one."""
    return TrialConfig(
        "halves",
        "0",
        (),
        TrainingConfig(5e-3, batch_size=16, epochs=4, qat_epochs=2, weight_decay=1e-3),
        pruning,
        QuantizationScheme.QAT_INT8,
    )


def kernels(model: Any) -> dict[str, np.ndarray]:
    """Arrays with more than one axis, by name; those of normalization have one."""
    return {
        variable.name: variable.numpy()
        for variable in model.trainable_variables
        if variable.shape.rank > 1
    }


@pytest.mark.parametrize("separable", [False, True])
def test_it_keeps_accuracy_and_the_float_model(
    keras: Any, dataset: Dataset, separable: bool
) -> None:
    model = build(keras, separable=separable)
    config = trial()
    train(model, dataset, config)
    before = model.get_weights()
    _, accuracy = evaluate(model, dataset.val)

    quantized, history = train_quantization_aware(model, dataset, config)

    assert len(history["loss"]) == 2
    assert accuracy > 0.9
    assert history["val_accuracy"][-1] > accuracy - 0.05
    assert evaluate(quantized, dataset.val)[1] == history["val_accuracy"][-1]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    moved = [
        np.abs(array - kernels(model)[name]).max()
        for name, array in kernels(quantized).items()
        if name in kernels(model)
    ]
    assert moved and min(moved) > 0


@pytest.mark.parametrize("separable", [False, True])
def test_pruned_weights_stay_zero(keras: Any, dataset: Dataset, separable: bool) -> None:
    model = build(keras, separable=separable)
    config = trial(PruningConfig("polynomial", 0.8, begin=0.1, end=0.6))
    train(model, dataset, config)
    sparsity = achieved_sparsity(model)
    zeros = sorted(int(np.sum(array == 0)) for array in kernels(model).values())

    quantized, _ = train_quantization_aware(model, dataset, config)

    assert sparsity["overall"] == pytest.approx(0.8, abs=0.01)
    assert sorted(int(np.sum(array == 0)) for array in kernels(quantized).values()) == zeros


def test_the_same_weights_again(keras: Any, dataset: Dataset) -> None:
    model = build(keras)
    config = trial()
    train(model, dataset, config)

    first, _ = train_quantization_aware(model, dataset, config)
    again, _ = train_quantization_aware(model, dataset, config)

    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_converter_gives_a_full_integer_model(keras: Any, dataset: Dataset) -> None:
    import tensorflow as tf

    model = build(keras)
    config = trial()
    train(model, dataset, config)
    quantized, _ = train_quantization_aware(model, dataset, config)

    converter = tf.lite.TFLiteConverter.from_keras_model(quantized)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=converter.convert())
    types = {np.dtype(each["dtype"]).name for each in interpreter.get_tensor_details()}
    assert types == {"int8", "int32"}


def test_a_network_that_cannot_be_quantized_is_named_in_one_line(
    keras: Any, dataset: Dataset
) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input(SHAPE), layers.Flatten(), layers.Dense(4), layers.LayerNormalization(),
         layers.Dense(2, activation="softmax")]
    )  # fmt: skip

    with pytest.raises(ConversionError, match="layer_normalization") as caught:
        train_quantization_aware(model, dataset, trial())

    assert "\n" not in str(caught.value)
