"""A folder for what a run leaves on the way, removed with it, or after it by the next one.

Ray writes 200 kB a run, TensorFlow leaves generated code when its process is killed, and quiet
windows are files. All of it goes below one folder of the run. A lock file tells that the run
lives: the kernel lets go of it when its process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Not on Windows.
    fcntl = None  # type: ignore[assignment, unused-ignore]

from spaces.file_locks import is_free

PREFIX = "search-run-"
MAX_LENGTH = 37
"""Bytes of a folder's path. Ray's sockets are named 66 bytes below it, and must not exceed 107
(103 on macOS)."""

_LOCK = "alive"


class RunFolder:
    """A new folder that nobody else uses; those of dead runs of the same user are removed.

    Args:
        parents: Where to make it: the first that is short enough and can be written; None for
            the system's folders for temporary files.

    Attributes:
        path: The folder.
        temporary: A folder in it, for ``TMPDIR`` of processes of the run.

    Raises:
        OSError: If it cannot be made, because a disk is full, for instance.
    """

    def __init__(self, parents: tuple[Path, ...] | None = None) -> None:
        self.path = _make(parents or _parents())
        fresh = self.path / f"{_LOCK}.new"  # Locked before anybody can find it.
        self._descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT, 0o600)
        if fcntl is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fresh.rename(self.path / _LOCK)
        self.temporary = self.path / "tmp"
        self.temporary.mkdir(mode=0o700)
        sweep(self.path.parent)

    def remove(self) -> None:
        """Remove it with all that is in it. May be called twice."""
        if self._descriptor >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def sweep(parent: Path) -> None:
    """Remove what dead runs of this user left in a folder for temporary files."""
    with contextlib.suppress(OSError):
        for found in parent.glob(f"{PREFIX}{os.getuid()}-*"):
            if _is_dead(found):
                shutil.rmtree(found, ignore_errors=True)


def dead_folders(parents: tuple[Path, ...] | None = None) -> list[Path]:
    """Return what dead runs of this user left in the folders for temporary files.

    Args:
        parents: Where to look; None for the system's folders for temporary files.
    """
    found: list[Path] = []
    for parent in parents or _parents():
        with contextlib.suppress(OSError):
            found += [path for path in parent.glob(f"{PREFIX}{os.getuid()}-*") if _is_dead(path)]
    return sorted(set(found))


def _is_dead(folder: Path) -> bool:
    """Whether a folder is ours and the run that made it has ended."""
    try:
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return False
    except OSError:
        return False  # Being made or removed just now.
    return is_free(folder / _LOCK)


def _parents() -> tuple[Path, ...]:
    return tuple(dict.fromkeys(Path(p) for p in (tempfile.gettempdir(), "/tmp", "/var/tmp")))


def _make(parents: tuple[Path, ...]) -> Path:
    owner = os.getuid() if hasattr(os, "getuid") else 0
    problem: OSError | None = None
    for parent in _short(parents):
        try:
            # Nobody else may read it: its name is random, its mode 0700.
            return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{owner}-", dir=parent))
        except OSError as error:
            problem = problem or error
    raise problem or OSError(f"no folder of at most {MAX_LENGTH} bytes for temporary files")


def _short(parents: tuple[Path, ...]) -> Iterator[Path]:
    owner = os.getuid() if hasattr(os, "getuid") else 0
    for parent in parents:
        resolved = parent.absolute()
        if len(os.fsencode(resolved / f"{PREFIX}{owner}-12345678")) <= MAX_LENGTH:
            yield resolved
