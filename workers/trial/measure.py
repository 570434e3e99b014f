"""From trained weights to measured models: every scheme converted, scored and timed.

Latencies come last and together: while they are taken, in a quiet window, the other workers of
the node wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.data.dataset import Dataset, Split
from spaces.errors import ConversionError
from workers.messages.fan_out import passed_over
from workers.messages.hits import MAX_HITS, packed_hits
from workers.messages.limits import Foreseen
from workers.messages.result import EvaluateRequest, Ledger, Point, SizeMetric
from workers.training.compiled import own_training
from workers.training.losses import interface_of
from workers.trial.train_config import Stopwatch, Trained

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from workers.devices.device import Device
    from workers.latency.quiet_windows import QuietWindows

N_REPRESENTATIVE = 200
"""Training images that calibrate activation ranges; a few hundred are usual."""

MAX_SIBLING_SECONDS = 0.5
MAX_SIBLING_SHARE = 0.1
"""A sibling whose validation would take longer than this, and longer than this share of the
training it is derived from, is skipped: ``int16x8`` runs on reference kernels, some thirty
times slower than the rest, and took half of all measuring."""


def convert_trained(
    trained: Trained,
    scheme: QuantizationScheme,
    float_model: bytes,
    images: npt.NDArray[np.float32],
    size_metric: SizeMetric,
) -> tuple[bytes, Ledger]:
    """Convert trained weights to the file that is deployed under one scheme.

    With ``size_metric="tflite"`` that is the sparsity-encoded file where it is smaller and
    runs: what is counted is what ships.

    Raises:
        ConversionError: If the network cannot be converted, or the runtime cannot run it.
    """
    from workers.conversion.convert import qat_tflite, quantize_variant, sparse_tflite
    from workers.conversion.float_operations import float_operations
    from workers.conversion.sizes import ledger

    if scheme is QuantizationScheme.QAT_INT8:
        tflite = qat_tflite(trained.qat_model)
    else:
        tflite = quantize_variant(float_model, scheme, images)
    sparse = None
    if trained.sparsity.get("overall", 0.0) > 0 and SCHEMES[scheme].sparse_encoding:
        sparse = sparse_tflite(tflite)
    sizes = ledger(tflite, trained.model, sparse)
    if SCHEMES[scheme].is_integer:
        sizes = replace(sizes, float_operations=float_operations(tflite))
    if size_metric == "tflite" and sparse is not None and len(sparse) < len(tflite):
        tflite = sparse
    return tflite, sizes


@dataclass(frozen=True)
class _Converted:
    """A model which has its accuracy, and not yet its latency."""

    tflite: bytes
    sizes: Ledger
    scores: dict[str, float]
    confusion: tuple[tuple[int, ...], ...]
    hits: str
    metrics: Mapping[str, float]


def own_metrics(trained: Trained, tflite: bytes, split: Split) -> dict[str, float]:
    """Return what a model's ``compile`` names beside accuracy, of a file's answers on a split.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    from workers.conversion.accuracy import tflite_outputs
    from workers.training.own_metrics import measured

    metrics = own_training(trained.model).metrics
    if not metrics:
        return {}
    return measured(metrics, split.labels, tflite_outputs(tflite, split.images)[0])


