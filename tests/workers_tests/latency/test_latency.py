"""Latency: what is reported with it, and that it tells small networks from large ones."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.errors import ConversionError
from tests.workers_tests.corners import make_config
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.conversion.convert import float_tflite
from workers.latency.host import host_latency, quick_latency_ms
from workers.latency.quiet_windows import QuietWindows
from workers.latency.reference import reference_tflite
from workers.messages.result import Latency, Ledger, Point, TrialResult

MEASURED = Latency(
    median_ms=2.0,
    spread_ms=0.1,
    min_ms=1.9,
    n_runs=10,
    n_warmup=2,
    threads=1,
    device="host",
    runtime="litert",
    reference="conv",
    reference_ms=0.03,
    reference_ratio=2.0 / 0.03,
    scatter=0.001,
)


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
        assert latency.n_runs >= 5
        assert latency.n_warmup >= 2
        assert latency.threads == 1
        assert latency.device == "host"
        assert latency.runtime.startswith("ai-edge-litert ")
        assert latency.kernels.startswith("XNNPACK in ")
        assert latency.reference
        assert latency.reference_ms is not None and latency.reference_ms > 0
        assert latency.reference_ratio == latency.median_ms / latency.reference_ms
        assert latency.noise is not None and latency.noise > 0
        assert not latency.quiet  # Nobody said so.

    def test_tells_large_from_small(self, converted: Converted, large_model: bytes) -> None:
        small = host_latency(converted.float_model)
        large = host_latency(large_model)
        assert large.min_ms > 10 * small.min_ms
        assert large.n_runs < small.n_runs  # Slow networks are run less often.
        assert large.reference_ratio is not None and small.reference_ratio is not None
        assert large.reference_ratio > 10 * small.reference_ratio

    def test_a_rough_time_tells_them_too(self, converted: Converted, large_model: bytes) -> None:
        assert quick_latency_ms(large_model) > 5 * quick_latency_ms(converted.float_model) > 0


class TestWindows:
    def test_it_is_quiet_when_nobody_else_is_busy(self, tmp_path: Path) -> None:
        windows = QuietWindows(tmp_path)
        with windows.busy():
            latency = host_latency(reference_tflite(), windows=windows)
        assert latency.quiet
        assert latency.note == ""

    def test_it_says_why_it_was_not(self, tmp_path: Path) -> None:
        with QuietWindows(tmp_path).busy():
            latency = host_latency(reference_tflite(), windows=QuietWindows(tmp_path))
        assert not latency.quiet
        assert "did not pause" in latency.note

    def test_a_window_of_the_callers_is_used(self, tmp_path: Path) -> None:
        windows = QuietWindows(tmp_path)
        with windows.window():
            assert host_latency(reference_tflite(), windows=windows).quiet


class TestLatency:
    def test_old_studies_have_fewer_fields_and_later_ones_more(self) -> None:
        stored = asdict(MEASURED)
        assert Latency.from_dict(stored) == MEASURED
        names = ("median_ms", "spread_ms", "min_ms", "n_runs", "n_warmup", "threads", "device")
        old = {name: stored[name] for name in (*names, "runtime")}
        latency = Latency.from_dict({**old, "something_new": 1})
        assert latency.latency_ms == latency.scaled_to(0.04).latency_ms == 2.0
        assert latency.noise is None

    def test_it_is_scaled_to_the_speed_of_the_machine_at_another_time(self) -> None:
        assert MEASURED.latency_ms == 2.0
        # The reference takes 0.03 ms now and took 0.06 ms then.
        assert MEASURED.scaled_to(0.06).latency_ms == pytest.approx(4.0)
        assert MEASURED.scaled_to(0.06).median_ms == 2.0
        assert MEASURED.scaled_to(0.06).scaled_to(None) == MEASURED

    def test_all_points_of_a_trial_are_scaled_alike(self) -> None:
        config = make_config()
        ledger = Ledger(1, 1, None, 1, 1, 1)
        point = Point(config, 0.9, 1, MEASURED, ledger, b"")
        sibling = replace(point, latency=replace(MEASURED, reference_ratio=10.0))
        result = TrialResult(config, "complete", point=point, siblings=(sibling,))
        assert result.reference_ms == 0.03
        scaled = result.scaled_to(0.06)
        assert scaled.point is not None
        assert scaled.point.values == pytest.approx((0.9, 1.0, 4.0))
        assert scaled.siblings[0].values == pytest.approx((0.9, 1.0, 0.6))
        assert scaled.scaled_to(None) == result
        assert TrialResult(config, "failed").scaled_to(0.06).reference_ms is None

    def test_noise_is_lower_where_it_was_quiet_and_never_nothing(self) -> None:
        noisy = MEASURED.measured_in(quiet=False, note="others trained")
        quiet = MEASURED.measured_in(quiet=True, note="")
        assert noisy.noise is not None and quiet.noise is not None
        assert 0 < quiet.noise < noisy.noise
        scattered = replace(quiet, scatter=0.1)
        assert scattered.noise == 0.2


def test_the_reference_is_the_same_everywhere() -> None:
    code = (
        "import hashlib; from workers.latency.reference import reference_tflite; "
        "print(hashlib.sha256(reference_tflite()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(reference_tflite()).hexdigest()


@pytest.mark.parametrize("measure", [host_latency, quick_latency_ms])
def test_what_is_no_model_is_refused(measure: Callable[[bytes], Any]) -> None:
    with pytest.raises(ConversionError, match="LiteRT cannot run the model"):
        measure(b"no model")
