"""Workers that start while the task is still prepared, where it is sure that they are needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType

from search.run.making import THREADS
from search.run.options import RunOptions
from search.storage.database import may_exist, open_for_reading
from search.storage.reader import read_ended
from search.storage.settings import DEFAULT_TRIALS
from spaces.tasks.registry import builtin_tasks
from workers.executors.early import EarlyWorkers
from workers.executors.ray_start import available_cores, is_running
from workers.trial.evaluate import warm_up


class EarlyStart:
    """Starts Ray and workers of a run, and ends them unless an executor has taken them.

    What a person got wrong is to be told at once, without a Ray that has to end before. So nothing
    starts before data are read, unless next to nothing can be wrong: where a study has begun
    already and its files are there, or a task of ours runs on data of its own.

    Args:
        task: As for :func:`search.run_study`.
        options: What was asked for.
        notice: Told what a person should know.

    Attributes:
        workers: What has started; None for nothing.
    """

    def __init__(self, task: str, options: RunOptions, notice: Callable[[str], None]) -> None:
        self._options = options
        self._notice = notice
        own = builtin_tasks().get(task)
        self._name = options.study or (None if own is None else own.name)
        self._asks_for_little = own is not None and not (
            options.data or options.fixed or options.weights or options.enqueue
        )
        self._is_over = options.address is not None
        self.workers: EarlyWorkers | None = None

    def __enter__(self) -> EarlyStart:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.workers is not None:
            self.workers.shutdown()

    def at_once(self) -> None:
        """Start if next to nothing can be wrong; called as the preparation begins."""
        files = (self._options.data, self._options.weights)
        if self._name is not None and all(Path(file).exists() for file in files if file):
            self._start(self._name, only_begun=not self._asks_for_little)

    def when_read(self, task_name: str) -> None:
        """Start if there is something to do; called once data are read."""
        self._start(self._options.study or task_name)

    def _start(self, study: str, *, only_begun: bool = False) -> None:
        if self._is_over:
            return
        options = self._options
        begun = None
        if may_exist(options.storage):
            with open_for_reading(options.storage) as engine:
                begun = read_ended(engine, study)
        if begun is None and only_begun:
            return
        self._is_over = True
        n_ended, target = (0, None) if begun is None else begun
        n_wanted = options.trials or target or DEFAULT_TRIALS
        is_done = options.more is None and n_ended >= n_wanted
        if is_done or is_running():
            return
        n_workers = options.workers or max(1, available_cores() // THREADS)
        if options.more is None:
            n_workers = min(n_workers, n_wanted)
        self.workers = EarlyWorkers(n_workers, THREADS, partial(warm_up, THREADS), self._notice)
