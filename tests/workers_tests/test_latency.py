"""Latency: what is reported with it, and that it tells small networks from large ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spaces.errors import ConversionError
from spaces.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.convert import float_tflite
from workers.latency import host_latency, quick_latency_ms


@pytest.fixture(scope="module")
def converted() -> Converted:
    """The network of all these tests and its files."""
    return convert_trained_network()


@pytest.fixture(scope="module")
def large_model(converted: Converted) -> bytes:
    """Some thousand times the arithmetic of the small one."""
    keras = converted.keras
    model = keras.Sequential(
        [
            keras.Input((128, 128, 3)),
            keras.layers.Conv2D(32, 3, padding="same"),
            keras.layers.Conv2D(32, 3, padding="same"),
        ]
    )
    return float_tflite(model)


@pytest.mark.slow
class TestHostLatency:
    @pytest.mark.parametrize("scheme", POST_TRAINING_SCHEMES)
    def test_says_how_it_was_measured(
        self, converted: Converted, scheme: QuantizationScheme
    ) -> None:
        latency = host_latency(converted.files[scheme])
        assert 0 < latency.min_ms <= latency.median_ms
        assert latency.spread_ms >= 0
        assert latency.n_runs >= 10
        assert latency.n_warmup >= 5
        assert latency.threads == 1
        assert latency.device == "host"
        assert latency.runtime.startswith("ai-edge-litert ")

    def test_tells_large_from_small(self, converted: Converted, large_model: bytes) -> None:
        small = host_latency(converted.float_model)
        large = host_latency(large_model)
        assert large.min_ms > 10 * small.min_ms
        assert large.n_runs < small.n_runs  # Slow networks are run less often.

    def test_a_rough_time_tells_them_too(self, converted: Converted, large_model: bytes) -> None:
        assert quick_latency_ms(large_model) > 5 * quick_latency_ms(converted.float_model) > 0


@pytest.mark.parametrize("measure", [host_latency, quick_latency_ms])
def test_what_is_no_model_is_refused(measure: Callable[[bytes], Any]) -> None:
    with pytest.raises(ConversionError, match="LiteRT cannot run the model"):
        measure(b"no model")
