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

from workers.devices.cortex_m import CortexM, known_costs

CYCLES_PER_MAC = 1.696
"""Of int8 networks; see the module's own text."""

MEAN_ERROR, LARGEST_ERROR = 0.203, 0.29
"""Of a network predicted from the other measurements, as fractions."""


class CortexM4(CortexM):
    """A Cortex-M4 at one clock."""

    core = "cortex-m4"
    usual_mhz = 120
    runtime = (
        f"X-CUBE-AI 10.2 (leave-one-out error {100 * MEAN_ERROR:.0f} %, at most "
        f"{100 * LARGEST_ERROR:.0f} %)"
    )
    note = (
        f"Latencies of cortex-m4 are modelled, not measured: by multiply-accumulates alone, "
        f"fitted to the four networks of MLPerf Tiny on an STM32L4R5 with X-CUBE-AI, each "
        f"predicted from the others to {100 * MEAN_ERROR:.0f} % on average and "
        f"{100 * LARGEST_ERROR:.0f} % at most."
    )

    def cycles(self, tflite: bytes) -> float:
        """Return the cycles of one inference of an int8 model.

        Raises:
            ConversionError: If it has operators like none that was measured.
        """
        return CYCLES_PER_MAC * sum(cost.macs for cost in known_costs(tflite, "Cortex-M4"))
