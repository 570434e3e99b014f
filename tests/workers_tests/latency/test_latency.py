"""Latency: what is reported with it, and that it tells small networks from large ones."""

from __future__ import annotations

import hashlib
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.errors import ConversionError
from tests.workers_tests.corners import make_config
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.conversion.convert import float_tflite
from workers.latency import host
from workers.latency.host import host_latency, quick_latency, quick_latency_ms
from workers.latency.quiet_windows import QuietWindows
from workers.latency.reference import reference_tflite
from workers.messages import latency
from workers.messages.latency import student_t
from workers.messages.limits import Foreseen
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
        assert latency.reference_ratio == pytest.approx(
            latency.median_ms / latency.reference_ms, rel=0.5
        )
        assert latency.scatter_freedom is not None and latency.scatter_freedom >= 4
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

    def test_a_rough_time_is_on_the_scale_of_the_others(self, converted: Converted) -> None:
        rough, exact = (
            measure(converted.float_model).scaled_to(1000.0).latency_ms
            for measure in (quick_latency, host_latency)
        )
        # A reference that takes a second makes both far longer than they took, and alike.
        assert rough == pytest.approx(exact, rel=0.9)
        assert rough > 100 * quick_latency(converted.float_model).median_ms


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
        found = TrialResult(config, "complete", point=point, siblings=(sibling,))
        assert found.reference_ms == 0.03
        scaled = found.scaled_to(0.06)
        assert scaled.point is not None
        assert scaled.point.values == pytest.approx((0.9, 1.0, 4.0))
        assert scaled.siblings[0].values == pytest.approx((0.9, 1.0, 0.6))
        assert scaled.scaled_to(None) == found
        assert TrialResult(config, "failed").scaled_to(0.06).reference_ms is None

    def test_noise_is_lower_where_it_was_quiet_and_never_nothing(self) -> None:
        noisy = MEASURED.measured_in(quiet=False, note="others trained")
        quiet = MEASURED.measured_in(quiet=True, note="")
        assert noisy.noise is not None and quiet.noise is not None
        assert 0 < quiet.noise < noisy.noise
        scattered = replace(quiet, scatter=0.1)
        assert scattered.noise == 0.2  # Stored before its blocks were counted.
        assert replace(scattered, scatter_freedom=4).noise == pytest.approx(0.2776)
        assert replace(scattered, scatter_freedom=9).noise == pytest.approx(0.2262)


class SimulatedMachine:
    """A clock that networks make go on: noisy runs, and blocks in which all of them are slower."""

    def __init__(self, seed: int, sigma: float, spikes: float = 0.0) -> None:
        self._random = np.random.default_rng(seed)
        self._sigma, self._spikes = sigma, spikes
        self.now_ns = 0

    def network(self, milliseconds: float) -> Any:
        return SimpleNamespace(invoke=lambda: self._run(milliseconds))

    def _run(self, milliseconds: float) -> None:
        factor = math.exp(self._random.normal(0, self._sigma))
        if self._random.random() < self._spikes:
            factor *= 2
        self.now_ns += int(1e6 * milliseconds * factor)

    def clock_ns(self) -> int:
        return self.now_ns


def measured_by_blocks(machine: SimulatedMachine, milliseconds: float) -> Latency:
    """Measure a network as ``host_latency`` does, with the noise of its blocks alone."""
    n_runs = max(1, int(host.BLOCK_S * 1e3 / milliseconds))
    _, reference_ms, ratios = host._timed_blocks(
        machine.network(milliseconds), machine.network(0.03), n_runs, threads=1
    )
    ratio, scatter, freedom = host.ratio_of_blocks(ratios)
    return replace(
        MEASURED, reference_ratio=ratio, scatter=scatter, scatter_freedom=freedom, quiet=True
    ).scaled_to(0.03)


