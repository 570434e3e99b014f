"""One configuration becomes measured models: gate, train, prune, QAT, convert, measure.

:class:`TrialEvaluator` is what a worker holds for a whole run: the task, its data and the
quiet windows of its node.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from spaces.data.dataset import Dataset
from spaces.errors import (
    ConfigError,
    ConversionError,
    SearchError,
    StorageError,
    TaskError,
    TrialFailedError,
)
from spaces.tasks.code_files import CodeFiles
from spaces.tasks.registry import resolve_task
from spaces.tasks.user_code import add_code_folder
from spaces.wording import kind_and_line
from workers.latency.quiet_windows import QuietWindows
from workers.messages.executor import Interrupted, TrialOverdue
from workers.messages.race import curve_recipe, settled_from
from workers.messages.result import EvaluateRequest, TrialResult
from workers.training.checkpoint import Resume
from workers.training.hooks import Hooks, OnEpoch
from workers.training.start_weights import remember
from workers.training.weight_files import WeightFile
from workers.training.weights import pack_weights, unpack_weights
from workers.trial.code import bring_code
from workers.trial.interrupted import InterruptedTraining
from workers.trial.measure import N_REPRESENTATIVE, measure_points
from workers.trial.train_config import Stopwatch, Weights, build, train_config

if TYPE_CHECKING:
    from workers.devices.device import Device
    from workers.trial.gate import Gate


class Elsewhere(Protocol):
    """Makes of a device that takes times here one that takes them on other nodes."""

    def __call__(
        self, device: Device, ref: str, with_ram: bool, windows: QuietWindows | None
    ) -> Device: ...


_OF_ONE_TRIAL = (TrialFailedError, ConversionError, ConfigError, TaskError)
"""Errors that one configuration may meet and others not, such as a model built from its values.
Not what is derived from them: a device that is missing is so for all."""


_OF_ANY_TRIAL = (
    "ai_edge_litert.interpreter",
    "litert_quantizer.quantizer",
    "tensorflow_model_optimization",
    "workers.conversion.convert",
    "workers.hypermodels.describe",
    "workers.trial.gate",
)


class TrialEvaluator:
    """Evaluates trials of one task on one data set; lives as long as its worker.

    TensorFlow is imported and set up when it is made, once, and not for every trial.

    Args:
        task_ref: As ``search run`` takes it. A user's own code is run here.
        dataset: The data; arrays may be read-only and shared with other workers.
        threads: TensorFlow threads, the same for every trial.
        windows: In which this node's workers measure latencies; None where no others run.
        elsewhere: Makes of a device one whose times are taken on other nodes; None to take them
            here.
    """

    def __init__(
        self,
        task_ref: str,
        dataset: Dataset,
        threads: int = 1,
        windows: QuietWindows | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        from workers.hypermodels.describe import load_hypermodel
        from workers.training.keras_compat import configure_tensorflow

        configure_tensorflow(threads=threads)
        self._dataset = dataset
        task = resolve_task(task_ref)
        self._hypermodel = load_hypermodel(
            task.model, dataset.input_shape, dataset.n_classes, dataset
        )
        self._windows = windows
        self._elsewhere = elsewhere

    def __call__(
        self,
        request: EvaluateRequest,
        on_epoch: OnEpoch | None = None,
        *,
        on_gate: Callable[[Gate], None] | None = None,
        resume: Resume | None = None,
    ) -> TrialResult:
        """Evaluate one trial. What goes wrong within it becomes its recorded reason.

        An error of ours or of the user's set-up (a device that is not there, data that is gone) is
        raised: it would meet every other trial too.

        Args:
            request: The trial.
            on_epoch: Called after every epoch, in this process; the trial is stopped when it
                returns False. Beside the race, which the request brings.
            on_gate: Told what is known before training.
            resume: Where the training goes on; None to begin.
        """
        from workers.training.keras_compat import versions

        device = self._device(request)
        watch = Stopwatch()
        known: dict[str, Any] = {"outcome": "failed"}
        busy = nullcontext() if self._windows is None else self._windows.busy()
        try:
            with busy:
                self._evaluate(request, device, watch, known, on_epoch, on_gate, resume)
        except (Interrupted, TrialOverdue):
            raise
        except SearchError as error:
            if type(error) not in _OF_ONE_TRIAL:
                raise
            known["reason"] = str(error)
        except BaseException as error:
            # A layer's own code, a kernel that finds no memory, a pass of a converter: these
            # have no class in common, and one configuration's trouble is not the run's. Nor is
            # a `sys.exit` in a task's code.
            if isinstance(error, KeyboardInterrupt) and _may_be_ctrl_c():
                raise
            known["reason"] = kind_and_line(error, 300)
        return TrialResult(
            config=request.config,
            seconds=watch.seconds,
            versions=versions(),
            worker=f"{socket.gethostname()}:{os.getpid()}",
            **known,
        )

    def _device(self, request: EvaluateRequest) -> Device:
        from workers.devices.registry import get_device

        with_ram = request.limits.max_ram_bytes is not None
        device = get_device(request.device, with_ram=with_ram)
        if self._elsewhere is None or not device.needs_quiet:
            return device
        return self._elsewhere(device, request.device, with_ram, self._windows)

    def _evaluate(
        self,
        request: EvaluateRequest,
        device: Device,
        watch: Stopwatch,
        known: dict[str, Any],
        on_epoch: OnEpoch | None,
        on_gate: Callable[[Gate], None] | None,
        resume: Resume | None,
    ) -> None:
        """Evaluate one trial; ``known`` takes fields of its result as they become known."""
        from workers.conversion.convert import representative_images
        from workers.trial.gate import Gate, check_gate

        config = request.config
        start: Weights | None = None
        if request.start_weights is not None:
            # Damaged ones are trained again, as those that are not there any more.
            with suppress(StorageError):
                start = unpack_weights(request.start_weights)
        images = representative_images(self._dataset.train, seed=config.seed, n=N_REPRESENTATIVE)
        with watch.stage("gate"):
            model, known["new_parameters"] = built = build(self._hypermodel, config)
            as_built = model.get_weights()
            if start is not None:
                model.set_weights(start)
            gate = Gate(None, None)
            if request.check_gate:
                gate = check_gate(model, request, images, device)
            model.set_weights(as_built)
        known.update(size_bytes=gate.size_bytes, latency_ms=gate.latency_ms)
        known.update(ram_bytes=gate.ram_bytes)
        known.update(foreseen=gate.foreseen, foreseen_at_ms=gate.foreseen_at_ms)
        if on_gate is not None:
            on_gate(gate)
        if gate.reason:
            known.update(outcome="infeasible", reason=gate.reason)
            return
        pause = None if self._windows is None else self._windows.pause
        kept = InterruptedTraining(request.checkpoint, config.hash, pause)
        resume = resume or kept.resume
        referee = _Referee(request, gate, on_epoch, resume)
        known.update(bar=referee.bar)
        if referee.hopeless:
            known.update(outcome="stopped", reason=referee.hopeless)
            return

        def told(epoch: int, metrics: Mapping[str, float]) -> bool:
            goes_on = referee(epoch, metrics)
            if goes_on and resume is kept.resume:
                kept.keep()
            return goes_on

        trained = train_config(
            self._hypermodel,
            self._dataset,
            config,
            watch,
            Hooks(on_epoch=told, pause=pause, resume=resume),
            start_weights=start,
            built=built,
        )
        watch.seconds["train"] += kept.spared_s  # What the whole training took.
        known.update(
            epochs_trained=trained.epochs_trained,
            epochs_spared=resume.first_epoch,
            sparsity=trained.sparsity,
            history=trained.history,
        )
        if referee.verdict:
            known.update(outcome="stopped", reason=referee.verdict)
            return
        points, skipped = measure_points(
            trained, self._dataset, request, images, watch, self._windows, gate.at_best, device
        )
        own = points.pop(config.quantization, None)
        if own is None:
            known["reason"] = skipped[config.quantization]
        else:
            known.update(outcome="complete", point=own)
        known.update(siblings=tuple(points.values()), skipped=skipped)
        if request.keep_weights and (own is not None or points):
            known["weights"] = pack_weights(trained.model.get_weights())


def _may_be_ctrl_c() -> bool:
    """Whether a plain ``KeyboardInterrupt`` may come from the keyboard: Python's own handler."""
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


