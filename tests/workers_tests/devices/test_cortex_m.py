"""Cortex-M7 and M4 by models of operators: their numbers come from the published measurements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.latency import cortex_m4 as published_m4
from benchmarks.latency import cortex_m7 as published
from spaces.config.schemes import QuantizationScheme
from spaces.errors import ConversionError, DeviceError
from workers.devices import cortex_m, cortex_m4, cortex_m7
from workers.devices.cortex_m4 import CortexM4
from workers.devices.cortex_m7 import CortexM7
from workers.devices.registry import canonical_device, get_device, is_builtin_device


def test_the_model_is_the_fit_to_the_published_measurements() -> None:
    numbers = [
        cortex_m7.CYCLES_PER_MAC,
        cortex_m7.CYCLES_PER_MOVED_BYTE,
        cortex_m7.CYCLES_PER_WEIGHT_BYTE,
    ]
    assert published.fitted() == pytest.approx(numbers, rel=1e-3)


def test_the_stated_errors_are_those_of_leaving_one_out() -> None:
    errors = np.abs(published.errors_leaving_one_out())
    assert errors.mean() == pytest.approx(cortex_m7.MEAN_ERROR, abs=5e-4)
    assert 0.9 * cortex_m7.LARGEST_ERROR < errors.max() <= cortex_m7.LARGEST_ERROR
    assert np.abs(published.errors_leaving_families_out()).max() < 0.155


@pytest.mark.parametrize(
    ("name", "stored", "mhz"),
    [("cortex-m4", "cortex-m4", 120), ("cortex-m4@80", "cortex-m4@80", 80)]
    + [("cortex-m7", "cortex-m7", 400), ("cortex-m7@480", "cortex-m7@480", 480)]
    + [("cortex-m7@400", "cortex-m7", 400)],
)
def test_the_clock_is_in_the_name(name: str, stored: str, mhz: int) -> None:
    assert is_builtin_device(name)
    assert canonical_device(name) == get_device(name).name == stored
    device = get_device(name)
    assert isinstance(device, (CortexM4, CortexM7)) and device.mhz == mhz


@pytest.mark.parametrize("name", ["cortex-m7@", "cortex-m7@0", "cortex-m7@9999", "cortex-m4@0"])
def test_other_names_are_no_devices(name: str) -> None:
    assert not is_builtin_device(name)
    with pytest.raises(DeviceError, match="cortex-m7"):
        canonical_device(name)


def test_the_m4_is_the_fit_to_mlperf_tiny_and_states_its_errors() -> None:
    assert published_m4.cycles_per_mac() == pytest.approx(cortex_m4.CYCLES_PER_MAC, rel=1e-3)
    errors = np.abs(published_m4.errors_leaving_one_out())
    assert errors.mean() == pytest.approx(cortex_m4.MEAN_ERROR, abs=5e-4)
    assert 0.9 * cortex_m4.LARGEST_ERROR < errors.max() <= cortex_m4.LARGEST_ERROR
    assert "modelled" in CortexM4.note and "29 %" in CortexM4.note
    macs = [one.macs + one.depthwise_macs for one in published_m4.NETWORKS.values()]
    assert macs == [264_192, 2_656_768, 12_501_632, 7_489_664]
    # What is said of the Cortex-M7 on another chip: 8 % too fast to 52 % too slow; dense, 2.5x.
    dense, *others = published_m4.errors_of_the_m7()
    assert dense == pytest.approx(1.45, abs=0.01)
    assert min(others) == pytest.approx(-0.08, abs=0.005)
    assert max(others) == pytest.approx(0.52, abs=0.005)


def test_only_what_was_measured_is_offered() -> None:
    assert CortexM7.schemes == (QuantizationScheme.INT8, QuantizationScheme.QAT_INT8)
    assert "modelled" in CortexM7.note and "13 %" in CortexM7.note


@pytest.mark.slow
def test_operators_of_a_file_count_as_in_the_published_networks(keras: Any) -> None:
    """The same MobileNet, built by Keras: its file, against the count by hand."""
    from workers.conversion.convert import float_tflite
    from workers.conversion.operator_costs import operator_costs

    model = keras.applications.MobileNet((96, 96, 3), alpha=0.25, weights=None, classes=5)
    costs = operator_costs(float_tflite(model))
    by_hand = published.mobilenet_v1(0.25, 96, 5)
    kinds = {cost.name for cost in costs if cost.macs}
    assert kinds <= {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    depthwise = sum(cost.macs for cost in costs if cost.name == "DEPTHWISE_CONV_2D")
    assert depthwise == by_hand.depthwise_macs
    assert sum(cost.macs for cost in costs) - depthwise == by_hand.macs
    counted = [cost for cost in costs if cost.name not in (*cortex_m._FREE, "SOFTMAX")]
    assert sum(cost.weight_bytes for cost in counted) == 4 * by_hand.weight_bytes
    moved = sum(cost.moved_bytes for cost in counted) / 4
    # Padding that a stride needs stands in an operator of its own, whose output is larger.
    assert moved == pytest.approx(by_hand.moved_bytes, rel=0.03)


@pytest.mark.slow
def test_time_goes_by_the_clock_and_unknown_kernels_are_refused(keras: Any) -> None:
    from workers.conversion.convert import float_tflite

    inputs = keras.Input((8, 8, 2))
    known = float_tflite(keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs)))
    slow, fast = (CortexM7(mhz).measure(known).latency.median_ms for mhz in (100, 400))
    assert slow == pytest.approx(4 * fast)
    assert CortexM7().cycles(known) == pytest.approx(slow * 100e3)
    assert CortexM7().measure(known).flash_bytes == len(known)
    macs = 6 * 6 * 3 * 3 * 2 * 4
    expected = cortex_m4.CYCLES_PER_MAC * macs / 120e3
    assert CortexM4().measure(known).latency.median_ms == pytest.approx(expected)
    other = keras.layers.Conv2DTranspose(4, 3)(inputs)
    with pytest.raises(ConversionError, match="stands behind TRANSPOSE_CONV"):
        CortexM7().measure(float_tflite(keras.Model(inputs, other)))
