"""What killed runs left behind: folders, half-written cache entries, locks, processes.

Only what certainly has no owner is named: the lock of a run's folder is let go of by the kernel,
half an entry of the cache is a day old, a lock file beside a database can be locked. The next run
removes most of it too; `search doctor --clean` does so now.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from search.doctor.findings import Finding
from search.storage.urls import sqlite_path, storage_url
from search.units import format_size
from spaces.data.cache import abandoned, default_cache_dir
from spaces.file_locks import is_free
from spaces.wording import counted
from workers.processes.run_folder import dead_folders

_PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Leftovers:
    """What nobody owns any more.

    Attributes:
        folders: Folders of dead runs, and half-written entries of the cache.
        locks: Lock files that nobody holds.
        pids: Processes that live in a folder of a dead run.
    """

    folders: tuple[Path, ...] = ()
    locks: tuple[Path, ...] = ()
    pids: tuple[int, ...] = ()

    def remove(self) -> None:
        """End the processes, then remove the files."""
        for pid in self.pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
        for lock in self.locks:
            if is_free(lock):
                lock.unlink(missing_ok=True)


def find(storage: str | Path, parents: tuple[Path, ...] | None = None) -> Leftovers:
    """Look for leftovers.

    Args:
        storage: Database beside which lock files lie.
        parents: Folders for temporary files; None for the system's.
    """
    dead = dead_folders(parents)
    entries = abandoned(default_cache_dir() / "datasets")
    path = sqlite_path(storage_url(storage))
    locks = [] if path is None else path.absolute().parent.glob(f".{path.name}.*.lock")
    free = tuple(sorted(lock for lock in locks if is_free(lock)))
    return Leftovers((*dead, *entries), free, tuple(_living_in(dead)))


def judge(found: Leftovers, *, cleaned: bool = False) -> Iterator[Finding]:
    """Tell what was found.

    Args:
        found: What there was.
        cleaned: Whether it is removed by now.
    """
    parts = []
    if found.folders:
        size = format_size(sum(_bytes_of(folder) for folder in found.folders))
        parts.append(f"{counted(len(found.folders), 'folder')} ({size})")
    if found.locks:
        parts.append(counted(len(found.locks), "lock file"))
    if found.pids:
        parts.append(f"{len(found.pids)} process{'' if len(found.pids) == 1 else 'es'}")
    if not parts:
        yield Finding("leftovers", "none of killed runs")
        return
    text = f"of killed runs: {', '.join(parts)}"
    if cleaned:
        yield Finding("leftovers", f"removed, {text}")
        return
    yield Finding("leftovers", text, "Remove them: search doctor --clean", "note")


def _living_in(folders: list[Path]) -> Iterator[int]:
    """Yield processes of this user whose command line names one of some folders."""
    names = [os.fsencode(folder) + b"/" for folder in folders]
    for entry in _PROCESSES.glob("[0-9]*") if names else ():
        try:
            if entry.stat().st_uid != os.getuid():
                continue
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # It ended meanwhile.
        if int(entry.name) != os.getpid() and any(name in command for name in names):
            yield int(entry.name)


def _bytes_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
