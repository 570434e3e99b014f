"""What ``search run`` does: prepare a task, open its study, start workers, run the loop."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from search.front.baseline import parse_fixed, why_not
from search.run.driver import Driver, RunReport
from search.run.events import Observer, Silent
from search.sampling.samplers import SAMPLERS
from search.storage.database import DEFAULT_STORAGE, open_storage
from search.storage.settings import DEFAULT_TRIALS, RunSettings, StudySettings
from search.study.create_or_resume import study_for_run
from search.study.open_study import OpenStudy
from spaces.config.trial import ParamValue, TrialConfig
from spaces.data.class_counts import describe_classes
from spaces.data.dataset import Dataset, Split
from spaces.data.request import Progress, no_progress
from spaces.errors import ConfigError
from spaces.space.compression import config_from_params
from spaces.tasks.registry import canonical_ref
from workers.devices.registry import canonical_device, check_device, get_device, is_builtin_device
from workers.executors.ray_workers import RayExecutor
from workers.latency.quiet_windows import QuietWindows
from workers.messages.executor import Outcome
from workers.messages.result import SIZE_METRICS, Limits, SizeMetric, TaskInfo
from workers.trial.evaluate import MakeEvaluator
from workers.trial.prepare import prepare_task

THREADS = 1
"""TensorFlow threads of one worker. Two workers with one thread each train 1.4 times as much
as one worker with two."""


@dataclass(frozen=True)
class MakeConfig:
    """Turns a trial's parameters into its configuration.

    Attributes:
        task: The task, with the epochs of a trial.
        seed: Of the study, and so of every training.
    """

    task: TaskInfo
    seed: int

    def __call__(self, params: Mapping[str, ParamValue]) -> TrialConfig:
        """Return the configuration, which the study's settings complete."""
        return config_from_params(
            params,
            task=self.task.ref,
            data_fingerprint=self.task.data_fingerprint,
            epochs=self.task.epochs,
            qat_epochs=qat_epochs(self.task.epochs),
            seed=self.seed,
            threads=THREADS,
            settled=self.task.settled,
        )


def qat_epochs(epochs: int) -> int:
    """Return how long quantization-aware training is: a fifth of the training before it."""
    return max(1, round(epochs / 5))