def measure_points(
    trained: Trained,
    dataset: Dataset,
    request: EvaluateRequest,
    images: npt.NDArray[np.float32],
    watch: Stopwatch,
    windows: QuietWindows | None = None,
    at_best: Mapping[QuantizationScheme, Foreseen] = MappingProxyType({}),
    device: Device | None = None,
) -> tuple[dict[QuantizationScheme, Point], dict[QuantizationScheme, str]]:
    """Convert trained weights and measure them, under the trial's scheme and its siblings'.

    A scheme that cannot be converted or run is that point's failure, not the trial's; one that is
    not worth it (see :mod:`workers.messages.fan_out`) is passed over.

    Args:
        trained: What was trained.
        dataset: Accuracy is that on ``val``.
        request: The trial.
        images: Training images that calibrate activation ranges.
        watch: Takes the seconds by stage.
        windows: Quiet windows of this node; None to measure whatever else runs.
        at_best: What its models may be like, as far as the gate looked at them.
        device: Measures; None for the one that the request names, on this node.

    Returns:
        Measured points by scheme, and why others are missing.
    """
    from workers.conversion.convert import float_tflite
    from workers.devices.device import compare_on
    from workers.devices.registry import get_device

    if device is None:
        device = get_device(request.device, with_ram=request.limits.max_ram_bytes is not None)
    with watch.stage("convert"):
        float_model = float_tflite(trained.model)
    own = request.config.quantization
    schemes = [own]
    if request.fan_out:
        runnable = [scheme for scheme in POST_TRAINING_SCHEMES if scheme in device.schemes]
        schemes += [scheme for scheme in runnable if scheme not in schemes]
    train_s = watch.seconds.get("train", 0.0)
    skipped = passed_over(
        schemes[1:],
        float_bytes=len(float_model),
        float_s=watch.seconds.get("convert", 0.0),
        train_s=train_s,
        foreseen=at_best,
        race=request.race,
        accuracy=max(trained.history.get("val_accuracy", ())[-1:], default=1.0),
        n_images=len(dataset.val),
    )
    budget_s = max(MAX_SIBLING_SECONDS, MAX_SIBLING_SHARE * train_s)
    are_logits = interface_of(trained.model).are_logits
    converted: dict[QuantizationScheme, _Converted] = {}
    for scheme in schemes:
        if scheme in skipped:
            continue
        if windows is not None:
            windows.pause()
        try:
            with watch.stage("convert"):
                tflite, sizes = convert_trained(
                    trained, scheme, float_model, images, request.size_metric
                )
            with watch.stage("measure"):
                budget = None if scheme is own else budget_s
                scores, confusion, hits = _scores(tflite, dataset, budget, windows, are_logits)
                metrics = own_metrics(trained, tflite, dataset.val)
                sizes = compare_on(device, tflite, sizes, dataset.val.images)
        except ConversionError as error:
            skipped[scheme] = str(error)
        else:
            converted[scheme] = _Converted(tflite, sizes, scores, confusion, hits, metrics)
    points: dict[QuantizationScheme, Point] = {}
    with watch.stage("latency"):
        quiet = windows.window() if windows is not None and device.needs_quiet else None
        with quiet or nullcontext(False) as is_quiet:
            for scheme, model in converted.items():
                try:
                    points[scheme] = _point(scheme, model, request, device, windows, is_quiet)
                except ConversionError as error:
                    skipped[scheme] = str(error)
    return points, skipped


def _scores(
    tflite: bytes,
    dataset: Dataset,
    budget_s: float | None,
    windows: QuietWindows | None,
    are_logits: bool,
) -> tuple[dict[str, float], tuple[tuple[int, ...], ...], str]:
    """Return accuracy and its like, what was taken for what, and hits, on validation.

    Raises:
        ConversionError: If there is no time for it, or the runtime cannot run the model.
    """
    from spaces.config.metrics import class_scores, confusion_matrix
    from workers.conversion.accuracy import tflite_labels
    from workers.latency.host import quick_latency_ms

    if budget_s is not None:
        seconds = quick_latency_ms(tflite) * len(dataset.val) / 1000
        if seconds > budget_s:
            raise ConversionError(
                f"not measured: {len(dataset.val)} validation images would take "
                f"{seconds:.1f} s, more than {budget_s:.1f} s"
            )
    pause = None if windows is None else windows.pause
    predicted = tflite_labels(tflite, dataset.val, are_logits=are_logits, pause=pause)
    n_classes = len(dataset.class_names)
    labels = dataset.val.labels
    hits = packed_hits(predicted == labels) if len(labels) <= MAX_HITS else ""
    scores = class_scores(predicted, labels)
    return scores, confusion_matrix(predicted, labels, n_classes), hits


def _point(
    scheme: QuantizationScheme,
    model: _Converted,
    request: EvaluateRequest,
    device: Device,
    windows: QuietWindows | None,
    is_quiet: bool,
) -> Point:
    from workers.devices.device import measure_on

    found, sizes = measure_on(device, model.tflite, model.sizes)
    latency = found.latency
    if windows is not None and device.needs_quiet:
        note = "" if is_quiet else windows.refusal
        latency = latency.measured_in(quiet=is_quiet, note=note)
    return Point(
        config=request.config.with_quantization(scheme),
        accuracy=model.scores["accuracy"],
        class_scores=model.scores,
        confusion=model.confusion,
        hits=model.hits,
        metric=request.metric,
        size_bytes=sizes.size_bytes(request.size_metric),
        latency=latency,
        ledger=sizes,
        tflite=model.tflite,
        metrics=model.metrics,
    )
