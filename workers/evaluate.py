"""One configuration becomes measured models: gate, train, prune, QAT, convert, measure.

:class:`TrialEvaluator` is what a worker holds for a whole run: the task, its data and the
device. :func:`train_config` is the part that retraining shares with searching, so that both
give the same weights, bit for bit.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from spaces.compression import build_values
from spaces.config import TrialConfig
from spaces.dataset import Dataset
from spaces.errors import ConversionError, StorageError, TrialFailedError
from spaces.registry import resolve_task
from spaces.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.space import Parameter
from workers.race import settled_from
from workers.result import EvaluateRequest, Ledger, Point, SizeMetric, TrialResult
from workers.train import OnEpoch, train
from workers.weights import pack_weights, unpack_weights

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from workers.device import Device
    from workers.gate import Gate

N_REPRESENTATIVE = 200
"""Training images that calibrate activation ranges; a few hundred are usual."""

MAX_SIBLING_SECONDS = 3.0
"""A sibling whose measuring would take longer than this, and longer than a quarter of the
training it is derived from, is skipped: ``int16x8`` runs on reference kernels, some thirty
times slower than the rest."""


Weights: TypeAlias = "Sequence[npt.NDArray[np.generic]]"
"""Weights of a network in the order of Keras's ``get_weights``."""


@dataclass(frozen=True)
class Trained:
    """What training one configuration gives.

    Attributes:
        model: Trained, pruned and stripped Keras model, before any quantization.
        qat_model: The quantization-aware model, where the scheme asks for it.
        epochs_trained: Epochs really trained, quantization-aware ones included.
        sparsity: Achieved fraction of zero weights, ``overall`` and by layer.
        history: Metrics by epoch.
        new_parameters: Parameters that showed up only while building.
    """

    model: Any
    qat_model: Any | None
    epochs_trained: int
    sparsity: Mapping[str, float]
    history: Mapping[str, tuple[float, ...]]
    new_parameters: tuple[Parameter, ...] = ()


@dataclass
class Stopwatch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


class TrialEvaluator:
    """Evaluates trials of one task on one data set; lives as long as its worker.

    TensorFlow is imported and set up when it is made, once, and not for every trial.

    Args:
        task_ref: As ``search run`` takes it. A user's own code is run here.
        dataset: The data; arrays may be read-only and shared with other workers.
        threads: TensorFlow threads, the same for every trial.
    """

    def __init__(self, task_ref: str, dataset: Dataset, threads: int = 1) -> None:
        from workers.describe import load_hypermodel
        from workers.keras_compat import configure_tensorflow

        configure_tensorflow(threads=threads)
        self._dataset = dataset
        task = resolve_task(task_ref)
        self._hypermodel = load_hypermodel(task.model, dataset.input_shape, dataset.n_classes)
        self._task_ref = task_ref

    def __call__(self, request: EvaluateRequest, on_epoch: OnEpoch | None = None) -> TrialResult:
        """Evaluate one trial. What goes wrong within it becomes its recorded reason.

        Args:
            request: The trial.
            on_epoch: Called after every epoch, in this process; the trial is stopped when it
                returns False. Beside the race, which the request brings.
        """
        from workers.devices import get_device
        from workers.keras_compat import versions

        device = get_device(request.device, with_ram=request.limits.max_ram_bytes is not None)
        watch = Stopwatch()
        known: dict[str, Any] = {"outcome": "failed"}
        try:
            self._evaluate(request, device, watch, known, on_epoch)
        except (TrialFailedError, ConversionError) as error:
            known["reason"] = str(error)
        except Exception as error:
            # A layer's own code, a kernel that finds no memory, a pass of a converter: these
            # have no class in common, and one configuration's trouble is not the run's.
            text = " ".join(str(error).split())[:300]
            known["reason"] = f"{type(error).__name__}: {text}".rstrip(": ")
        return TrialResult(
            config=request.config,
            seconds=watch.seconds,
            versions=versions(),
            worker=f"{socket.gethostname()}:{os.getpid()}",
            **known,
        )

    def _evaluate(
        self,
        request: EvaluateRequest,
        device: Device,
        watch: Stopwatch,
        known: dict[str, Any],
        on_epoch: OnEpoch | None,
    ) -> None:
        """Evaluate one trial; ``known`` takes fields of its result as they become known."""
        from workers.convert import representative_images
        from workers.gate import Gate, check_gate

        config = request.config
        start: Weights | None = None
        if request.start_weights is not None:
            # Damaged ones are trained again, as those that are not there any more.
            with suppress(StorageError):
                start = unpack_weights(request.start_weights)
        images = representative_images(self._dataset.train, seed=config.seed, n=N_REPRESENTATIVE)
        with watch.stage("gate"):
            model, known["new_parameters"] = build(self._hypermodel, config)
            if start is not None:
                model.set_weights(start)
            gate = Gate(None, None)
            if request.check_gate:
                gate = check_gate(model, request, images, device)
        known.update(size_bytes=gate.size_bytes, latency_ms=gate.latency_ms)
        known.update(ram_bytes=gate.ram_bytes)
        if gate.reason:
            known.update(outcome="infeasible", reason=gate.reason)
            return
        referee = _Referee(request, gate, on_epoch)
        known.update(bar=referee.bar)
        trained = train_config(
            self._hypermodel,
            self._dataset,
            config,
            watch,
            on_epoch=referee,
            start_weights=start,
        )
        known.update(
            epochs_trained=trained.epochs_trained,
            sparsity=trained.sparsity,
            history=trained.history,
        )
        if referee.verdict:
            known.update(outcome="stopped", reason=referee.verdict)
            return
        points, skipped = measure_points(trained, self._dataset, request, images, watch)
        own = points.pop(config.quantization, None)
        if own is None:
            known["reason"] = skipped.pop(config.quantization)
        else:
            known.update(outcome="complete", point=own)
        known.update(siblings=tuple(points.values()), skipped=skipped)
        if request.keep_weights and (own is not None or points):
            known["weights"] = pack_weights(trained.model.get_weights())


