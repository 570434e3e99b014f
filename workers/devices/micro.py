"""The interpreter of microcontrollers (``tflite-micro``): its arena, and whether it agrees.

TensorFlow Lite for Microcontrollers takes all its memory from one block, the arena: activations,
and what its kernels keep. It runs here with the same code as on a microcontroller, so it tells
what a model needs there, and that it runs at all. Pointers are larger here than there: the arena
is an upper bound, by some hundred bytes in a small model.

There is no model of a microcontroller's cycles. The time of device ``micro`` is that of the
interpreter's portable kernels on this machine, which have no vector instructions: a processor with
kernels of its own, such as CMSIS-NN, ranks networks otherwise, and int8 before float32, where this
one may have float32 first. What it tells of a microcontroller is the arena.
"""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ConversionError, DeviceError
from workers.devices.device import Device, Measurement
from workers.messages.result import Latency
from workers.processes.captured import Captured, captured

MICRO_SCHEMES = (
    QuantizationScheme.FLOAT32,
    QuantizationScheme.INT8,
    QuantizationScheme.INT16X8,
    QuantizationScheme.QAT_INT8,
)
"""Its kernels take no float16 weights, nor integer weights with float activations."""

MIN_RUNS = 10
TIMED_S = 0.2
MAX_S = 1.5
"""Runs are timed until ``TIMED_S``; a slow network for ``MIN_RUNS``, if that is by ``MAX_S``."""

_ARENA = re.compile(r"Arena allocation total (\d+) bytes")
_SPARE_BYTES = 2**20


class MicroDevice(Device):
    """The microcontroller's interpreter, run here. Flash is the ``.tflite``, as it is."""

    name = "micro"
    schemes = MICRO_SCHEMES
    needs_quiet = True
    tells_flash = True
    tells_ram = True
    depends_on_weights = False
    note = (
        "Latencies of micro are those of tflite-micro's portable kernels on this machine: a "
        "Cortex-M ranks models otherwise (int8 before float32). Its RAM is that of a "
        "microcontroller."
    )

    def check(self) -> None:
        """Raise ``DeviceError`` if the interpreter is not installed."""
        check_installed(f"Device {self.name!r}")

    def measure(self, tflite: bytes) -> Measurement:
        """Run a model until its time is known, and measure its arena."""
        return self._measure(tflite, TIMED_S)

    def estimate(self, tflite: bytes) -> Measurement:
        """Run a model a few times, and measure its arena."""
        return self._measure(tflite, 0.0)

    def agreement(self, tflite: bytes, images: npt.NDArray[Any]) -> float:
        """Return the fraction of images that the interpreter labels as LiteRT does."""
        return micro_agreement(tflite, images)

    def _measure(self, tflite: bytes, timed_s: float) -> Measurement:
        return Measurement(
            latency=_latency(tflite, timed_s),
            flash_bytes=len(tflite),
            ram_bytes=arena_bytes(tflite),
        )


class WithArena(Device):
    """A device that tells no RAM, with the arena of the microcontroller's interpreter.

    Args:
        device: Whatever tells the time.
    """

    tells_ram = True

    def __init__(self, device: Device) -> None:
        self._device = device
        self.name = device.name
        self.schemes = tuple(scheme for scheme in device.schemes if scheme in MICRO_SCHEMES)
        self.needs_quiet = device.needs_quiet
        self.tells_flash = device.tells_flash
        self.depends_on_weights = device.depends_on_weights
        self.compiles = device.compiles
        self.note = device.note

    def check(self) -> None:
        """Raise ``DeviceError`` if device or interpreter cannot be used here."""
        self._device.check()
        check_installed("A limit on RAM")

    def measure(self, tflite: bytes) -> Measurement:
        """Measure a model on the device, and its arena."""
        return self._with_arena(self._device.measure(tflite), tflite)

    def estimate(self, tflite: bytes) -> Measurement:
        """Measure a model roughly on the device, and its arena."""
        return self._with_arena(self._device.estimate(tflite), tflite)

    def agreement(self, tflite: bytes, images: npt.NDArray[Any]) -> float:
        """Return the fraction of images that the interpreter labels as LiteRT does."""
        return micro_agreement(tflite, images)

    def _with_arena(self, found: Measurement, tflite: bytes) -> Measurement:
        return replace(found, ram_bytes=arena_bytes(tflite))


