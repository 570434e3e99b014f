"""Parameters and work of a recorded network, from its configuration alone.

What ``spaces.networks.families.ConvBlocks`` builds, counted without building it. How many bytes a
model has and how long it takes follows from these numbers nearly alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spaces.config.trial import ParamValue

KERNEL = 3
STRIDE_SIDE, MIN_SIDE_TO_HALVE = 64, 4
KINDS = ("first", "pooling", "plain", "depthwise", "pointwise", "dense")
PRUNABLE = ("first", "pooling", "plain", "pointwise", "dense")


@dataclass
class Shape:
    """What a network is made of.

    Attributes:
        n_params: Weights and biases, those of batch normalization among them.
        n_prunable: Weights that pruning takes: those of plain and pointwise convolutions and of
            dense layers.
        macs: Multiply-accumulates of one inference.
        n_layers: Convolutions and dense layers.
        first_macs: Multiply-accumulates of the first block and of input pooling.
        n_activations: Values that layers put out.
        macs_of: Multiply-accumulates by kind of layer, one of ``KINDS``.
        outputs_of: Values put out by kind of layer.
    """

    n_params: int = 0
    n_prunable: int = 0
    macs: int = 0
    n_layers: int = 0
    first_macs: int = 0
    n_activations: int = 0
    macs_of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    outputs_of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def add(self, kind: str, params: int, macs: int, outputs: int) -> None:
        """Add a layer of a kind."""
        self.n_params += params
        self.n_prunable += params if kind in PRUNABLE else 0
        self.macs_of[kind] += macs
        self.outputs_of[kind] += outputs
        self.macs += macs
        self.n_layers += 1
        self.n_activations += outputs


def shape_of(
    params: Mapping[str, ParamValue], input_shape: tuple[int, int, int], n_classes: int
) -> Shape:
    """Return what the network of a configuration is made of.

    Args:
        params: Of family ``cnn``; numbers of filters of blocks that it has, and so on.
        input_shape: Height (which is the width too) and channels.
        n_classes: Outputs.
    """
    side, _, channels = input_shape
    shape = Shape()
    pooling = int(params.get("input_pooling", 1))
    if pooling > 1:
        side //= pooling
        weights = pooling * pooling * channels * channels
        shape.add("pooling", weights, weights * side * side, side * side * channels)
    stride = 2 if side > STRIDE_SIDE else 1
    is_separable = params["convolution"] == "separable"
    for number in range(1, int(params["blocks"]) + 1):
        filters = int(params[f"filters_{number}"])
        for _ in range(int(params.get("convs_per_block", 1))):
            side = _side_after(side, stride, str(params.get("padding", "same")))
            if is_separable:
                weights = KERNEL * KERNEL * channels
                outputs = side * side * channels
                shape.add("depthwise", weights, weights * side * side, outputs)
                kernel, kind = 1, "pointwise"
            else:
                kernel, kind = KERNEL, "plain"
                if shape.macs_of["first"] == 0 and number == 1:
                    kind = "first"
            weights = kernel * kernel * channels * filters
            shape.add(kind, weights, weights * side * side, side * side * filters)
            shape.n_params += 4 * filters  # Batch normalization.
            channels, stride = filters, 1
        if number == 1:
            shape.first_macs = shape.macs
        if side >= MIN_SIDE_TO_HALVE:
            side //= 2
    features = channels if params["head"] == "average" else side * side * channels
    units = int(params.get("dense_units", 0))
    for outputs in (units, n_classes) if units else (n_classes,):
        shape.add("dense", features * outputs, features * outputs, outputs)
        shape.n_params += outputs
        features = outputs
    return shape


def _side_after(side: int, stride: int, padding: str) -> int:
    if padding == "same" or side < KERNEL:
        return -(-side // stride)
    return (side - KERNEL) // stride + 1
