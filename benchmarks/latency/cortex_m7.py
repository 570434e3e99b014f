"""Fit the model of a Cortex-M7 to published measurements: python -m benchmarks.latency.cortex_m7

All are int8 networks run by STM32Cube.AI 10.0.0 on an STM32H747I-DISCO, one core at 400 MHz, as
README files of STMicroelectronics/stm32ai-modelzoo at commit 6f10965e list them (folders
image_classification/mobilenetv1, mobilenetv2 and fdmobilenet, tables "Reference MCU inference
time"). The files themselves lie in Git LFS, so operators are counted from the published
architectures: Howard et al. 2017, Sandler et al. 2018, Qin et al. 2018.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MHZ = 400


class Network:
    """Counts what a network of convolutions does, layer by layer, int8.

    Args:
        side: Height of the input.
        channels: Of the input.
        width: Of the input, if it is no square.
    """

    def __init__(self, side: int, channels: int = 3, width: int | None = None) -> None:
        self.side, self.channels = side, channels
        self.width = side if width is None else width
        self.macs = self.depthwise_macs = self.moved_bytes = self.weight_bytes = 0

    @property
    def costs(self) -> tuple[int, int, int]:
        """What the model of time goes by."""
        return self.macs, self.moved_bytes, self.weight_bytes

    @property
    def area(self) -> int:
        """Places of an activation."""
        return self.side * self.width

    def conv(
        self, filters: int, kernel: int = 1, stride: int = 1, kernel_width: int | None = None
    ) -> Network:
        """Add a convolution with padding."""
        weights = kernel * (kernel_width or kernel) * self.channels * filters
        read = self.area * self.channels
        self._strided(stride)
        self.channels = filters
        self.macs += self.area * weights
        return self._moved(read, weights)

    def depthwise(self, stride: int = 1) -> Network:
        """Add a depthwise 3x3 convolution with padding."""
        read = self.area * self.channels
        self._strided(stride)
        self.depthwise_macs += self.area * 9 * self.channels
        return self._moved(read, 9 * self.channels)

    def add(self) -> Network:
        """Add a shortcut."""
        return self._moved(2 * self.area * self.channels, 0)

    def head(self, classes: int) -> Network:
        """Add global average pooling and a dense layer."""
        read, self.side, self.width = self.area * self.channels, 1, 1
        self._moved(read, 0)
        return self.conv(classes)

    def _moved(self, read: int, weights: int) -> Network:
        self.moved_bytes += read + self.area * self.channels
        self.weight_bytes += weights
        return self

    def _strided(self, stride: int) -> None:
        self.side, self.width = math.ceil(self.side / stride), math.ceil(self.width / stride)


def mobilenet_v1(alpha: float, side: int, classes: int, channels: int = 3) -> Network:
    """MobileNet of one width."""
    rows = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]
    return _separable(alpha, Network(side, channels), [*rows, (1024, 2), (1024, 1)], classes)


def fd_mobilenet(alpha: float, side: int, classes: int) -> Network:
    """FD-MobileNet of one width: half the layers, downsampled sooner."""
    rows = [(64, 2), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 4, (1024, 1)]
    return _separable(alpha, Network(side), rows, classes)


def mobilenet_v2(alpha: float, side: int, classes: int) -> Network:
    """MobileNetV2 of one width."""
    network = Network(side).conv(_by_eight(32 * alpha), 3, 2)
    for expansion, filters, times, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):  # fmt: skip
        for number in range(times):
            before, after = network.channels, _by_eight(filters * alpha)
            if expansion > 1:
                network.conv(before * expansion)
            network.depthwise(stride if number == 0 else 1).conv(after)
            if number > 0:
                network.add()
    return network.conv(max(1280, _by_eight(1280 * alpha))).head(classes)


def _separable(
    alpha: float, network: Network, rows: list[tuple[int, int]], classes: int
) -> Network:
    network.conv(int(32 * alpha), 3, 2)
    for filters, stride in rows:
        network.depthwise(stride).conv(int(filters * alpha))
    return network.head(classes)


def _by_eight(filters: float) -> int:
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


class Measured(NamedTuple):
    """A published inference time."""

    family: str
    name: str
    network: Network
    milliseconds: float


MEASURED = (
    Measured("v1", "MobileNetV1 0.25, 224, flowers", mobilenet_v1(0.25, 224, 5), 163.78),
    Measured("v1", "MobileNetV1 0.5, 224, flowers", mobilenet_v1(0.5, 224, 5), 485.79),
    Measured("v1", "MobileNetV1 0.25, 96, flowers", mobilenet_v1(0.25, 96, 5), 29.94),
    Measured("v1", "MobileNetV1 0.25, 96, gray", mobilenet_v1(0.25, 96, 5, 1), 28.34),
    Measured("v1", "MobileNetV1 0.25, 224, ImageNet", mobilenet_v1(0.25, 224, 1000), 166.75),
    Measured("v1", "MobileNetV1 0.5, 224, ImageNet", mobilenet_v1(0.5, 224, 1000), 504.37),
    Measured("v1", "MobileNetV1 1.0, 224, ImageNet", mobilenet_v1(1.0, 224, 1000), 1641.84),
    Measured("fd", "FD-MobileNet 0.25, 224, flowers", fd_mobilenet(0.25, 224, 5), 53.52),
    Measured("fd", "FD-MobileNet 0.25, 128, flowers", fd_mobilenet(0.25, 128, 5), 17.73),
    Measured("v2", "MobileNetV2 0.35, 128, flowers", mobilenet_v2(0.35, 128, 5), 94.34),
    Measured("v2", "MobileNetV2 0.35, 224, flowers", mobilenet_v2(0.35, 224, 5), 290.75),
    Measured("v2", "MobileNetV2 0.35, 128, ImageNet", mobilenet_v2(0.35, 128, 1000), 116.13),
    Measured("v2", "MobileNetV2 0.35, 224, ImageNet", mobilenet_v2(0.35, 224, 1000), 313.92),
    Measured("v2", "MobileNetV2 1.0, 224, ImageNet", mobilenet_v2(1.0, 224, 1000), 1106.64),
    Measured("v2", "MobileNetV2 1.4, 224, ImageNet", mobilenet_v2(1.4, 224, 1000), 2010.66),
)

_COSTS = np.array([one.network.costs for one in MEASURED], float)
_CYCLES = np.array([one.milliseconds * MHZ * 1e3 for one in MEASURED])
_FAMILIES = np.array([one.family for one in MEASURED])


def fitted(kept: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float64]:
    """Return cycles per MAC, per byte moved and per byte of weights: least relative squares.

    Args:
        kept: Which measurements to fit to; None for all.
    """
    kept = np.ones(len(_CYCLES), bool) if kept is None else kept
    relative = _COSTS[kept] / _CYCLES[kept, None]
    return np.asarray(np.linalg.lstsq(relative, np.ones(kept.sum()), rcond=None)[0])


def errors_left_out(groups: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Return the relative error of each measurement, predicted from all other groups."""
    predicted = [
        cost @ fitted(groups != group) for cost, group in zip(_COSTS, groups, strict=True)
    ]
    return np.asarray(np.array(predicted) / _CYCLES - 1)


def errors_leaving_one_out() -> npt.NDArray[np.float64]:
    """Return the relative error of each measurement, predicted from the others."""
    return errors_left_out(np.array([one.name for one in MEASURED]))


def errors_leaving_families_out() -> npt.NDArray[np.float64]:
    """Return the relative error of each measurement, predicted from other families."""
    return errors_left_out(_FAMILIES)


def main() -> None:
    """Print the fit and its errors."""
    mac, moved, weight = fitted()
    print(f"cycles: {mac:.3f} a MAC, {moved:.2f} a byte moved, {weight:.3f} a byte of weights")
    one, family = errors_leaving_one_out(), errors_leaving_families_out()
    for measured, error, other in zip(MEASURED, one, family, strict=True):
        print(
            f"{measured.name:34s} {measured.milliseconds:8.2f} ms  "
            f"left out {100 * error:+5.1f} %  its family left out {100 * other:+5.1f} %"
        )
    for name, errors in (("one", one), ("a family", family)):
        found = np.abs(errors)
        print(
            f"leaving {name} out: {100 * found.mean():.1f} % on average, {100 * found.max():.1f} %"
        )


if __name__ == "__main__":
    main()
