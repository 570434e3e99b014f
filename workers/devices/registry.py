"""Devices by name: those built in, and the user's own.

A latency belongs to a device, and a study has one. ``host`` is the machine the workers run on.
"""

from __future__ import annotations

from functools import cache

from spaces.errors import DeviceError
from spaces.tasks.user_code import Kind, canonical_code_ref, is_code_ref, load_code
from spaces.wording import guess
from workers.devices.cortex_m import at_clock
from workers.devices.cortex_m4 import CortexM4
from workers.devices.cortex_m7 import CortexM7
from workers.devices.device import Device, Measurement
from workers.devices.ethos_u import ethos_u_devices
from workers.devices.micro import MicroDevice, WithArena
from workers.latency.host import host_latency, quick_latency
from workers.messages.result import SizeMetric

_KIND = Kind("device", "workers.Device", "DEVICE", DeviceError, DeviceError)


class HostDevice(Device):
    """This machine: LiteRT with XNNPACK, one thread."""

    name = "host"
    needs_quiet = True
    depends_on_weights = False

    def measure(self, tflite: bytes) -> Measurement:
        """Time single-image inference here."""
        return Measurement(host_latency(tflite, threads=1))

    def estimate(self, tflite: bytes) -> Measurement:
        """Time two inferences here."""
        return Measurement(quick_latency(tflite))


@cache
def builtin_devices() -> dict[str, Device]:
    """Return the devices of our own by name."""
    devices = (HostDevice(), MicroDevice(), *ethos_u_devices(), CortexM4(), CortexM7())
    return {device.name: device for device in devices}


def device_names() -> tuple[str, ...]:
    """Return the names that ``--device`` takes, of clocks the usual one only."""
    return tuple(builtin_devices())


def is_builtin_device(ref: str) -> bool:
    """Whether ``ref`` names a device of our own, which is safe and cheap to make anywhere."""
    return _builtin(ref) is not None


def _builtin(ref: str) -> Device | None:
    return builtin_devices().get(ref) or at_clock(CortexM7, ref) or at_clock(CortexM4, ref)


def canonical_device(ref: str) -> str:
    """Return ``ref`` so that it means the same from any folder; of a device's own, its name.

    Raises:
        DeviceError: If there is no such device or file.
    """
    if (known := _builtin(ref)) is not None:
        return known.name
    if is_code_ref(ref):
        return canonical_code_ref(ref, _KIND)
    raise DeviceError(_unknown(ref))


def get_device(ref: str, *, with_ram: bool = False) -> Device:
    """Return a device; one of the user's own runs the user's code.

    Args:
        ref: Name, ``package.module:NAME`` or a Python file, whose ``DEVICE`` it is.
        with_ram: Whether the RAM of a model is wanted. A device that does not tell it gets the
            arena of the microcontroller's interpreter, and runs only what that runs.

    Raises:
        DeviceError: If there is none, or its code is no device.
    """
    if (known := _builtin(ref)) is not None:
        device = known
    elif is_code_ref(ref):
        device = load_code(ref, _KIND, Device)  # type: ignore[type-abstract]
        if not isinstance(getattr(device, "name", None), str):
            raise DeviceError(f"{ref}: a device's `name` must be a string.")
    else:
        raise DeviceError(_unknown(ref))
    return WithArena(device) if with_ram and not device.tells_ram else device


def check_device(device: Device, size_metric: SizeMetric) -> None:
    """Refuse a device that cannot be used, before anything is trained.

    Raises:
        DeviceError: If it cannot be used here, or does not tell the size that counts.
    """
    device.check()
    if size_metric == "flash" and not device.tells_flash:
        tell = [name for name, known in builtin_devices().items() if known.tells_flash]
        raise DeviceError(
            f"The size can be that in flash only on a device which tells it, but got "
            f"{device.name!r}. Such devices: {', '.join(tell)}."
        )


def _unknown(ref: str) -> str:
    known = device_names()
    return (
        f"Unknown device {ref!r}. Known devices: {', '.join(known)}; or give "
        f"package.module:DEVICE or a .py file.{guess(ref, known)}"
    )