def check_installed(what: str) -> None:
    """Do nothing if ``tflite-micro`` is installed.

    Args:
        what: What needs it, to begin a sentence with.

    Raises:
        DeviceError: If it is not.
    """
    if importlib.util.find_spec("tflite_micro") is None:
        raise DeviceError(
            f"{what} needs the microcontroller's interpreter, which there is for Linux on x86-64. "
            f"Install it: pip install 'litefront[micro]'"
        )


@lru_cache(maxsize=16)  # The gate and the race ask for the same untrained model.
def arena_bytes(tflite: bytes) -> int:
    """Return the smallest arena in which the interpreter runs a model, in bytes.

    Raises:
        ConversionError: If it cannot run the model.
    """
    interpreter = _load(tflite)
    _run(interpreter)
    with captured(2) as said:  # It tells people only, on stderr.
        interpreter.print_allocations()
    found = _ARENA.search(said.text)
    if found is None:
        raise DeviceError(
            f"tflite-micro {_version()} does not tell its arena. Install the version that is "
            f"known to: pip install 'litefront[micro]'"
        )
    return int(found[1])


def micro_agreement(tflite: bytes, images: npt.NDArray[Any]) -> float:
    """Return the fraction of images that the interpreter labels as LiteRT does.

    Args:
        tflite: A converted model.
        images: As in a data set.

    Raises:
        ConversionError: If either of the two cannot run the model.
    """
    from workers.conversion.accuracy import labels_of
    from workers.conversion.runtime import load, outputs, quantize_input

    expected = labels_of(tflite, outputs(tflite, images, batch_size=1))
    pixels = quantize_input(images, load(tflite).get_input_details()[0])
    interpreter = _load(tflite)
    found = []
    for image in pixels:
        interpreter.set_input(image[np.newaxis], 0)
        _run(interpreter)
        found.append(np.array(interpreter.get_output(0)).reshape(-1))
    return float((labels_of(tflite, np.stack(found)) == expected).mean())


def _latency(tflite: bytes, timed_s: float) -> Latency:
    interpreter = _load(tflite)
    _run(interpreter)
    times_ns: list[int] = []
    start = time.perf_counter()
    while True:
        core, wall = time.thread_time_ns(), time.perf_counter_ns()
        _run(interpreter)
        wall = time.perf_counter_ns() - wall
        # Less than the clock on the wall says if another process had the core meanwhile.
        times_ns.append(min(wall, time.thread_time_ns() - core))
        elapsed_s = time.perf_counter() - start
        if (len(times_ns) >= MIN_RUNS and elapsed_s >= timed_s) or elapsed_s >= MAX_S:
            break
    times_ms = np.array(times_ns) / 1e6
    low, median, high = np.percentile(times_ms, [25, 50, 75])
    return Latency(
        median_ms=float(median),
        spread_ms=float(high - low),
        min_ms=float(times_ms.min()),
        n_runs=len(times_ns),
        n_warmup=1,
        threads=1,
        device=MicroDevice.name,
        runtime=f"tflite-micro {_version()} (portable kernels)",
    )


def _load(tflite: bytes) -> Any:
    """Return an interpreter with an arena that is large enough.

    Raises:
        ConversionError: If it cannot run the model; the text is what it printed.
        DeviceError: If it is not installed.
    """
    try:
        from tflite_micro import runtime
    except ImportError as error:
        raise DeviceError(
            f"The microcontroller's interpreter cannot be imported: {error}. Install it: "
            f"pip install 'litefront[micro]'"
        ) from error

    size = _enough_bytes(tflite)
    said = Captured()
    try:
        with captured(2) as said:
            return runtime.Interpreter.from_bytes(tflite, arena_size=size)
    except (RuntimeError, ValueError) as error:
        why = " ".join(said.lines()) or str(error)
        raise ConversionError(f"tflite-micro cannot run the model: {why[:300]}") from error


def _run(interpreter: Any) -> None:
    try:
        interpreter.invoke()
    except RuntimeError as error:
        raise ConversionError(f"tflite-micro cannot run the model: {error}") from error


def _enough_bytes(tflite: bytes) -> int:
    """Return an arena's size that any model fits in: it does not survive one that is too small."""
    from workers.conversion.runtime import load

    tensors = load(tflite).get_tensor_details()
    sizes: Iterator[int] = (
        int(np.prod(tensor["shape"], dtype=np.int64)) * np.dtype(tensor["dtype"]).itemsize
        for tensor in tensors
    )
    size = 2 * len(tflite) + 2 * sum(sizes) + _SPARE_BYTES
    return -(-size // 16) * 16  # Its end is aligned, or a few bytes more are lost.


@cache
def _version() -> str:
    return version("tflite-micro")
