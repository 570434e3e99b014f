"""Conversion of what trials bring: pruned, quantization-aware, dead and unusual networks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.config.trial import PruningConfig
from spaces.data.dataset import Dataset
from spaces.errors import ConversionError
from tests.workers_tests import corners
from workers.conversion.convert import (
    float_tflite,
    qat_tflite,
    quantize_variant,
    representative_images,
    sparse_tflite,
)
from workers.conversion.runtime import load, network_input, outputs

if TYPE_CHECKING:
    from workers.trial.train_config import Trained

S = QuantizationScheme
FLAT: dict[str, Any] = {"head": "flatten"}
SEPARABLE: dict[str, Any] = {"head": "average", "convolution": "separable"}


def build(hypermodel: Any, **hyperparameters: Any) -> Any:
    """An untrained network, the same every time."""
    from workers.trial.train_config import build

    return build(hypermodel, corners.make_config(**hyperparameters))[0]


def all_schemes(model: Any, dataset: Dataset) -> dict[QuantizationScheme, bytes]:
    float_model = float_tflite(model)
    images = representative_images(dataset.train, seed=0, n=200)
    return {
        scheme: quantize_variant(float_model, scheme, images) for scheme in POST_TRAINING_SCHEMES
    }


def hashes(files: dict[QuantizationScheme, bytes]) -> dict[str, str]:
    return {scheme.value: hashlib.sha256(tflite).hexdigest() for scheme, tflite in files.items()}


@pytest.fixture(scope="module")
def pruned(hypermodel: Any, corner_pictures: Dataset) -> Trained:
    from workers.trial.train_config import train_config

    pruning = PruningConfig("polynomial", 0.8, 0.2, 0.7)
    return train_config(hypermodel, corner_pictures, corners.make_config(pruning=pruning))


@pytest.mark.slow
def test_a_files_bytes_depend_on_the_weights_alone(
    keras: Any, hypermodel: Any, corner_pictures: Dataset
) -> None:
    first = hashes(all_schemes(build(hypermodel), corner_pictures))
    assert len(set(first.values())) == len(POST_TRAINING_SCHEMES)
    # Other networks come in between, and go through the converter too.
    float_tflite(build(hypermodel, **SEPARABLE, blocks=3))
    float_tflite(keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)]))
    model = build(hypermodel)
    keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    assert hashes(all_schemes(model, corner_pictures)) == first
    assert hashes(all_schemes(model, corner_pictures)) == first
    assert hashes(all_schemes(build(hypermodel, seed=1), corner_pictures)) != first


@pytest.mark.slow
def test_layers_that_reshape_take_any_batch(keras: Any) -> None:
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3)(inputs)
    scale = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Dense(8, activation="sigmoid")(scale)])
    x = layers.Flatten()(x)
    model = keras.Model(inputs, layers.Softmax()(layers.Dense(5)(x)))
    images = np.random.default_rng(0).random((13, 8, 8, 3), dtype=np.float32)
    tflite = float_tflite(model)
    expected = model.predict(images, verbose=0)
    for batch_size in (1, 5, 13):
        np.testing.assert_allclose(outputs(tflite, images, batch_size), expected, atol=1e-5)
    for scheme in (S.INT8, S.INT16X8, S.DYNAMIC_RANGE):
        quantized = quantize_variant(tflite, scheme, images)
        assert outputs(quantized, images, 5).shape == (13, 5)


@pytest.mark.slow
@pytest.mark.parametrize("pruning", [PruningConfig(), PruningConfig("constant", 0.5, 0.2, 0.7)])
def test_quantization_aware_networks_become_integer_files(
    hypermodel: Any, corner_pictures: Dataset, pruning: PruningConfig
) -> None:
    from workers.trial.train_config import train_config

    config = corners.make_config(S.QAT_INT8, pruning, head="average", filters_2=24)
    config = replace(config, training=replace(config.training, epochs=5, qat_epochs=2))
    model = train_config(hypermodel, corner_pictures, config).qat_model
    tflite = qat_tflite(model)
    interpreter = load(tflite)
    assert interpreter.get_input_details()[0]["dtype"] is np.int8
    assert interpreter.get_output_details()[0]["dtype"] is np.int8
    images = corner_pictures.val.images
    assert model is not None
    expected = model.predict(network_input(images), verbose=0).argmax(axis=1)
    assert np.mean(outputs(tflite, images).argmax(axis=1) == expected) >= 0.97
    assert qat_tflite(model) == tflite


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [S.FLOAT32, S.FLOAT16])
def test_sparse_files_are_smaller_and_compute_the_same(
    pruned: Trained, corner_pictures: Dataset, scheme: QuantizationScheme
) -> None:
    images = corner_pictures.val.images
    calibration = representative_images(corner_pictures.train, seed=0, n=20)
    dense = quantize_variant(float_tflite(pruned.model), scheme, calibration)
    sparse = sparse_tflite(dense)
    assert sparse is not None
    assert len(sparse) < 0.7 * len(dense)
    np.testing.assert_allclose(outputs(sparse, images), outputs(dense, images), atol=1e-5)
    assert sparse_tflite(dense) == sparse
    assert sparse_tflite(b"no model") is None


def with_tensorflow(model: Any, scheme: QuantizationScheme, images: Any, *, sparse: bool) -> bytes:
    """What TensorFlow's own converter gives for a scheme, which can be sparsity-encoded too."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if sparse:
        converter.optimizations.append(tf.lite.Optimize.EXPERIMENTAL_SPARSITY)
    if SCHEMES[scheme].calibrates:
        converter.representative_dataset = lambda: ([image[None]] for image in images)
        ops = tf.lite.OpsSet
        converter.target_spec.supported_ops = [
            ops.TFLITE_BUILTINS_INT8
            if scheme is S.INT8
            else ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    return bytes(converter.convert())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning")
@pytest.mark.parametrize("scheme", [S.DYNAMIC_RANGE, S.INT8, S.INT16X8])
def test_sparse_encoding_is_declared_only_where_it_works(
    pruned: Trained, corner_pictures: Dataset, scheme: QuantizationScheme
) -> None:
    assert not SCHEMES[scheme].sparse_encoding
    images = corner_pictures.val.images
    calibration = representative_images(corner_pictures.train, seed=0, n=50)
    dense = with_tensorflow(pruned.model, scheme, calibration, sparse=False)
    expected = pruned.model.predict(network_input(images), verbose=0).argmax(axis=1)
    assert np.mean(outputs(dense, images).argmax(axis=1) == expected) >= 0.9
    sparse = with_tensorflow(pruned.model, scheme, calibration, sparse=True)
    if scheme is S.INT16X8:  # It runs, and takes no notice of the encoding.
        assert np.mean(outputs(sparse, images).argmax(axis=1) == expected) < 0.7
    else:
        with pytest.raises(ConversionError, match="LiteRT cannot run the model"):
            load(sparse)


def all_zero(model: Any) -> None:
    model.set_weights([0 * weights for weights in model.get_weights()])


def dead_units(model: Any) -> None:
    """No ReLU lets anything through, as after a step far too large."""
    for layer in model.layers:
        if layer.name.startswith("norm_"):
            layer.beta.assign(np.full(layer.beta.shape, -100.0))


def huge(model: Any) -> None:
    for layer in model.layers:
        if layer.name.startswith("conv_"):
            layer.set_weights([1e25 * weights for weights in layer.get_weights()])


def not_a_number(model: Any) -> None:
    layer = model.get_layer("logits")
    layer.set_weights([np.nan * weights for weights in layer.get_weights()])


@pytest.mark.slow
@pytest.mark.parametrize("harm", [all_zero, dead_units, huge, not_a_number])
@pytest.mark.parametrize("network", [FLAT, SEPARABLE], ids=["flat", "separable"])
def test_a_dead_network_runs_or_fails_in_one_line(
    hypermodel: Any, corner_pictures: Dataset, harm: Callable[[Any], None], network: Any
) -> None:
    model = build(hypermodel, **network)
    harm(model)
    images = representative_images(corner_pictures.train, seed=0, n=50)
    float_model = float_tflite(model)
    n_run = 0
    for scheme in POST_TRAINING_SCHEMES:
        try:
            tflite = quantize_variant(float_model, scheme, images)
            found = outputs(tflite, corner_pictures.test.images)
        except ConversionError as error:
            assert str(error)
            assert "\n" not in str(error)
        else:
            n_run += 1
            assert found.shape == (60, 4)
    assert n_run >= 2  # float32 and float16 run, whatever they give.


def test_converting_says_nothing(keras: Any, capfd: pytest.CaptureFixture[str]) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)])
    images = np.random.default_rng(0).random((5, 4, 4, 1), dtype=np.float32)
    float_model = float_tflite(model)
    for scheme in POST_TRAINING_SCHEMES:
        outputs(quantize_variant(float_model, scheme, images), images)
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == ""