class _Referee:
    """Judges a training after every epoch; a callback of it.

    Attributes:
        bar: Accuracy the training must reach; None without a race.
        hopeless: Why it is not even begun; empty if it may be worth it.
        verdict: Why it was stopped; empty if it was not.
    """

    def __init__(
        self, request: EvaluateRequest, gate: Gate, on_epoch: OnEpoch | None, resume: Resume
    ) -> None:
        self._resume = resume
        self._race = request.race
        self._on_epoch = on_epoch
        self._n_epochs = request.config.training.epochs
        self._settled_from = settled_from(request.config)
        self._recipe = curve_recipe(request.config)
        self._accuracies: list[float] = []
        self.hopeless = self.verdict = ""
        self.bar: float | None = None
        self._bar, self._floor = 0.0, request.limits.min_accuracy or 0.0
        if self._race is not None and gate.models:
            self._bar = self._race.bar(gate.models)
            self.bar = max(self._bar, self._race.least(self._floor))
            self.hopeless = self._race.hopeless(gate.models)

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Take the metrics of an epoch; return whether to go on."""
        if not self._accuracies:
            # METRIC_NAMES of the loop: the last one is the accuracy on validation.
            self._accuracies = [row[-1] for row in self._resume.spared]
        self._accuracies.append(metrics["val_accuracy"])
        if self._race is not None and self.bar is not None:
            self.verdict = self._race.verdict(
                self._accuracies,
                self._n_epochs,
                self._settled_from,
                self._bar,
                self._recipe,
                floor=self._floor,
            )
        if self._on_epoch is not None and not self._on_epoch(epoch, metrics):
            self.verdict = self.verdict or f"stopped from outside after {epoch + 1} epochs"
        return not self.verdict


def warm_up(threads: int) -> None:
    """Import what any trial needs, which takes a worker seconds."""
    from workers.training.keras_compat import configure_tensorflow

    configure_tensorflow(threads=threads)
    for name in _OF_ANY_TRIAL:
        importlib.import_module(name)


@dataclass(frozen=True)
class MakeEvaluator:
    """Makes the evaluator inside a worker; small enough to travel there.

    Attributes:
        task_ref: As ``search run`` takes it.
        threads: TensorFlow threads.
        windows: Name of the run, by which the workers of a node find their quiet windows;
            empty for none.
        code_folder: Folder that the task's code is imported from, because it was named.
        code: Files of the task's and the device's code, for hosts that lack them.
        elsewhere: As for :class:`TrialEvaluator`.
        weights: That trainings start from; None for random ones.
    """

    task_ref: str
    threads: int = 1
    windows: str = ""
    code_folder: str | None = None
    code: tuple[CodeFiles, ...] = ()
    elsewhere: Elsewhere | None = None
    weights: WeightFile | None = None

    def __call__(self, dataset: Dataset) -> TrialEvaluator:
        """Import TensorFlow, load the task, and return what evaluates its trials."""
        bring_code(self.code)
        add_code_folder(self.code_folder)
        if self.weights is not None:
            remember(self.weights)
        windows = QuietWindows.of_run(self.windows) if self.windows else None
        return TrialEvaluator(self.task_ref, dataset, self.threads, windows, self.elsewhere)
