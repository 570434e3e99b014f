"""The gate: what is known before training, and what is turned away."""

from __future__ import annotations

from typing import Any

import pytest

from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.config.trial import PruningConfig
from spaces.data.dataset import Dataset
from tests.workers_tests import corners
from workers.conversion.convert import representative_images
from workers.devices.device import Device, Measurement, modelled_latency
from workers.devices.registry import HostDevice
from workers.messages.result import EvaluateRequest, Limits, SizeMetric
from workers.trial.gate import LATENCY_TOLERANCE, SIZE_TOLERANCE, Gate, check_gate

pytestmark = pytest.mark.slow

S = QuantizationScheme
PRUNED = PruningConfig("polynomial", 0.8, 0.2, 0.7)


class FixedDevice(Device):
    """A device on which every model takes 2 ms."""

    name = "fixed"

    def measure(self, tflite: bytes) -> Measurement:
        assert tflite
        return Measurement(modelled_latency(2.0, "fixed", "none"))


@pytest.fixture
def gate(hypermodel: Any, corner_pictures: Dataset) -> Any:
    """Check a configuration under limits."""
    from workers.trial.train_config import build

    images = representative_images(corner_pictures.train, seed=0, n=50)

    def check(
        scheme: QuantizationScheme = S.FLOAT32,
        limits: Limits | None = None,
        pruning: PruningConfig | None = None,
        size_metric: SizeMetric = "gzip",
        device: Any = None,
        **hyperparameters: Any,
    ) -> Gate:
        config = corners.make_config(scheme, pruning, **hyperparameters)
        request = EvaluateRequest(config, limits or Limits(), size_metric)
        model, _ = build(hypermodel, config)
        return check_gate(model, request, images, device or FixedDevice())

    return check


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_keeps_its_limits_is_let_through(gate: Any, scheme: QuantizationScheme) -> None:
    limits = Limits(max_size_bytes=1e6, max_latency_ms=1e3, min_accuracy=0.99)
    passed = gate(scheme, limits, device=HostDevice())
    assert passed.reason == ""
    assert 0 < passed.size_bytes < 1e6
    assert 0 < passed.latency_ms < 1e3


def test_without_limits_everything_is_let_through(gate: Any) -> None:
    assert gate() == Gate(gate().size_bytes, 2.0, "")


def test_what_is_too_large_or_too_slow_is_turned_away(gate: Any) -> None:
    too_large = gate(limits=Limits(max_size_bytes=1000))
    assert too_large.reason == f"size {too_large.size_bytes:.0f} bytes exceeds the limit of 1000"
    too_slow = gate(limits=Limits(max_latency_ms=0.5))
    assert too_slow.reason == "latency 2 ms exceeds the limit of 0.5"
    assert too_slow.latency_ms == 2.0
    assert too_slow.size_bytes == too_large.size_bytes


def test_what_only_training_can_decide_is_trained(gate: Any) -> None:
    size = gate().size_bytes
    inside, outside = 1 + SIZE_TOLERANCE - 0.01, 1 + SIZE_TOLERANCE + 0.01
    assert gate(limits=Limits(max_size_bytes=size / inside)).reason == ""
    assert "size" in gate(limits=Limits(max_size_bytes=size / outside)).reason
    inside, outside = 1 + LATENCY_TOLERANCE - 0.01, 1 + LATENCY_TOLERANCE + 0.01
    assert gate(limits=Limits(max_latency_ms=2 / inside)).reason == ""
    assert "latency" in gate(limits=Limits(max_latency_ms=2 / outside)).reason


@pytest.mark.parametrize("scheme", [S.FLOAT32, S.DYNAMIC_INT4, S.INT8, S.QAT_INT8])
def test_pruning_is_foretold(gate: Any, scheme: QuantizationScheme) -> None:
    assert gate(scheme, pruning=PRUNED).size_bytes < 0.7 * gate(scheme).size_bytes


@pytest.mark.parametrize("scheme", [S.FLOAT32, S.DYNAMIC_RANGE])
def test_of_raw_bytes_zeros_are_left_out_only_where_a_sparse_file_can_be(
    gate: Any, scheme: QuantizationScheme
) -> None:
    dense = gate(scheme, size_metric="tflite").size_bytes
    pruned = gate(scheme, pruning=PRUNED, size_metric="tflite").size_bytes
    if SCHEMES[scheme].sparse_encoding:
        assert pruned < 0.7 * dense
    else:
        assert pruned == dense


@pytest.mark.parametrize("scheme", [S.FLOAT32, S.FLOAT16, S.DYNAMIC_RANGE, S.INT8])
@pytest.mark.parametrize("pruning", [PruningConfig(), PRUNED])
@pytest.mark.parametrize("size_metric", ["gzip", "tflite"])
def test_a_prediction_does_not_exceed_what_is_measured_by_more_than_its_tolerance(
    gate: Any,
    hypermodel: Any,
    corner_pictures: Dataset,
    scheme: QuantizationScheme,
    pruning: PruningConfig,
    size_metric: SizeMetric,
) -> None:
    from workers.conversion.convert import float_tflite
    from workers.trial.measure import convert_trained
    from workers.trial.train_config import train_config

    predicted = gate(scheme, pruning=pruning, size_metric=size_metric).size_bytes
    config = corners.make_config(scheme, pruning)
    trained = train_config(hypermodel, corner_pictures, config)
    images = representative_images(corner_pictures.train, seed=0, n=50)
    _, sizes = convert_trained(trained, scheme, float_tflite(trained.model), images, size_metric)
    measured = sizes.size_bytes(size_metric)
    assert predicted <= (1 + SIZE_TOLERANCE) * measured


def test_what_cannot_be_converted_is_turned_away(keras: Any, corner_pictures: Dataset) -> None:
    import tensorflow as tf

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input(corners.SHAPE),
            layers.Flatten(),
            layers.Lambda(tf.math.erfinv),
            layers.Dense(4, activation="softmax"),
        ]
    )
    images = representative_images(corner_pictures.train, seed=0, n=10)
    refused = check_gate(model, EvaluateRequest(corners.make_config()), images, FixedDevice())
    assert (refused.size_bytes, refused.latency_ms) == (None, None)
    assert refused.reason.startswith("cannot be converted: ")
    assert "Erfinv" in refused.reason
    assert "\n" not in refused.reason
