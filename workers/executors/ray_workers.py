"""Runs trials on Ray: one long-lived actor a worker, on this machine or a cluster.

An actor imports TensorFlow once and keeps its evaluator for the whole run. The data set is put
into Ray's shared memory once a node; all actors there read the same pages. Ray is imported when an
executor is made, by ``workers.executors.ray_start``.

A cluster's nodes need this program installed (``spaces`` and ``workers`` are imported there),
and, for a task in a file of its own, that file under the same path.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from spaces.errors import ConfigError, SearchError, WorkersLostError
from workers.executors.memory import oom_kills
from workers.executors.ray_start import StartedRay, available_cores, last_line
from workers.messages.executor import (
    Evaluator,
    Finished,
    Lost,
    Outcome,
    TimedOut,
    overdue_reason,
)
from workers.messages.result import EvaluateRequest, TrialResult
from workers.processes.import_path import import_path

PayloadT = TypeVar("PayloadT")

_TRIALS_A_WORKER = 200
"""Trials after which a worker makes room for a new one: TensorFlow leaks about 1.2 MB each."""

_MAX_FAILED_STARTS = 3

_START_S = 600.0
"""How long a worker may take to start: TensorFlow's import, on a machine that is busy."""

_ROOM_S = 20.0
"""How long a cluster may take to have room for our workers."""

_POLL_S = 1.0
"""How often it is looked at whether Ray lives, and whether a trial takes too long."""

_FEWER = " Fewer at a time need less: --workers."


class _Worker:
    """Lives in a process of its own."""

    def __init__(self, import_path: list[str]) -> None:
        # What the driver can import (a task beside the notebook it runs in) is importable
        # here too; set before the evaluator arrives and is unpickled.
        sys.path.extend(entry for entry in import_path if entry not in sys.path)
        self._evaluate: Evaluator | None = None
        # Ctrl-C is for the driver. What a task's own code raises of that kind is the trial's.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def prepare(self, make_evaluator: Callable[[Any], Evaluator], payload: Any) -> int:
        """Make the evaluator, which takes seconds; return the process's id."""
        self._evaluate = make_evaluator(payload)
        return os.getpid()

    def evaluate(self, request: EvaluateRequest) -> TrialResult:
        """Evaluate one trial."""
        assert self._evaluate is not None
        return self._evaluate(request)


@dataclass
class _Slot:
    """One worker: an actor, and what it does now."""

    actor: Any
    ref: Any
    ticket: int | None = None  # None while it starts.
    n_trials: int = 0
    n_failed_starts: int = 0
    pid: int = 0
    since: float = 0.0  # When the present call began, by time.monotonic().
    timeout_s: float | None = None  # Of the present call.
    oom_kills: int | None = None  # Of the machine before it began.

    def begin(self, ref: Any, timeout_s: float | None) -> None:
        """A call has begun."""
        self.ref, self.timeout_s = ref, timeout_s
        self.since, self.oom_kills = time.monotonic(), oom_kills()

    @property
    def is_overdue(self) -> bool:
        """Whether its call takes longer than it may."""
        return self.timeout_s is not None and time.monotonic() - self.since > self.timeout_s


