"""A Cortex-M7 without a board: time by a model of operators, fitted to published measurements.

An int8 inference takes ::

    cycles = 0.973 * MACs of convolutions and dense layers, depthwise ones not counted
           + 10.81 * bytes of activations that operators read and write
           + 3.618 * bytes of weights

Depthwise convolutions are bound by the bytes they move: their arithmetic explains nothing more.
The three numbers are the least relative squares over 15 networks (MobileNetV1 0.25 to 1.0,
FD-MobileNet 0.25, MobileNetV2 0.35 to 1.4; 96 to 224 pixels) that STMicroelectronics measured with
STM32Cube.AI 10.0.0 on an STM32H747I-DISCO at 400 MHz; ``benchmarks/latency/cortex_m7.py`` has each
with its source, and fits them anew. Predicted from the 14 others, a network is off by 3 % on
average and 13 % at most; from the other families only, by 4 % and 15 %.

What it does not know: other runtimes, such as tflite-micro with CMSIS-NN; wide 3x3 convolutions;
other chips and memories. Of MLPerf Tiny's networks on an STM32H7A3 with X-CUBE-AI 8.1 (in
``benchmarks/latency/cortex_m4.py``) it foresees the convolutional ones by 8 % too fast to 52 % too
slow, and the dense one 2.5 times too slow. Cycles are taken to be the same at every clock: ST's
own FD-MobileNet took 38.1 and 12.8 million of them at 216 MHz (STM32F769I-DISCO), and 40.8 and
12.9 million at 400 MHz.

There is no such device for Cortex-M55: what we found published was measured with an NPU beside it.
"""

from __future__ import annotations

from workers.devices.cortex_m import CortexM, known_costs

CYCLES_PER_MAC = 0.973
CYCLES_PER_MOVED_BYTE = 10.81
CYCLES_PER_WEIGHT_BYTE = 3.618
"""Of int8 networks; see the module's own text."""

MEAN_ERROR, LARGEST_ERROR = 0.032, 0.13
"""Of a network predicted from the other measurements, as fractions."""


class CortexM7(CortexM):
    """A Cortex-M7 at one clock."""

    core = "cortex-m7"
    usual_mhz = 400
    runtime = (
        f"STM32Cube.AI 10.0 (leave-one-out error {100 * MEAN_ERROR:.0f} %, at most "
        f"{100 * LARGEST_ERROR:.0f} %)"
    )
    note = (
        f"Latencies of cortex-m7 are modelled, not measured: fitted to 15 networks on an "
        f"STM32H747 with STM32Cube.AI, each predicted from the others to {100 * MEAN_ERROR:.0f} % "
        f"on average and {100 * LARGEST_ERROR:.0f} % at most; on another chip, an STM32H7A3, "
        f"by up to 52 %, and dense networks more."
    )

    def cycles(self, tflite: bytes) -> float:
        """Return the cycles of one inference of an int8 model.

        Raises:
            ConversionError: If it has operators like none that was measured.
        """
        cycles = 0.0
        for cost in known_costs(tflite, "Cortex-M7"):
            macs = 0 if cost.name == "DEPTHWISE_CONV_2D" else cost.macs
            cycles += CYCLES_PER_MAC * macs + CYCLES_PER_MOVED_BYTE * cost.moved_bytes
            cycles += CYCLES_PER_WEIGHT_BYTE * cost.weight_bytes
        return cycles
