"""The gate: sizes and latencies of a configuration before any training.

Two of the three objectives do not depend on trained weights. The gate converts the untrained
network, with the smallest random weights masked to the target sparsity, and measures it: under
the trial's own scheme, and, where that breaks a limit, under those that its training would be
measured under too. A configuration of which no model keeps the limits, or none can be converted,
is told as infeasible for the price of a second instead of a training; unless a branch could prune
it until one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.config.trial import PruningConfig
from spaces.errors import ConversionError
from spaces.space.compression import QAT_LAYERS, unsupported_layers
from workers.hypermodels.layers import layer_names
from workers.messages.fan_out import at_best, estimated, is_costly
from workers.messages.limits import Foreseen, Limits, Tolerances, may_keep, refusal, tolerances
from workers.messages.result import EvaluateRequest, SizeMetric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from workers.devices.device import Device


@dataclass(frozen=True)
class Gate:
    """What is known of a configuration before training.

    Attributes:
        size_bytes: Predicted size by the study's metric under the trial's own scheme; None if
            that cannot be converted.
        latency_ms: Latency under that scheme, at the machine's speed of the study's start; None
            if it cannot be converted.
        reason: Why training would be wasted; empty if it would not.
        ram_bytes: RAM of an inference, where the device tells.
        models: Size and latency of every model that the training is to give and that may keep
            the limits, where a race asks for it.
        foreseen: All that was looked at, by scheme.
        foreseen_at_ms: What the reference network takes at the speed that latencies are scaled
            to; None where they belong to no such scale.
        at_best: What models that were looked at may be like once they are trained, by scheme.
    """

    size_bytes: float | None
    latency_ms: float | None
    reason: str = ""
    ram_bytes: float | None = None
    models: tuple[tuple[float, float], ...] = ()
    foreseen: Mapping[QuantizationScheme, Foreseen] = field(default_factory=dict)
    foreseen_at_ms: float | None = None
    at_best: Mapping[QuantizationScheme, Foreseen] = field(default_factory=dict)


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
    refused = unsupported_layers(layer_names(model), QAT_LAYERS)
    if request.config.quantization is QuantizationScheme.QAT_INT8 and refused:
        # Only some networks of the task are such: training would end in this too.
        return Gate(None, None, f"quantization-aware training does not take {', '.join(refused)}")
    try:
        dense = masked = float_tflite(model)
        if pruning.is_active:
            # Only where weights decide: masked at random, a narrow network may be one that no
            # runtime takes, where a trained one is not.
            mask_smallest(model, pruning.final_sparsity)
            masked = float_tflite(model)
    except ConversionError as error:
        return Gate(None, None, f"cannot be converted: {error}")
    predictor = _Predictor(request, dense, masked, representative_images, device)
    gate = _judged(predictor)
    if gate.reason and predictor.foreseen and request.branch_sparsity > pruning.final_sparsity:
        mask_smallest(model, request.branch_sparsity)
        if _branch_may_keep(predictor, float_tflite(model)):
            return replace(gate, reason="")
    return gate


def _branch_may_keep(predictor: _Predictor, masked: bytes) -> bool:
    """Whether a training that breaks a limit in all its models can be pruned until one does not.

    Without the gate it would be trained, and branches would start from its weights.
    """
    request = predictor.request
    config = request.config
    branch = PruningConfig("constant", request.branch_sparsity, 0.0, 0.5)
    pruned = replace(
        predictor,
        request=replace(request, config=replace(config, pruning=branch)),
        masked=masked,
        foreseen={},
        bounds={},
        problems={},
    )
    for scheme in predictor.foreseen:
        # QAT is no part of a branch that prunes; int8 has the same format.
        pruned.look(scheme, exact=request.limits.max_latency_ms is not None)
        if pruned.may_keep(scheme):
            return True
    return False


def measured_schemes(request: EvaluateRequest, device: Device) -> list[QuantizationScheme]:
    """Return the schemes that a trial's training is measured under, its own first."""
    own = request.config.quantization
    if not request.fan_out:
        return [own]
    return [own, *(s for s in POST_TRAINING_SCHEMES if s is not own and s in device.schemes)]


def _judged(predictor: _Predictor) -> Gate:
    """Look at one model after the other, for as long as that may change what is decided."""
    request, device = predictor.request, predictor.device
    limits, own = request.limits, request.config.quantization
    schemes = measured_schemes(request, device)
    is_raced = request.race is not None and request.race.can_judge
    may_keep_limits = False
    for scheme in schemes:
        if may_keep_limits and not is_raced:
            break
        # What decides is measured as a trained model is, or roughly.
        predictor.look(scheme, exact=limits.max_latency_ms is not None and not may_keep_limits)
        may_keep_limits = may_keep_limits or predictor.may_keep(scheme)
    foreseen = predictor.foreseen
    reason = ""
    if not may_keep_limits:
        reason = _refusal(foreseen, predictor.problems, limits, schemes)
    found = foreseen.get(own)
    return Gate(
        None if found is None else found.size_bytes,
        None if found is None else found.latency_ms,
        reason,
        None if found is None else found.ram_bytes,
        models=_raced_models(predictor, schemes) if is_raced and not reason else (),
        foreseen=dict(foreseen),
        foreseen_at_ms=predictor.foreseen_at_ms,
        at_best=predictor.at_best(),
    )


