"""The gate: what is known before training, and what is turned away."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.config.trial import PruningConfig
from spaces.data.dataset import Dataset
from tests.workers_tests import corners
from workers.conversion.convert import representative_images
from workers.devices.device import Device, Measurement, modelled_latency
from workers.devices.registry import HostDevice
from workers.messages.limits import (
    LATENCY_TOLERANCE,
    SIZE_TOLERANCE,
    Foreseen,
    Limits,
    tolerances,
)
from workers.messages.race import Race
from workers.messages.result import EvaluateRequest, SizeMetric
from workers.trial.gate import Gate, check_gate

if TYPE_CHECKING:
    from workers.trial.train_config import Trained

pytestmark = pytest.mark.slow

S = QuantizationScheme
PRUNED = PruningConfig("polynomial", 0.8, 0.2, 0.7)


class FixedDevice(Device):
    """A device on which every model takes 2 ms."""

    name = "fixed"

    def measure(self, tflite: bytes) -> Measurement:
        assert tflite
        return Measurement(modelled_latency(2.0, "fixed", "none"))


@pytest.fixture(scope="module")
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
        fan_out: bool = False,
        race: Race | None = None,
        baseline_ms: float | None = None,
        branch_sparsity: float = 0.0,
        **hyperparameters: Any,
    ) -> Gate:
        config = corners.make_config(scheme, pruning, **hyperparameters)
        request = EvaluateRequest(
            config,
            limits or Limits(),
            size_metric,
            fan_out=fan_out,
            race=race,
            baseline_ms=baseline_ms,
            branch_sparsity=branch_sparsity,
        )
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
    size = gate().size_bytes
    best = Foreseen(size / (1 + SIZE_TOLERANCE), 2.0 / (1 + LATENCY_TOLERANCE))
    foreseen = {S.FLOAT32: Foreseen(size, 2.0)}
    assert gate() == Gate(size, 2.0, "", foreseen=foreseen, at_best={S.FLOAT32: best})


def test_what_is_too_large_or_too_slow_is_turned_away(gate: Any) -> None:
    too_large = gate(limits=Limits(max_size_bytes=1000))
    assert too_large.reason.startswith(
        f"size {too_large.size_bytes:.0f} bytes exceeds the limit of 1000"
    )
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


class TestSiblings:
    """A training gives a model for every scheme: what one of them keeps is kept."""

    @pytest.fixture(scope="class")
    def sizes(self, gate: Any) -> dict[QuantizationScheme, float]:
        # Below what any model has, so that all are looked at.
        refused = gate(limits=Limits(max_size_bytes=100), fan_out=True)
        return {scheme: found.size_bytes for scheme, found in refused.foreseen.items()}

    @pytest.mark.parametrize("own", [S.FLOAT32, S.INT16X8, S.QAT_INT8])
    def test_a_training_is_refused_only_if_no_model_of_it_keeps_the_limits(
        self, gate: Any, sizes: dict[QuantizationScheme, float], own: QuantizationScheme
    ) -> None:
        assert set(sizes) == set(POST_TRAINING_SCHEMES)
        least = min(sizes.values())
        between = Limits(max_size_bytes=1.01 * least)
        passed = gate(own, between, fan_out=True)
        assert passed.reason == ""
        refused = gate(own, Limits(max_size_bytes=least / 2), fan_out=True)
        assert "the nearest of" in refused.reason
        assert f"size {least:.0f} bytes exceeds the limit of {least / 2:.0f}" in refused.reason

    def test_without_fan_out_its_own_scheme_decides(
        self, gate: Any, sizes: dict[QuantizationScheme, float]
    ) -> None:
        limits = Limits(max_size_bytes=1.01 * min(sizes.values()))
        assert "size" in gate(S.FLOAT32, limits, fan_out=False).reason
        assert "nearest" not in gate(S.FLOAT32, limits, fan_out=False).reason

    def test_what_the_device_does_not_run_keeps_nothing(
        self, gate: Any, sizes: dict[QuantizationScheme, float]
    ) -> None:
        class FloatDevice(FixedDevice):
            schemes = (S.FLOAT32, S.FLOAT16)

        limits = Limits(max_size_bytes=sizes[S.FLOAT16] / 2)
        assert gate(limits=limits, fan_out=True).reason == ""
        refused = gate(limits=limits, fan_out=True, device=FloatDevice())
        assert "under float16, the nearest of 2 schemes" in refused.reason

    def test_what_breaks_a_limit_keeps_no_race_alive(
        self, gate: Any, sizes: dict[QuantizationScheme, float]
    ) -> None:
        race = Race(front=((1.0, 1.0, 1.0),))
        everything = gate(race=race, fan_out=True).models
        assert len(everything) == len(POST_TRAINING_SCHEMES) - 1  # Without int16x8.
        limit = sizes[S.FLOAT32] / 1.2
        raced = gate(race=race, fan_out=True, limits=Limits(max_size_bytes=limit)).models
        assert len(raced) == len(everything) - 1
        assert max(size for size, _ in raced) < sizes[S.FLOAT32]

    def test_a_training_that_a_branch_can_bring_under_the_limits_is_trained(
        self, gate: Any, sizes: dict[QuantizationScheme, float]
    ) -> None:
        limits = Limits(max_size_bytes=min(sizes.values()) / 1.7)
        assert gate(limits=limits, fan_out=True).reason
        assert not gate(limits=limits, fan_out=True, branch_sparsity=0.85).reason
        latency = Limits(max_latency_ms=1.0)  # Pruning makes nothing faster.
        assert gate(limits=latency, fan_out=True, branch_sparsity=0.85).reason


class TestCostlyNetworks:
    """Converting takes long: what the float32 model tells is not found out by converting."""

    @pytest.fixture
    def converted(self, monkeypatch: pytest.MonkeyPatch) -> list[QuantizationScheme]:
        from workers.conversion import convert

        seen: list[QuantizationScheme] = []
        quantize = convert.quantize_variant

        def noted(model: bytes, scheme: QuantizationScheme, images: Any) -> bytes:
            if scheme is not S.FLOAT32:
                seen.append(scheme)
            return quantize(model, scheme, images)

        monkeypatch.setattr(convert, "quantize_variant", noted)
        monkeypatch.setattr("workers.messages.fan_out.COSTLY_SECONDS", 0.0)
        return seen

    def test_what_breaks_a_limit_at_best_is_refused(
        self, gate: Any, converted: list[QuantizationScheme]
    ) -> None:
        refused = gate(S.INT8, Limits(max_size_bytes=100), fan_out=True)
        assert converted == []
        assert "exceeds the limit of 100 under dynamic_int4, the nearest of 6" in refused.reason
        assert refused.foreseen[S.INT8].size_bytes == refused.size_bytes
        assert gate(limits=Limits(max_latency_ms=0.1), fan_out=True).reason
        assert converted == []

    def test_a_limit_between_at_best_and_float32_is_looked_at(
        self, gate: Any, converted: list[QuantizationScheme]
    ) -> None:
        limits = Limits(max_latency_ms=0.5)  # float32 takes 2 ms, as all do on this device.
        refused = gate(limits=limits, fan_out=True)
        assert "latency" in refused.reason
        assert set(converted) == set(POST_TRAINING_SCHEMES) - {S.FLOAT32}

    def test_the_race_goes_by_what_models_may_be_at_best(
        self, gate: Any, converted: list[QuantizationScheme]
    ) -> None:
        found = gate(race=Race(front=((1.0, 1.0, 1.0),)), fan_out=True)
        assert converted == []
        assert len(found.models) == len(POST_TRAINING_SCHEMES) - 1  # Without int16x8.
        assert min(size for size, _ in found.models) < found.size_bytes / 8
        assert min(latency for _, latency in found.models) == 2.0 / 8
        assert found.at_best[S.FLOAT16].size_bytes < found.size_bytes / 2

    def test_the_own_scheme_is_measured_where_it_may_keep_the_limits(
        self, gate: Any, converted: list[QuantizationScheme]
    ) -> None:
        assert gate(S.INT8, fan_out=True).size_bytes
        assert set(converted) == {S.INT8}


class ReferencedDevice(FixedDevice):
    """The same, with a reference network that takes 0.05 ms now."""

    def measure(self, tflite: bytes) -> Measurement:
        latency = modelled_latency(2.0, "fixed", "none")
        return Measurement(replace(latency, reference_ms=0.05, reference_ratio=40.0))


def test_latencies_are_at_the_speed_of_the_studys_start(gate: Any) -> None:
    """The machine has got slower since: what takes 2 ms now took 1.6 then."""
    found = gate(device=ReferencedDevice(), baseline_ms=0.04)
    assert found.latency_ms == pytest.approx(1.6)
    assert found.foreseen_at_ms == 0.04
    limits = Limits(max_latency_ms=1.3)  # 1.6 is within its tolerance, 2 is not.
    assert not gate(device=ReferencedDevice(), baseline_ms=0.04, limits=limits).reason
    assert gate(device=ReferencedDevice(), limits=limits).reason
    race = Race(front=((1.0, 1.0, 1.0),))
    assert gate(device=ReferencedDevice(), baseline_ms=0.04, race=race).models[0][1] == (
        pytest.approx(1.6)
    )


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


@pytest.fixture(scope="module", params=[PruningConfig(), PRUNED], ids=["dense", "pruned"])
def trained_as(
    request: pytest.FixtureRequest, hypermodel: Any, corner_pictures: Dataset
) -> tuple[PruningConfig, Trained]:
    """A pruning and the network trained with it: no scheme below changes the training."""
    from workers.trial.train_config import train_config

    config = corners.make_config(pruning=request.param)
    return request.param, train_config(hypermodel, corner_pictures, config)


@pytest.mark.parametrize("scheme", [S.FLOAT32, S.FLOAT16, S.DYNAMIC_RANGE, S.DYNAMIC_INT4, S.INT8])
@pytest.mark.parametrize("size_metric", ["gzip", "tflite"])
def test_a_prediction_does_not_exceed_what_is_measured_by_more_than_its_tolerance(
    gate: Any,
    trained_as: tuple[PruningConfig, Trained],
    corner_pictures: Dataset,
    scheme: QuantizationScheme,
    size_metric: SizeMetric,
) -> None:
    from workers.conversion.convert import float_tflite
    from workers.trial.measure import convert_trained

    pruning, trained = trained_as
    predicted = gate(scheme, pruning=pruning, size_metric=size_metric).size_bytes
    images = representative_images(corner_pictures.train, seed=0, n=50)
    _, sizes = convert_trained(trained, scheme, float_tflite(trained.model), images, size_metric)
    measured = sizes.size_bytes(size_metric)
    tolerated = tolerances(scheme, is_compressed=size_metric == "gzip", depends_on_weights=False)
    assert predicted <= (1 + tolerated["size"]) * measured


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
