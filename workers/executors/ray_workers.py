"""Runs trials on Ray: one long-lived actor a worker, on this machine or a cluster.

An actor imports TensorFlow once and keeps its evaluator for the whole run. The data set is put
into Ray's shared memory once a node; all actors there read the same pages. The only module that
imports ray, and it does so when an executor is made.

A cluster's nodes need this program installed (``spaces`` and ``workers`` are imported there),
and, for a task in a file of its own, that file under the same path.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from spaces.errors import ConfigError, SearchError, WorkersLostError
from workers.messages.executor import Evaluator, Finished, Lost, Outcome
from workers.messages.result import EvaluateRequest, TrialResult

PayloadT = TypeVar("PayloadT")

_TRIALS_A_WORKER = 200
"""Trials after which a worker makes room for a new one: TensorFlow leaks about 1.2 MB each."""

_MAX_FAILED_STARTS = 3
_SPARE_STORE_BYTES = 256 * 1024**2


class _Worker:
    """Lives in a process of its own."""

    def __init__(self, import_path: list[str]) -> None:
        # What the driver can import (a task beside the notebook it runs in) is importable
        # here too; set before the evaluator arrives and is unpickled.
        sys.path.extend(entry for entry in import_path if entry not in sys.path)
        self._evaluate: Evaluator | None = None

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

    Raises:
        ConfigError: If there is no cluster at the address, or no room for one worker.
        WorkersLostError: If workers die while they start.
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
    ) -> None:
        if n_workers is not None and n_workers < 1:
            raise ConfigError(f"`1 <= workers` must hold, but got (workers={n_workers}).")
        self._threads = threads
        self._trials_a_worker = trials_a_worker
        self._queue: deque[tuple[int, EvaluateRequest]] = deque()
        self._slots: list[_Slot] = []
        self._next_ticket = 0
        self._is_shut_down = False
        self._ray, self._owns_ray = _start_ray(address, n_workers, threads, payload)
        try:
            self._n_workers = _n_workers(self._ray, n_workers, address, threads)
            self._make_evaluator = self._ray.put(make_evaluator)
            self._payload = self._ray.put(payload)
            self._slots = [self._new_slot() for _ in range(self._n_workers)]
            self._start_workers()
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
        while self._queue or any(slot.ticket is not None for slot in self._slots):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            outcomes = self._collect(left)
            if outcomes or (deadline is not None and time.monotonic() >= deadline):
                return outcomes
        return []

    def shutdown(self) -> None:
        """Stop all workers. Trials under way are given up. May be called twice."""
        if self._is_shut_down:
            return
        self._is_shut_down = True
        self._queue.clear()
        for slot in self._slots:
            self._ray.kill(slot.actor)
        self._slots.clear()
        if self._owns_ray:
            self._ray.shutdown()

    # --- Workers --------------------------------------------------------------------------

    def _new_slot(self) -> _Slot:
        # Never restarted by Ray: a restarted actor would lack its evaluator.
        options = {"num_cpus": self._threads, "max_restarts": 0, "max_task_retries": 0}
        import_path = [entry or os.getcwd() for entry in sys.path]
        actor = self._ray.remote(**options)(_Worker).remote(import_path)
        return _Slot(actor, actor.prepare.remote(self._make_evaluator, self._payload))

    def _start_workers(self) -> None:
        """Wait until all workers have made their evaluators; they do so side by side."""
        while any(slot.ref is not None and slot.ticket is None for slot in self._slots):
            self._collect(None)

    def _replace(self, slot: _Slot) -> None:
        """Give a slot a new actor, which starts in the background."""
        self._ray.kill(slot.actor)
        fresh = self._new_slot()
        slot.actor, slot.ref, slot.ticket = fresh.actor, fresh.ref, None
        slot.n_trials = slot.pid = 0

    def _dispatch(self) -> None:
        for slot in self._slots:
            if not self._queue:
                return
            if slot.ref is None:
                slot.ticket, request = self._queue.popleft()
                slot.ref = slot.actor.evaluate.remote(request)

    # --- Results --------------------------------------------------------------------------

    def _collect(self, timeout_s: float | None) -> list[Outcome]:
        """Wait for anything to happen, and hand out what is queued to those who got free."""
        busy = {slot.ref: slot for slot in self._slots if slot.ref is not None}
        if not busy:
            return []
        ready, rest = self._ray.wait(list(busy), num_returns=1, timeout=timeout_s)
        if ready and rest:
            more, _ = self._ray.wait(rest, num_returns=len(rest), timeout=0)
            ready += more
        outcomes = [self._take(busy[ref]) for ref in ready]
        self._dispatch()
        return [outcome for outcome in outcomes if outcome is not None]

    def _take(self, slot: _Slot) -> Outcome | None:
        """Take what a worker's call gave: None if it has just started."""
        errors = self._ray.exceptions
        ref, ticket = slot.ref, slot.ticket
        try:
            value = self._ray.get(ref)
        except errors.RayTaskError as error:
            # What the evaluator raised, with the worker's traceback as its cause.
            original = getattr(error, "cause", None)
            if isinstance(original, Exception):
                raise original from error
            raise SearchError(f"A worker failed: {_last_line(error)}") from error
        except errors.RayError as error:
            return self._lose(slot, ticket, _reason(slot, error))
        slot.ref = slot.ticket = None
        if ticket is None:
            slot.pid, slot.n_failed_starts = value, 0
            return None
        slot.n_trials += 1
        if slot.n_trials >= self._trials_a_worker:
            self._replace(slot)
        return Finished(ticket, value)

    def _lose(self, slot: _Slot, ticket: int | None, reason: str) -> Outcome | None:
        if ticket is None:
            slot.n_failed_starts += 1
            if slot.n_failed_starts >= _MAX_FAILED_STARTS:
                raise WorkersLostError(
                    f"A worker died {slot.n_failed_starts} times while it started. {reason}"
                )
        self._replace(slot)
        return None if ticket is None else Lost(ticket, reason)


