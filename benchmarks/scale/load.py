"""What many workers make of one driver: the real driver, the real Ray, and trials that sleep."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.scale.figures import Load, busy_share
from benchmarks.scale.growth import peak_mb
from benchmarks.scale.stand_in import StandIn, busy_times
from search.run.driver import Driver
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import study_for_run
from tests.search_tests import analytic
from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import Outcome
from workers.messages.result import EvaluateRequest

_CHECKOUT = str(Path(__file__).resolve().parents[2])
_PAGE_MB = resource.getpagesize() / 1e6


class _Watched:
    """An executor that notes when trials are submitted, and what the driver's process used.

    Attributes:
        submitted: When trials were submitted, in seconds since 1970.
        told: When the driver came back for more, once for each trial that it had been handed.
        cpu_s: Processor seconds of this process at the first and the last submission.
    """

    def __init__(self, executor: RayExecutor) -> None:
        self._executor = executor
        self.submitted: list[float] = []
        self.told: list[float] = []
        self.cpu_s: list[float] = []
        self._n_handed = 0

    @property
    def n_workers(self) -> int:
        """How many trials run side by side."""
        return self._executor.n_workers

    def submit(self, request: EvaluateRequest) -> int:
        """Start or queue a trial."""
        self.submitted.append(time.time())
        self.cpu_s[1:] = [time.process_time()]
        return self._executor.submit(request)

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Return what came back."""
        self.told += [time.time()] * self._n_handed
        outcomes = self._executor.wait(timeout_s)
        self._n_handed = len(outcomes)
        return outcomes

    def shutdown(self) -> None:
        """Stop all workers."""
        self._executor.shutdown()


def run_load(settings: StudySettings, *, n_workers: int, seconds: float, n_trials: int) -> Load:
    """Run a study on SQLite with many workers, and return what that was like.

    Args:
        settings: Of the study.
        n_workers: Workers, however many cores there are.
        seconds: That a trial takes.
        n_trials: Trials of the study, derived ones not counted.
    """
    if _CHECKOUT not in sys.path[1:]:
        sys.path.append(_CHECKOUT)  # Workers never import from the current folder as such.
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder) / "busy"
        noted.mkdir()
        storage = Path(folder) / "studies.db"
        with study_for_run(storage, settings, share=True) as study:
            executor = RayExecutor(StandIn(seconds, str(noted)), None, n_workers=n_workers)
            try:
                watched = _Watched(executor)
                report = Driver(
                    study, watched, lambda p: analytic.make_config(p, 1), RunSettings(n_trials)
                ).run()
                report.check_whole()
                worker_mb = [_resident_mb(pid) for pid in executor.worker_pids]
            finally:
                executor.shutdown()
        busy = busy_times(noted)
    window = (min(began for began, _ in busy), watched.submitted[-1])
    window_s = window[1] - window[0]
    return Load(
        sampler=settings.sampler,
        n_workers=n_workers,
        seconds=seconds,
        n_trials=report.progress.n_done,
        window_s=window_s,
        busy=busy_share(busy, n_workers, window),
        asks_per_s=len(watched.submitted) / window_s,
        tells_per_s=sum(window[0] <= moment <= window[1] for moment in watched.told) / window_s,
        driver_cpu=(watched.cpu_s[-1] - watched.cpu_s[0])
        / (watched.submitted[-1] - watched.submitted[0]),
        driver_mb=peak_mb(),
        worker_mb=sum(worker_mb) / len(worker_mb),
    )


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MB
    except OSError:
        return float("nan")
