"""An executor of plain child processes, which cost nothing to start and can be killed one by one.

A child is forked from the driver and lets go at once of everything that it inherits, above all of
the lock of the study: a driver that is killed must not leave it to somebody who lives on.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection, wait

from workers.messages.executor import Finished, Lost, Outcome
from workers.messages.result import EvaluateRequest, TrialResult

TRIAL_S = (0.003, 0.02)
"""How long a stand-in for a training takes, at least and at most."""


class ForkedWorkers:
    """Keeps child processes busy; promises what ``workers.messages.executor.Executor`` does."""

    def __init__(self, evaluate: Callable[[EvaluateRequest], TrialResult], n_workers: int) -> None:
        self._evaluate = evaluate
        self._queue: deque[tuple[int, EvaluateRequest]] = deque()
        self._tickets = 0
        self._idle = [self._fork() for _ in range(n_workers)]
        self._busy: dict[Connection, int] = {}
        self.n_workers = n_workers

    def _fork(self) -> Connection:
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            channel = os.dup2(theirs.fileno(), 3)
            os.closerange(4, _OPEN_MAX)
            _work(Connection(channel), self._evaluate)
        theirs.close()
        return Connection(ours.detach())

    def submit(self, request: EvaluateRequest) -> int:
        """Queue a trial, and start it if a worker is free."""
        self._tickets += 1
        self._queue.append((self._tickets, request))
        self._dispatch()
        return self._tickets

    def _dispatch(self) -> None:
        while self._queue and self._idle:
            channel = self._idle.pop()
            ticket, request = self._queue.popleft()
            self._busy[channel] = ticket
            try:
                channel.send(request)
            except OSError:
                pass  # It is dead: reading from it says so.

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Return what came back."""
        outcomes: list[Outcome] = []
        for channel in wait(list(self._busy), timeout_s) if self._busy else ():
            assert isinstance(channel, Connection)
            ticket = self._busy.pop(channel)
            try:
                outcomes.append(Finished(ticket, channel.recv()))
            except (EOFError, OSError):
                channel.close()
                outcomes.append(Lost(ticket, "A worker died: it was killed."))
                channel = self._fork()
            self._idle.append(channel)
        self._dispatch()
        return outcomes

    def shutdown(self) -> None:
        """Let go of the workers, which end when nobody talks to them any more."""
        for channel in (*self._idle, *self._busy):
            channel.close()
        self._idle, self._busy = [], {}


_OPEN_MAX = 256
"""Descriptors that are closed in a child: a driver has some dozens."""


def _work(channel: Connection, evaluate: Callable[[EvaluateRequest], TrialResult]) -> None:
    dice = random.Random(os.getpid())
    try:
        while True:
            request = channel.recv()
            time.sleep(dice.uniform(*TRIAL_S))
            channel.send(evaluate(request))
    finally:
        os._exit(0)