class _Referee:
    """Judges a training after every epoch; a callback of it.

    Attributes:
        bar: Accuracy the training must reach; None without a race.
        verdict: Why it was stopped; empty if it was not.
    """

    def __init__(self, request: EvaluateRequest, gate: Gate, on_epoch: OnEpoch | None) -> None:
        self._race = request.race
        self._on_epoch = on_epoch
        self._n_epochs = request.config.training.epochs
        self._settled_from = settled_from(request.config)
        self._accuracies: list[float] = []
        self.verdict = ""
        self.bar: float | None = None
        if self._race is not None and gate.models:
            self.bar = max(self._race.bar(gate.models), request.limits.min_accuracy or 0.0)

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Take the metrics of an epoch; return whether to go on."""
        self._accuracies.append(metrics["val_accuracy"])
        if self._race is not None and self.bar is not None:
            self.verdict = self._race.verdict(
                self._accuracies, self._n_epochs, self._settled_from, self.bar
            )
        if self._on_epoch is not None and not self._on_epoch(epoch, metrics):
            self.verdict = self.verdict or f"stopped from outside after {epoch + 1} epochs"
        return not self.verdict


@dataclass(frozen=True)
class MakeEvaluator:
    """Makes the evaluator inside a worker; small enough to travel there.

    Attributes:
        task_ref: As ``search run`` takes it.
        threads: TensorFlow threads.
    """

    task_ref: str
    threads: int = 1

    def __call__(self, dataset: Dataset) -> TrialEvaluator:
        """Import TensorFlow, load the task, and return what evaluates its trials."""
        return TrialEvaluator(self.task_ref, dataset, threads=self.threads)


def build(hypermodel: Any, config: TrialConfig) -> tuple[Any, tuple[Parameter, ...]]:
    """Build a configuration's network from its seed, whatever was built before.

    Raises:
        TrialFailedError: If the model's ``build(hp)`` raises on these values.
    """
    from workers.describe import build_model
    from workers.keras_compat import seed_everything

    seed_everything(config.seed)
    return build_model(hypermodel, build_values(config))


def train_config(
    hypermodel: Any,
    dataset: Dataset,
    config: TrialConfig,
    watch: Stopwatch | None = None,
    on_epoch: OnEpoch | None = None,
    start_weights: Weights | None = None,
) -> Trained:
    """Train, prune and, where the scheme asks for it, train quantization-aware.

    The same configuration gives the same weights, bit for bit, in any process with the same
    library versions and thread count: it is built anew from its seed.

    Args:
        hypermodel: Builds the network.
        dataset: Trained on ``train``.
        config: What to do.
        watch: Takes the seconds by stage.
        on_epoch: Called after every epoch; training ends when it returns False.
        start_weights: What a branch starts from; None to train what it branched from first.

    Raises:
        TrialFailedError: If the loss is no number, or the model cannot be built.
        ConversionError: If the network cannot be trained quantization-aware.
    """
    from workers.prune import achieved_sparsity
    from workers.qat import train_quantization_aware

    watch = watch or Stopwatch()
    with watch.stage("build"):
        model, new_parameters = build(hypermodel, config)
    if config.branched_from is not None:
        if start_weights is None:
            before = train_config(hypermodel, dataset, config.branched_from, watch)
            start_weights = before.model.get_weights()
        model.set_weights(start_weights)
    with watch.stage("train"):
        history = train(model, dataset, config, on_epoch=on_epoch)
    sparsity = achieved_sparsity(model)
    epochs = len(history["loss"])
    qat_model = None
    ended_early = epochs < config.training.epochs
    if config.quantization is QuantizationScheme.QAT_INT8 and not ended_early:
        with watch.stage("qat"):
            qat_model, qat_history = train_quantization_aware(model, dataset, config)
        history = {name: (*values, *qat_history.get(name, ())) for name, values in history.items()}
        epochs += config.training.qat_epochs
    return Trained(model, qat_model, epochs, sparsity, history, new_parameters)


def measure_points(
    trained: Trained,
    dataset: Dataset,
    request: EvaluateRequest,
    images: npt.NDArray[np.float32],
    watch: Stopwatch,
) -> tuple[dict[QuantizationScheme, Point], dict[QuantizationScheme, str]]:
    """Convert trained weights and measure them, under the trial's scheme and its siblings'.

    A scheme that cannot be converted or run is that point's failure, not the trial's.

    Returns:
        Measured points by scheme, and why others are missing.
    """
    from workers.convert import float_tflite
    from workers.devices import get_device

    config = request.config
    device = get_device(request.device, with_ram=request.limits.max_ram_bytes is not None)
    with watch.stage("convert"):
        float_model = float_tflite(trained.model)
    schemes = [config.quantization]
    if request.fan_out:
        runnable = [scheme for scheme in POST_TRAINING_SCHEMES if scheme in device.schemes]
        schemes += [scheme for scheme in runnable if scheme not in schemes]
    budget_s = max(MAX_SIBLING_SECONDS, 0.25 * watch.seconds.get("train", 0.0))
    points: dict[QuantizationScheme, Point] = {}
    skipped: dict[QuantizationScheme, str] = {}
    for scheme in schemes:
        own = scheme is config.quantization
        try:
            points[scheme] = _measure(
                scheme,
                float_model,
                trained,
                dataset,
                request,
                images,
                watch,
                device,
                budget_s=None if own else budget_s,
            )
        except ConversionError as error:
            skipped[scheme] = str(error)
    return points, skipped


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
    from workers.convert import qat_tflite, quantize_variant, sparse_tflite
    from workers.sizes import ledger

    if scheme is QuantizationScheme.QAT_INT8:
        tflite = qat_tflite(trained.qat_model)
    else:
        tflite = quantize_variant(float_model, scheme, images)
    sparse = None
    if trained.sparsity.get("overall", 0.0) > 0 and SCHEMES[scheme].sparse_encoding:
        sparse = sparse_tflite(trained.model, scheme)
    sizes = ledger(tflite, trained.model, sparse)
    if size_metric == "tflite" and sparse is not None and len(sparse) < len(tflite):
        tflite = sparse
    return tflite, sizes


def _measure(
    scheme: QuantizationScheme,
    float_model: bytes,
    trained: Trained,
    dataset: Dataset,
    request: EvaluateRequest,
    images: npt.NDArray[np.float32],
    watch: Stopwatch,
    device: Device,
    budget_s: float | None,
) -> Point:
    """Convert to one scheme and measure; a ``ConversionError`` says why there is no point."""
    from workers.accuracy import tflite_accuracy
    from workers.device import measure_on
    from workers.latency import quick_latency_ms

    with watch.stage("convert"):
        tflite, sizes = convert_trained(trained, scheme, float_model, images, request.size_metric)
    with watch.stage("measure"):
        if budget_s is not None:
            seconds = quick_latency_ms(tflite) * len(dataset.val) / 1000
            if seconds > budget_s:
                raise ConversionError(
                    f"not measured: {len(dataset.val)} validation images would take "
                    f"{seconds:.0f} s, more than {budget_s:.0f} s"
                )
        accuracy = tflite_accuracy(tflite, dataset.val)
        found, sizes = measure_on(device, tflite, sizes, dataset.val.images)
    return Point(
        config=request.config.with_quantization(scheme),
        accuracy=accuracy,
        size_bytes=sizes.size_bytes(request.size_metric),
        latency=found.latency,
        ledger=sizes,
        tflite=tflite,
    )
