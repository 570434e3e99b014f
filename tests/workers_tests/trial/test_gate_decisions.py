"""What the gate decides, on files of given sizes: nothing is built or converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig
from spaces.errors import ConversionError
from tests.workers_tests import corners
from workers.devices.device import Device, Measurement, modelled_latency
from workers.messages.fan_out import at_best, estimated
from workers.messages.limits import LATENCY_TOLERANCE, SIZE_TOLERANCE, Foreseen, Limits
from workers.messages.race import Race
from workers.messages.result import EvaluateRequest
from workers.trial.gate import Gate, check_gate, measured_schemes

S = QuantizationScheme
SIZES = {
    S.FLOAT32: 10_000,
    S.FLOAT16: 5_000,
    S.DYNAMIC_RANGE: 3_500,
    S.DYNAMIC_INT4: 2_000,
    S.INT8: 3_000,
    S.INT16X8: 4_000,
}
PRUNED = PruningConfig("polynomial", 0.5, 0.2, 0.7)
IMAGES = np.zeros((1, 1, 1, 1), np.float32)


class Scales(Device):
    """Takes a millisecond for each 10,000 bytes, and keeps what it was asked."""

    name = "scales"

    def __init__(self, **attributes: Any) -> None:
        self.asked: list[tuple[str, bytes, int]] = []
        for name, value in attributes.items():
            setattr(self, name, value)

    def _told(self, how: str, tflite: bytes) -> Measurement:
        self.asked.append((how, tflite[:1], len(tflite)))
        return Measurement(modelled_latency(len(tflite) / 10_000, self.name, "none"))

    def measure(self, tflite: bytes) -> Measurement:
        return self._told("measured", tflite)

    def estimate(self, tflite: bytes) -> Measurement:
        return self._told("estimated", tflite)


class Check:
    """Asks the gate of a network whose files begin with ``d``, or ``m`` once it is masked."""

    def __init__(self) -> None:
        self.broken: tuple[QuantizationScheme, ...] = ()
        self.times = 1  # How many times larger than SIZES files are.
        self.masked: list[float] = []

    def float_tflite(self, model: Any) -> bytes:
        return (b"m" if self.masked else b"d") * SIZES[S.FLOAT32] * self.times

    def mask_smallest(self, model: Any, sparsity: float) -> None:
        self.masked.append(sparsity)

    def quantize_variant(self, tflite: bytes, scheme: QuantizationScheme, _images: Any) -> bytes:
        if scheme in self.broken:
            raise ConversionError(f"no {scheme} here")
        return tflite[:1] * SIZES[scheme] * self.times

    def __call__(
        self,
        scheme: QuantizationScheme = S.FLOAT32,
        device: Device | None = None,
        pruning: PruningConfig | None = None,
        layers: Sequence[object] = (),
        **options: Any,
    ) -> Gate:
        config = corners.make_config(scheme, pruning)
        request = EvaluateRequest(config, **{"size_metric": "tflite", "fan_out": False, **options})
        model = SimpleNamespace(layers=layers)
        return check_gate(model, request, IMAGES, device or Scales())


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    made = Check()
    for name in ("float_tflite", "quantize_variant"):
        monkeypatch.setattr(f"workers.conversion.convert.{name}", getattr(made, name))
    monkeypatch.setattr("workers.conversion.sizes.gzip_size", len)
    monkeypatch.setattr("workers.training.prune.mask_smallest", made.mask_smallest)
    return made


def test_without_limits_the_own_scheme_is_looked_at_roughly(check: Check) -> None:
    device = Scales()
    gate = check(S.INT8, device, fan_out=True)
    assert device.asked == [("estimated", b"d", 3_000)]
    assert (gate.size_bytes, gate.latency_ms, gate.reason, gate.models) == (3_000, 0.3, "", ())
    assert gate.foreseen == {S.INT8: Foreseen(3_000, 0.3)}
    best = Foreseen(3_000 / (1 + SIZE_TOLERANCE), 0.3 / (1 + LATENCY_TOLERANCE))
    assert gate.at_best == {S.INT8: best}
    assert gate.foreseen_at_ms is None


def test_a_sibling_that_keeps_the_limits_lets_the_training_through(check: Check) -> None:
    device = Scales()
    gate = check(device=device, limits=Limits(max_size_bytes=4_600), fan_out=True)
    assert gate.reason == ""
    assert gate.size_bytes == 10_000  # Of its own, which breaks it.
    assert list(gate.foreseen) == [S.FLOAT32, S.FLOAT16]  # 10 % over may still come down.
    assert {how for how, _, _ in device.asked} == {"estimated"}


def test_without_siblings_the_own_scheme_decides(check: Check) -> None:
    gate = check(limits=Limits(max_size_bytes=4_500))
    assert gate.reason == "size 10000 bytes exceeds the limit of 4500"


def test_where_none_keeps_them_the_nearest_is_named(check: Check) -> None:
    gate = check(limits=Limits(max_size_bytes=1_000), fan_out=True)
    assert gate.reason == (
        "size 2000 bytes exceeds the limit of 1000 under dynamic_int4, the nearest of 6 schemes"
    )
    assert set(gate.foreseen) == set(SIZES)
    assert gate.models == ()


def test_a_limit_on_latency_is_measured_until_one_keeps_it(check: Check) -> None:
    device = Scales()
    curve = Race(front=((1.0, 1.0, 1.0),))  # It can judge: all models are looked at.
    gate = check(device=device, limits=Limits(max_latency_ms=0.4), fan_out=True, race=curve)
    hows = [(how, size) for how, _, size in device.asked]
    assert hows == [
        ("measured", 10_000),
        ("measured", 5_000),  # Within the tolerance.
        ("estimated", 3_500),
        ("estimated", 2_000),
        ("estimated", 3_000),
        ("estimated", 4_000),
    ]
    # Neither what breaks the limit, nor int16x8, which is no more accurate than float32.
    assert gate.models == ((5_000, 0.5), (3_500, 0.35), (2_000, 0.2), (3_000, 0.3))


def test_a_race_is_told_of_int16x8_where_it_is_all_there_is(check: Check) -> None:
    race = Race(front=((1.0, 1.0, 1.0),))
    assert check(S.INT16X8, race=race).models == ((4_000, 0.4),)
    assert check(S.INT16X8, race=Race()).models == ()
    device = Scales(schemes=(S.INT8, S.INT16X8))
    models = check(S.INT8, device, race=race, fan_out=True).models
    assert models == ((3_000, 0.3), (4_000, 0.4))  # No float32 on this device.


def test_what_cannot_be_converted_costs_its_own_point_only(check: Check) -> None:
    check.broken = (S.FLOAT32,)
    gate = check(fan_out=True)
    assert (gate.reason, gate.size_bytes, gate.latency_ms) == ("", None, None)
    assert gate.foreseen == {S.FLOAT16: Foreseen(5_000, 0.5)}
    assert check().reason == "cannot be converted: no float32 here"


def test_a_device_that_tells_no_flash(check: Check) -> None:
    gate = check(size_metric="flash")
    assert gate.reason == "cannot be converted: scales does not tell what it takes of its flash"


def test_zeros_count_where_they_are_encoded_or_measured(check: Check) -> None:
    assert check(S.INT8, pruning=PRUNED).size_bytes == 3_000
    assert check.masked == [0.5]
    check.masked.clear()
    device = Scales(depends_on_weights=False)
    gate = check(S.FLOAT16, device, PRUNED)
    assert gate.size_bytes == 2_500  # Sparse encoding leaves out half of it.
    # A network masked at random may be one that no runtime takes, where a trained one is not.
    assert device.asked == [("estimated", b"d", 5_000)]


def test_a_branch_could_prune_it_until_it_fits(check: Check) -> None:
    limits = Limits(max_size_bytes=3_000)
    assert check(limits=limits).reason != ""
    gate = check(limits=limits, branch_sparsity=0.75)
    assert (gate.reason, gate.size_bytes) == ("", 10_000)
    assert check.masked == [0.75]
    assert check(limits=limits, branch_sparsity=0.5).reason != ""  # 5,000 bytes are too many.
    assert check(limits=limits, pruning=PRUNED, branch_sparsity=0.5).reason != ""


def test_qat_ends_in_the_format_of_int8_unless_a_layer_forbids_it(check: Check) -> None:
    assert check(S.QAT_INT8).foreseen == {S.QAT_INT8: Foreseen(3_000, 0.3)}
    mystery = type("Mystery", (), {})()
    gate = check(S.QAT_INT8, layers=[mystery])
    assert gate == Gate(None, None, "quantization-aware training does not take Mystery")
    assert check(S.INT8, layers=[mystery]).reason == ""


@pytest.mark.parametrize(
    ("metric", "depends", "is_tolerated"),
    [("gzip", True, True), ("gzip", False, True), ("tflite", True, False)],
)
def test_whole_numbers_compress_better_once_they_are_trained(
    check: Check, metric: str, depends: bool, is_tolerated: bool
) -> None:
    device = Scales(depends_on_weights=depends)
    gate = check(S.INT8, device, limits=Limits(max_size_bytes=2_000), size_metric=metric)
    assert (gate.reason == "") is is_tolerated


class TestLargeNetworks:
    """Converting 10 MB takes seconds: the float32 model tells, where that will do."""

    RACE = Race(front=((1.0, 1.0, 1.0),))

    @pytest.fixture(autouse=True)
    def large(self, check: Check) -> None:
        check.times = 1_000

    def sizes(self, device: Scales) -> list[int]:
        assert {how for how, _, _ in device.asked} == {"estimated"}
        return [size // 1_000 for _, _, size in device.asked]

    def test_siblings_are_told_by_float32(self, check: Check) -> None:
        device = Scales()
        gate = check(device=device, fan_out=True, race=self.RACE)
        assert set(self.sizes(device)) == {10_000}
        float32 = Foreseen(1e7, 1_000.0)
        assert gate.foreseen[S.INT8] == estimated(float32, S.INT8)
        assert gate.at_best[S.INT8] == at_best(float32, S.INT8)
        best = at_best(float32, S.INT8)
        assert (best.size_bytes, best.latency_ms) in gate.models

    def test_the_own_scheme_is_converted_unless_it_is_hopeless(self, check: Check) -> None:
        device = Scales()
        assert check(S.INT8, device).size_bytes == 3e6
        assert self.sizes(device) == [10_000, 3_000]
        device = Scales()
        assert check(S.INT8, device, limits=Limits(max_size_bytes=1_000)).reason != ""
        assert self.sizes(device) == [10_000]

    def test_a_sibling_decides_where_float32_breaks_a_limit(self, check: Check) -> None:
        device = Scales()
        gate = check(device=device, limits=Limits(max_size_bytes=5e6), fan_out=True)
        assert gate.reason == ""
        assert self.sizes(device)[-1] == 5_000

    @pytest.mark.parametrize(
        ("device", "options"),
        [
            (Scales(schemes=(S.INT8, S.INT16X8)), {}),
            (Scales(), {"limits": Limits(max_ram_bytes=1)}),
        ],
    )
    def test_where_float32_tells_nothing(
        self, check: Check, device: Scales, options: dict[str, Any]
    ) -> None:
        check(S.INT16X8, device, fan_out=True, race=self.RACE, **options)
        assert 3_000 in self.sizes(device) and 4_000 in self.sizes(device)


class Timed(Scales):
    """Runs a reference network in between, which takes 2 ms at the speed of now."""

    def _told(self, how: str, tflite: bytes) -> Measurement:
        told = super()._told(how, tflite)
        latency = replace(told.latency, reference_ms=2.0, reference_ratio=0.25)
        return Measurement(latency)


@pytest.mark.parametrize(("baseline_ms", "latency_ms"), [(None, 0.5), (4.0, 1.0)])
def test_latencies_are_at_the_speed_of_the_study_s_start(
    check: Check, baseline_ms: float | None, latency_ms: float
) -> None:
    gate = check(device=Timed(), baseline_ms=baseline_ms)
    assert gate.latency_ms == latency_ms
    assert gate.foreseen_at_ms == (baseline_ms or 2.0)


def test_schemes_that_a_training_is_measured_under() -> None:
    request = EvaluateRequest(corners.make_config(S.INT8), fan_out=True)
    device = Scales(schemes=(S.FLOAT32, S.QAT_INT8, S.INT8, S.INT16X8))
    assert measured_schemes(request, device) == [S.INT8, S.FLOAT32, S.INT16X8]
    assert measured_schemes(replace(request, fan_out=False), device) == [S.INT8]
