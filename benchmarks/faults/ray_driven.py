"""Drivers with the product's own executor, on a Ray of their own, and trials of formulas.

What a worker does beside the formula is what a fault needs: it takes its time, measures within a
quiet window, and eats memory when it is told to.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import search.run.run_study as run_module
from benchmarks.faults import driven
from benchmarks.faults.driven import Folder, Plan
from tests.search_tests import analytic
from workers.executors.ray_workers import RayExecutor
from workers.latency.quiet_windows import QuietWindows
from workers.messages.executor import Evaluator
from workers.messages.result import EvaluateRequest, TrialResult

TRIAL_TIMEOUT_S = 5
MARK = "SEARCH_FAULTS_FOLDER"
"""Variable in the environment of all that a driver starts: the folder of its study."""

EAT = "eat"
"""A file in the folder of a study: whoever takes it away eats as many MB as it says."""

_TRIAL_S = (0.1, 0.3)
_STEP_MB = 50


def window_of(folder: Folder) -> Path:
    """Return the file that holds the process of a worker within its quiet window."""
    return folder.path / "window"


def started_at(folder: Folder) -> float:
    """Return when the last driver of a study was started, in seconds since the epoch."""
    return (folder.path / "started").stat().st_mtime


@dataclass(frozen=True)
class MakeStandIn:
    """Makes what evaluates formulas, in a worker.

    Attributes:
        windows: Name of the run's quiet windows.
        folder: Of the study.
    """

    windows: str
    folder: Folder

    def __call__(self, payload: object) -> Evaluator:
        """Return what evaluates."""
        windows, dice = QuietWindows.of_run(self.windows), random.Random(os.getpid())
        window = window_of(self.folder)

        def evaluate(request: EvaluateRequest) -> TrialResult:
            with windows.busy():
                time.sleep(dice.uniform(*_TRIAL_S))
                _eat(self.folder)
                with windows.window():
                    window.write_text(str(os.getpid()))
                    time.sleep(0.05)
                    window.unlink(missing_ok=True)
            return analytic.make_result(request)

        return evaluate


def _eat(folder: Folder) -> None:
    """Allocate as much memory as a fault asks for, and hold it for some seconds."""
    with suppress(FileNotFoundError):
        meal = folder.path / EAT
        n_steps = int(meal.read_text()) // _STEP_MB
        meal.unlink()
        held = []
        for _ in range(n_steps):
            held.append(b"x" * (_STEP_MB << 20))
            time.sleep(0.005)
        time.sleep(0.5)


def start(folder: Folder, plan: Plan) -> int:
    """Fork a driver whose workers are Ray's; return its process's id."""
    (folder.path / "started").touch()
    words = ("--trial-timeout", f"{TRIAL_TIMEOUT_S}s")
    return driven.start(folder, plan, words=words, replace_more=_use_ray)


def _use_ray(folder: Folder) -> None:
    os.environ[MARK] = str(folder.path)
    module: Any = run_module

    def executor(make_evaluator: Any, payload: Any, **options: Any) -> RayExecutor:
        return RayExecutor(MakeStandIn(make_evaluator.windows, folder), payload, **options)

    module.RayExecutor = executor
