"""The gate: size and latency of a configuration before any training.

Two of the three objectives do not depend on trained weights. The gate converts the untrained
network under the trial's scheme, with the smallest random weights masked to the target
sparsity, and measures it. What is clearly over a limit, or cannot be converted at all, is told
as infeasible for the price of a second instead of a training.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.config.trial import PruningConfig
from spaces.errors import ConversionError
from spaces.space.compression import QAT_LAYERS, unsupported_layers
from workers.hypermodels.layers import layer_names
from workers.messages.result import EvaluateRequest, SizeMetric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from workers.devices.device import Device, Measurement

SIZE_TOLERANCE = 0.10
LATENCY_TOLERANCE = 0.25
"""How far over a limit a prediction must be before it counts.

Trained weights compress a little better or worse than random ones, and a latency measured
while other workers train is noisy. Between the limit and the limit plus tolerance the trial
is trained and judged by what it really measures.
"""

RAM_TOLERANCE = 0.05
"""The same for RAM, of devices whose figures depend on weights. Elsewhere an untrained network
tells it, to within some bytes less: biases that are still zero share one tensor."""


@dataclass(frozen=True)
class Gate:
    """What is known of a configuration before training.

    Attributes:
        size_bytes: Predicted size by the study's metric; None if it cannot be converted.
        latency_ms: Measured latency; None if it cannot be converted.
        reason: Why training would be wasted; empty if it would not.
        ram_bytes: RAM of an inference, where the device tells.
        models: Size and latency of every model that the training is to give, where a race
            asks for it.
    """

    size_bytes: float | None
    latency_ms: float | None
    reason: str = ""
    ram_bytes: float | None = None
    models: tuple[tuple[float, float], ...] = ()


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
    from workers.conversion.convert import float_tflite
    from workers.training.prune import mask_smallest

    pruning = request.config.pruning
    own = request.config.quantization
    refused = unsupported_layers(layer_names(model), QAT_LAYERS)
    if own is QuantizationScheme.QAT_INT8 and refused:
        # Only some networks of the task are such: training would end in this too.
        return Gate(None, None, f"quantization-aware training does not take {', '.join(refused)}")
    try:
        dense = masked = float_tflite(model)
        if pruning.is_active:
            # Only where weights decide: masked at random, a narrow network may be one that no
            # runtime takes, where a trained one is not.
            mask_smallest(model, pruning.final_sparsity)
            masked = float_tflite(model)
        predict = _Predictor(request, dense, masked, representative_images, device)
        size_bytes, found = predict(own, exact=request.limits.max_latency_ms is not None)
    except ConversionError as error:
        return Gate(None, None, f"cannot be converted: {error}")
    latency_ms = found.latency.median_ms
    reason = _broken_limit(request, size_bytes, found, device)
    if reason or request.race is None or not request.race.can_judge:
        return Gate(size_bytes, latency_ms, reason, found.ram_bytes)
    models = [(size_bytes, latency_ms)]
    left_out = {own}
    if QuantizationScheme.FLOAT32 in device.schemes:
        # As accurate as float32, and many times slower.
        left_out.add(QuantizationScheme.INT16X8)
    for scheme in POST_TRAINING_SCHEMES if request.fan_out else ():
        if scheme in device.schemes and scheme not in left_out:
            with contextlib.suppress(ConversionError):
                size, other = predict(scheme)
                models.append((size, other.latency.median_ms))
    return Gate(size_bytes, latency_ms, reason, found.ram_bytes, models=tuple(models))


@dataclass(frozen=True)
class _Predictor:
    """Size and measurement of an untrained network under one scheme after the other."""

    request: EvaluateRequest
    dense: bytes
    masked: bytes
    images: npt.NDArray[np.float32]
    device: Device

    def __call__(
        self, scheme: QuantizationScheme, exact: bool = False
    ) -> tuple[float, Measurement]:
        """Return the size in bytes, and what the device tells.

        Args:
            scheme: To convert to.
            exact: Whether the latency is measured as that of a trained model, or roughly.

        Raises:
            ConversionError: If the network cannot be converted or run.
        """
        from workers.conversion.convert import quantize_variant

        # Quantization-aware training ends in the same format as full-integer quantization.
        if scheme is QuantizationScheme.QAT_INT8:
            scheme = QuantizationScheme.INT8
        device, metric = self.device, self.request.size_metric
        measured = self.masked if device.depends_on_weights else self.dense
        tflite = quantize_variant(measured, scheme, self.images)
        found = device.measure(tflite) if exact else device.estimate(tflite)
        if metric == "flash":
            if found.flash_bytes is None:
                raise ConversionError(f"{device.name} does not tell what it takes of its flash")
            return float(found.flash_bytes), found
        if measured is not self.masked:
            tflite = quantize_variant(self.masked, scheme, self.images)
        return _predicted_size(tflite, metric, scheme, self.request.config.pruning), found


def _predicted_size(
    tflite: bytes, metric: SizeMetric, scheme: QuantizationScheme, pruning: PruningConfig
) -> float:
    """Return the size by ``metric``, from below where only training can tell."""
    from workers.conversion.sizes import gzip_size

    if metric == "gzip":
        return float(gzip_size(tflite))
    if not SCHEMES[scheme].sparse_encoding:
        return float(len(tflite))
    # Sparse encoding shrinks the file by what is zero, at most.
    return len(tflite) * (1.0 - pruning.final_sparsity)


def _broken_limit(
    request: EvaluateRequest, size_bytes: float, found: Measurement, device: Device
) -> str:
    limits = request.limits
    latency_ms, ram_bytes = found.latency.median_ms, found.ram_bytes
    if limits.max_size_bytes is not None:
        if size_bytes > limits.max_size_bytes * (1 + SIZE_TOLERANCE):
            return f"size {size_bytes:.0f} bytes exceeds the limit of {limits.max_size_bytes:.0f}"
    if limits.max_latency_ms is not None:
        if latency_ms > limits.max_latency_ms * (1 + LATENCY_TOLERANCE):
            return f"latency {latency_ms:.3g} ms exceeds the limit of {limits.max_latency_ms:.3g}"
    if limits.max_ram_bytes is not None and ram_bytes is not None:
        tolerance = RAM_TOLERANCE if device.depends_on_weights else 0.0
        if ram_bytes > limits.max_ram_bytes * (1 + tolerance):
            return f"RAM {ram_bytes:.0f} bytes exceeds the limit of {limits.max_ram_bytes:.0f}"
    return ""
