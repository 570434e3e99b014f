"""Conversion: every scheme's file runs, agrees with the network, and is the same every time."""

from __future__ import annotations

import gc
import hashlib
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.data.dataset import Split
from spaces.errors import ConversionError
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.conversion.accuracy import tflite_accuracy
from workers.conversion.convert import (
    activation_ranges,
    float_tflite,
    qat_tflite,
    quantize_variant,
    representative_images,
    sparse_tflite,
)
from workers.conversion.runtime import load, network_input, outputs
from workers.conversion.sizes import gzip_size


@pytest.fixture(scope="module")
def converted() -> Converted:
    """The network of all these tests and its files."""
    return convert_trained_network()


CHECKOUT = Path(__file__).resolve().parents[3]


def formats(tflite: bytes) -> tuple[type, type]:
    """Number formats of input and output."""
    interpreter = load(tflite)
    return (
        interpreter.get_input_details()[0]["dtype"],
        interpreter.get_output_details()[0]["dtype"],
    )


def some_images(n: int) -> Split:
    return Split(np.random.default_rng(0).integers(0, 256, (n, 2, 2, 1), np.uint8), np.arange(n))


def test_representative_images_are_training_images_as_networks_see_them() -> None:
    split = some_images(30)
    images = representative_images(split, seed=0, n=10)
    assert images.shape == (10, 2, 2, 1)
    assert images.dtype == np.float32
    known = {image.tobytes() for image in network_input(split.images)}
    picked = [image.tobytes() for image in images]
    assert set(picked) <= known
    assert len(set(picked)) == 10  # None twice.


def test_representative_images_depend_on_the_seed_alone() -> None:
    split = some_images(30)
    first, again, other = (representative_images(split, seed, n=10) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_representative_images_of_a_small_split_are_all_of_it() -> None:
    split = some_images(3)
    np.testing.assert_array_equal(
        representative_images(split, seed=0, n=10), network_input(split.images)
    )


@pytest.mark.slow
class TestFloat:
    @pytest.mark.parametrize("batch_size", [1, 7, 100])
    def test_gives_what_the_network_gives(self, converted: Converted, batch_size: int) -> None:
        expected = converted.model.predict(network_input(converted.val.images), verbose=0)
        found = outputs(converted.float_model, converted.val.images, batch_size)
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_is_the_same_after_other_conversions(self, converted: Converted) -> None:
        layers = converted.keras.layers
        other = converted.keras.Sequential(
            [converted.keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)]
        )
        float_tflite(other)
        assert float_tflite(converted.model) == converted.float_model

    def test_changes_with_the_weights(self, converted: Converted) -> None:
        model = converted.keras.models.clone_model(converted.model)
        assert float_tflite(model) != converted.float_model
        model.set_weights(converted.model.get_weights())
        assert float_tflite(model) == converted.float_model

    def test_keeps_no_model_in_memory(self, converted: Converted) -> None:
        model = converted.keras.models.clone_model(converted.model)
        float_tflite(model)
        is_there = weakref.ref(model)
        del model
        gc.collect()
        assert is_there() is None

    def test_refuses_what_tflite_cannot_do_in_one_line(self, converted: Converted) -> None:
        import tensorflow as tf

        layers = converted.keras.layers
        model = converted.keras.Sequential(
            [
                converted.keras.Input((4, 4, 1)),
                layers.Lambda(lambda x: tf.math.betainc(x, x, x)),
                layers.Flatten(),
            ]
        )
        with pytest.raises(ConversionError, match="(?i)betainc") as caught:
            float_tflite(model)
        assert "\n" not in str(caught.value)
        assert ".py" not in str(caught.value)  # No paths of this machine.


@pytest.mark.slow
class TestVariants:
    @pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
    def test_agree_with_the_network(
        self, converted: Converted, scheme: QuantizationScheme
    ) -> None:
        labels = outputs(converted.float_model, converted.val.images).argmax(axis=1)
        assert np.mean(labels == converted.val.labels) > 0.9  # Else agreement means little.
        found = outputs(converted.files[scheme], converted.val.images).argmax(axis=1)
        assert np.mean(found == labels) >= (
            0.85 if scheme is QuantizationScheme.DYNAMIC_INT4 else 0.95
        )

    @pytest.mark.parametrize("size", [len, gzip_size])
    def test_take_less_room_with_fewer_bits(self, converted: Converted, size: Any) -> None:
        sizes = {scheme: size(tflite) for scheme, tflite in converted.files.items()}
        s = QuantizationScheme
        assert sizes[s.DYNAMIC_INT4] < sizes[s.DYNAMIC_RANGE] < sizes[s.FLOAT16] < sizes[s.FLOAT32]
        assert sizes[s.INT8] < sizes[s.FLOAT16]
        assert sizes[s.INT16X8] < sizes[s.FLOAT16]

    @pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
    def test_speak_the_format_of_their_scheme(
        self, converted: Converted, scheme: QuantizationScheme
    ) -> None:
        expected = {QuantizationScheme.INT8: np.int8, QuantizationScheme.INT16X8: np.int16}
        kind = expected.get(scheme, np.float32)
        assert formats(converted.files[scheme]) == (kind, kind)

    @pytest.mark.parametrize("scheme", [s for s in SCHEMES if SCHEMES[s].calibrates])
    def test_are_integer_throughout(
        self, converted: Converted, scheme: QuantizationScheme
    ) -> None:
        details = load(converted.files[scheme]).get_tensor_details()
        assert {np.dtype(tensor["dtype"]).kind for tensor in details} == {"i"}

    def test_are_the_same_again(self, converted: Converted) -> None:
        for scheme, tflite in converted.files.items():
            again = quantize_variant(converted.float_model, scheme, converted.representative)
            assert again == tflite, scheme

    def test_depend_on_the_images_they_are_given(self, converted: Converted) -> None:
        int8 = QuantizationScheme.INT8
        dim = converted.representative / np.float32(2)
        quantized = quantize_variant(converted.float_model, int8, dim)
        assert quantized != converted.files[int8]
        assert quantize_variant(converted.float_model, int8, dim) == quantized

    def test_refuse_a_scheme_that_needs_training(self, converted: Converted) -> None:
        with pytest.raises(ConversionError, match="qat_int8 needs training"):
            quantize_variant(
                converted.float_model, QuantizationScheme.QAT_INT8, converted.representative
            )


