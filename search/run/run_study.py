"""What ``search run`` does: prepare a task, open its study, start workers, run the loop."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from shlex import join
from typing import Any

import numpy as np

from search.notebook import in_notebook
from search.options import options_of, takes_options, words_of
from search.run.driver import Driver
from search.run.early import EarlyStart
from search.run.events import Observer, Silent
from search.run.making import THREADS as THREADS
from search.run.making import ConfigMaker as ConfigMaker
from search.run.notebook import NotebookDisplay
from search.run.options import RunOptions
from search.run.preparation import prepare_for_study, study_settings
from search.run.report import RunReport
from search.run.resumed import resumed
from search.storage.settings import DEFAULT_TRIALS, RunSettings
from search.study.create_or_resume import study_for_run
from search.study.enqueued import fit_to_space
from search.study.open_study import OpenStudy
from search.study.sources import read_source
from spaces.data.class_counts import describe_classes
from spaces.data.dataset import Dataset, Split
from spaces.data.request import Progress, no_progress
from spaces.tasks.code_files import CodeFiles, read_code
from spaces.tasks.user_code import code_folder
from spaces.wording import counted
from workers.devices.registry import canonical_device
from workers.executors.latency_nodes import LatencyNodes
from workers.executors.ray_workers import RayExecutor
from workers.latency.quiet_windows import QuietWindows
from workers.messages.executor import Outcome
from workers.messages.result import TaskInfo
from workers.processes.import_path import import_path
from workers.training.weight_files import WeightFile, read_weight_file
from workers.trial.evaluate import MakeEvaluator


@takes_options(RunOptions)
def run_study(
    task: str | None = None,
    *,
    observer: Observer | None = None,
    progress: Progress = no_progress,
    **given: Any,
) -> RunReport:
    """Search a task and keep what is found in a study.

    The same call again finishes a study that was stopped, however it was stopped.

    Args:
        task: Built-in task, ``package.module:NAME`` or the path of a Python file; None to go on
            with ``study`` as it was begun: what is not given here is as it was then.
        observer: Shows the run; None to show it below the cell in a notebook, and nowhere else.
        progress: Shows how far the preparation of the data is; in a notebook, as ``observer``.
        {options}

    Returns:
        Where the study stands, and why the run ended. Ctrl-C (*Interrupt* in a notebook) ends it
        so that no trial is lost; the same call goes on.

    Raises:
        SearchError: One of its kinds, as ``spaces.errors`` lists them.
    """
    if observer is None and in_notebook():
        display = NotebookDisplay()
        observer, progress = display, display.prepare if progress is no_progress else progress
    observer = observer or Silent()
    options_of(RunOptions, given, "run_study")  # Wrong ones are told before any database is read.
    if task is None:
        task, given = resumed(given)
        words = words_of(RunOptions, {**given, "study": None, "storage": None})
        observer.message(f"Study {given['study']!r} goes on: {join([task, *words])}")
    options = options_of(RunOptions, given, "run_study")
    started = time.monotonic()

    def left_s() -> float | None:
        if options.timeout_s is None:
            return None
        return max(0.0, options.timeout_s - time.monotonic() + started)

    with EarlyStart(task, options, observer.message) as early:
        return _run(task, options, observer, progress, early, left_s)


def _run(
    task: str,
    options: RunOptions,
    observer: Observer,
    progress: Progress,
    early: EarlyStart,
    left_s: Callable[[], float | None],
) -> RunReport:
    """Prepare the task, open its study and run it."""
    # A name that is mistyped is told before minutes are spent on data.
    to_try_first = None if options.enqueue is None else read_source(options.enqueue)
    info, dataset = prepare_for_study(task, options, progress, observer.message, early)
    weights = _starting_weights(info)
    if options.metric != "accuracy" and options.race:
        observer.message(
            f"The race is off: curves of training are accuracies, and {options.metric} counts."
        )
    for line in (
        *describe_classes(info.class_names, info.class_counts, info.ignored),
        *info.notes,
    ):
        observer.message(line)
    settings = study_settings(options, info)
    if to_try_first is not None:
        fitted = fit_to_space(to_try_first, info.space)
        for note in fitted.notes:
            observer.message(note)
        observer.message(
            f"{counted(len(fitted.points), 'configuration')} of {options.enqueue} will be tried "
            f"first."
        )
        settings = replace(settings, enqueued=fitted.points)
    with study_for_run(options.storage, settings, share=True) as opened:
        target = _target(opened, options.trials, options.more)
        assert opened.settings.seed is not None
        make_config = ConfigMaker(info, opened.settings.seed)
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
            code = () if options.address is None else own_code(info, options.device)
            elsewhere = None
            if options.latency_on is not None:
                elsewhere = LatencyNodes(options.latency_on, windows, code)
            executor = RayExecutor(
                MakeEvaluator(
                    info.ref,
                    THREADS,
                    windows,
                    code_folder(info.ref),
                    code,
                    elsewhere,
                    weights,
                ),
                plain_dataset(dataset),
                n_workers=options.workers,
                at_most=n_left,
                address=options.address,
                threads=THREADS,
                start_timeout_s=left_s(),
                needs=options.latency_on,
                early=early.workers,
                notice=observer.message,
            )
            progress("starting workers", 1, 1)
        try:
            run_settings = RunSettings(target, left_s(), options.trial_timeout_s)
            return Driver(opened, executor, make_config, run_settings, observer).run()
        finally:
            executor.shutdown()
            if windows:
                QuietWindows.of_run(windows).remove()


def _starting_weights(info: TaskInfo) -> WeightFile | None:
    """Return the weights that trainings start from, for workers; None for random ones.

    Raises:
        DataError: If the file is not the one that was looked at, in a process of its own.
    """
    if info.weights_path is None:
        return None
    return read_weight_file(info.weights_path, str(info.settled["weights"]))


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


def own_code(info: TaskInfo, device: str) -> tuple[CodeFiles, ...]:
    """Return the user's own code, for nodes of a cluster that lack it."""
    refs = {"task": info.ref, "device": canonical_device(device)}
    found = [read_code(refs[kind], hashes, import_path()) for kind, hashes in info.code.items()]
    return tuple(files for files in found if files is not None)


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
