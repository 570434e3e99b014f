"""Runs trials on Ray: one long-lived actor a worker, on this machine or a cluster.

An actor imports TensorFlow once and keeps its evaluator for the whole run. On this machine actors
map the data set from the cache, whatever its size; on a cluster it is put into Ray's shared memory
once a node.

On a cluster, workers start as there is room for them: a run begins with those that have room, and
the others wait where Ray sees them, so that it may grow by demand. A node that leaves costs the
trials that ran there one more attempt each.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from spaces.errors import ConfigError, SearchError, WorkersLostError
from spaces.wording import counted
from workers.executors.cluster import AwaitedResource, free_resource, free_room
from workers.executors.early import EarlyWorkers
from workers.executors.payloads import sent
from workers.executors.ray_start import StartedRay, available_cores
from workers.executors.worker import Slot, last_line, new_actor, raised_by, why_it_died
from workers.messages.executor import (
    Evaluator,
    Finished,
    Lost,
    Outcome,
    TimedOut,
    overdue_reason,
)
from workers.messages.result import EvaluateRequest

PayloadT = TypeVar("PayloadT")

_TRIALS_A_WORKER = 200
"""Trials after which a worker makes room for a new one: TensorFlow leaks about 1.2 MB each."""

_MAX_FAILED_STARTS = 3

_START_S = 600.0
"""How long a worker may take to start: TensorFlow's import, on a machine that is busy."""

_GPU_WAIT_S = 300.0
"""How long a worker waits for a GPU: that of a node which was cut off never comes free."""

_GROW_S = 5.0
"""How often it is looked at whether a cluster has room for more workers."""

_POLL_S = 1.0
"""How often it is looked at whether Ray lives, and whether a trial takes too long."""


