"""A Cortex-M core without a board: what the models of all of them share.

Latencies are modelled, by numbers fitted to published measurements; each core's module has its own
(``workers/devices/cortex_m4.py``, ``workers/devices/cortex_m7.py``).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeVar

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ConversionError
from workers.devices.device import Device, Measurement, modelled_latency

if TYPE_CHECKING:
    from workers.conversion.operator_costs import OperatorCost

FASTEST_MHZ = 1000

_WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_FREE = ("RESHAPE", "PAD", "SQUEEZE", "EXPAND_DIMS")
"""Merged into their neighbours, or done by a pointer."""

_UNKNOWN = (
    "TRANSPOSE_CONV",
    "BATCH_MATMUL",
    "WHILE",
    "IF",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)
"""Kernels like none of those that were measured."""


class CortexM(Device):
    """A core at one clock. Flash is the ``.tflite``, as it is.

    Args:
        mhz: Its clock; None for the usual one.

    Attributes:
        core: Name of the core, and of the device at its usual clock.
        usual_mhz: What measurements were made at.
        runtime: Of the measurements, with the errors of the model.
        mhz: Its clock.
    """

    core: ClassVar[str]
    usual_mhz: ClassVar[int]
    runtime: ClassVar[str]
    schemes = (QuantizationScheme.INT8, QuantizationScheme.QAT_INT8)
    tells_flash = True
    depends_on_weights = False

    def __init__(self, mhz: int | None = None) -> None:
        self.mhz = mhz or self.usual_mhz
        self.name = self.core if self.mhz == self.usual_mhz else f"{self.core}@{self.mhz}"

    def measure(self, tflite: bytes) -> Measurement:
        """Compute what a model takes.

        Raises:
            ConversionError: If it has operators like none that was measured.
        """
        milliseconds = self.cycles(tflite) / (self.mhz * 1e3)
        runtime = f"modelled at {self.mhz} MHz, {self.runtime}"
        return Measurement(modelled_latency(milliseconds, self.name, runtime), len(tflite))

    @abstractmethod
    def cycles(self, tflite: bytes) -> float:
        """Return the cycles of one inference of an int8 model.

        Raises:
            ConversionError: If it has operators like none that was measured.
        """


_Core = TypeVar("_Core", bound=CortexM)


def at_clock(core: type[_Core], name: str) -> _Core | None:
    """Return a core at the clock that a name such as ``cortex-m7@480`` says; None for others."""
    before, at, mhz = name.partition("@")
    if before != core.core:
        return None
    if not at:
        return core()
    is_clock = mhz.isascii() and mhz.isdigit() and not mhz.startswith("0")
    return core(int(mhz)) if is_clock and int(mhz) <= FASTEST_MHZ else None


def known_costs(tflite: bytes, core: str) -> list[OperatorCost]:
    """Return the costs of a model's operators, without those that take no time.

    Args:
        tflite: The model.
        core: Whose measurements stand behind it.

    Raises:
        ConversionError: If it has operators like none that was measured.
    """
    from workers.conversion.operator_costs import operator_costs

    found = []
    for cost in operator_costs(tflite):
        if cost.name in _UNKNOWN or (cost.macs and cost.name not in _WITH_WEIGHTS):
            raise ConversionError(f"no measurement of a {core} stands behind {cost.name}")
        if cost.name not in _FREE:
            found.append(cost)
    return found
