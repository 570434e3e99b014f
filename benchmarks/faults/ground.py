"""What searches run on while they are hurt: workers, a database, and how these break."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import driven
from benchmarks.faults.driven import Folder, Plan
from benchmarks.faults.kinds import KINDS, Kind


def _start(folder: Folder, plan: Plan) -> int:
    return driven.start(folder, plan)


@dataclass(frozen=True)
class Ground:
    """What searches run on.

    Attributes:
        name: Of the subcommand; empty for the usual one.
        kinds: What may happen there, each equally often.
        make_folder: Makes a study's folder at a path, for a target.
        start: Forks a driver; returns its process's id.
        left: Returns what a driver left behind that ended with some exit code, a line each.
    """

    name: str = ""
    kinds: Sequence[Kind] = KINDS
    make_folder: Callable[[Path, int], Folder] = Folder
    start: Callable[[Folder, Plan], int] = _start
    left: Callable[[Folder, int], list[str]] = lambda folder, code: []


FORKED = Ground()
"""Forked workers and a SQLite file, which cost next to nothing to start."""