def run_study(
    task: str,
    *,
    trials: int | None = None,
    more: int | None = None,
    workers: int | None = None,
    data: str | Path | None = None,
    study: str | None = None,
    storage: str | Path = DEFAULT_STORAGE,
    epochs: int | None = None,
    fix: Mapping[str, ParamValue] | None = None,
    device: str = "host",
    size: SizeMetric = "gzip",
    max_size_bytes: float | None = None,
    max_latency_ms: float | None = None,
    min_accuracy: float | None = None,
    max_ram_bytes: float | None = None,
    sampler: str = "gp",
    timeout_s: float | None = None,
    seed: int | None = None,
    address: str | None = None,
    fan_out: bool = True,
    race: bool = True,
    branch: bool = True,
    gate: bool = True,
    observer: Observer | None = None,
    progress: Progress = no_progress,
) -> RunReport:
    """Search a task and keep what is found in a study.

    The same call again finishes a study that was stopped, however it was stopped.

    Args:
        task: Built-in task, ``package.module:NAME`` or the path of a Python file.
        trials: Trials the study is to have in the end; None for what was asked for last time,
            or 100.
        more: Trials on top of those the study has; not together with ``trials``.
        workers: Trials that run side by side; None for one a core.
        data: Folder of class folders, or an ``.npz``; None for the task's own data.
        study: Name of the study; None for the task's name.
        storage: Database: a file, or an SQLAlchemy URL.
        epochs: Epochs of each trial; None for the task's.
        fix: Parameters that are not searched but held at a value, such as
            ``{"family": "lenet"}``. A text stands for the number that it is.
        device: Whose latency counts: a name that ``workers.devices.registry`` knows, or
            ``package.module:NAME`` or the path of a Python file for a device of one's own.
        size: Which size counts: ``gzip``, ``tflite`` or ``flash``.
        max_size_bytes: Larger models are infeasible.
        max_latency_ms: Slower models are infeasible.
        min_accuracy: Less accurate models are infeasible.
        max_ram_bytes: Models that need more RAM are infeasible.
        sampler: ``gp``, ``tpe``, ``nsga2`` or ``random``.
        timeout_s: Seconds after which no new trial starts.
        seed: Seed of the sampler and of every training; None for the study's own, or 0.
        address: Ray cluster to join; None starts workers on this machine.
        fan_out: Whether each training is measured under every scheme that needs none of its
            own.
        race: Whether trainings that can only give dominated points are stopped early.
        branch: Whether trials may start from the weights of good ones.
        gate: Whether size and latency are looked at before training; without, limits are
            judged by what was trained, and there is no race.
        observer: Shows the run.
        progress: Shows how far the preparation of the data is.

    Returns:
        Where the study stands, and why the run ended.

    Raises:
        SearchError: One of its kinds, as ``spaces.errors`` lists them.
    """
    observer = observer or Silent()
    check_arguments(trials, more, workers, epochs, size, sampler, timeout_s)
    started = time.monotonic()
    info, dataset, limits = prepare_run(
        task,
        data=data,
        storage=storage,
        epochs=epochs,
        fix=fix,
        device=device,
        size=size,
        max_size_bytes=max_size_bytes,
        max_latency_ms=max_latency_ms,
        min_accuracy=min_accuracy,
        max_ram_bytes=max_ram_bytes,
        progress=progress,
    )
    device = canonical_device(device)
    for line in (
        *describe_classes(info.class_names, info.class_counts, info.ignored),
        *info.notes,
    ):
        observer.message(line)
    settings = StudySettings(
        name=study or info.name,
        task=info,
        device=device,
        size_metric=size,
        limits=limits,
        sampler=sampler,
        seed=seed,
        fan_out=fan_out,
        race=race,
        branch=branch,
        gate=gate,
    )
    with study_for_run(storage, settings) as opened:
        target = _target(opened, trials, more)
        left_s = None if timeout_s is None else max(0.0, timeout_s - time.monotonic() + started)
        run_settings = RunSettings(n_trials=target, timeout_s=left_s)
        assert opened.settings.seed is not None
        make_config = MakeConfig(info, opened.settings.seed)
        windows = ""
        if opened.n_done >= target:
            observer.message(
                f"Study {opened.name!r} has its {target} trials already. Go on with --more N."
            )
            executor: _NoWorkers | RayExecutor = _NoWorkers()
        else:
            progress("starting workers", 0, 1)
            n_left = target - opened.n_done
            windows = uuid.uuid4().hex
            executor = RayExecutor(
                MakeEvaluator(info.ref, THREADS, windows),
                plain_dataset(dataset),
                n_workers=workers if workers is None else min(workers, n_left),
                address=address,
                threads=THREADS,
            )
            progress("starting workers", 1, 1)
        try:
            return Driver(opened, executor, make_config, run_settings, observer).run()
        finally:
            executor.shutdown()
            if windows:
                QuietWindows.of_run(windows).remove()


