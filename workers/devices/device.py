"""What a device is: from a ``.tflite`` to the time of one inference, its flash and its RAM.

A device of one's own is a subclass with a name and :meth:`Device.measure`, given to
``--device`` as ``package.module:NAME`` or ``path/device.py:NAME``::

    class Board(Device):
        name = "board"

        def measure(self, tflite: bytes) -> Measurement:
            milliseconds = ...  # Send the file to the board, and ask how long it takes.
            return Measurement(modelled_latency(milliseconds, self.name, "board firmware 3"))

    DEVICE = Board()
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

import numpy.typing as npt

from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.errors import ConversionError
from workers.messages.result import Latency, Ledger

N_COMPARED = 32
"""Validation images that a device's own runtime labels beside LiteRT."""


@dataclass(frozen=True)
class Measurement:
    """What a device tells of one model.

    Attributes:
        latency: Time of one inference.
        flash_bytes: What the model takes of the device's flash, where it tells.
        ram_bytes: Most RAM that an inference takes, where it tells.
        compiled: The file that goes on the device, if it is not the ``.tflite`` itself.
    """

    latency: Latency
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    compiled: bytes | None = field(default=None, repr=False)


class Device(ABC):
    """Whatever can tell how long a model takes.

    **Who may call it.** A worker, for one model at a time; objects are made at import, so
    making one must be cheap.

    Attributes:
        name: Stored with every latency; for those built in, what ``--device`` takes.
        schemes: Quantization schemes it can run; no other is searched.
        needs_quiet: Whether its times are taken on this machine's processor, so that whatever
            else runs there disturbs them.
        tells_flash: Whether it tells ``flash_bytes``, so that ``--size flash`` works.
        tells_ram: Whether it tells ``ram_bytes``.
        depends_on_weights: Whether its figures depend on the values of weights, as those of a
            device that compresses them. Otherwise an untrained network tells them.
        compiles: Whether it runs a file that its own compiler makes of the ``.tflite``.
        note: What a person must know of its figures, in a sentence; shown with every front.
    """

    name: str
    schemes: tuple[QuantizationScheme, ...] = tuple(SCHEMES)
    needs_quiet: bool = False
    tells_flash: bool = False
    tells_ram: bool = False
    depends_on_weights: bool = True
    compiles: bool = False
    note: str = ""

    @abstractmethod
    def measure(self, tflite: bytes) -> Measurement:
        """Measure a model.

        Raises:
            ConversionError: If the device cannot run it.
        """

    def estimate(self, tflite: bytes) -> Measurement:
        """Measure a model roughly, before its training; no faster unless overridden.

        Raises:
            ConversionError: If the device cannot run it.
        """
        return self.measure(tflite)

    def agreement(self, tflite: bytes, images: npt.NDArray[Any]) -> float | None:
        """Return the fraction of images that the device's own runtime labels as LiteRT does.

        Args:
            tflite: A model.
            images: As in a data set.

        Returns:
            The fraction; None if the device has no runtime of its own that answers here.

        Raises:
            ConversionError: If the device cannot run the model.
        """
        return None

    def check(self) -> None:  # noqa: B027  # Most devices are always there.
        """Do nothing if the device can be used here. Cheap: the driver asks too.

        Raises:
            DeviceError: If it cannot; the text says what to do.
        """


def modelled_latency(milliseconds: float, device: str, runtime: str) -> Latency:
    """Return a latency that is computed, or told by a device as one number."""
    return Latency(
        median_ms=milliseconds,
        spread_ms=0.0,
        min_ms=milliseconds,
        n_runs=1,
        n_warmup=0,
        threads=1,
        device=device,
        runtime=runtime,
    )


def compare_on(device: Device, tflite: bytes, ledger: Ledger, images: npt.NDArray[Any]) -> Ledger:
    """Enter into a model's ledger how far its device's own runtime agrees with LiteRT.

    Args:
        device: Where it is to run.
        tflite: The model.
        ledger: Its sizes as known so far.
        images: To compare on, as in a data set; the first are enough.

    Raises:
        ConversionError: If the device cannot run it.
    """
    agreement = device.agreement(tflite, images[:N_COMPARED])
    return replace(ledger, device_agreement=agreement)


def measure_on(device: Device, tflite: bytes, ledger: Ledger) -> tuple[Measurement, Ledger]:
    """Measure a model, and enter what its device tells into its ledger.

    Args:
        device: Where it is to run.
        tflite: The model.
        ledger: Its sizes as known so far.

    Raises:
        ConversionError: If the device cannot run it.
    """
    found = device.measure(tflite)
    for name, n_bytes in (("flash", found.flash_bytes), ("RAM", found.ram_bytes)):
        if n_bytes is not None and not n_bytes > 0:
            raise ConversionError(f"{device.name} tells {n_bytes} bytes of {name}, which is none")
    entered = replace(
        ledger,
        flash_bytes=found.flash_bytes,
        arena_bytes=found.ram_bytes,
    )
    return found, entered
