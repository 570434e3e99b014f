"""Ray and its workers begun before it is known what they are for.

To import TensorFlow takes most of a worker's start, and needs no task: it goes on while another
process still reads the data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from workers.executors.ray_start import StartedRay
from workers.executors.worker import new_actor


class EarlyWorkers:
    """Workers on this machine that only import as yet.

    Making it takes as long as Ray takes to start. Who makes it shuts it down, unless an executor
    takes it.

    Args:
        n_workers: How many; at least 1.
        threads: Cores of a worker.
        warm_up: Called in every worker; it travels there by pickle.
        notice: Told what a person should know.

    Raises:
        WorkersLostError: If Ray cannot be started.
    """

    def __init__(
        self,
        n_workers: int,
        threads: int,
        warm_up: Callable[[], None],
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._is_taken = False
        self.started = StartedRay(None, n_workers, threads, None, notice)
        self.actors: deque[Any] = deque()
        try:
            for _ in range(n_workers if self.started.is_local else 0):
                self.actors.append(new_actor(self.started.ray, threads))
                self.actors[-1].warm_up.remote(warm_up)
        except BaseException:
            self.shutdown()
            raise

    def take(self, at_most: int) -> StartedRay:
        """Return Ray, to be shut down by the caller, and end workers that are too many."""
        while len(self.actors) > at_most:
            self.started.ray.kill(self.actors.pop())
        self._is_taken = True
        return self.started

    def shutdown(self) -> None:
        """End it all, unless an executor has taken it. May be called twice."""
        if not self._is_taken:
            self._is_taken = True
            self.started.shutdown()
