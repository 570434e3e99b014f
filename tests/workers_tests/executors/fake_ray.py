"""A Ray of pretence, in this process: nodes, GPUs and time are what a test says.

It has what :class:`workers.executors.ray_workers.RayExecutor` and the nodes that measure latencies
use of Ray, and nothing runs beside anything else: a call that may run does so when it is waited
for, and takes no time unless the test lets some pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


class RayError(Exception):
    """Root of what Ray raises."""


class RayTaskError(RayError):
    """What a call raised there.

    Attributes:
        cause: The exception.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"a traceback\n{cause}")
        self.cause = cause


class ActorUnavailableError(RayError):
    """An actor cannot be reached."""


class WorkerCrashedError(RayError):
    """A process ended over its call."""


class _Exceptions:
    RayError, RayTaskError = RayError, RayTaskError
    ActorUnavailableError = ActorUnavailableError


@dataclass(eq=False)
class Ref:
    """What a call is to give."""

    run: Callable[[], Any]
    may_run: Callable[[], bool]
    is_cancelled: bool = False


@dataclass(eq=False)
class _Actor:
    ray: FakeRay
    n_gpus: int
    node: str = ""

    def __getattr__(self, name: str) -> Any:
        return _Method(self, name)


@dataclass
class _Method:
    actor: _Actor
    name: str

    def remote(self, *arguments: Any) -> Ref:
        actor, ray = self.actor, self.actor.ray

        def may_run() -> bool:
            if not actor.node and ray.gpus >= actor.n_gpus:
                ray.gpus -= actor.n_gpus
                actor.node = "node"
            return bool(actor.node)

        def run() -> Any:
            if self.name == "arrive":
                return ray.next_pid(), actor.node
            return None if self.name == "prepare" else ray.evaluate(*arguments)

        return Ref(run, may_run)


@dataclass
class FakeRay:
    """The module.

    Attributes:
        evaluate: Called with what ``evaluate`` of a worker, or a task, is given.
        resources: Of all nodes, by name.
        gpus: That are free.
        has_room: Whether tasks may run.
        now: Seconds; waiting lets them pass.
        at_wait: Called whenever something is waited for in vain.
        asked: Options of all tasks and actors.
        cancelled: Calls that were.
    """

    evaluate: Callable[..., Any]
    resources: dict[str, float] = field(default_factory=dict)
    gpus: int = 0
    has_room: bool = True
    now: float = 1000.0
    at_wait: Callable[[FakeRay], object] = lambda ray: None
    asked: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[Ref] = field(default_factory=list)
    exceptions: Any = _Exceptions
    _pid: int = 0

    def next_pid(self) -> int:
        self._pid += 1
        return self._pid

    def monotonic(self) -> float:
        """Stand for ``time.monotonic``."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Stand for ``time.sleep``."""
        self.now += seconds

    def put(self, value: Any) -> Any:
        return value

    def kill(self, actor: Any) -> None:
        """End an actor: what it held is lost, as on a node that was cut off."""

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": "node", "Alive": True}]

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 8.0, "GPU": float(self.gpus)}

    def cluster_resources(self) -> dict[str, float]:
        return dict(self.resources)

    def remote(self, *functions: Any, **options: Any) -> Any:
        """Make an actor's class of a class, by options, or a task of a function."""
        return _Task(self, functions[0]) if functions else lambda _: _Class(self, options)

    def wait(
        self, refs: Sequence[Ref], num_returns: int = 1, timeout: float = 0.0
    ) -> tuple[list[Ref], list[Ref]]:
        ready = [ref for ref in refs if ref.may_run()][:num_returns]
        if not ready:
            self.now += timeout
            self.at_wait(self)
        return ready, [ref for ref in refs if ref not in ready]

    def get(self, ref: Ref) -> Any:
        try:
            return ref.run()
        except RayError:
            raise
        except Exception as error:
            raise RayTaskError(error) from error

    def cancel(self, ref: Ref) -> None:
        self.cancelled.append(ref)


@dataclass
class _Class:
    ray: FakeRay
    asked: dict[str, Any]

    def remote(self, *_: Any) -> _Actor:
        self.ray.asked.append(self.asked)
        return _Actor(self.ray, int(self.asked.get("num_gpus", 0)))


@dataclass
class _Task:
    ray: FakeRay
    function: Callable[..., Any]
    asked: dict[str, Any] = field(default_factory=dict)

    def options(self, **options: Any) -> _Task:
        return _Task(self.ray, self.function, options)

    def remote(self, *arguments: Any) -> Ref:
        self.ray.asked.append(self.asked)
        return Ref(lambda: self.ray.evaluate(*arguments), lambda: self.ray.has_room)
