"""What goes to a worker and what comes back: plain, frozen, picklable data.

Nothing here imports TensorFlow, so the driver can read every field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from spaces.config.documents import UNLESS_DEFAULT
from spaces.config.metrics import Metric
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import ParamValue, TrialConfig
from spaces.errors import ConversionError
from spaces.space.search_space import Parameter, SearchSpace
from workers.messages.checkpoint import Checkpoint
from workers.messages.latency import Latency as Latency
from workers.messages.limits import Foreseen
from workers.messages.limits import Limits as Limits
from workers.messages.race import Race

SizeMetric = Literal["gzip", "tflite", "flash"]
SIZE_METRICS: tuple[SizeMetric, ...] = ("gzip", "tflite", "flash")


@dataclass(frozen=True)
class EvaluateRequest:
    """One trial for a worker.

    Attributes:
        config: What to train, prune, quantize and measure.
        limits: What the gate checks before training.
        size_metric: Which size is ``size_bytes``.
        device: Name of the device whose latency is measured.
        fan_out: Whether to measure the schemes which need no training of their own too.
        check_gate: Whether to look at size and latency before training.
        race: What to judge the training by after each epoch; None to train to the end.
        start_weights: What a branch starts from, as ``workers.training.weights`` packs it; None to
            train what it branched from first.
        keep_weights: Whether the trained weights are wanted back, for branches.
        metric: The study's first objective.
        timeout_s: Seconds after which the executor ends it; None for never.
        baseline_ms: What the reference network took at the study's start, to whose speed of the
            machine all its latencies are scaled; None if no latency was measured yet.
        branch_sparsity: What a branch could prune this training to, so that it keeps limits which
            the training itself does not; 0 if there are no branches.
        checkpoint: Where it keeps how its training stands, and where an earlier attempt did; None
            for nowhere.
    """

    config: TrialConfig
    limits: Limits = Limits()
    size_metric: SizeMetric = "gzip"
    device: str = "host"
    fan_out: bool = True
    check_gate: bool = True
    race: Race | None = None
    start_weights: bytes | None = field(default=None, repr=False)
    keep_weights: bool = False
    metric: Metric = "accuracy"
    timeout_s: float | None = None
    baseline_ms: float | None = None
    branch_sparsity: float = 0.0
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Ledger:
    """Every size of one converted model.

    Attributes:
        tflite_bytes: The file as converted.
        gzip_bytes: The file compressed with gzip (level 6, no timestamp).
        sparse_bytes: The sparsity-encoded file, where the scheme has one that runs.
        n_params: Weights and biases of the network.
        n_nonzero: Those which are not zero.
        macs: Multiply-accumulates of one inference.
        arena_bytes: RAM that an inference takes: activations, and what the runtime keeps; where
            the device, or the microcontroller's interpreter, tells.
        flash_bytes: What the model takes of the device's flash, where it tells.
        device_agreement: Fraction of some validation images that the device's own runtime
            labels as LiteRT does, where it has one that answers.
        float_operations: How many operations of a file of an integer scheme run in floats all
            the same, by name; None for other schemes.
    """

    tflite_bytes: int
    gzip_bytes: int
    sparse_bytes: int | None
    n_params: int
    n_nonzero: int
    macs: int
    arena_bytes: int | None = None
    flash_bytes: int | None = None
    device_agreement: float | None = None
    float_operations: Mapping[str, int] | None = None

    def size_bytes(self, metric: SizeMetric) -> int:
        """Return the size that a study with this metric minimizes.

        Raises:
            ConversionError: If the device does not tell it.
        """
        if metric == "flash":
            if self.flash_bytes is None:
                raise ConversionError("the device does not tell what the model takes of its flash")
            return self.flash_bytes
        if metric == "gzip":
            return self.gzip_bytes
        if self.sparse_bytes is None:
            return self.tflite_bytes
        return min(self.tflite_bytes, self.sparse_bytes)


@dataclass(frozen=True)
class Point:
    """One converted and measured model.

    Attributes:
        config: Configuration that gives this model; its scheme is this point's.
        accuracy: Fraction of validation images labelled rightly, by LiteRT.
        size_bytes: Size by the study's metric.
        latency: Latency on the study's device.
        ledger: Every size.
        tflite: The model file.
        class_scores: Accuracy, balanced accuracy and macro F1 (see ``spaces.config.metrics``).
        metric: Which of them is the first objective.
        metrics: What the model's ``compile`` names beside accuracy, of the same answers.
        confusion: A row for each true class: how often it was called what; empty where there
            are too many classes.
        hits: Which validation images it labels rightly, as ``workers.messages.hits`` packs them;
            empty where there are too many.
    """

    config: TrialConfig
    accuracy: float
    size_bytes: int
    latency: Latency
    ledger: Ledger
    tflite: bytes = field(repr=False)
    class_scores: Mapping[str, float] = field(default_factory=dict)
    metric: Metric = "accuracy"
    metrics: Mapping[str, float] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = field(default=(), repr=False)
    hits: str = field(default="", repr=False)

    @property
    def tflite_sha256(self) -> str:
        """Hash of the model file, stored so that a retrained model can be compared with it."""
        return hashlib.sha256(self.tflite).hexdigest()

    @property
    def values(self) -> tuple[float, float, float]:
        """Objective values in the order of ``spaces.config.objectives.OBJECTIVES``."""
        score = self.accuracy if self.metric == "accuracy" else self.class_scores[self.metric]
        return score, float(self.size_bytes), self.latency.latency_ms

    def scaled_to(self, baseline_ms: float | None) -> Point:
        """Return it with its latency scaled to another speed of the machine."""
        return replace(self, latency=self.latency.scaled_to(baseline_ms))


TrialOutcome = Literal["complete", "infeasible", "stopped", "failed"]


@dataclass(frozen=True)
class TrialResult:
    """How one trial ended.

    Attributes:
        config: The configuration that was evaluated.
        outcome: ``complete`` has a ``point``; ``infeasible`` (the gate), ``stopped`` (the race)
            and ``failed`` have a ``reason``.
        reason: Why it has no point; one line.
        point: The trial's own model.
        siblings: The same training under other schemes.
        skipped: Schemes without a point, and why.
        size_bytes: Size that the gate predicted, before training.
        latency_ms: Latency that the gate measured, before training.
        ram_bytes: RAM that the gate measured, before training, where it is known.
        foreseen: What the gate knew of the trial's models, its own and derived ones, as far as
            it looked at them.
        foreseen_at_ms: What the reference network takes at the machine's speed that the gate's
            latencies are scaled to; None where they belong to no such scale.
        epochs_trained: Epochs really trained, quantization-aware ones included.
        epochs_spared: Those of them that an interrupted attempt had trained.
        sparsity: Achieved fraction of zero weights: ``overall`` (of prunable layers) and by
            layer name.
        history: Per-epoch metrics: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``.
        seconds: Wall-clock seconds by stage: ``build``, ``gate``, ``train``, ``qat``,
            ``convert``, ``measure`` (accuracy), ``latency``.
        new_parameters: Parameters that showed up only while building this model.
        versions: Versions of the libraries that decide which bytes come out.
        worker: Where it ran: ``host:pid``.
        bar: Accuracy that its training had to reach, with a race.
        weights: Trained weights before any quantization, as ``workers.training.weights`` packs
        them,
            where they were wanted.
    """

    config: TrialConfig
    outcome: TrialOutcome
    reason: str = ""
    point: Point | None = None
    siblings: tuple[Point, ...] = ()
    skipped: Mapping[QuantizationScheme, str] = field(default_factory=dict)
    size_bytes: float | None = None
    latency_ms: float | None = None
    ram_bytes: float | None = None
    foreseen: Mapping[QuantizationScheme, Foreseen] = field(default_factory=dict)
    foreseen_at_ms: float | None = None
    epochs_trained: int = 0
    epochs_spared: int = 0
    sparsity: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    new_parameters: tuple[Parameter, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    worker: str = ""
    bar: float | None = None
    weights: bytes | None = field(default=None, repr=False)

    @property
    def train_accuracy(self) -> float | None:
        """Accuracy on the training pictures in the last epoch that is not quantization-aware."""
        accuracies = self.history.get("accuracy", ())[: self.config.training.epochs]
        return accuracies[-1] if accuracies else None

    @property
    def reference_ms(self) -> float | None:
        """What the reference network took beside the first point; None if it was not run."""
        points = [self.point, *self.siblings]
        times = [point.latency.reference_ms for point in points if point is not None]
        return next((time_ms for time_ms in times if time_ms is not None), None)

    def scaled_to(self, baseline_ms: float | None) -> TrialResult:
        """Return it with all latencies scaled to another speed of the machine, the gate's too.

        Args:
            baseline_ms: What the reference network took then; None for latencies as measured
                (those of the gate as they are).
        """
        siblings = tuple(sibling.scaled_to(baseline_ms) for sibling in self.siblings)
        point = None if self.point is None else self.point.scaled_to(baseline_ms)
        scaled = replace(self, point=point, siblings=siblings)
        if baseline_ms is None or self.foreseen_at_ms is None:
            return scaled
        factor = baseline_ms / self.foreseen_at_ms
        return replace(
            scaled,
            latency_ms=None if self.latency_ms is None else self.latency_ms * factor,
            foreseen={
                scheme: replace(found, latency_ms=found.latency_ms * factor)
                for scheme, found in self.foreseen.items()
            },
            foreseen_at_ms=baseline_ms,
        )


@dataclass(frozen=True)
class TaskInfo:
    """What the driver knows of a task: plain data, no model and no arrays.

    Attributes:
        name: Short name.
        ref: What the person typed: a built-in name, ``package.module:TASK`` or a file path.
        space: The joint space: training, model, pruning and quantization.
        epochs: Default epochs of a new training.
        data_name: Name of the data set.
        data_path: What ``--data`` named, as an absolute path; None for the task's own data.
        data_fingerprint: Content hash of the data set.
        generated: Whether the program made the pictures itself.
        class_names: Names of the classes.
        input_shape: Height, width, channels.
        n_train: Training images.
        n_val: Validation images.
        n_test: Test images.
        notes: What a person should know about data and model.
        baseline: Values of a configuration made by hand, with which a study begins; see
            :class:`spaces.tasks.task.Task`.
        baseline_note: Where it comes from.
        settled: Settings of training that are not searched, as the model's own code decides
            them (see :func:`spaces.space.compression.joint_space`).
        declared: Parameters that lost values for which the model cannot be built, as it declares
            them, in JSON data.
        model_notes: Those of the notes that are about model and device: what is left out.
        class_counts: For each split, images of every class in the order of ``class_names``.
        ignored: Files of the data that were left out, by kind.
        split_rule: How missing splits were drawn (see :mod:`spaces.data.drawn_splits`). Studies
            that hold none were drawn ``by_name``.
        kind: What a sample is (``spaces.data.samples``).
        group_by: What was asked for with ``--group-by``.
        leaks: Those of the notes that make accuracies doubtful.
        code: Hashes of the source files of code that is not ours: of the ``task``, and of the
            ``device`` (:func:`spaces.tasks.source.source_hashes`).
        input: How a sample becomes what a network sees
            (:func:`spaces.data.network_input.describe_network_input`); empty for studies begun
            before it was stored.
        weights_path: File of the weights that trainings start from, whose SHA-256 is in
            ``settled``; None for random ones.
    """

    name: str
    ref: str
    space: SearchSpace
    epochs: int
    data_name: str
    data_path: str | None
    data_fingerprint: str
    generated: bool
    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]
    n_train: int
    n_val: int
    n_test: int
    notes: tuple[str, ...] = ()
    baseline: Mapping[str, ParamValue] = field(default_factory=dict)
    baseline_note: str = ""
    settled: Mapping[str, ParamValue] = field(default_factory=dict)
    declared: tuple[Mapping[str, Any], ...] = ()
    model_notes: tuple[str, ...] = ()
    class_counts: Mapping[str, list[int]] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
    split_rule: str = "sized"
    group_by: str | None = None
    leaks: tuple[str, ...] = ()
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    kind: str = "image"
    input: Mapping[str, Any] = field(default_factory=dict)
    weights_path: str | None = field(default=None, metadata=UNLESS_DEFAULT)