@pytest.mark.slow
def test_ranges_are_over_every_image(converted: Converted) -> None:
    # 45 images are two full batches and a rest; the outlier is in the rest.
    images = np.full((45, 12, 12, 1), 0.5, np.float32)
    images[44, 0, 0] = 3.0
    images[3, 0, 0] = -2.0
    ranges = activation_ranges(converted.float_model, images)
    assert ranges["image"]["min"].item() == -2.0
    assert ranges["image"]["max"].item() == 3.0
    scores = outputs(converted.float_model, images)
    assert ranges["scores"]["min"].item() == pytest.approx(scores.min(), rel=1e-4)
    assert ranges["scores"]["max"].item() == pytest.approx(scores.max(), rel=1e-4)


@pytest.mark.slow
class TestBrokenNetworks:
    def broken(self, converted: Converted, pattern: str, value: float) -> bytes:
        """The network with all weights of a name set to one value."""
        model = converted.keras.models.clone_model(converted.model)
        model.set_weights(converted.model.get_weights())
        for variable in model.weights:
            if pattern in variable.name:
                variable.assign(np.full(variable.shape, value))
        return float_tflite(model)

    def test_a_dead_network_has_float_files_and_no_int8(self, converted: Converted) -> None:
        dead = self.broken(converted, "beta", -1000.0)
        assert tflite_accuracy(dead, converted.val) < 0.5
        with pytest.raises(ConversionError):
            tflite = quantize_variant(dead, QuantizationScheme.INT8, converted.representative)
            tflite_accuracy(tflite, converted.val)

    @pytest.mark.parametrize("scheme", [s for s in SCHEMES if SCHEMES[s].calibrates])
    def test_a_diverged_network_has_no_ranges(
        self, converted: Converted, scheme: QuantizationScheme
    ) -> None:
        diverged = self.broken(converted, "gamma", np.nan)
        with pytest.raises(ConversionError, match="not finite"):
            quantize_variant(diverged, scheme, converted.representative)

    def test_a_diverged_network_is_never_right(self, converted: Converted) -> None:
        assert tflite_accuracy(self.broken(converted, "gamma", np.nan), converted.val) == 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [s for s in SCHEMES if SCHEMES[s].sparse_encoding])
def test_sparse_files_leave_zeros_out_and_run(
    converted: Converted, scheme: QuantizationScheme
) -> None:
    from workers.training.prune import mask_smallest

    model = converted.keras.models.clone_model(converted.model)
    model.set_weights(converted.model.get_weights())
    mask_smallest(model, 0.8)
    dense = quantize_variant(float_tflite(model), scheme, converted.representative)
    sparse = sparse_tflite(dense)
    assert sparse is not None
    assert len(sparse) < 0.7 * len(dense)
    np.testing.assert_allclose(
        outputs(sparse, converted.val.images), outputs(dense, converted.val.images), atol=1e-5
    )


@pytest.mark.slow
def test_quantization_aware_networks_are_integer_throughout(converted: Converted) -> None:
    from workers.training.keras_compat import configure_tensorflow

    configure_tensorflow(threads=1)
    import tensorflow_model_optimization as tfmot

    model = tfmot.quantization.keras.quantize_model(converted.model)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(network_input(converted.train.images), converted.train.labels, verbose=0)
    tflite = qat_tflite(model)
    assert formats(tflite) == (np.int8, np.int8)
    details = load(tflite).get_tensor_details()
    assert {np.dtype(tensor["dtype"]).kind for tensor in details} == {"i"}
    assert tflite_accuracy(tflite, converted.val) > 0.85
    assert qat_tflite(model) == tflite


CONVERT_AND_HASH = """
import hashlib, sys
import numpy as np
from workers.training.keras_compat import configure_tensorflow
configure_tensorflow(threads=1)
import tf_keras as keras
from spaces.config.schemes import POST_TRAINING_SCHEMES
from workers.conversion.convert import float_tflite, quantize_variant

model = keras.models.load_model(sys.argv[1], compile=False)
images = np.load(sys.argv[2])
for when in ("first", "after another"):
    float_model = float_tflite(model)
    for scheme in POST_TRAINING_SCHEMES:
        tflite = quantize_variant(float_model, scheme, images)
        print(when, scheme, hashlib.sha256(tflite).hexdigest())
    float_tflite(keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()]))
"""


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(converted: Converted, tmp_path: Path) -> None:
    # The HDF5 format keeps layer names; names must not matter, so rename one.
    model = converted.keras.models.clone_model(converted.model)
    model.set_weights(converted.model.get_weights())
    model._name = "another_name"
    model.save(tmp_path / "model.h5")
    np.save(tmp_path / "images.npy", converted.representative)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            CONVERT_AND_HASH,
            str(tmp_path / "model.h5"),
            str(tmp_path / "images.npy"),
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    expected = [
        f"{when} {scheme} {hashlib.sha256(tflite).hexdigest()}"
        for when in ("first", "after another")
        for scheme, tflite in converted.files.items()
    ]
    assert done.stdout.split("\n")[:-1] == expected
