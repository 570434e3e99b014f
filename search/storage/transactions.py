"""Transactions: a snapshot to read, a lock to write, and a watch over the file of both."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from search.storage.urls import sqlite_path
from spaces.errors import StorageError

CHECKPOINT_S = 5.0
"""How old a copy of the SQLite file alone may be: by then what is in its log goes into it."""


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection on which all that is read is of one moment."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Several SELECTs are none: Python's driver begins nothing for them.
            connection.exec_driver_sql("BEGIN")
        else:
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection
        connection.rollback()


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection in a transaction that holds the right to write from its start.

    What is read in it is still so when it is written: SQLite would otherwise take its lock at the
    first change only, and two drivers could read the same last number before.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


class DatabaseFile:
    """The SQLite file that an engine is connected to, watched by its place in the file system.

    A file that is deleted, moved or replaced while it is open goes on to take what is written, and
    nobody will ever find it. Other databases have nothing to watch.

    Args:
        engine: Connected to the database.
        url: Its URL.
    """

    def __init__(self, engine: sa.Engine, url: str) -> None:
        self._engine = engine
        self._path = sqlite_path(url)
        self._is_at = self._where()
        self._checkpoint_at = time.monotonic()

    def _where(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def check(self) -> None:
        """Check that the file is where it was; else save what is in it beside its old place.

        Raises:
            StorageError: If it is not.
        """
        if self._path is None or self._where() == self._is_at:
            return
        what = "replaced by another one" if self._path.exists() else "deleted or moved"
        try:
            saved = _new_name(self._path)
            if self._path.exists():
                _copy_open_file(self._is_at, saved)
                held = f"What it held up to {CHECKPOINT_S:.0f} seconds before"
            else:
                self._save(saved)
                held = "All that it held"
        except (OSError, sqlite3.Error) as error:
            rest = f"What it held could not be saved: {error}."
        else:
            rest = f"{held} was saved as {str(saved)!r}; name that with --storage to go on."
        raise StorageError(
            f"Database {str(self._path)!r} was {what} while a study was running on it. {rest}"
        )

    def _save(self, saved: Path) -> None:
        """Write all that the open connection sees to a new file."""
        with self._engine.connect() as connection:
            opened: Any = connection.connection.dbapi_connection
            target = sqlite3.connect(saved)
            try:
                opened.backup(target)
            finally:
                target.close()

    def checkpoint(self) -> None:
        """Now and then bring what is in SQLite's log into the file: a copy of it is then whole."""
        if self._path is None or time.monotonic() - self._checkpoint_at < CHECKPOINT_S:
            return
        self._checkpoint_at = time.monotonic()
        with self._engine.connect() as connection:
            # Passive: it waits for nobody, and leaves what a reader still needs.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def _new_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.stem}-rescued-{number}{path.suffix}")).exists():
        number += 1
    return name


def _copy_open_file(place: tuple[int, int] | None, saved: Path) -> None:
    """Copy a file that has no name any more, but a descriptor in this process.

    Where another file has its name, that one took over its log too: SQLite finds it by name.
    """
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found = os.stat(descriptor)
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == place:
            shutil.copyfile(descriptor, saved)
            return
    raise OSError("it is not open any more")
