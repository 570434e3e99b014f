"""From trained weights to the files of all schemes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spaces.config import PruningConfig
from spaces.dataset import Dataset
from spaces.errors import ConversionError
from spaces.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from tests.workers_tests import corners
from workers.convert import (
    float_tflite,
    qat_tflite,
    quantize_variant,
    representative_images,
    sparse_tflite,
)
from workers.runtime import load, network_input, outputs

if TYPE_CHECKING:
    from workers.evaluate import Trained

S = QuantizationScheme
FLAT: dict[str, Any] = {"head": "flatten"}
AVERAGED: dict[str, Any] = {"head": "average"}
SEPARABLE: dict[str, Any] = {"head": "average", "convolution": "separable"}


def build(hypermodel: Any, **hyperparameters: Any) -> Any:
    """An untrained network, the same every time."""
    from workers.evaluate import build

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
def files(trained: Trained, corner_pictures: Dataset) -> dict[QuantizationScheme, bytes]:
    return all_schemes(trained.model, corner_pictures)


@pytest.fixture(scope="module")
def pruned(hypermodel: Any, corner_pictures: Dataset) -> Trained:
    from workers.evaluate import train_config

    pruning = PruningConfig("polynomial", 0.8, 0.2, 0.7)
    return train_config(hypermodel, corner_pictures, corners.make_config(pruning=pruning))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
def test_every_scheme_labels_pictures_as_the_network_does(
    trained: Trained,
    files: dict[QuantizationScheme, bytes],
    corner_pictures: Dataset,
    scheme: QuantizationScheme,
) -> None:
    images = corner_pictures.val.images
    expected = trained.model.predict(network_input(images), verbose=0).argmax(axis=1)
    assert len(set(expected.tolist())) == 4  # Or agreeing with it would mean nothing.
    found = outputs(files[scheme], images).argmax(axis=1)
    assert np.mean(found == expected) >= (0.8 if scheme is S.DYNAMIC_INT4 else 0.95)


@pytest.mark.slow
def test_fewer_bits_make_smaller_files(files: dict[QuantizationScheme, bytes]) -> None:
    size = {scheme: len(tflite) for scheme, tflite in files.items()}
    assert size[S.DYNAMIC_INT4] < size[S.INT8] <= size[S.DYNAMIC_RANGE]
    assert size[S.DYNAMIC_RANGE] < size[S.FLOAT16] < size[S.FLOAT32]
    assert size[S.INT16X8] < size[S.FLOAT16]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
def test_inputs_and_outputs_have_the_numbers_of_the_scheme(
    files: dict[QuantizationScheme, bytes], scheme: QuantizationScheme
) -> None:
    interpreter = load(files[scheme])
    expected = {S.INT8: np.int8, S.INT16X8: np.int16}.get(scheme, np.float32)
    assert interpreter.get_input_details()[0]["dtype"] is expected
    assert interpreter.get_output_details()[0]["dtype"] is expected
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, *corners.SHAPE]
    assert interpreter.get_output_details()[0]["shape"].tolist() == [1, 4]


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
def test_another_process_gives_the_same_bytes(hypermodel: Any, corner_pictures: Dataset) -> None:
    here = hashes(all_schemes(build(hypermodel, **SEPARABLE), corner_pictures))
    code = (
        "import json\n"
        "from workers.keras_compat import configure_tensorflow\n"
        "configure_tensorflow(threads=1)\n"
        "from tests.workers_tests import corners, test_convert as t\n"
        "model = t.build(corners.load_model(), **t.SEPARABLE)\n"
        "print(json.dumps(t.hashes(t.all_schemes(model, corners.make_dataset()))))"
    )
    folder = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == here


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
def test_representative_images_are_drawn_from_the_split_by_seed(corner_pictures: Dataset) -> None:
    split = corner_pictures.train
    images = representative_images(split, seed=3, n=50)
    assert images.shape == (50, *corners.SHAPE)
    assert images.dtype == np.float32
    known = {image.tobytes() for image in network_input(split.images)}
    drawn = {image.tobytes() for image in images}
    assert drawn <= known
    assert len(drawn) == 50
    np.testing.assert_array_equal(images, representative_images(split, seed=3, n=50))
    assert not np.array_equal(images, representative_images(split, seed=4, n=50))
    assert len(representative_images(split, seed=3, n=10_000)) == len(split)


@pytest.mark.slow
@pytest.mark.parametrize("pruning", [PruningConfig(), PruningConfig("constant", 0.5, 0.2, 0.7)])
def test_quantization_aware_networks_become_integer_files(
    hypermodel: Any, corner_pictures: Dataset, pruning: PruningConfig
) -> None:
    from workers.evaluate import train_config

    config = corners.make_config(S.QAT_INT8, pruning, head="average", filters_2=24)
    config = replace(config, training=replace(config.training, epochs=5, qat_epochs=2))
    model = train_config(hypermodel, corner_pictures, config).qat_model
    tflite = qat_tflite(model)
    interpreter = load(tflite)
    assert interpreter.get_input_details()[0]["dtype"] is np.int8
    assert interpreter.get_output_details()[0]["dtype"] is np.int8
    images = corner_pictures.val.images
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
    sparse = sparse_tflite(pruned.model, scheme)
    assert sparse is not None
    assert len(sparse) < 0.7 * len(dense)
    # The converter stores biases as float16 too.
    tolerance = 1e-5 if scheme is S.FLOAT32 else 2e-3
    np.testing.assert_allclose(outputs(sparse, images), outputs(dense, images), atol=tolerance)
    assert sparse_tflite(pruned.model, scheme) == sparse


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


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [scheme for scheme, s in SCHEMES.items() if s.calibrates])
def test_what_is_not_finite_cannot_be_calibrated(
    hypermodel: Any, corner_pictures: Dataset, scheme: QuantizationScheme
) -> None:
    model = build(hypermodel)
    not_a_number(model)
    images = representative_images(corner_pictures.train, seed=0, n=50)
    with pytest.raises(ConversionError, match="not finite"):
        quantize_variant(float_tflite(model), scheme, images)


def test_a_scheme_that_trains_is_no_variant_of_a_float_file(keras: Any) -> None:
    model = keras.Sequential([keras.layers.Input((4, 4, 1)), keras.layers.Flatten()])
    images = np.zeros((1, 4, 4, 1), np.float32)
    with pytest.raises(ConversionError, match="needs training of its own"):
        quantize_variant(float_tflite(model), S.QAT_INT8, images)


def test_an_operation_that_tflite_lacks_is_named_in_one_line(keras: Any) -> None:
    import tensorflow as tf

    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((4, 4, 1)), layers.Flatten(), layers.Lambda(tf.math.erfinv), layers.Dense(2)]
    )
    with pytest.raises(ConversionError, match="Erfinv") as error:
        float_tflite(model)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


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
