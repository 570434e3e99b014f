"""Sizes and arithmetic of networks small enough to count by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.conversion.convert import float_tflite
from workers.conversion.flatbuffer import count_macs
from workers.conversion.sizes import gzip_size, ledger


@pytest.fixture(scope="module")
def converted() -> Converted:
    """The network of all these tests and its files."""
    return convert_trained_network()


def test_gzip_sees_zeros() -> None:
    weights = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    pruned = np.where(np.abs(weights) < 1.5, 0, weights).astype(np.float32)
    assert len(weights.tobytes()) == len(pruned.tobytes())
    assert gzip_size(pruned.tobytes()) < 0.5 * gzip_size(weights.tobytes())


@pytest.mark.slow
class TestMacs:
    @pytest.mark.parametrize(
        ("layer", "arguments", "macs"),
        [
            # Output positions x weights a position.
            ("Conv2D", {"filters": 5, "kernel_size": 3, "padding": "same"}, 64 * 9 * 2 * 5),
            ("Conv2D", {"filters": 5, "kernel_size": 3}, 36 * 9 * 2 * 5),
            (
                "Conv2D",
                {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"},
                16 * 9 * 2 * 5,
            ),
            ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same"}, 64 * 9 * 2),
            # Depthwise, then 1x1.
            (
                "SeparableConv2D",
                {"filters": 5, "kernel_size": 3, "padding": "same"},
                64 * 9 * 2 + 64 * 2 * 5,
            ),
            ("Conv2DTranspose", {"filters": 5, "kernel_size": 2, "strides": 2}, 64 * 4 * 2 * 5),
            ("MaxPooling2D", {}, 0),
        ],
    )
    def test_of_one_layer(
        self, converted: Converted, layer: str, arguments: dict[str, Any], macs: int
    ) -> None:
        keras = converted.keras
        model = keras.Sequential(
            [keras.Input((8, 8, 2)), getattr(keras.layers, layer)(**arguments)]
        )
        assert count_macs(float_tflite(model)) == macs

    def test_of_a_dense_head(self, converted: Converted) -> None:
        layers = converted.keras.layers
        model = converted.keras.Sequential(
            [
                converted.keras.Input((8, 8, 2)),
                layers.Flatten(),
                layers.Dense(10),
                layers.Dense(3, activation="softmax"),
            ]
        )
        assert count_macs(float_tflite(model)) == 128 * 10 + 10 * 3

    @pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
    def test_do_not_depend_on_the_scheme(
        self, converted: Converted, scheme: QuantizationScheme
    ) -> None:
        by_hand = 144 * 9 * 16 + 144 * 9 * 16 + 144 * 16 * 16 + 6 * 6 * 16 * 32 + 32 * 4
        assert count_macs(converted.files[scheme]) == by_hand


@pytest.mark.slow
class TestLedger:
    def test_counts_parameters_and_those_that_are_not_zero(self, converted: Converted) -> None:
        layers = converted.keras.layers
        model = converted.keras.Sequential(
            [
                converted.keras.Input((4, 4, 1)),
                layers.Conv2D(2, 3, use_bias=False),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dense(3, bias_initializer="ones"),
            ]
        )
        kernel = np.ones((3, 3, 1, 2))
        kernel[0] = 0  # 6 of 18.
        model.layers[0].set_weights([kernel])
        sizes = ledger(float_tflite(model), model, None)
        # Convolution, normalization (scale, offset, mean, variance), dense.
        assert sizes.n_params == 18 + 4 * 2 + (8 * 3 + 3)
        # Offset and mean of normalization start at zero.
        assert sizes.n_nonzero == 12 + 2 * 2 + (8 * 3 + 3)

    def test_holds_every_size(self, converted: Converted) -> None:
        tflite = converted.files[QuantizationScheme.INT8]
        sizes = ledger(tflite, converted.model, sparse=b"12345")
        assert sizes.tflite_bytes == len(tflite)
        assert sizes.gzip_bytes == gzip_size(tflite) < len(tflite)
        assert sizes.sparse_bytes == 5
        assert sizes.size_bytes("gzip") == sizes.gzip_bytes
        assert sizes.size_bytes("tflite") == 5

    def test_without_a_sparse_file(self, converted: Converted) -> None:
        tflite = converted.files[QuantizationScheme.INT8]
        sizes = ledger(tflite, converted.model, sparse=None)
        assert sizes.sparse_bytes is None
        assert sizes.size_bytes("tflite") == len(tflite)
