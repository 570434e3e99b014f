"""What a run tells whoever watches it: plain data, at most one update for each thing that happens.

The driver calls an :class:`Observer` from its own thread and waits for it, so an observer
returns quickly. A progress display is one observer; :class:`Silent` is another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class UnderWay:
    """A trial that a worker is at, or that waits for one.

    Attributes:
        number: Its number.
        what: What it is, in some words: ``cnn, int8, 80 % sparse``.
        seconds: How long a worker has been at it; None while it waits.
        parent: Number of the trial from whose weights it starts; None for a new training.
    """

    number: int
    what: str
    seconds: float | None = None
    parent: int | None = None


@dataclass(frozen=True)
class RunProgress:
    """How far a run is, at one moment.

    Attributes:
        study_name: Name of the study.
        n_target: Trials the study is to have, derived ones not counted.
        n_done: Trials that count towards it: complete, stopped and failed ones, or those that were
            refused, whichever are more.
        n_complete: Trials with a measured model of their own.
        n_infeasible: Trials told as infeasible: a limit is broken, or they cannot be converted.
        n_stopped: Trials that the race stopped: they could only become dominated points.
        n_branches: Complete trials that started from the weights of another.
        n_failed: Trials that failed, with a reason.
        n_running: Trials under way now, queued ones included.
        n_points: Measured models: complete trials and those derived from them.
        front_size: Points on the Pareto front, among those that keep all limits.
        hypervolume: Of that front, from the study's reference point; it only grows.
        best_accuracy: Highest accuracy on the front; None while it is empty.
        smallest_bytes: Smallest size on the front; None while it is empty.
        fastest_ms: Lowest latency on the front; None while it is empty.
        elapsed_s: Seconds since this run started.
        eta_s: Expected seconds until ``n_target``; None while nothing is known.
        values: Accuracy, size and latency of the points on that front.
        under_way: Trials that workers are at, then those that wait.
        last: What happened last, as one line: ``trial 12: 0.953, 14.1 kB, 0.21 ms, +5 points``.
    """

    study_name: str
    n_target: int
    n_done: int = 0
    n_complete: int = 0
    n_infeasible: int = 0
    n_stopped: int = 0
    n_branches: int = 0
    n_failed: int = 0
    n_running: int = 0
    n_points: int = 0
    front_size: int = 0
    hypervolume: float = 0.0
    best_accuracy: float | None = None
    smallest_bytes: float | None = None
    fastest_ms: float | None = None
    elapsed_s: float = 0.0
    eta_s: float | None = None
    last: str = ""
    values: tuple[tuple[float, float, float], ...] = field(default=(), repr=False)
    under_way: tuple[UnderWay, ...] = ()


class Observer(Protocol):
    """Shows a run to somebody."""

    def start(self, progress: RunProgress) -> None:
        """The study is open; workers are ready. Called once, before anything else."""

    def update(self, progress: RunProgress) -> None:
        """A trial was started or ended."""

    def message(self, text: str) -> None:
        """Say one line that a person should read: a retry, a lost worker, what was repaired."""

    def finish(self, progress: RunProgress) -> None:
        """The run is over, however it ended. Called once, after everything else."""


class Silent:
    """Shows nothing."""

    def start(self, progress: RunProgress) -> None:
        """Show nothing."""

    def update(self, progress: RunProgress) -> None:
        """Show nothing."""

    def message(self, text: str) -> None:
        """Show nothing."""

    def finish(self, progress: RunProgress) -> None:
        """Show nothing."""