class RayExecutor:
    """Keeps Ray actors busy. Promises what :class:`~workers.messages.executor.Executor` does.

    Making one takes as long as Ray and the evaluators take to start: ten to twenty seconds with
    TensorFlow.

    Args:
        make_evaluator: Called once in every worker with the payload. It travels by pickle, as
            does the payload.
        payload: What all evaluators share, as a rule a ``Dataset``. Arrays in it arrive
            read-only, in shared memory.
        n_workers: Trials that run side by side; None for one a core.
        address: A running cluster to join, ``auto`` for the one of this machine; None starts
            Ray here, listening on loopback only.
        threads: Cores that a worker is given.
        trials_a_worker: Trials after which a worker is replaced.
        start_timeout_s: Seconds after which workers must have started; None for as long as they
            take.
        notice: Told what a person should know.

    Raises:
        ConfigError: If there is no cluster at the address, or no room for the workers.
        WorkersLostError: If Ray cannot be started, workers die while they start, or time is up.
    """

    def __init__(
        self,
        make_evaluator: Callable[[PayloadT], Evaluator],
        payload: PayloadT,
        *,
        n_workers: int | None = None,
        address: str | None = None,
        threads: int = 1,
        trials_a_worker: int = _TRIALS_A_WORKER,
        start_timeout_s: float | None = None,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        if n_workers is not None and n_workers < 1:
            raise ConfigError(f"`1 <= workers` must hold, but got (workers={n_workers}).")
        self._threads = threads
        self._trials_a_worker = trials_a_worker
        self._queue: deque[tuple[int, EvaluateRequest]] = deque()
        self._slots: list[_Slot] = []
        self._next_ticket = 0
        self._is_shut_down = False
        self._error: BaseException | None = None
        deadline = None if start_timeout_s is None else time.monotonic() + start_timeout_s
        self._started = StartedRay(address, n_workers, threads, payload, notice)
        self._ray = self._started.ray
        try:
            self._n_workers = self._count_workers(n_workers, address)
            self._make_evaluator, self._payload = self._share(make_evaluator), self._share(payload)
            self._slots = [self._new_slot() for _ in range(self._n_workers)]
            self._start_workers(deadline)
        except BaseException:
            self.shutdown()
            raise

    @property
    def n_workers(self) -> int:
        """How many trials run side by side."""
        return self._n_workers

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers that have started."""
        return tuple(slot.pid for slot in self._slots if slot.pid)

    def submit(self, request: EvaluateRequest) -> int:
        """Start a trial, or queue it when all workers are busy; return its ticket."""
        ticket = self._next_ticket
        self._next_ticket += 1
        self._queue.append((ticket, request))
        self._dispatch()
        return ticket

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Return what came back; wait for the first at most ``timeout_s`` seconds."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self._error or self._queue or any(slot.ticket is not None for slot in self._slots):
            left = _POLL_S if deadline is None else max(0.0, deadline - time.monotonic())
            outcomes = [] if self._error else self._collect(min(left, _POLL_S))
            if not outcomes and self._error:
                error, self._error = self._error, None
                raise error
            if outcomes or (deadline is not None and time.monotonic() >= deadline):
                return outcomes
        return []

    def shutdown(self) -> None:
        """Stop all workers. Trials under way are given up. May be called twice."""
        if self._is_shut_down:
            return
        self._is_shut_down = True
        self._queue.clear()
        if self._started.is_alive():  # Or it is waited for in vain.
            for slot in self._slots:
                self._ray.kill(slot.actor)
        self._slots.clear()
        self._started.shutdown()

    # --- Workers --------------------------------------------------------------------------

    def _count_workers(self, wanted: int | None, address: str | None) -> int:
        """Return how many workers to start: those wanted, or as many as there is room for."""
        if self._started.is_local:
            return wanted or max(1, available_cores() // self._threads)
        # Ray would wait for room without a word, for as long as others use the cluster.
        room = _room(self._ray, wanted or 1, self._threads)
        if room < (wanted or 1):
            where = "that runs in this process" if address is None else f"at {address!r}"
            fix = f"--workers {room}" if room else "wait until it has, or leave out --address"
            raise ConfigError(
                f"The cluster {where} must have {wanted or 1} free cores for as many workers, "
                f"but has {room}: {fix}."
            )
        return wanted or room

    def _share(self, value: Any) -> Any:
        """Put a value where all workers find it.

        Raises:
            WorkersLostError: If there is no room for it.
        """
        try:
            return self._ray.put(value)
        except (self._ray.exceptions.RayError, OSError) as error:
            raise WorkersLostError(
                f"Ray has no room for what its workers share, such as the data: "
                f"{last_line(error)} Free memory, or room in the folder for temporary files "
                f"(TMPDIR)."
            ) from error

    def _new_slot(self) -> _Slot:
        self._started.check()
        # Never restarted by Ray: a restarted actor would lack its evaluator.
        options = {"num_cpus": self._threads, "max_restarts": 0, "max_task_retries": 0}
        actor = self._ray.remote(**options)(_Worker).remote(import_path())
        slot = _Slot(actor, None)
        slot.begin(actor.prepare.remote(self._make_evaluator, self._payload), _START_S)
        return slot

    def _start_workers(self, deadline: float | None) -> None:
        """Wait until all workers have made their evaluators; they do so side by side."""
        while any(slot.ref is not None and slot.ticket is None for slot in self._slots):
            self._collect(_POLL_S)
            if self._error is not None:
                raise self._error
            if deadline is not None and time.monotonic() > deadline:
                raise WorkersLostError(
                    "Time is up (--timeout), and the workers have not started: they import "
                    "TensorFlow and load the task. Give it more time, or look what hangs."
                )

    def _replace(self, slot: _Slot) -> None:
        """Give a slot a new actor, which starts in the background."""
        self._ray.kill(slot.actor)
        fresh = self._new_slot()
        slot.actor, slot.ticket = fresh.actor, None
        slot.begin(fresh.ref, fresh.timeout_s)
        slot.n_trials = slot.pid = 0

    def _dispatch(self) -> None:
        for slot in self._slots:
            if not self._queue:
                return
            if slot.ref is None:
                self._started.check()
                slot.ticket, request = self._queue.popleft()
                slot.begin(slot.actor.evaluate.remote(request), request.timeout_s)

    # --- Results --------------------------------------------------------------------------

    def _collect(self, timeout_s: float) -> list[Outcome]:
        """Wait for anything to happen, and hand out what is queued to those who got free.

        What an evaluator raised is kept for the next call of :meth:`wait`: what finished beside it
        comes first.
        """
        busy = {slot.ref: slot for slot in self._slots if slot.ref is not None}
        if not busy:
            return []
        self._started.check()
        ready, rest = self._ray.wait(list(busy), num_returns=1, timeout=timeout_s)
        if ready and rest:
            more, rest = self._ray.wait(rest, num_returns=len(rest), timeout=0)
            ready += more
        outcomes: list[Outcome | None] = []
        try:
            for ref in ready:
                outcomes.append(self._take(busy[ref]))
            for ref in rest:
                if busy[ref].is_overdue:
                    outcomes.append(self._end(busy[ref]))
            self._dispatch()
        except SearchError as error:
            self._error = self._error or error
        return [outcome for outcome in outcomes if outcome is not None]

    def _take(self, slot: _Slot) -> Outcome | None:
        """Take what a worker's call gave: None if it has just started, or raised."""
        errors = self._ray.exceptions
        ref, ticket = slot.ref, slot.ticket
        try:
            value = self._ray.get(ref)
        except errors.RayTaskError as error:
            slot.ref = slot.ticket = None
            if self._error is None:
                self._error = _raised(error)
            return None
        except errors.RayError as error:
            self._started.check()
            return self._lose(slot, ticket, _died(slot, error))
        slot.ref = slot.ticket = None
        if ticket is None:
            slot.pid, slot.n_failed_starts = value, 0
            return None
        slot.n_trials += 1
        if slot.n_trials >= self._trials_a_worker:
            self._replace(slot)
        return Finished(ticket, value)

    def _end(self, slot: _Slot) -> Outcome | None:
        """End a call that takes too long, with its worker: nothing else ends it."""
        ticket, timeout_s = slot.ticket, slot.timeout_s
        assert timeout_s is not None
        if ticket is None:
            return self._lose(slot, None, f"It did not start within {timeout_s:,.0f} s.")
        self._replace(slot)
        return TimedOut(ticket, overdue_reason(timeout_s))

    def _lose(self, slot: _Slot, ticket: int | None, reason: str) -> Outcome | None:
        if ticket is None:
            slot.n_failed_starts += 1
            if slot.n_failed_starts >= _MAX_FAILED_STARTS:
                raise WorkersLostError(
                    f"A worker died {slot.n_failed_starts} times while it started. {reason}"
                )
        self._replace(slot)
        return None if ticket is None else Lost(ticket, reason)


def _raised(error: Any) -> Exception:
    """Return what an evaluator raised, with the worker's traceback as its cause."""
    original = getattr(error, "cause", None)
    if not isinstance(original, Exception):
        original = SearchError(f"A worker failed: {last_line(error)}")
    original.__cause__ = error
    return original


def _room(ray: Any, wanted: int, threads: int) -> int:
    """Return for how many workers a cluster has room; waits a moment for those that have ended."""
    deadline = time.monotonic() + _ROOM_S
    while True:
        room = int(ray.available_resources().get("CPU", 0)) // threads
        if room >= wanted or time.monotonic() > deadline:
            return room
        time.sleep(0.2)


def _died(slot: _Slot, error: Exception) -> str:
    """Say why a worker died, as far as anybody knows."""
    process = f" (process {slot.pid})" if slot.pid else ""
    text = str(error)
    # Ray's own watch over the machine's memory, then the kernel's.
    if "running low on memory" in text or type(error).__name__ == "OutOfMemoryError":
        return f"A worker{process} was stopped because the machine runs out of memory.{_FEWER}"
    if slot.oom_kills is not None and (oom_kills() or 0) > slot.oom_kills:
        return f"A worker{process} was killed by the kernel for want of memory.{_FEWER}"
    return f"A worker{process} died: it was killed, ran out of memory, or crashed."