@pytest.mark.parametrize(
    ("milliseconds", "sigma", "spikes"),
    [(0.5, 0.1, 0.0), (2.5, 0.1, 0.0), (30.0, 0.2, 0.0), (150.0, 0.1, 0.0), (2.5, 0.1, 0.05)],
    ids=["blocks of some runs", "of one", "slow", "time for few blocks only", "others interfere"],
)
def test_of_pairs_of_measurements_of_one_file_no_more_differ_than_claimed(
    monkeypatch: pytest.MonkeyPatch, milliseconds: float, sigma: float, spikes: float
) -> None:
    """Two latencies differ by more than both noises in 5 % of pairs at most.

    Stopped as soon as three blocks happened to agree, 17 to 24 % of pairs differed.
    """
    monkeypatch.setattr(latency, "MIN_NOISE_QUIET", 0.0)
    machine = SimulatedMachine(1, sigma, spikes)
    monkeypatch.setattr(time, "perf_counter_ns", machine.clock_ns)
    monkeypatch.setattr(time, "thread_time_ns", machine.clock_ns)
    monkeypatch.setattr(time, "perf_counter", lambda: machine.now_ns / 1e9)
    n_pairs, n_different = 400, 0
    for _ in range(n_pairs):
        a, b = (measured_by_blocks(machine, milliseconds) for _ in range(2))
        assert a.noise is not None and b.noise is not None
        lead = abs(a.latency_ms / b.latency_ms - 1)
        n_different += lead > math.hypot(a.noise, b.noise)
    # Of 400 pairs at 5 %, 29 or more differ once in forty times; the seed is fixed.
    assert n_different <= 28


def test_blocks_are_not_stopped_because_they_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = SimulatedMachine(0, 0.0)
    monkeypatch.setattr(time, "perf_counter_ns", machine.clock_ns)
    monkeypatch.setattr(time, "thread_time_ns", machine.clock_ns)
    monkeypatch.setattr(time, "perf_counter", lambda: machine.now_ns / 1e9)
    blocks = host._timed_blocks(machine.network(1.0), machine.network(0.03), 2, 1)[2]
    assert len(blocks) == host.N_BLOCKS
    slow = host._timed_blocks(machine.network(400.0), machine.network(0.03), 1, 1)[2]
    assert len(slow) == host.MIN_BLOCKS >= 5


@pytest.mark.parametrize("n", [5, 7, 8, 12])
def test_the_error_of_a_mean_is_that_of_students_test(n: int) -> None:
    ratios = [10 + 0.1 * k for k in range(n)]
    mean, error, freedom = host.ratio_of_blocks(ratios)
    assert mean == pytest.approx(statistics.fmean(ratios))
    if n < host.MIN_TO_TRIM:
        assert freedom == n - 1
        assert error * mean == pytest.approx(statistics.stdev(ratios) / n**0.5)
    else:
        assert freedom == n - 3
        # One block in which somebody else had the caches changes next to nothing.
        disturbed = host.ratio_of_blocks([*ratios[:-1], 100.0])
        assert disturbed[:2] == pytest.approx((mean, error))
        assert disturbed[2] == freedom


@pytest.mark.parametrize(("freedom", "t"), [(1, 12.706), (4, 2.776), (9, 2.262), (50, 2.179)])
def test_students_t(freedom: int, t: float) -> None:
    assert student_t(freedom) == t


def test_the_gates_latencies_are_scaled_with_the_others() -> None:
    scheme = QuantizationScheme.INT8
    found = TrialResult(
        make_config(),
        "infeasible",
        latency_ms=2.0,
        foreseen={scheme: Foreseen(1.0, 1.0)},
        foreseen_at_ms=0.03,
    )
    scaled = found.scaled_to(0.06)
    assert scaled.latency_ms == pytest.approx(4.0)
    assert scaled.foreseen[scheme].latency_ms == pytest.approx(2.0)
    assert scaled.scaled_to(0.06) == scaled  # They are on that scale now.
    modelled = replace(found, foreseen_at_ms=None)  # A device's own time has no such scale.
    assert modelled.scaled_to(0.06) == modelled


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
