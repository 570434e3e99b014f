"""What the cache of decoded data holds, which of it is in use, and what goes when it is full.

An entry in use is locked: whoever maps it holds a shared lock on its description until its process
ends, however it ends. When it was used last is the time of that file.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import ConfigError
from spaces.file_locks import is_free

META_NAME = "meta.json"
LIMIT_VARIABLE = "SEARCH_CACHE_GB"
DEFAULT_LIMIT_GB = 20.0

YOUNG_S = 600.0
"""How long an entry counts as in use after it was used: one process makes it, ends, and the next
ones map it."""

_held: dict[Path, int] = {}


@dataclass(frozen=True)
class Entry:
    """One decoded data set.

    Attributes:
        directory: Where it lies.
        name: Of the data set.
        n_bytes: What it takes.
        used: When it was used last, in seconds since 1970.
        in_use: Whether a process maps it, or is about to.
    """

    directory: Path
    name: str
    n_bytes: int
    used: float
    in_use: bool


def cache_limit() -> float:
    """Return how many bytes decoded data may take.

    Raises:
        ConfigError: If ``$SEARCH_CACHE_GB`` is no number from 0 on.
    """
    text = os.environ.get(LIMIT_VARIABLE, "")
    try:
        gigabytes = float(text or DEFAULT_LIMIT_GB)
    except ValueError:
        gigabytes = -1.0
    if not gigabytes >= 0:  # NaN is none either.
        raise ConfigError(
            f"{LIMIT_VARIABLE} must be a number of gigabytes from 0 on, but is {text!r}. The "
            f"default is {DEFAULT_LIMIT_GB:.0f}."
        )
    return gigabytes * 1e9


def hold(directory: Path) -> None:
    """Note that this process uses an entry, until it ends.

    Where the cache is read-only, or its file system has no locks, nothing is noted: nobody can
    remove anything there, or all agree that nothing is known.
    """
    meta = directory / META_NAME
    with suppress(OSError):
        os.utime(meta)
    try:
        descriptor = os.open(meta, os.O_RDONLY)
    except OSError:
        return
    before = _held.get(directory)
    if before is not None and os.path.samestat(os.fstat(before), os.fstat(descriptor)):
        os.close(descriptor)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return
    if before is not None:
        os.close(before)
    _held[directory] = descriptor


def entries(cache_dir: Path) -> list[Entry]:
    """Return what a cache holds, the least recently used first."""
    found = []
    for directory in (cache_dir / "datasets").glob("*"):
        if directory.name.startswith(".") or not directory.is_dir():
            continue
        with suppress(OSError):  # It was removed meanwhile.
            found.append(_entry(directory))
    return sorted(found, key=lambda one: (one.used, one.directory))


def _entry(directory: Path) -> Entry:
    n_bytes = sum(path.stat().st_size for path in directory.iterdir() if path.is_file())
    meta = directory / META_NAME
    try:
        used = meta.stat().st_mtime
    except FileNotFoundError:
        return Entry(directory, "(damaged)", n_bytes, directory.stat().st_mtime, False)
    try:
        name = str(json.loads(meta.read_text(encoding="utf-8"))["name"])
    except (ValueError, KeyError, TypeError):
        name = "(damaged)"
    is_young = time.time() - used < YOUNG_S
    return Entry(directory, name, n_bytes, used, is_young or not is_free(meta))


def trim(cache_dir: Path, limit: float) -> list[Entry]:
    """Remove entries until the rest fits, the least recently used first, none that is in use.

    Args:
        cache_dir: The cache.
        limit: Bytes that it may take.

    Returns:
        What was removed.
    """
    found = entries(cache_dir)
    total, removed = sum(one.n_bytes for one in found), []
    for one in found:
        if total <= limit:
            break
        if not one.in_use and _remove(one.directory):
            removed.append(one)
            total -= one.n_bytes
    return removed


def _remove(directory: Path) -> bool:
    """Take an entry away at once, then remove it; False where that is not allowed."""
    aside = directory.with_name(f".{directory.name}.{uuid.uuid4().hex}.tmp")
    try:
        directory.rename(aside)
    except OSError:
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True
