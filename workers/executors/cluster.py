"""A running Ray cluster, looked at before it is joined: is it there, and does it ask for a token?

Whoever reaches a cluster without one runs any code on it, as the user that started it. A client
cannot tell by joining: with a token it is let in by a cluster that asks for none, too. So a child
process knocks without one.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from spaces.data.request import Progress, no_progress
from spaces.errors import SearchError
from workers.processes.child_process import run_job

CONNECT_S = 5.0

ROOM_S = 20.0
"""How long a cluster may take to have room for all our workers, before fewer begin."""
_KNOCK_S = 60.0

LOOK_S = 5.0
"""How often it is looked at whether a node with a resource is there."""

PATIENCE_S = 1800.0
"""How long what needs a node with a resource waits for one: a cloud may take ten minutes."""

HOW_TO_GUARD = (
    "`ray get-auth-token --generate`, RAY_AUTH_MODE=token wherever Ray is started, and the file "
    "~/.ray/auth_token on every node"
)


def head_of(address: str) -> tuple[str, int] | None:
    """Return host and port of a cluster's head; None where the address does not say.

    Args:
        address: As for ``--address``: ``host:port``, ``ray://host:port`` or ``auto``.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        return None
    return host.strip("[]"), int(port)


def is_reachable(address: str) -> bool:
    """Whether something listens where a cluster should."""
    head = head_of(address)
    if head is None:
        return True  # `auto`: Ray knows where.
    try:
        socket.create_connection(head, timeout=CONNECT_S).close()
    except OSError:
        return False
    return True


def asks_for_token(address: str) -> bool | None:
    """Whether a cluster refuses those who come without a token; None if it cannot be told.

    It takes the seconds that a process takes to import Ray.
    """
    if address.startswith("ray://") or not is_reachable(address):
        return None
    without = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "", "RAY_LOG_TO_STDERR": "0"}
    try:
        answer = run_job(
            f"{__name__}:knock",
            {"address": address},
            env=without,
            timeout_s=_KNOCK_S,
            what="The look at the cluster",
        )
    except SearchError:
        return None
    return {"open": False, "refused": True}.get(str(answer))


def knock(progress: Progress = no_progress, *, address: str) -> str:
    """Ask a cluster for its nodes, in a child process: ``open``, ``refused`` or ``unknown``."""
    import ray
    from ray._private.services import canonicalize_bootstrap_address_or_die

    raylet: Any = ray._raylet
    try:
        where = canonicalize_bootstrap_address_or_die(address)
        client = raylet.GcsClient(address=where)
        client.get_all_node_info(timeout=CONNECT_S)
    except Exception as error:  # Ray has several classes for it, some of C++.
        words = f"{type(error).__name__} {error}".lower()
        return "refused" if "auth" in words or "token" in words else "unknown"
    return "open"


def free_resource(ray: Any, name: str) -> int:
    """Return how much of a resource nobody in the cluster uses."""
    return int(ray.available_resources().get(name, 0))


def free_room(ray: Any, wanted: int, threads: int) -> int:
    """Return for how many workers a cluster has room; waits a moment for those that have ended."""
    deadline = time.monotonic() + ROOM_S
    while True:
        room = free_resource(ray, "CPU") // threads
        if room >= wanted or time.monotonic() > deadline:
            return room
        time.sleep(0.2)


def has_resource(ray: Any, name: str) -> bool:
    """Whether a node of the cluster has a resource, in use or not."""
    return bool(ray.cluster_resources().get(name))


def how_to_add(name: str) -> str:
    """Return the command that starts a node with a resource."""
    return f"ray start --resources='{{\"{name}\": 1}}'"


class AwaitedResource:
    """A resource that trials wait for while no node has it: that is no fault of theirs.

    Args:
        ray: The module, initialized.
        name: Of the resource.
        notice: Told, each time anew, that no node has it.
    """

    def __init__(self, ray: Any, name: str, notice: Callable[[str], None]) -> None:
        self._ray, self._name, self._notice = ray, name, notice
        self._is_there = True
        self._seen = self._next_look = time.monotonic()

    def waited_s(self) -> float:
        """Return the seconds since the last call that no node had it."""
        now = time.monotonic()
        waited_s = 0.0 if self._is_there else now - self._seen
        self._seen = now
        if now >= self._next_look:
            self._next_look = now + LOOK_S
            was_there, self._is_there = self._is_there, has_resource(self._ray, self._name)
            if was_there and not self._is_there:
                self._notice(
                    f"No node of the cluster has the resource {self._name!r}, which latencies are "
                    f"measured on: they wait for one, for {PATIENCE_S / 60:.0f} min at most, and "
                    f"time limits of trials stand still meanwhile ({how_to_add(self._name)})."
                )
        return waited_s
