"""Whether a process was killed for want of memory: the kernel counts, and leaves no other note."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),  # Of the container or the service that we run in.
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
    Path("/proc/vmstat"),  # Of the whole machine.
)


def oom_kills(counters: Sequence[Path] = _COUNTERS) -> int | None:
    """Return how many processes the kernel has killed for want of memory; None if unknown.

    Args:
        counters: Files with a line ``oom_kill N``; the largest counts.
    """
    found: list[int] = []
    for counter in counters:
        try:
            text = counter.read_text()
        except OSError:
            continue
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill" and value.strip().isdigit():
                found.append(int(value))
    return max(found, default=None)
