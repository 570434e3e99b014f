"""Where trials run: the one seam between the driver and the workers.

An *evaluator* turns a request into a result; it is a plain callable. An *executor* keeps
evaluators busy. :class:`InlineExecutor` runs them in the driver's own process, one at a time,
for tests and debugging; ``workers.executors.ray_workers`` runs them on Ray actors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from workers.messages.result import EvaluateRequest, TrialResult

Evaluator = Callable[[EvaluateRequest], TrialResult]
"""Evaluates one trial. What a trial can do wrong is in the result; what it raises ends the run."""


@dataclass(frozen=True)
class Finished:
    """A trial came back."""

    ticket: int
    result: TrialResult


@dataclass(frozen=True)
class Lost:
    """A worker died over a trial. The executor has a new worker already."""

    ticket: int
    reason: str


Outcome = Finished | Lost


@runtime_checkable
class Executor(Protocol):
    """Hands trials to workers and brings results back.

    **Who may call it.** The driver, from one thread.

    **Promises.** Every ticket comes back exactly once from :meth:`wait`, as ``Finished`` or
    ``Lost``. A dead worker is replaced, so that ``n_workers`` trials can always run. What an
    evaluator raises (an error of ours or of the user's set-up) is raised by :meth:`wait`.
    """

    @property
    def n_workers(self) -> int:
        """How many trials run side by side."""

    def submit(self, request: EvaluateRequest) -> int:
        """Start a trial, or queue it when all workers are busy; return its ticket."""

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Return what came back; wait for the first at most ``timeout_s`` seconds.

        Returns:
            At least one outcome, or an empty list when nothing is under way or time is up.
        """

    def shutdown(self) -> None:
        """Stop all workers. Trials under way are given up. May be called twice."""


class InlineExecutor:
    """Runs each trial in this process when it is waited for."""

    def __init__(self, evaluate: Evaluator) -> None:
        self._evaluate = evaluate
        self._queue: deque[tuple[int, EvaluateRequest]] = deque()
        self._next_ticket = 0

    @property
    def n_workers(self) -> int:
        """One."""
        return 1

    def submit(self, request: EvaluateRequest) -> int:
        """Queue a trial; return its ticket."""
        ticket = self._next_ticket
        self._next_ticket += 1
        self._queue.append((ticket, request))
        return ticket

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Evaluate the oldest queued trial, however long it takes."""
        if not self._queue:
            return []
        ticket, request = self._queue.popleft()
        return [Finished(ticket, self._evaluate(request))]

    def shutdown(self) -> None:
        """Forget what is queued."""
        self._queue.clear()
