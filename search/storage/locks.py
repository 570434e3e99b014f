"""One driver a study: a lock that a killed driver cannot leave behind.

A study is locked by a file beside a SQLite database (the kernel lets go of it when the process
ends, however it ends) or by an advisory lock of PostgreSQL or MySQL on a connection of its
own. Different studies in one database may run at the same time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from search.storage.database import storage_errors
from search.storage.urls import masked, sqlite_path
from spaces.errors import StorageError, StudyError

PATIENCE_S = 3.0
"""How long a lock that is taken is tried again: a database server lets go of the lock of a
killed driver only when it notices that its connection is gone."""

_RETRY_S = 0.1


def can_share(url: str) -> bool:
    """Whether several drivers may run one study of a database: on PostgreSQL."""
    return sa.make_url(url).get_backend_name() == "postgresql"


@contextmanager
def study_lock(
    url: str, engine: sa.Engine, study_name: str, *, shared: bool = False
) -> Iterator[None]:
    """Hold the lock of a study.

    Args:
        url: URL of the database.
        engine: Gives a connection to it.
        study_name: Name of the study.
        shared: Whether others that share it may hold it too (see :func:`can_share`).

    Raises:
        StudyError: If another driver holds it.
    """
    path = sqlite_path(url)
    if path is not None:
        with _file_lock(_lock_path(path, study_name), study_name):
            yield
        return
    with _advisory_lock(url, engine, study_name, shared):
        yield


def _lock_path(database: Path, study_name: str) -> Path:
    digest = hashlib.sha256(study_name.encode()).hexdigest()[:8]
    database = database.resolve()  # One lock, by whichever link a driver comes.
    return database.with_name(f".{database.name}.{digest}.lock")


@contextmanager
def _file_lock(path: Path, study_name: str) -> Iterator[None]:
    try:
        descriptor = _locked_file(path, study_name)
    except OSError as error:
        raise _cannot_lock(path, error) from error
    try:
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        except OSError as error:
            raise _cannot_lock(path, error) from error
        yield
    finally:
        # Removed while it is still locked: nobody else can hold this file then.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _cannot_lock(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"The folder of a database must be one that can be written to, but {str(path)!r} cannot "
        f"be made: {error.strerror}. Make room there, or name another database with --storage."
    )


def _locked_file(path: Path, study_name: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise StudyError(_busy(study_name, f" (process {holder})" if holder else "")) from None
        # Whoever held it may have removed the file between our opening and locking it.
        try:
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


@contextmanager
def _advisory_lock(url: str, engine: sa.Engine, study_name: str, shared: bool) -> Iterator[None]:
    backend = sa.make_url(url).get_backend_name()
    digest = hashlib.sha256(f"litefront study {study_name}".encode()).digest()
    if backend == "postgresql":
        key = int.from_bytes(digest[:8], "big", signed=True)
        function = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
        statement = sa.text(f"SELECT {function}(:key)").bindparams(key=key)
    elif backend in ("mysql", "mariadb"):
        statement = sa.text("SELECT GET_LOCK(:key, 0)").bindparams(key=digest.hex()[:32])
    else:
        yield  # No lock that ends with its process: SQLite in memory, and databases unknown.
        return
    with storage_errors(url):
        # Autocommit: no transaction stays open for hours.
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        deadline = time.monotonic() + PATIENCE_S
        with storage_errors(url):
            while not (is_ours := bool(connection.scalar(statement))):
                if time.monotonic() >= deadline:
                    break
                time.sleep(_RETRY_S)
        if not is_ours:
            raise StudyError(_busy(study_name, f" on {masked(url)}"))
        yield
    finally:
        # Closed for good and not given back to the pool: with it ends the lock.
        connection.invalidate()
        connection.close()


def _busy(study_name: str, where: str) -> str:
    return (
        f"Study {study_name!r} is being run by another driver{where}. Wait for it, or use "
        f"--study NEW_NAME."
    )
