"""Where a trial under way keeps how its training stands, so that a next attempt goes on there."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

EVERY_S = 15.0
"""Seconds of training that are lost at most, beside the epoch under way."""

MAX_SHARE = 0.02
"""Share of a training's time that writing may take: slow disks are written to less often."""


def this_machine() -> str:
    """Return what tells this machine from others, as long as it runs."""
    with suppress(OSError):
        return f"{socket.gethostname()} {_BOOT.read_text().strip()}"
    return socket.gethostname()


_BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Machines may share a name, as containers do."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder of the driver's machine; on another, nothing is kept.

    Attributes:
        path: Folder of this trial alone; it and its parents need not be there.
        code: Tells the source of the task's own code, where it has some: what was trained by
            another is of no use.
        every_s: Seconds between two checkpoints, at least.
        max_share: See :data:`MAX_SHARE`.
        machine: The driver's, as :func:`this_machine` returns it.
    """

    path: str
    code: str = ""
    every_s: float = EVERY_S
    max_share: float = MAX_SHARE
    machine: str = field(default_factory=this_machine)

    @property
    def folder(self) -> Path | None:
        """The folder; None on another machine than its own."""
        return Path(self.path) if self.machine == this_machine() else None
