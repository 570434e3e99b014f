"""Where trials run: the one seam between the driver and the workers.

An *evaluator* turns a request into a result; it is a plain callable. An *executor* keeps
evaluators busy. :class:`InlineExecutor` runs them in the driver's own process, one at a time,
for tests and debugging; ``workers.executors.ray_workers`` runs them on Ray actors.
"""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from workers.messages.result import EvaluateRequest, TrialResult

Evaluator = Callable[[EvaluateRequest], TrialResult]
"""Evaluates one trial. What a trial can do wrong is in the result; what it raises ends the run."""


class Interrupted(KeyboardInterrupt):
    """Somebody wants this process to stop; a plain ``KeyboardInterrupt`` may be a task's own.

    Args:
        signal_number: The signal that says so.
    """

    def __init__(self, signal_number: int = signal.SIGINT) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


class TrialOverdue(BaseException):
    """A trial takes longer than its request allows; not for an evaluator to catch."""


@dataclass(frozen=True)
class Finished:
    """A trial came back."""

    ticket: int
    result: TrialResult


@dataclass(frozen=True)
class Lost:
    """A worker died over a trial. The executor has a new worker already, or waits for one.

    Attributes:
        ticket: The trial's.
        reason: Why, in a sentence.
        with_node: Whether its whole node went, or the way there: none of the trial's doing.
    """

    ticket: int
    reason: str
    with_node: bool = False


@dataclass(frozen=True)
class TimedOut:
    """A trial took longer than its request allows, and was ended with its worker."""

    ticket: int
    reason: str


Outcome = Finished | Lost | TimedOut


@runtime_checkable
class Executor(Protocol):
    """Hands trials to workers and brings results back.

    **Who may call it.** The driver, from one thread.

    **Promises.** Every ticket comes back exactly once from :meth:`wait`, as ``Finished``,
    ``Lost`` or ``TimedOut``. A dead worker is replaced, so that ``n_workers`` trials can always
    run. What an evaluator raises (an error of ours or of the user's set-up) is raised by
    :meth:`wait`, after everything that finished meanwhile was returned.
    """

    @property
    def n_workers(self) -> int:
        """How many trials run side by side now; on a cluster it may change."""

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
    """Runs each trial in this process when it is waited for.

    A trial that takes too long is ended by a timer signal: in the main thread only, and only once
    its code is back in Python. Code that hangs within C++ is not.
    """

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
        try:
            with _alarm(request.timeout_s):
                return [Finished(ticket, self._evaluate(request))]
        except TrialOverdue:
            assert request.timeout_s is not None
            return [TimedOut(ticket, overdue_reason(request.timeout_s))]

    def shutdown(self) -> None:
        """Forget what is queued."""
        self._queue.clear()


def overdue_reason(timeout_s: float) -> str:
    """Say why a trial was ended."""
    return (
        f"It took longer than {timeout_s:,.0f} s and was ended; --trial-timeout gives a trial "
        f"more time."
    )


@contextmanager
def _alarm(timeout_s: float | None) -> Iterator[None]:
    """Raise ``TrialOverdue`` within the block when time is up, where that can be done."""
    is_main = threading.current_thread() is threading.main_thread()
    if timeout_s is None or not is_main or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: object) -> None:
        raise TrialOverdue

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
