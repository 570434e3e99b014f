"""Where a trial under way keeps how its training stands, so that a next attempt goes on there."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path

EVERY_S = 15.0
"""Seconds of training that are lost at most, beside the epoch under way."""

MAX_SHARE = 0.02
"""Share of a training's time that writing may take: slow disks are written to less often."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder of the driver's machine; on another, nothing is kept.

    Attributes:
        path: Folder of this trial alone; it and its parents need not be there.
        every_s: Seconds between two checkpoints, at least.
        max_share: See :data:`MAX_SHARE`.
        host: Name of the machine.
    """

    path: str
    every_s: float = EVERY_S
    max_share: float = MAX_SHARE
    host: str = field(default_factory=socket.gethostname)

    @property
    def folder(self) -> Path | None:
        """The folder; None on another machine than its own."""
        return Path(self.path) if self.host == socket.gethostname() else None
