"""The microcontroller's interpreter: its arena, what it runs, and that it agrees with LiteRT."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.errors import ConversionError
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.devices.micro import MICRO_SCHEMES, MicroDevice, arena_bytes, micro_agreement
from workers.devices.registry import get_device

pytestmark = pytest.mark.slow

S = QuantizationScheme
RUN = tuple(scheme for scheme in MICRO_SCHEMES if not SCHEMES[scheme].trains)
REFUSED = tuple(scheme for scheme in SCHEMES if scheme not in MICRO_SCHEMES)

RUN_IN_ARENA = """
import sys
from tflite_micro import runtime
with open(sys.argv[1], "rb") as file:
    interpreter = runtime.Interpreter.from_bytes(file.read(), arena_size=int(sys.argv[2]))
interpreter.invoke()
"""


@pytest.fixture(scope="module")
def converted() -> Converted:
    """The network of all these tests and its files."""
    return convert_trained_network()


def runs_in(path: Path, n_bytes: int) -> bool:
    """Whether a model runs in so large an arena; in one too small the interpreter may die."""
    command = [sys.executable, "-c", RUN_IN_ARENA, str(path), str(n_bytes)]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.parametrize("scheme", [S.FLOAT32, S.INT8])
def test_the_arena_is_the_smallest_that_suffices(
    converted: Converted, scheme: QuantizationScheme, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(converted.files[scheme])
    n_bytes = arena_bytes(converted.files[scheme])
    assert runs_in(path, n_bytes + 16)
    assert not runs_in(path, n_bytes - 64)


def test_the_arena_holds_the_activations(converted: Converted) -> None:
    maps = 2 * 12 * 12 * 16  # What the separable convolution reads and writes.
    int8, int16, float32 = (
        arena_bytes(converted.files[s]) for s in (S.INT8, S.INT16X8, S.FLOAT32)
    )
    assert maps < int8 < 2 * maps
    assert 2 * maps < int16 < 4 * maps
    assert 4 * maps < float32 < 5 * maps


@pytest.mark.parametrize("scheme", RUN)
def test_it_agrees_with_litert(converted: Converted, scheme: QuantizationScheme) -> None:
    images = converted.val.images[:50]
    assert micro_agreement(converted.files[scheme], images) >= 0.96


def test_a_disagreement_shows(converted: Converted, monkeypatch: pytest.MonkeyPatch) -> None:
    import workers.conversion.runtime

    outputs = workers.conversion.runtime.outputs
    monkeypatch.setattr(
        workers.conversion.runtime, "outputs", lambda *args, **kw: -outputs(*args, **kw)
    )
    assert micro_agreement(converted.files[S.FLOAT32], converted.val.images[:50]) < 0.5


@pytest.mark.parametrize("scheme", REFUSED)
def test_what_it_refuses_says_why_and_prints_nothing(
    converted: Converted, scheme: QuantizationScheme, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConversionError) as caught:
        arena_bytes(converted.files[scheme])
    text = str(caught.value)
    assert text.startswith("tflite-micro cannot run the model: ")
    assert "failed to prepare" in text
    assert "\n" not in text
    assert tuple(capfd.readouterr()) == ("", "")


def test_the_device_tells_time_flash_and_ram(converted: Converted) -> None:
    tflite = converted.files[S.INT8]
    found = MicroDevice().measure(tflite)
    assert found.latency.device == "micro"
    assert found.latency.runtime.startswith("tflite-micro 0.")
    assert found.latency.min_ms <= found.latency.median_ms
    assert found.latency.n_runs >= 10
    assert found.flash_bytes == len(tflite)
    assert found.ram_bytes == arena_bytes(tflite)
    assert MicroDevice().estimate(tflite).ram_bytes == found.ram_bytes


def test_ram_is_told_beside_the_latency_of_another_device(converted: Converted) -> None:
    device = get_device("host", with_ram=True)
    tflite = converted.files[S.INT8]
    for found in (device.measure(tflite), device.estimate(tflite)):
        assert found.latency.device == "host"
        assert found.ram_bytes == arena_bytes(tflite)
    assert device.agreement(tflite, converted.val.images[:10]) is not None
    with pytest.raises(ConversionError, match="tflite-micro cannot run the model"):
        device.measure(converted.files[S.DYNAMIC_RANGE])


def test_untrained_weights_tell_the_arena_from_below(converted: Converted) -> None:
    from workers.conversion.convert import float_tflite, quantize_variant

    model = converted.keras.models.clone_model(converted.model)  # With other, random weights.
    untrained = quantize_variant(float_tflite(model), S.INT8, converted.representative)
    assert untrained != converted.files[S.INT8]
    trained = arena_bytes(converted.files[S.INT8])
    # Biases that are still zero are one and the same tensor.
    assert 0.98 * trained < arena_bytes(untrained) <= trained


def test_large_weights_are_no_trouble(converted: Converted) -> None:
    from workers.conversion.convert import float_tflite, quantize_variant

    layers = converted.keras.layers
    model = converted.keras.Sequential(
        [
            converted.keras.Input((12, 12, 1)),
            layers.Flatten(),
            layers.Dense(900, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    tflite = quantize_variant(float_tflite(model), S.INT8, converted.representative)
    assert len(tflite) > 120_000
    assert 900 < arena_bytes(tflite) < 20_000
    assert micro_agreement(tflite, converted.val.images[:20]) >= 0.9
