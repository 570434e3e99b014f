"""Latencies measured on nodes of one kind, wherever a model was trained.

The nodes of a cluster need not be alike, and a latency of one machine says nothing of another.
Those that a person declares with a resource of Ray's (``ray start --resources='{"bench": 1}'``)
measure for all: a measurement is a task of Ray's that needs one of that resource. So each such
node measures one model at a time, one that leaves costs another try, and while there is none the
measurement waits where a cluster that grows by demand sees it. Not for ever: the run ends then.
"""

from __future__ import annotations

import socket
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from spaces.errors import TrialFailedError, WorkersLostError
from spaces.tasks.code_files import CodeFiles
from workers.devices.device import Device, Measurement
from workers.executors.cluster import LOOK_S, PATIENCE_S, has_resource, how_to_add
from workers.executors.worker import last_line, raised_by
from workers.latency.quiet_windows import QuietWindows
from workers.trial.code import bring_code

if TYPE_CHECKING:
    import numpy.typing as npt


MAX_RETRIES = 5
"""How often a measurement is tried again that its node or its process did not outlive: some models
take the runtime with them, wherever they run."""


@dataclass(frozen=True)
class LatencyNodes:
    """Makes devices whose figures come from such a node; small enough to travel to workers.

    Attributes:
        resource: Name of the resource.
        windows: Name of the run, by which workers of a node find their quiet windows.
        code: Files of a device of the user's own, for hosts that lack them.
    """

    resource: str
    windows: str
    code: tuple[CodeFiles, ...] = ()

    def __call__(
        self, device: Device, ref: str, with_ram: bool, windows: QuietWindows | None
    ) -> Device:
        """Return a device that measures there.

        Args:
            device: The device, which takes its times on the processor that it runs on.
            ref: What names it.
            with_ram: Whether the RAM of a model is wanted.
            windows: Quiet windows of the node that asks, which it leaves while it waits.
        """
        return _DeviceThere(device, _Ask(self, ref, with_ram), windows)


@dataclass(frozen=True)
class _Ask:
    """What a node needs to know to measure."""

    nodes: LatencyNodes
    ref: str
    with_ram: bool
    method: str = "measure"
    tflite: bytes = field(default=b"", repr=False)


class _DeviceThere(Device):
    """A device on another node."""

    needs_quiet = False  # Who measures there opens a window there.

    def __init__(self, device: Device, ask: _Ask, windows: QuietWindows | None) -> None:
        self._device = device
        self._asked = ask
        self._windows = windows
        self.name = device.name
        self.schemes = device.schemes
        self.tells_flash = device.tells_flash
        self.tells_ram = device.tells_ram
        self.depends_on_weights = device.depends_on_weights
        self.compiles = device.compiles
        self.note = device.note

    def measure(self, tflite: bytes) -> Measurement:
        """Measure a model there."""
        return self._ask("measure", tflite)

    def estimate(self, tflite: bytes) -> Measurement:
        """Measure a model there roughly."""
        return self._ask("estimate", tflite)

    def agreement(self, tflite: bytes, images: npt.NDArray[Any]) -> float | None:
        """Return the fraction of images that the device's own runtime labels as LiteRT does."""
        return self._device.agreement(tflite, images)

    def _ask(self, method: str, tflite: bytes) -> Measurement:
        import ray

        asked = replace(self._asked, method=method, tflite=tflite)
        remote: Any = _remote()
        options: dict[str, Any] = {"resources": {asked.nodes.resource: 1}, "num_cpus": 0}
        options["max_retries"] = MAX_RETRIES
        # The node that measures may be this one.
        with self._windows.aside() if self._windows is not None else nullcontext():
            ref = remote.options(**options).remote(asked)
            _wait_for(ref, asked.nodes.resource)
            try:
                found: Measurement = ray.get(ref)
            except ray.exceptions.RayTaskError as error:
                raise raised_by(error) from error
            except ray.exceptions.RayError as error:
                raise TrialFailedError(
                    f"Its latency could not be measured: {MAX_RETRIES + 1} times the node with "
                    f"{asked.nodes.resource!r}, or the process there, ended over it. "
                    f"{last_line(error)}"
                ) from error
        return found


def _wait_for(ref: Any, resource: str) -> None:
    """Wait for a measurement, as long as a node that can take it is there or may come.

    Raises:
        WorkersLostError: If there was none for too long.
    """
    import ray

    missed_since: float | None = None
    while not ray.wait([ref], timeout=LOOK_S)[0]:
        if has_resource(ray, resource):
            missed_since = None
            continue
        missed_since = missed_since or time.monotonic()
        if time.monotonic() - missed_since >= PATIENCE_S:
            ray.cancel(ref)
            raise WorkersLostError(
                f"Latencies are measured on nodes with the resource {resource!r}, but for "
                f"{PATIENCE_S / 60:.0f} min the cluster has had none. Start one "
                f"({how_to_add(resource)}); the same command goes on. Nothing that finished is "
                f"lost."
            )


@cache
def _remote() -> Any:
    import ray

    return ray.remote(measure_here)


def measure_here(ask: _Ask) -> Measurement:
    """Measure a model on this node, in a quiet window of it."""
    from workers.devices.registry import get_device

    bring_code(ask.nodes.code)
    device = get_device(ask.ref, with_ram=ask.with_ram)
    if ask.method == "estimate":
        return device.estimate(ask.tflite)
    windows = _windows(ask.nodes.windows)
    with windows.window() as is_quiet:
        found = device.measure(ask.tflite)
    note = "" if is_quiet else windows.refusal
    latency = found.latency.measured_in(quiet=is_quiet, note=note)
    return replace(found, latency=replace(latency, node=socket.gethostname()))


@cache
def _windows(name: str) -> QuietWindows:
    return QuietWindows.of_run(name)