class RayExecutor:
    """Keeps Ray actors busy. Promises what :class:`~workers.messages.executor.Executor` does.

    Args:
        make_evaluator: Called once in every worker with the payload. It travels by pickle, as
            does the payload.
        payload: What all evaluators share, as a rule a ``Dataset``. Arrays in it arrive
            read-only, in shared memory, or mapped from the cache's files.
        n_workers: Trials that run side by side; None for one a core, on a cluster as many as
            there is room for, also later.
        at_most: Trials there will be: more workers are not started.
        address: A running cluster to join, ``auto`` for the one of this machine; None starts
            Ray here, listening on loopback only.
        threads: Cores that a worker is given.
        trials_a_worker: Trials after which a worker is replaced.
        start_timeout_s: Seconds after which workers must have started; None for as long as they
            take.
        needs: A resource of Ray's that evaluators ask for. While no node has it, which is told,
            the time of trials stands still.
        early: Workers on this machine that have begun, of which there are no more then.
        notice: Told what a person should know.

    Raises:
        ConfigError: If there is no cluster at the address.
        WorkersLostError: If Ray cannot be started, workers die while they start, or time is up.
    """

    def __init__(
        self,
        make_evaluator: Callable[[PayloadT], Evaluator],
        payload: PayloadT,
        *,
        n_workers: int | None = None,
        at_most: int | None = None,
        address: str | None = None,
        threads: int = 1,
        trials_a_worker: int = _TRIALS_A_WORKER,
        start_timeout_s: float | None = None,
        needs: str | None = None,
        early: EarlyWorkers | None = None,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        if n_workers is not None and n_workers < 1:
            raise ConfigError(f"`1 <= workers` must hold, but got (workers={n_workers}).")
        self._threads = threads
        self._trials_a_worker = trials_a_worker
        self._queue: deque[tuple[int, EvaluateRequest]] = deque()
        self._came_back: list[Outcome] = []  # Before anybody waited for it.
        self._slots: list[Slot] = []
        self._next_ticket = 0
        self._is_shut_down = False
        self._error: BaseException | None = None
        self._notice = notice
        self._grows = n_workers is None
        self._at_most = at_most
        self._next_look = 0.0
        self._awaited: AwaitedResource | None = None
        n_workers = n_workers and min(n_workers, self._cap)
        deadline = None if start_timeout_s is None else time.monotonic() + start_timeout_s
        self._early = early
        if early is not None:
            self._started = early.take(self._local_workers(n_workers))
        else:
            self._started = StartedRay(address, n_workers, threads, payload, notice)
        self._ray = self._started.ray
        try:
            n_first = self._count_workers(n_workers, address)
            if needs is not None:
                self._awaited = AwaitedResource(self._ray, needs, notice)
                self._awaited.waited_s()
            self._make_evaluator = self._share(make_evaluator)
            self._payload = self._share(sent(payload) if self._started.is_local else payload)
            self._add_slots(n_first)
            self._start_workers(deadline)
        except BaseException:
            self.shutdown()
            raise

    @property
    def n_workers(self) -> int:
        """How many trials run side by side: one at least, also while all wait for room."""
        if self._started.is_local:
            return len(self._slots)
        return max(1, sum(not slot.waits for slot in self._slots))

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers that have started."""
        return tuple(slot.pid for slot in self._slots if slot.is_ready)

    def submit(self, request: EvaluateRequest) -> int:
        """Start a trial, or queue it when all workers are busy; return its ticket."""
        ticket = self._next_ticket
        self._next_ticket += 1
        self._queue.append((ticket, request))
        try:
            # Whoever submits between one result and the next may be long in coming to wait().
            self._came_back += self._collect(0.0)
            self._dispatch()
        except SearchError as error:
            self._error = self._error or error  # Told by wait(), after what finished.
        return ticket

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Return what came back; wait for the first at most ``timeout_s`` seconds."""
        if self._came_back:
            came_back, self._came_back = self._came_back, []
            return came_back
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
        """Return how many workers to ask for: those wanted, or as many as there is room for."""
        if self._started.is_local:
            return len(self._early.actors) if self._early else self._local_workers(wanted)
        room = free_room(self._ray, wanted or 1, self._threads)
        where = "that runs in this process" if address is None else f"at {address!r}"
        if room == 0:
            self._notice(
                f"The cluster {where} has no free core: its first worker waits until it has. "
                f"Ctrl-C ends that."
            )
        elif room < (wanted or 1):
            self._notice(
                f"The cluster {where} has {counted(room, 'free core')} for {wanted} workers: "
                f"{room} of them begin, and the others as soon as there is room."
            )
        return wanted or max(1, min(room, self._cap))

    def _local_workers(self, wanted: int | None) -> int:
        return wanted or max(1, min(available_cores() // self._threads, self._cap))

    @property
    def _cap(self) -> int:
        return sys.maxsize if self._at_most is None else max(1, self._at_most)

    def _grow(self) -> None:
        """Use what a cluster has room for by now, if work waits."""
        now = time.monotonic()
        if not (self._grows and self._queue) or self._started.is_local or now < self._next_look:
            return
        self._next_look = now + _GROW_S
        if any(not slot.is_ready for slot in self._slots):
            return  # What is free may be for them.
        room = free_resource(self._ray, "CPU") // self._threads
        self._add_slots(min(room, self._cap - len(self._slots)))

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

    def _add_slots(self, n: int) -> None:
        """Ask for more workers: the first of them with a GPU each, as far as there are some."""
        n_with_gpu = 0 if self._started.is_local or n < 1 else free_resource(self._ray, "GPU")
        self._slots += [self._new_slot(int(i < n_with_gpu)) for i in range(n)]

    def _new_slot(self, n_gpus: int = 0) -> Slot:
        self._started.check()
        is_local = self._started.is_local
        early = self._early.actors if self._early else None
        hide_gpus = not is_local and not n_gpus
        actor = (
            early.popleft() if early else new_actor(self._ray, self._threads, n_gpus, hide_gpus)
        )
        slot = Slot(actor, None, n_gpus)
        # Room may be long in coming: nodes start for it. A GPU that was free is there, or gone.
        waits_s = _START_S if is_local else _GPU_WAIT_S if n_gpus else None
        slot.begin(actor.arrive.remote(), waits_s)
        return slot

    def _start_workers(self, deadline: float | None) -> None:
        """Wait until all workers have made their evaluators; they do so side by side.

        On a cluster, until the first has: the others come when they come.
        """
        is_enough = all if self._started.is_local else any
        while not is_enough(slot.is_ready for slot in self._slots):
            self._collect(_POLL_S)
            if self._error is not None:
                raise self._error
            if deadline is not None and time.monotonic() > deadline:
                raise WorkersLostError(
                    "Time is up (--timeout), and the workers have not started: they import "
                    "TensorFlow and load the task. Give it more time, or look what hangs."
                )

    def _replace(self, slot: Slot) -> None:
        """Give a slot a new actor, which starts in the background."""
        self._ray.kill(slot.actor)
        n_gpus = slot.n_gpus
        if n_gpus and (slot.waits or self._has_left(slot.node)):
            others = (one for one in self._slots if one is not slot and one.waits)
            free = free_resource(self._ray, "GPU") - sum(one.n_gpus for one in others)
            n_gpus = min(1, max(0, free))
        fresh = self._new_slot(n_gpus)
        fresh.n_failed_starts = slot.n_failed_starts
        self._slots[self._slots.index(slot)] = fresh

    def _has_left(self, node: str) -> bool:
        """Whether a node of the cluster is gone."""
        alive = {one["NodeID"] for one in self._ray.nodes() if one["Alive"]}
        return not self._started.is_local and node not in alive

    def _dispatch(self) -> None:
        for slot in self._slots:
            if not self._queue:
                return
            if slot.ref is None and slot.is_ready:
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
        self._grow()
        if self._awaited is not None and (waited_s := self._awaited.waited_s()):
            for slot in busy.values():
                slot.stand_still(waited_s)
        n_wanted = 1 if timeout_s else len(busy)
        ready, rest = self._ray.wait(list(busy), num_returns=n_wanted, timeout=timeout_s)
        if ready and rest and timeout_s:
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

    def _take(self, slot: Slot) -> Outcome | None:
        """Take what a worker's call gave: None if it has just started, or raised."""
        errors = self._ray.exceptions
        ref, ticket = slot.ref, slot.ticket
        try:
            value = self._ray.get(ref)
        except errors.RayTaskError as error:
            slot.ref = slot.ticket = None
            if self._error is None:
                self._error = raised_by(error)
            return None
        except errors.RayError as error:
            self._started.check()
            return self._lose(slot, ticket, *self._why(slot, error))
        slot.ref = slot.ticket = None
        if slot.waits:
            slot.pid, slot.node = value
            prepared = slot.actor.prepare.remote(self._make_evaluator, self._payload)
            slot.begin(prepared, _START_S)
            return None
        if not slot.is_ready:
            slot.is_ready, slot.n_failed_starts = True, 0
            return None
        assert ticket is not None
        slot.n_trials += 1
        if slot.n_trials >= self._trials_a_worker:
            self._replace(slot)
        return Finished(ticket, value)

    def _end(self, slot: Slot) -> Outcome | None:
        """End a call that takes too long, with its worker: nothing else ends it."""
        ticket, timeout_s = slot.ticket, slot.timeout_s
        assert timeout_s is not None
        if slot.waits and slot.n_gpus:
            self._notice(
                "No GPU came free for a worker: it starts with one or without, where room is."
            )
            self._replace(slot)
            return None
        if ticket is None:
            return self._lose(slot, None, f"It did not start within {timeout_s:,.0f} s.")
        self._replace(slot)
        return TimedOut(ticket, overdue_reason(timeout_s))

    def _why(self, slot: Slot, error: Exception) -> tuple[str, bool]:
        """Say why a worker died, and whether it went with its node, or the way there."""
        is_elsewhere = not self._started.is_local and bool(slot.node)
        is_cut_off = isinstance(error, self._ray.exceptions.ActorUnavailableError)
        if is_elsewhere and (is_cut_off or self._has_left(slot.node)):
            how = "cannot be reached any more" if is_cut_off else "has left the cluster"
            return f"The node of its worker (process {slot.pid}) {how}.", True
        return why_it_died(slot, error), False

    def _lose(
        self, slot: Slot, ticket: int | None, reason: str, with_node: bool = False
    ) -> Outcome | None:
        if ticket is None and not with_node:
            slot.n_failed_starts += 1
            if slot.n_failed_starts >= _MAX_FAILED_STARTS:
                raise WorkersLostError(
                    f"A worker died {slot.n_failed_starts} times while it started. {reason}"
                )
        self._replace(slot)
        if not self._started.is_local and all(slot.waits for slot in self._slots):
            self._notice("No worker is left: the next one waits for room in the cluster.")
        return None if ticket is None else Lost(ticket, reason, with_node)