def prepare_run(
    task: str,
    *,
    data: str | Path | None,
    storage: str | Path | None,
    epochs: int | None,
    device: str,
    size: SizeMetric,
    fix: Mapping[str, ParamValue] | None = None,
    max_size_bytes: float | None = None,
    max_latency_ms: float | None = None,
    min_accuracy: float | None = None,
    max_ram_bytes: float | None = None,
    progress: Progress = no_progress,
) -> tuple[TaskInfo, Dataset, Limits]:
    """Prepare what a run searches: the first part of :func:`run_study`, with its arguments.

    Args:
        storage: Is opened once, to see that it can be; None for no database.
    """
    limits = _limits(max_size_bytes, max_latency_ms, min_accuracy, max_ram_bytes)
    device = canonical_device(device)
    with_ram = max_ram_bytes is not None
    if is_builtin_device(device):  # A device of the user's own is code, which is run elsewhere.
        check_device(get_device(device, with_ram=with_ram), size)
    canonical_ref(task)  # A name that is mistyped leaves no database behind.
    if storage is not None:
        open_storage(storage).engine.dispose()  # Before minutes are spent on data.
    info, dataset = prepare_task(
        task,
        None if data is None else Path(data),
        progress=progress,
        device=device,
        size_metric=size,
        with_ram=with_ram,
    )
    if epochs is not None:
        info = replace(info, epochs=epochs)
    if fix:
        texts = {name: value for name, value in fix.items() if isinstance(value, str)}
        space = info.space.fixed({**fix, **parse_fixed(info.space, texts)})
        info = replace(info, space=space)
    if not_tried := why_not(info.space, info):
        info = replace(info, baseline={}, notes=(*info.notes, not_tried))
    return info, dataset, limits


def check_arguments(
    trials: int | None,
    more: int | None,
    workers: int | None,
    epochs: int | None,
    size: str,
    sampler: str,
    timeout_s: float | None,
) -> None:
    """Refuse what the command line refuses, before anything is done."""
    if trials is not None and more is not None:
        raise ConfigError(
            f"Only one of trials and more can be given, but got ({trials=}, {more=})."
        )
    counts = {"trials": trials, "more": more, "workers": workers, "epochs": epochs}
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ConfigError(f"`1 <= {name}` must hold, but got ({name}={count}).")
    if timeout_s is not None and not 0 < timeout_s < math.inf:
        raise ConfigError(f"`0 < timeout_s` must hold, but got ({timeout_s=}).")
    if size not in SIZE_METRICS:
        raise ConfigError(f"`size in ({', '.join(SIZE_METRICS)})` must hold, but got {size!r}.")
    if sampler not in SAMPLERS:
        raise ConfigError(f"`sampler in ({', '.join(SAMPLERS)})` must hold, but got {sampler!r}.")


def _limits(
    max_size_bytes: float | None,
    max_latency_ms: float | None,
    min_accuracy: float | None,
    max_ram_bytes: float | None,
) -> Limits:
    for name, limit in (
        ("max_size_bytes", max_size_bytes),
        ("max_latency_ms", max_latency_ms),
        ("max_ram_bytes", max_ram_bytes),
    ):
        if limit is not None and not limit > 0:
            raise ConfigError(f"`0 < {name}` must hold, but got ({name}={limit}).")
    if min_accuracy is not None and not 0 <= min_accuracy <= 1:
        raise ConfigError(f"`0 <= min_accuracy <= 1` must hold, but got ({min_accuracy=}).")
    return Limits(max_size_bytes, max_latency_ms, min_accuracy, max_ram_bytes)


def _target(opened: OpenStudy, trials: int | None, more: int | None) -> int:
    """Return how many trials the study is to have.

    ``more`` counts from what was asked for last time, and only once that is there: the same
    command after a crash then finishes what it began.
    """
    if more is not None:
        if opened.target is not None and opened.n_done < opened.target:
            return opened.target
        return opened.n_done + more
    return trials or opened.target or DEFAULT_TRIALS


def plain_dataset(dataset: Dataset) -> Dataset:
    """Return the data set with plain arrays: those travel to workers without a copy each."""

    def plain(split: Split) -> Split:
        return Split(split.images.view(np.ndarray), split.labels.view(np.ndarray))

    return replace(
        dataset,
        train=plain(dataset.train),
        val=plain(dataset.val),
        test=plain(dataset.test),
    )


class _NoWorkers:
    """An executor for a study that has all its trials."""

    n_workers = 0

    def submit(self, request: object) -> int:
        """Not called: there is nothing to run."""
        raise RuntimeError("There is nothing to run.")

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Return nothing."""
        return []

    def shutdown(self) -> None:
        """Do nothing."""