def _refusal(
    foreseen: Mapping[QuantizationScheme, Foreseen],
    problems: Mapping[QuantizationScheme, str],
    limits: Limits,
    schemes: Sequence[QuantizationScheme],
) -> str:
    if foreseen:
        return refusal(foreseen, limits, len(schemes))
    return f"cannot be converted: {problems[schemes[0]]}"


def _raced_models(
    predictor: _Predictor, schemes: Sequence[QuantizationScheme]
) -> tuple[tuple[float, float], ...]:
    """Return the models that may get onto the front.

    What breaks a limit never does, however fast it is, and so must not keep a training alive.
    """
    left_out: set[QuantizationScheme] = set()
    if QuantizationScheme.FLOAT32 in predictor.device.schemes:
        # As accurate as float32, and many times slower.
        left_out.add(QuantizationScheme.INT16X8)
    kept = [scheme for scheme in schemes if predictor.may_keep(scheme)]
    raced = [scheme for scheme in kept if scheme is schemes[0] or scheme not in left_out]
    found = [
        predictor.bounds.get(scheme) or predictor.foreseen[scheme] for scheme in raced or kept
    ]
    return tuple((one.size_bytes, one.latency_ms) for one in found)


@dataclass
class _Predictor:
    """Size and measurement of an untrained network under one scheme after the other.

    Attributes:
        foreseen: What is known, by scheme.
        bounds: What models may be like at best that were not converted.
        problems: Why schemes cannot be converted or run.
        foreseen_at_ms: What the reference network takes at the speed of the latencies.
    """

    request: EvaluateRequest
    dense: bytes
    masked: bytes
    images: npt.NDArray[np.float32]
    device: Device
    foreseen: dict[QuantizationScheme, Foreseen] = field(default_factory=dict)
    bounds: dict[QuantizationScheme, Foreseen] = field(default_factory=dict)
    problems: dict[QuantizationScheme, str] = field(default_factory=dict)
    foreseen_at_ms: float | None = None

    def look(self, scheme: QuantizationScheme, *, exact: bool) -> None:
        """Convert and measure under a scheme; or judge by the float32 model, where that will do.

        Args:
            scheme: To convert to.
            exact: Whether the latency is measured as that of a trained model, or roughly.
        """
        try:
            if self._is_told_by_float32(scheme):
                self.foreseen[scheme] = estimated(self._float32, scheme)
                self.bounds[scheme] = at_best(self._float32, scheme)
            else:
                self.foreseen[scheme] = self._predicted(scheme, exact)
        except ConversionError as error:
            self.problems[scheme] = str(error)

    def may_keep(self, scheme: QuantizationScheme) -> bool:
        """Whether a model that was looked at may keep the limits once it is trained."""
        if scheme in self.bounds:
            return may_keep(self.bounds[scheme], self.request.limits)
        found = self.foreseen.get(scheme)
        return found is not None and may_keep(found, self.request.limits, self._tolerated(scheme))

    def at_best(self) -> dict[QuantizationScheme, Foreseen]:
        """Return what models that were looked at may be like once they are trained."""
        best = dict(self.bounds)
        for scheme, found in self.foreseen.items():
            if scheme not in best:
                tolerated = self._tolerated(scheme)
                best[scheme] = Foreseen(
                    found.size_bytes / (1 + tolerated["size"]),
                    found.latency_ms / (1 + tolerated["latency"]),
                )
        return best

    def _is_told_by_float32(self, scheme: QuantizationScheme) -> bool:
        """Whether a scheme is not worth converting to, only to look at it.

        So it is where that takes long, and what the model may be like at best decides: it breaks
        a limit, or there is none that even the float32 model breaks.
        """
        device, limits = self.device, self.request.limits
        if not is_costly(len(self.dense), scheme) or self.request.size_metric == "flash":
            return False
        if QuantizationScheme.FLOAT32 not in device.schemes or limits.max_ram_bytes is not None:
            return False
        if not may_keep(at_best(self._float32, scheme), limits):
            return True
        is_own = scheme is self.request.config.quantization
        return not is_own and may_keep(self._float32, limits)

    @cached_property
    def _float32(self) -> Foreseen:
        """What the float32 model is like, without what only sparse encoding of floats saves."""
        found = self._predicted(QuantizationScheme.FLOAT32, exact=False)
        if self.request.size_metric == "gzip":
            return found
        return Foreseen(float(len(self.dense)), found.latency_ms)

    def _tolerated(self, scheme: QuantizationScheme) -> Tolerances:
        depends = self.device.depends_on_weights
        metric = self.request.size_metric
        is_compressed = metric == "gzip" or (metric == "flash" and depends)
        return tolerances(scheme, is_compressed=is_compressed, depends_on_weights=depends)

    def _predicted(self, scheme: QuantizationScheme, exact: bool) -> Foreseen:
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
            size_bytes = float(found.flash_bytes)
        else:
            if measured is not self.masked:
                tflite = quantize_variant(self.masked, scheme, self.images)
            size_bytes = _predicted_size(tflite, metric, scheme, self.request.config.pruning)
        if self.foreseen_at_ms is None and found.latency.reference_ratio is not None:
            # Before a study's first model there is only the speed of now.
            self.foreseen_at_ms = self.request.baseline_ms or found.latency.reference_ms
        scaled = found.latency.scaled_to(self.foreseen_at_ms)
        return Foreseen(size_bytes, scaled.latency_ms, found.ram_bytes)


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
