"""Ethos-U accelerators: the real compiler on real models."""

from __future__ import annotations

from typing import Any

import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ConversionError, DeviceError
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.devices.ethos_u import ACCELERATORS, EthosU

pytestmark = pytest.mark.slow

S = QuantizationScheme
INTEGER = (S.INT8, S.INT16X8)


@pytest.fixture(scope="module")
def converted() -> Converted:
    """The network of all these tests and its files."""
    return convert_trained_network()


@pytest.fixture(scope="module")
def pruned(converted: Converted) -> bytes:
    """The same network in int8, with four of five weights zero."""
    from workers.conversion.convert import float_tflite, quantize_variant
    from workers.training.prune import mask_smallest

    model = converted.keras.models.clone_model(converted.model)
    model.set_weights(converted.model.get_weights())
    mask_smallest(model, 0.8)
    return quantize_variant(float_tflite(model), S.INT8, converted.representative)


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_every_accelerator_tells_time_flash_and_ram(
    converted: Converted, accelerator: str
) -> None:
    device = EthosU(accelerator)
    tflite = converted.files[S.INT8]
    found = device.measure(tflite)
    assert 0.001 < found.latency.median_ms < 1
    assert found.latency.device == accelerator
    assert "500 MHz" in found.latency.runtime
    assert "Shared_Sram" in found.latency.runtime
    assert found.flash_bytes == len(found.compiled or b"")
    # Two maps of 12x12x16 are alive at once; the weights are in flash.
    assert 2 * 12 * 12 * 16 * 0.9 < (found.ram_bytes or 0) < len(tflite)


def test_pruning_pays_in_flash_and_in_time(converted: Converted, pruned: bytes) -> None:
    dense, sparse = (EthosU("ethos-u55-128").measure(f) for f in (converted.files[S.INT8], pruned))
    assert len(pruned) == len(converted.files[S.INT8])
    assert sparse.flash_bytes < 0.6 * dense.flash_bytes  # type: ignore[operator]
    assert sparse.latency.median_ms < 0.7 * dense.latency.median_ms


def test_more_multipliers_are_faster(converted: Converted) -> None:
    small, large = (
        EthosU(name).measure(converted.files[S.INT8]).latency.median_ms
        for name in ("ethos-u55-32", "ethos-u55-256")
    )
    assert large < 0.8 * small


def test_the_same_file_gives_the_same_figures(converted: Converted) -> None:
    import workers.devices.ethos_u

    tflite = converted.files[S.INT8]
    first = EthosU("ethos-u55-64").measure(tflite)
    workers.devices.ethos_u._compile.cache_clear()
    assert EthosU("ethos-u55-64").measure(tflite) == first


@pytest.mark.parametrize("scheme", INTEGER)
def test_its_schemes_run_on_it_alone(converted: Converted, scheme: QuantizationScheme) -> None:
    assert scheme in EthosU.schemes
    assert EthosU("ethos-u55-128").measure(converted.files[scheme]).latency.median_ms > 0


@pytest.mark.parametrize("scheme", [S.FLOAT32, S.FLOAT16, S.DYNAMIC_RANGE])
def test_what_is_left_to_the_processor_has_no_time(
    converted: Converted, scheme: QuantizationScheme
) -> None:
    assert scheme not in EthosU.schemes
    with pytest.raises(ConversionError) as caught:
        EthosU("ethos-u55-128").measure(converted.files[scheme])
    text = str(caught.value)
    assert text.startswith("ethos-u55-128 leaves CONV_2D, ")
    assert "to the processor, whose time nobody knows" in text
    assert "Float32" in text
    assert "\n" not in text


def test_quantization_aware_training_runs_on_it(trained: Any, corner_pictures: Any) -> None:
    from tests.workers_tests import corners
    from workers.conversion.convert import qat_tflite
    from workers.training.qat import train_quantization_aware

    config = corners.make_config(S.QAT_INT8)
    model, _ = train_quantization_aware(trained.model, corner_pictures, config)
    assert EthosU("ethos-u55-128").measure(qat_tflite(model)).latency.median_ms > 0


def test_another_system_is_another_device(converted: Converted) -> None:
    usual = EthosU("ethos-u55-128")
    slow = EthosU("ethos-u55-128", system_config="Ethos_U55_Deep_Embedded")
    for device in (usual, slow):
        device.check()
    tflite = converted.files[S.INT8]
    assert slow.name == "ethos-u55-128 (Ethos_U55_Deep_Embedded, Shared_Sram)"
    found = slow.measure(tflite)
    assert "200 MHz" in found.latency.runtime
    assert found.latency.median_ms > 1.5 * usual.measure(tflite).latency.median_ms


def test_systems_and_accelerators_that_are_not_there_are_refused() -> None:
    with pytest.raises(DeviceError, match="'ethos-u99-1'. Known accelerators: ethos-u55-32, "):
        EthosU("ethos-u99-1")
    with pytest.raises(DeviceError, match="no System_Config 'Fast' .* Ethos_U55_Deep_Embedded, "):
        EthosU("ethos-u55-128", system_config="Fast").check()
    with pytest.raises(DeviceError, match="no Memory_Mode 'Big' .* Known: Sram_Only, "):
        EthosU("ethos-u55-128", memory_mode="Big").check()
    with pytest.raises(DeviceError, match="there is no file 'mine.ini'"):
        EthosU("ethos-u55-128", config_file="mine.ini").check()


def test_what_is_no_model_is_refused_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str], converted: Converted
) -> None:
    with pytest.raises(ConversionError, match="Vela cannot compile the model"):
        EthosU("ethos-u55-128").measure(b"no model at all, but some bytes that are long enough")
    EthosU("ethos-u55-32").measure(converted.files[S.INT16X8])
    assert tuple(capfd.readouterr()) == ("", "")


def test_a_crash_of_the_compiler_costs_one_model(converted: Converted) -> None:
    # Vela 5.2 dies of convolutions with int4 weights and float activations.
    with pytest.raises(ConversionError, match="Vela cannot compile the model: it crashed"):
        EthosU("ethos-u55-128").measure(converted.files[S.DYNAMIC_INT4])
    assert EthosU("ethos-u55-64").measure(converted.files[S.INT16X8]).flash_bytes


def test_a_compiler_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    import workers.devices.vela_process

    monkeypatch.setattr(workers.devices.vela_process, "TIMEOUT_S", 0.0)
    vela = workers.devices.vela_process.VelaProcess()
    with pytest.raises(ConversionError, match="it took more than 0 s"):
        vela.run(["--version"])


def test_arguments_that_vela_does_not_take_are_the_devices_fault() -> None:
    from workers.devices.vela_process import VelaProcess

    vela = VelaProcess()
    with pytest.raises(DeviceError, match="does not take its arguments"):
        vela.run(["--no-such-argument"])
    vela.close()
