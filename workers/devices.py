"""Devices: from a ``.tflite`` to the time of one inference.

A latency belongs to a device, and a study has one. ``host`` is the machine the workers run on.
"""

from __future__ import annotations

import difflib
from typing import Protocol

from spaces.errors import DeviceError
from workers.latency import host_latency
from workers.result import Latency


class Device(Protocol):
    """Whatever can tell how long a model takes.

    **Who may call it.** A worker, for one model at a time.
    """

    @property
    def name(self) -> str:
        """Name, as ``--device`` takes it; stored with every latency."""

    def measure(self, tflite: bytes) -> Latency:
        """Return the latency of one image.

        Raises:
            ConversionError: If the device cannot run the model.
        """


class HostDevice:
    """This machine: LiteRT with XNNPACK, one thread."""

    name = "host"

    def measure(self, tflite: bytes) -> Latency:
        """Time single-image inference here."""
        return host_latency(tflite, threads=1)


_DEVICES: dict[str, Device] = {device.name: device for device in (HostDevice(),)}


def device_names() -> tuple[str, ...]:
    """Return the names that ``--device`` takes."""
    return tuple(_DEVICES)


def get_device(name: str) -> Device:
    """Return the device of that name.

    Raises:
        DeviceError: If there is none.
    """
    if name in _DEVICES:
        return _DEVICES[name]
    near = difflib.get_close_matches(name, _DEVICES, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    raise DeviceError(f"Unknown device {name!r}. Known devices: {', '.join(_DEVICES)}.{guess}")
