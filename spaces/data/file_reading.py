"""Bytes of a file, told apart from a disk that does not give them.

A picture whose bytes are there and make no picture is broken, and stays so. One whose bytes do
not come (a network drive that is away, no permission, no memory) may be sound: to leave it out
would train on another data set without a word.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from spaces.data.listing import readable
from spaces.errors import DataError

T = TypeVar("T")

RETRY_AFTER_S = (0.05, 0.25)
"""Pauses before a file is tried again that a busy or far disk did not give."""

_PASSING = frozenset(
    (errno.EIO, errno.ESTALE, errno.EAGAIN, errno.ETIMEDOUT, errno.ENOMEM, errno.EMFILE)
)


def read_whole(path: Path) -> bytes:
    """Return all bytes of a file.

    Raises:
        FileNotFoundError: If it is a link that leads nowhere.
        OSError: If the disk does not give it; tried again where that may help.
    """
    return _tried(lambda: _bytes(path))


def hash_file(path: Path, head_bytes: int, wanted: Callable[[bytes], bool]) -> str | None:
    """Return the SHA-256 of a file, 64 hex digits; None if its first bytes are not wanted.

    Raises:
        OSError: As :func:`read_whole` does.
    """
    return _tried(lambda: _hash(path, head_bytes, wanted))


def leads_nowhere(path: Path, error: OSError) -> bool:
    """Whether a file could not be opened as it is a link to nothing, or to itself."""
    return error.errno in (errno.ENOENT, errno.ELOOP) and os.path.islink(path)


def refuse_unreadable(root: Path, failures: Sequence[tuple[Path, OSError]], n_files: int) -> None:
    """Refuse to go on without files that the disk did not give.

    Raises:
        DataError: If there are any.
    """
    if not failures:
        return
    path, error = failures[0]
    name = readable(os.path.relpath(path, root))
    way_out = (
        "Give yourself the right to read them"
        if isinstance(error, PermissionError)
        else "Run again when they can be read"
    )
    raise DataError(
        f"All pictures in {root} must be readable, but the disk does not give {len(failures)} of "
        f"{n_files} files, such as {name} ({error.strerror or error}). They may be sound, so none "
        f"is left out. {way_out}, or remove them."
    )


def _bytes(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _hash(path: Path, head_bytes: int, wanted: Callable[[bytes], bool]) -> str | None:
    with open(path, "rb") as file:
        head = file.read(head_bytes)
        if not wanted(head):
            return None
        digest = hashlib.sha256(head)
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def _tried(read: Callable[[], T]) -> T:
    for pause_s in RETRY_AFTER_S:
        try:
            return read()
        except OSError as error:
            if error.errno not in _PASSING:
                raise
            time.sleep(pause_s)
    return read()
