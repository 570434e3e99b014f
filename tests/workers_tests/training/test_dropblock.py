"""DropBlock: squares that are missing in training, and no trace of it afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig
from spaces.data.dataset import Dataset
from spaces.errors import ConfigError
from spaces.space.compression import available_schemes
from tests.workers_tests import corners
from workers.hypermodels.layers import layer_names
from workers.training.training_layers import without_training_layers

pytestmark = pytest.mark.usefixtures("keras")


def drop_block(*args: Any, **kwargs: Any) -> Any:
    from spaces.networks.dropblock import DropBlock

    return DropBlock(*args, **kwargs)


def network(between: bool = False, branches: bool = False) -> Any:
    """Two convolutions with DropBlock behind each, or between its parts."""
    import tf_keras

    layers = tf_keras.layers
    inputs = x = tf_keras.Input(corners.SHAPE)
    for filters in (4, 8):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        if between:
            x = drop_block(0.1)(x)
        x = layers.BatchNormalization(momentum=0.8)(x)
        x = layers.ReLU()(x)
        x = drop_block(0.1)(x)
        x = layers.MaxPooling2D()(x)
    if branches:
        y = drop_block(0.2)(drop_block(0.1)(x))
        x = layers.Concatenate()([y, layers.Conv2D(8, 1)(x), y])
    x = layers.Dense(4)(layers.Flatten()(x))
    x = layers.Softmax()(x)
    return tf_keras.Model(inputs, drop_block(0.0)(x) if branches else x)


@pytest.mark.parametrize(("rate", "size"), [(0.1, 1), (0.2, 3), (0.3, 5), (0.2, 99)])
def test_squares_are_missing_in_training_only(rate: float, size: int) -> None:
    import tf_keras

    tf_keras.utils.set_random_seed(3)  # How many are missing is random: few large ones, most.
    ones = np.ones((32, 16, 16, 4), np.float32)
    layer = drop_block(rate, size)
    changed = layer(ones, training=True).numpy()
    np.testing.assert_array_equal(layer(ones), ones)
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    assert changed.mean() == pytest.approx(1, abs=1e-4)  # What is left is scaled up.
    missing = (changed == 0).mean()
    assert 0.6 * rate < missing < 1.2 * rate
    if size == 3:
        # Every missing value has two missing neighbours in its row and its column.
        gone = changed[0, :, :, 0] == 0
        assert gone.any()
        padded = np.pad(gone, 2)
        for row, column in np.argwhere(gone):
            around = padded[row : row + 5, column : column + 5]
            assert any(around[r : r + 3, c : c + 3].all() for r in range(3) for c in range(3))


def test_it_is_saved_with_its_model(tmp_path: Any) -> None:
    import tf_keras

    model = network()
    model.save(tmp_path / "model.keras")
    loaded = tf_keras.models.load_model(tmp_path / "model.keras")
    kept = [each for each in loaded.layers if type(each).__name__ == "DropBlock"]
    assert [(each.rate, each.block_size) for each in kept] == [(0.1, 3)] * 2


@pytest.mark.parametrize("arguments", [(1.0,), (-0.1,), (0.1, 0), (0.1, 1.5)])
def test_it_refuses(arguments: Any) -> None:
    with pytest.raises(ConfigError, match="must hold"):
        drop_block(*arguments)


@pytest.mark.parametrize("options", [{}, {"between": True}, {"branches": True}])
def test_a_model_without_it_computes_the_same(options: dict[str, bool]) -> None:
    model = network(**options)
    images = np.random.default_rng(0).random((4, *corners.SHAPE), np.float32)
    without = without_training_layers(model)
    assert "DropBlock" not in {type(layer).__name__ for layer in without.layers}
    assert "DropBlock" in {type(layer).__name__ for layer in model.layers}
    np.testing.assert_allclose(without(images), model(images), atol=1e-6)
    assert without_training_layers(without) is without
    # Whether the network can be trained quantization-aware is read as if it had none.
    assert layer_names(model) == layer_names(without)
    assert QuantizationScheme.QAT_INT8 in available_schemes(layer_names(model))[0]


def test_a_sequential_model_loses_it_too() -> None:
    import tf_keras

    model = tf_keras.Sequential(
        [tf_keras.Input((4, 4, 2)), tf_keras.layers.Conv2D(3, 3), drop_block(0.5, 1)]
    )
    without = without_training_layers(model)
    assert [type(layer).__name__ for layer in without.layers] == ["Conv2D"]
    image = np.ones((1, 4, 4, 2), np.float32)
    np.testing.assert_allclose(without(image), model(image))


@pytest.mark.slow
def test_it_survives_pruning_quantization_and_conversion(corner_pictures: Dataset) -> None:
    from workers.conversion.accuracy import tflite_accuracy
    from workers.conversion.convert import float_tflite, qat_tflite
    from workers.hypermodels.describe import load_hypermodel
    from workers.trial.train_config import train_config

    hypermodel = load_hypermodel(lambda hp: network(between=True), corners.SHAPE, 4)
    config = corners.make_config(
        QuantizationScheme.QAT_INT8,
        PruningConfig("constant", 0.5, 0.1, 0.6),
        TrainingConfig(0.01, batch_size=32, epochs=4, qat_epochs=1),
    )
    first, again = (train_config(hypermodel, corner_pictures, config) for _ in range(2))

    assert first.sparsity["overall"] == pytest.approx(0.5, abs=0.01)
    assert first.history["val_accuracy"][-1] > 0.9
    float_model = float_tflite(first.model)
    assert float_tflite(again.model) == float_model
    assert tflite_accuracy(float_model, corner_pictures.val) > 0.9
    quantized = qat_tflite(first.qat_model)
    assert qat_tflite(again.qat_model) == quantized
    assert tflite_accuracy(quantized, corner_pictures.val) > 0.9
