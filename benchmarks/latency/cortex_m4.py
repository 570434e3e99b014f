"""Fit the model of a Cortex-M4 to published measurements: python -m benchmarks.latency.cortex_m4

The four int8 networks of MLPerf Tiny, run by STMicroelectronics with X-CUBE-AI 10.2 on a
NUCLEO-L4R5ZI-P at 120 MHz: median throughputs in mlcommons/tiny_results_v1.3 at commit cd605ea0,
files closed/STMicroelectronics/results/NUCLEO_L4R5ZI-P/{ad,kws,ic,vww}/performance/results.txt.
The clock stands in closed/STMicroelectronics/systems/NUCLEO_L4R5ZI-P.json.

Four measurements bear one number: cycles a multiply-accumulate. With a second one (bytes moved,
weights, operators) the left-out errors get no smaller, or hang on which network is left out.

The same networks on a Cortex-M7 other than the one that `cortex_m7` is fitted to show how far that
carries: NUCLEO-H7A3ZI-Q at 280 MHz, X-CUBE-AI 8.1, in mlcommons/tiny_results_v1.1 at commit
c32ef94d, closed/STMicroelectronics/results/NUCLEO_H7A3ZI_Q/.../performance/results.txt.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.latency.cortex_m7 import Network, fitted, mobilenet_v1

MHZ, M7_MHZ = 120, 280


def autoencoder() -> Network:
    """Anomaly detection: dense layers on 640 numbers."""
    network = Network(1, 640)
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128, 640):
        network.conv(units)
    return network


def ds_cnn() -> Network:
    """Keyword spotting: a depthwise separable network on 49x10 features."""
    network = Network(49, 1, width=10).conv(64, 10, 2, kernel_width=4)
    for _ in range(4):
        network.depthwise().conv(64)
    return network.head(12)


def resnet_8() -> Network:
    """Image classification: 32x32 pixels, three blocks."""
    network = Network(32).conv(16, 3)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        if stride > 1:
            shortcut = Network(network.side, network.channels).conv(filters, 1, stride)
            network.macs += shortcut.macs
            network.moved_bytes += shortcut.moved_bytes
            network.weight_bytes += shortcut.weight_bytes
        network.conv(filters, 3, stride).conv(filters, 3).add()
    return network.head(10)


NETWORKS = {
    "ad": autoencoder(),
    "kws": ds_cnn(),
    "ic": resnet_8(),
    "vww": mobilenet_v1(0.25, 96, 2),
}
PER_SECOND = {"ad": 208.608, "kws": 23.032, "ic": 6.036, "vww": 11.181}
"""Inferences a second on the Cortex-M4."""

M7_PER_SECOND = {"ad": 549.973, "kws": 65.133, "ic": 19.250, "vww": 33.751}

_MACS = np.array([one.macs + one.depthwise_macs for one in NETWORKS.values()], float)
_CYCLES = MHZ * 1e6 / np.array(list(PER_SECOND.values()))


def cycles_per_mac(kept: npt.NDArray[np.bool_] | None = None) -> float:
    """Return cycles a multiply-accumulate: least relative squares.

    Args:
        kept: Which measurements to fit to; None for all.
    """
    relative = _MACS / _CYCLES
    relative = relative if kept is None else relative[kept]
    return float(relative.sum() / (relative**2).sum())


def errors_leaving_one_out() -> npt.NDArray[np.float64]:
    """Return the relative error of each measurement, predicted from the others."""
    places = np.arange(len(_MACS))
    predicted = [cycles_per_mac(places != place) for place in places] * _MACS
    return np.asarray(predicted / _CYCLES - 1)


def errors_of_the_m7() -> npt.NDArray[np.float64]:
    """Return the relative errors of the Cortex-M7's model on a chip it was not fitted to."""
    costs = np.array([one.costs for one in NETWORKS.values()], float)
    cycles = M7_MHZ * 1e6 / np.array(list(M7_PER_SECOND.values()))
    return np.asarray(costs @ fitted() / cycles - 1)


def main() -> None:
    """Print the fit and its errors."""
    print(f"cycles: {cycles_per_mac():.3f} a MAC")
    errors = errors_leaving_one_out()
    for name, error, m7 in zip(NETWORKS, errors, errors_of_the_m7(), strict=True):
        milliseconds = 1000 / PER_SECOND[name]
        print(
            f"{name:4s} {milliseconds:8.2f} ms  left out {100 * error:+5.1f} %  "
            f"Cortex-M7's model on an STM32H7A3 {100 * m7:+5.1f} %"
        )
    found = np.abs(errors)
    print(f"leaving one out: {100 * found.mean():.1f} % on average, {100 * found.max():.1f} %")


if __name__ == "__main__":
    main()
