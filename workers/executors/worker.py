"""One worker: the actor that it is, what it does now, and why it died where it did."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaces.errors import SearchError
from workers.executors.memory import oom_kills
from workers.executors.payloads import received
from workers.messages.executor import Evaluator
from workers.messages.result import EvaluateRequest, TrialResult
from workers.processes.import_path import import_path

STEPS_BACK = "LITEFRONT_STEPS_BACK"
"""Variable that says by how much a worker steps back behind others (``nice``) once it is ready."""

_FEWER = " Fewer at a time need less: --workers."


class Worker:
    """Lives in a process of its own."""

    def __init__(self, path: list[str], hide_gpus: bool) -> None:
        if hide_gpus:  # Ray does so too, as yet, on nodes that are not told otherwise.
            os.environ.update(CUDA_VISIBLE_DEVICES="", HIP_VISIBLE_DEVICES="")
        # What the driver can import (a task beside the notebook it runs in) is importable
        # here too; set before the evaluator arrives and is unpickled.
        sys.path.extend(entry for entry in path if entry not in sys.path)
        self._evaluate: Evaluator | None = None
        # Ctrl-C is for the driver. What a task's own code raises of that kind is the trial's.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def arrive(self) -> tuple[int, str]:
        """Return the process's id, and that of its node: there was room for it."""
        import ray

        return os.getpid(), ray.get_runtime_context().get_node_id()

    def warm_up(self, warm_up: Callable[[], None]) -> None:
        """Import what an evaluator needs, before it is known which; what fails fails there too."""
        with suppress(Exception):
            warm_up()

    def prepare(self, make_evaluator: Callable[[Any], Evaluator], payload: Any) -> None:
        """Make the evaluator, which takes seconds."""
        self._evaluate = make_evaluator(received(payload))
        step_back(int(os.environ.pop(STEPS_BACK, "0")))

    def evaluate(self, request: EvaluateRequest) -> TrialResult:
        """Evaluate one trial."""
        assert self._evaluate is not None
        return self._evaluate(request)


def new_actor(ray: Any, threads: int, n_gpus: int = 0, is_elsewhere: bool = False) -> Any:
    """Return a new worker's actor, which starts as soon as there is room for it."""
    options: dict[str, Any] = {"num_cpus": threads, "num_gpus": n_gpus}
    # Never restarted by Ray: a restarted actor would lack its evaluator.
    options |= {"max_restarts": 0, "max_task_retries": 0}
    return ray.remote(**options)(Worker).remote(import_path(), is_elsewhere and not n_gpus)


def step_back(by: int) -> None:
    """Let all threads of this process step back behind other programs (``nice``)."""
    threads = Path("/proc/self/task")
    if by and not threads.exists():
        os.nice(by)
    elif by:  # On Linux each thread has its own.
        for thread in threads.iterdir():
            with suppress(OSError):  # It has ended.
                number = int(thread.name)
                niceness = os.getpriority(os.PRIO_PROCESS, number)
                os.setpriority(os.PRIO_PROCESS, number, min(19, niceness + by))


@dataclass
class Slot:
    """One worker: an actor, and what it does now."""

    actor: Any
    ref: Any
    n_gpus: int = 0
    ticket: int | None = None  # None while it starts.
    n_trials: int = 0
    n_failed_starts: int = 0
    is_ready: bool = False  # Whether it has its evaluator.
    pid: int = 0  # 0 as long as there is no room for it.
    node: str = ""
    since: float = 0.0  # When the present call began, by time.monotonic().
    timeout_s: float | None = None  # Of the present call.
    oom_kills: int | None = None  # Of the machine before it began.

    @property
    def waits(self) -> bool:
        """Whether the cluster has no room for it yet."""
        return not self.pid

    def begin(self, ref: Any, timeout_s: float | None) -> None:
        """A call has begun."""
        self.ref, self.timeout_s = ref, timeout_s
        self.since, self.oom_kills = time.monotonic(), oom_kills()

    def stand_still(self, seconds: float) -> None:
        """Do not count some of the time of the present call."""
        self.since = min(time.monotonic(), self.since + seconds)

    @property
    def is_overdue(self) -> bool:
        """Whether its call takes longer than it may."""
        return self.timeout_s is not None and time.monotonic() - self.since > self.timeout_s


def last_line(error: BaseException) -> str:
    """Return the last line of an error's text: with Ray, the one that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def raised_by(error: Any) -> Exception:
    """Return what an evaluator raised, with the worker's traceback as its cause."""
    original = getattr(error, "cause", None)
    if not isinstance(original, Exception):
        original = SearchError(f"A worker failed: {last_line(error)}")
    original.__cause__ = error
    return original


def why_it_died(slot: Slot, error: Exception) -> str:
    """Say why a worker died, as far as anybody knows."""
    process = f" (process {slot.pid})" if slot.pid else ""
    text = str(error)
    # Ray's own watch over the machine's memory, then the kernel's.
    if "running low on memory" in text or type(error).__name__ == "OutOfMemoryError":
        return f"A worker{process} was stopped because the machine runs out of memory.{_FEWER}"
    if slot.oom_kills is not None and (oom_kills() or 0) > slot.oom_kills:
        return f"A worker{process} was killed by the kernel for want of memory.{_FEWER}"
    return f"A worker{process} died: it was killed, ran out of memory, or crashed."