def _start_ray(
    address: str | None, n_workers: int | None, threads: int, payload: Any
) -> tuple[Any, bool]:
    """Return the ray module, initialized, and whether we did that."""
    # Set before the import: Ray reads them then, and so do the processes it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray prints a paragraph to stdout for every worker that dies; we say it in one line, and
    # stdout is for data.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    if address is None:
        # Nothing listens outside loopback. Ray has no other switch for it: it replaces
        # 127.0.0.1 as a node's address, except on systems where it allows no clusters.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray
    import ray.exceptions

    if ray.is_initialized():
        return ray, False
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is not None:
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"There must be a Ray cluster at --address, but {address!r} cannot be joined: "
                f"{_last_line(error)}"
            ) from error
        return ray, True
    ray.init(
        num_cpus=(n_workers or _available_cores() // threads or 1) * threads,
        include_dashboard=False,  # It has no login.
        object_store_memory=_SPARE_STORE_BYTES + _buffer_bytes(payload),
        **quiet,
    )
    return ray, True


def _n_workers(ray: Any, wanted: int | None, address: str | None, threads: int) -> int:
    """Return how many workers to start: those wanted, or as many as there is room for."""
    if address is None:
        return wanted or max(1, _available_cores() // threads)
    # Ray would wait for room without a word, for as long as others use the cluster.
    room = int(ray.available_resources().get("CPU", 0)) // threads
    if room < (wanted or 1):
        raise ConfigError(
            f"The cluster at {address!r} must have {wanted or 1} free cores for as many workers, "
            f"but has {room}."
        )
    return wanted or room


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _buffer_bytes(payload: Any) -> int:
    """Return the bytes of all arrays in it, without copying them."""
    buffers: list[pickle.PickleBuffer] = []
    try:
        pickle.dumps(payload, protocol=5, buffer_callback=buffers.append)
    except (pickle.PicklingError, AttributeError, TypeError):
        return 0  # Ray's own pickle takes more; it is only about room.
    return sum(buffer.raw().nbytes for buffer in buffers)


def _reason(slot: _Slot, error: Exception) -> str:
    process = f" (process {slot.pid})" if slot.pid else ""
    if "running low on memory" in str(error):  # Ray's own watch over the machine's memory.
        return f"A worker{process} was stopped because the machine runs out of memory."
    # A kernel short of memory kills, too, and leaves no note.
    return f"A worker{process} died: it was killed, ran out of memory, or crashed."


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
