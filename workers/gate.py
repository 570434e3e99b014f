"""The gate: size and latency of a configuration before any training.

Two of the three objectives do not depend on trained weights. The gate converts the untrained
network under the trial's scheme, with the smallest random weights masked to the target
sparsity, and measures it. What is clearly over a limit, or cannot be converted at all, is told
as infeasible for the price of a second instead of a training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spaces.config import PruningConfig
from spaces.errors import ConversionError
from spaces.schemes import SCHEMES, QuantizationScheme
from workers.result import EvaluateRequest, SizeMetric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from workers.devices import Device

SIZE_TOLERANCE = 0.10
LATENCY_TOLERANCE = 0.25
"""How far over a limit a prediction must be before it counts.

Trained weights compress a little better or worse than random ones, and a latency measured
while other workers train is noisy. Between the limit and the limit plus tolerance the trial
is trained and judged by what it really measures.
"""


@dataclass(frozen=True)
class Gate:
    """What is known of a configuration before training.

    Attributes:
        size_bytes: Predicted size by the study's metric; None if it cannot be converted.
        latency_ms: Measured latency; None if it cannot be converted.
        reason: Why training would be wasted; empty if it would not.
    """

    size_bytes: float | None
    latency_ms: float | None
    reason: str = ""


def check_gate(
    model: Any,
    request: EvaluateRequest,
    representative_images: npt.NDArray[np.float32],
    device: Device,
) -> Gate:
    """Convert and measure an untrained network.

    Args:
        model: Untrained Keras model; its weights are changed.
        request: The trial, with its limits.
        representative_images: Float images for schemes that calibrate.
        device: Whose latency is measured.
    """
    from workers.convert import float_tflite, quantize_variant
    from workers.prune import mask_smallest

    config = request.config
    # Quantization-aware training ends in the same format as full-integer quantization.
    scheme = config.quantization
    if scheme is QuantizationScheme.QAT_INT8:
        scheme = QuantizationScheme.INT8

    try:
        tflite = quantize_variant(float_tflite(model), scheme, representative_images)
        latency_ms = device.measure(tflite).median_ms
        if config.pruning.is_active:
            # For the size only: masked at random, a narrow network may be one that no runtime
            # takes, where a trained one is not.
            mask_smallest(model, config.pruning.final_sparsity)
            tflite = quantize_variant(float_tflite(model), scheme, representative_images)
    except ConversionError as error:
        return Gate(None, None, f"cannot be converted: {error}")
    size_bytes = _predicted_size(tflite, request.size_metric, scheme, config.pruning)
    return Gate(size_bytes, latency_ms, _broken_limit(request, size_bytes, latency_ms))


def _predicted_size(
    tflite: bytes, metric: SizeMetric, scheme: QuantizationScheme, pruning: PruningConfig
) -> float:
    """Return the size by ``metric``, from below where only training can tell."""
    from workers.sizes import gzip_size

    if metric == "gzip":
        return float(gzip_size(tflite))
    if not SCHEMES[scheme].sparse_encoding:
        return float(len(tflite))
    # Sparse encoding shrinks the file by what is zero, at most.
    return len(tflite) * (1.0 - pruning.final_sparsity)


def _broken_limit(request: EvaluateRequest, size_bytes: float, latency_ms: float) -> str:
    limits = request.limits
    if limits.max_size_bytes is not None:
        if size_bytes > limits.max_size_bytes * (1 + SIZE_TOLERANCE):
            return f"size {size_bytes:.0f} bytes exceeds the limit of {limits.max_size_bytes:.0f}"
    if limits.max_latency_ms is not None:
        if latency_ms > limits.max_latency_ms * (1 + LATENCY_TOLERANCE):
            return f"latency {latency_ms:.3g} ms exceeds the limit of {limits.max_latency_ms:.3g}"
    return ""
