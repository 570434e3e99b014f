"""Our tasks for Ray Tune: what a ``tune.Tuner`` takes as its trainable."""

from __future__ import annotations

import atexit
import os
import uuid
from typing import Any

from search.options import options_of
from search.run.options import OF_A_TASK, RunOptions
from search.run.preparation import prepare_run, usual_size
from search.run.run_study import THREADS, ConfigMaker, plain_dataset
from spaces.data.dataset import Dataset
from spaces.data.request import Progress, no_progress
from workers.devices.registry import canonical_device
from workers.latency.quiet_windows import QuietWindows
from workers.messages.result import Limits, SizeMetric, TaskInfo
from workers.trial.evaluate import MakeEvaluator


def task_trainable(
    task: str,
    *,
    seed: int = 0,
    fan_out: bool = False,
    progress: Progress = no_progress,
    **given: Any,
) -> Any:
    """Return a task as a trainable of Ray Tune, for any of its search algorithms.

    ``param_space`` may name any of the task's parameters; those it does not name take their
    defaults. Nothing is stored in a study: for that, see :class:`search.StudySearcher`. What a
    step reports is said at ``workers.ray_tune.trainable.TaskTrainable``.

    Args:
        task: Built-in task, ``package.module:NAME`` or the path of a Python file.
        seed: Of every training.
        fan_out: Whether each training is measured under other schemes too, which nobody sees
            without a mailbox.
        progress: Shows how far the preparation of the data is.
        **given: Options of a search that are not about a study (``OF_A_TASK`` of
            :mod:`search.run.options`): data, epochs, fix, device, size, limits, gate.

    Raises:
        SearchError: If there is no such task, or its data or model cannot be used.
    """
    options = options_of(RunOptions, given, "task_trainable", OF_A_TASK)
    info, dataset = prepare_run(task, options, progress, with_storage=False)
    return make_trainable(
        info,
        dataset,
        seed=seed,
        limits=options.limits,
        size=usual_size(options),
        device=canonical_device(options.device),
        fan_out=fan_out,
        gate=options.gate,
    )


def make_trainable(
    info: TaskInfo,
    dataset: Dataset,
    *,
    seed: int,
    limits: Limits,
    size: SizeMetric,
    device: str,
    fan_out: bool,
    gate: bool,
    mailbox: str = "",
) -> Any:
    """Return the trainable of a prepared task; whole results go to a mailbox, if one is named."""
    from ray import tune

    from workers.ray_tune.trainable import TaskTrainable, TuneTask

    allow_missing_metrics()
    windows = uuid.uuid4().hex
    atexit.register(_remove_windows, windows)
    task = TuneTask(
        MakeEvaluator(info.ref, THREADS, windows),
        ConfigMaker(info, seed),
        info.space,
        limits=limits,
        size_metric=size,
        device=device,
        fan_out=fan_out,
        check_gate=gate,
        mailbox=mailbox,
    )
    # The data set goes to Ray's shared memory once, for all trials of a node.
    with_data = tune.with_parameters(TaskTrainable, task=task, dataset=plain_dataset(dataset))
    return tune.with_resources(with_data, {"cpu": THREADS})


def allow_missing_metrics() -> None:
    """Let trials report what they have.

    Tune ends a whole run over one result without the metric of ``TuneConfig`` or the scheduler:
    an infeasible trial has no accuracy, and one that trains no size yet.
    """
    os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")


def _remove_windows(name: str) -> None:
    QuietWindows.of_run(name).remove()
