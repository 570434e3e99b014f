"""A Cortex-M4 without a board: time by arithmetic alone, fitted to published measurements.

An int8 inference takes 1.696 cycles a multiply-accumulate. The number is the least relative
squares over the four networks of MLPerf Tiny (0.26 to 12.5 million of them), which
STMicroelectronics measured with X-CUBE-AI 10.2 on an STM32L4R5 at 120 MHz;
``benchmarks/latency/cortex_m4.py`` has each with its source, and fits it anew. Predicted from the
three others, a network is off by 20 % on average and 29 % at most.

So it ranks networks by their arithmetic, and says about how long they take. Small convolutions of
few channels and dense layers take longer than it says, large ones less.
"""

from __future__ import annotations

import re

from spaces.config.schemes import QuantizationScheme
from workers.devices.cortex_m import FASTEST_MHZ, known_costs
from workers.devices.device import Device, Measurement, modelled_latency

CYCLES_PER_MAC = 1.696
"""Of int8 networks; see the module's own text."""

MEAN_ERROR, LARGEST_ERROR = 0.203, 0.29
"""Of a network predicted from the other measurements, as fractions."""

USUAL_MHZ = 120

_NAME = re.compile(r"cortex-m4(?:@([1-9][0-9]{0,3}))?")


class CortexM4(Device):
    """A Cortex-M4 at one clock. Flash is the ``.tflite``, as it is.

    Args:
        mhz: Its clock.

    Attributes:
        mhz: Its clock.
    """

    schemes = (QuantizationScheme.INT8, QuantizationScheme.QAT_INT8)
    tells_flash = True
    depends_on_weights = False
    note = (
        f"Latencies of cortex-m4 are modelled, not measured: by multiply-accumulates alone, "
        f"fitted to the four networks of MLPerf Tiny on an STM32L4R5 with X-CUBE-AI, each "
        f"predicted from the others to {100 * MEAN_ERROR:.0f} % on average and "
        f"{100 * LARGEST_ERROR:.0f} % at most."
    )

    def __init__(self, mhz: int = USUAL_MHZ) -> None:
        self.mhz = mhz
        self.name = "cortex-m4" if mhz == USUAL_MHZ else f"cortex-m4@{mhz}"

    def measure(self, tflite: bytes) -> Measurement:
        """Compute what a model takes.

        Raises:
            ConversionError: If it has operators like none that was measured.
        """
        macs = sum(cost.macs for cost in known_costs(tflite, "Cortex-M4"))
        runtime = (
            f"modelled at {self.mhz} MHz, X-CUBE-AI 10.2 (leave-one-out error "
            f"{100 * MEAN_ERROR:.0f} %, at most {100 * LARGEST_ERROR:.0f} %)"
        )
        milliseconds = CYCLES_PER_MAC * macs / (self.mhz * 1e3)
        return Measurement(modelled_latency(milliseconds, self.name, runtime), len(tflite))


def cortex_m4(name: str) -> CortexM4 | None:
    """Return the device of a name such as ``cortex-m4@80``; None for other names."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    mhz = int(found[1] or USUAL_MHZ)
    return CortexM4(mhz) if mhz <= FASTEST_MHZ else None
