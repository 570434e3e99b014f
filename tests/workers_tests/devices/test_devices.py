"""Devices by name: those built in, the user's own, and what is said where one cannot be used."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.errors import ConversionError, DeviceError
from tests.workers_tests.quadrants import Converted, convert_trained_network
from workers.devices.device import Device, Measurement, compare_on, measure_on, modelled_latency
from workers.devices.micro import MICRO_SCHEMES
from workers.devices.registry import (
    canonical_device,
    check_device,
    device_names,
    get_device,
    is_builtin_device,
)

S = QuantizationScheme

BOARD = """
from workers import Device, Measurement, modelled_latency


class Board(Device):
    name = "board"
    tells_flash = True

    def measure(self, tflite):
        return Measurement(modelled_latency(len(tflite) / 1000, self.name, "a sum"), len(tflite))


DEVICE = SLOW = Board()
NUMBER = 3
"""


@pytest.fixture(scope="module")
def converted() -> Converted:
    """The network of all these tests and its files."""
    return convert_trained_network()


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A file with a device in it."""
    path = tmp_path / "board.py"
    path.write_text(BOARD)
    return path


@pytest.mark.parametrize("name", device_names())
def test_every_device_answers_to_its_name_and_runs_something(name: str) -> None:
    device = get_device(name)
    assert device.name == name
    assert device.schemes
    assert canonical_device(name) == name
    assert is_builtin_device(name)


def test_an_unknown_name_is_refused_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(DeviceError, match="'hots'.*Known devices: .*host.*Did you mean 'host'?"):
        get_device("hots")
    with pytest.raises(DeviceError, match="ethos-u55-127.*Did you mean 'ethos-u55-128'?"):
        canonical_device("ethos-u55-127")


def test_a_name_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(DeviceError) as caught:
        get_device("zzzzzzzz")
    assert "Did you mean" not in str(caught.value)


# --- A device of the user's own ------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ":DEVICE", ":SLOW"])
def test_a_device_may_lie_in_a_file(
    board: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(board.parent)
    ref = canonical_device(f"board.py{suffix}")
    monkeypatch.chdir("/")
    assert ref == f"{board.resolve()}{suffix or ':DEVICE'}"
    assert not is_builtin_device(ref)
    device = get_device(ref)
    assert device.name == "board"
    assert device.schemes == tuple(SCHEMES)
    assert device.measure(b"x" * 500).latency.median_ms == 0.5


def test_a_device_may_lie_in_a_module(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(board.parent))
    board.rename(board.with_name("board_of_this_test.py"))
    try:
        assert get_device("board_of_this_test:DEVICE").name == "board"
    finally:
        sys.modules.pop("board_of_this_test", None)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("{0}/nowhere.py", "Device file '.*nowhere.py' does not exist"),
        ("{0}/board.py:NUMBER", "'NUMBER' must be a `workers.Device`, but got int"),
        ("{0}/board.py:GHOST", "holds no device named 'GHOST'. Devices in it: DEVICE, SLOW."),
        ("no_such_module:DEVICE", "Module 'no_such_module' of device .* cannot be found"),
    ],
)
def test_what_is_no_device_is_refused_in_one_line(board: Path, ref: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message) as caught:
        get_device(ref.format(board.parent))
    assert "\n" not in str(caught.value)


def test_a_device_without_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nameless.py"
    path.write_text(BOARD.replace('name = "board"', "name = 7"))
    with pytest.raises(DeviceError, match="a device's `name` must be a string"):
        get_device(str(path))


# --- What can be asked of a device ---------------------------------------------------------


def test_the_size_in_flash_needs_a_device_that_tells_it() -> None:
    with pytest.raises(DeviceError, match="but got 'host'. Such devices: micro, ethos-u55-32"):
        check_device(get_device("host"), "flash")
    for name in ("micro", "ethos-u55-128"):
        check_device(get_device(name), "flash")


@pytest.mark.parametrize(
    ("ref", "with_ram", "package"),
    [("ethos-u65-256", False, "ethos-u"), ("micro", False, "micro"), ("host", True, "micro")],
)
def test_what_is_not_installed_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, ref: str, with_ram: bool, package: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DeviceError) as caught:
        check_device(get_device(ref, with_ram=with_ram), "gzip")
    assert f"pip install 'litefront[{package}]'" in str(caught.value)
    check_device(get_device("host"), "gzip")


def test_a_device_that_tells_no_ram_gets_the_arena_and_what_that_can_run() -> None:
    device = get_device("host", with_ram=True)
    assert device.name == "host"
    assert device.needs_quiet
    assert device.tells_ram
    assert device.schemes == MICRO_SCHEMES
    own = get_device("ethos-u55-128", with_ram=True)
    assert own is get_device("ethos-u55-128")


@pytest.mark.slow
def test_a_latency_names_its_device(converted: Converted) -> None:
    assert get_device("host").measure(converted.float_model).latency.device == "host"


@pytest.mark.slow
def test_what_a_device_tells_stands_in_the_ledger(converted: Converted) -> None:
    from workers.conversion.sizes import ledger

    tflite = converted.files[S.INT8]
    sizes = ledger(tflite, converted.model, None)
    assert (sizes.flash_bytes, sizes.arena_bytes, sizes.device_agreement) == (None, None, None)
    micro = get_device("micro")
    compared = compare_on(micro, tflite, sizes, converted.val.images)
    found, entered = measure_on(micro, tflite, compared)
    assert entered.flash_bytes == found.flash_bytes == len(tflite)
    assert entered.arena_bytes == found.ram_bytes
    assert entered.device_agreement == pytest.approx(1.0, abs=0.1)
    assert entered.size_bytes("flash") == len(tflite)
    assert entered.tflite_bytes == sizes.tflite_bytes
    with pytest.raises(ConversionError, match="flash"):
        sizes.size_bytes("flash")


@pytest.mark.slow
def test_a_size_that_is_none_is_no_result(converted: Converted) -> None:
    from workers.conversion.sizes import ledger

    class Empty(Device):
        name = "empty"

        def measure(self, tflite: bytes) -> Measurement:
            return Measurement(modelled_latency(1.0, self.name, "none"), flash_bytes=0)

    tflite = converted.files[S.INT8]
    sizes: Any = ledger(tflite, converted.model, None)
    with pytest.raises(ConversionError, match="empty tells 0 bytes of flash"):
        measure_on(Empty(), tflite, sizes)
