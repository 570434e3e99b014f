"""Opens the database: ``studies.db`` in the working directory, or any SQLAlchemy URL.

SQLite is opened in WAL mode with a long busy timeout, so that optuna-dashboard may read while
a study runs. Whoever only looks writes nothing, so that a read-only file or folder will do. What
goes wrong with a database becomes one line (:class:`StorageError`), in which passwords never show.

A SQLite file is never opened but by SQLite: closing a descriptor of it drops all locks that this
process holds on it, whoever took them, and the next process that closes the database would take
the write-ahead log away from under a driver.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import optuna
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from search.storage.attributes import DEFAULT_STORAGE
from search.storage.urls import masked, scrubbed, sqlite_path, storage_url
from spaces.errors import StorageError
from spaces.wording import one_line

_BUSY_TIMEOUT_S = 60

_MADE_MEANWHILE = ("already exists", "unique constraint", "duplicate key", "duplicate entry")
"""How databases say that somebody else made it first."""

_N_ATTEMPTS, _PAUSE_S = 40, 0.05

_Made = TypeVar("_Made")

SCHEMA_VERSION = 12
"""Of the tables that this program reads and writes by hand; Optuna has kept it since 3.2."""

# How to get a driver, by the module that is missing.
_INSTALL = {
    "psycopg": 'pip install "litefront[postgres]"',
    "psycopg2": "pip install psycopg2-binary (or write postgresql+psycopg://... and "
    'pip install "litefront[postgres]")',
    "MySQLdb": "pip install mysqlclient",
    "pymysql": "pip install pymysql",
    "mariadb": "pip install mariadb",
    "oracledb": "pip install oracledb",
    "pyodbc": "pip install pyodbc",
}


def open_storage(storage: str | Path = DEFAULT_STORAGE, must_exist: bool = False) -> RDBStorage:
    """Open a database, and create it where there is none.

    Args:
        storage: File name or SQLAlchemy URL.
        must_exist: Whether a missing SQLite file is an error: to look at studies, one is
            needed.

    Raises:
        StorageError: If it cannot be opened.
    """
    # Optuna tells of every new study and trial on stderr; our commands say what matters.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = storage_url(storage)
    path = sqlite_path(url)
    with storage_errors(url):
        if path is not None:
            _prepare_sqlite(path, must_exist)
        engine_kwargs: dict[str, Any] = {"pool_pre_ping": True}
        if path is not None:
            engine_kwargs = {"connect_args": {"timeout": _BUSY_TIMEOUT_S}}
        opened = _beside_others(lambda: RDBStorage(url, engine_kwargs=engine_kwargs))
        if path is not None:
            sa.event.listen(opened.engine, "connect", _tune_sqlite)
            opened.engine.dispose()  # Connections from before do not count.
        _keep_quiet_of_interrupts(opened.engine)
        check_schema(opened.engine, url)
        return opened


def may_exist(storage: str | Path) -> bool:
    """Whether there may be a database: of a server only opening it tells."""
    path = sqlite_path(storage_url(storage))
    return path is None or path.exists()


def check_can_open(storage: str | Path = DEFAULT_STORAGE) -> None:
    """Check that a database can be opened, and leave none behind where there is none yet.

    Raises:
        StorageError: If it cannot be opened.
    """
    url = storage_url(storage)
    path = sqlite_path(url)
    if path is None or path.exists():
        open_storage(storage).engine.dispose()
        return
    with storage_errors(url):
        _check_place(path, must_exist=False)
        with tempfile.TemporaryFile(dir=path.parent):
            pass  # A file can be made there.


def _keep_quiet_of_interrupts(engine: sa.Engine) -> None:
    """Let SQLAlchemy log no traceback of a signal that strikes while it closes a connection.

    It raises it on all the same.
    """
    if isinstance(engine.pool.logger, logging.Logger):
        engine.pool.logger.addFilter(_is_no_interrupt)


def _is_no_interrupt(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, KeyboardInterrupt)


@contextmanager
def open_for_reading(storage: str | Path) -> Iterator[sa.Engine]:
    """Open a database that must be there, to look at it: nothing is written or created.

    Raises:
        StorageError: If there is none, or it cannot be read.
    """
    url = storage_url(storage)
    path = sqlite_path(url)
    with ExitStack() as stack:
        stack.enter_context(storage_errors(url))
        if path is None:
            engine = sa.create_engine(url, pool_pre_ping=True)
        else:
            _check_place(path, must_exist=True)
            arguments = {"timeout": _BUSY_TIMEOUT_S}
            engine = sa.create_engine(_reading_url(path, stack), connect_args=arguments)
        _keep_quiet_of_interrupts(engine)
        stack.callback(engine.dispose)
        check_schema(engine, url)
        yield engine


def _reading_url(path: Path, stack: ExitStack) -> str:
    """Return the URL by which a SQLite file can be read, wherever it lies.

    A database in WAL mode is read through files beside it. Where none can be made, it is all in
    one file if there is no log; what a log holds is read from a copy of both.
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return f"sqlite:///{path}"
    log = path.with_name(path.name + "-wal")
    if not log.exists() or not log.stat().st_size:
        return f"sqlite:///file:{quote(str(path.absolute()))}?immutable=1&uri=true"
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="search-look-")))
    shutil.copy(log, folder / f"{path.name}-wal")
    # Not by SQLite's backup: it needs the files that cannot be made. Nobody in this process can
    # hold a lock on a file that it cannot write to.
    shutil.copy(path, folder / path.name)
    return f"sqlite:///{folder / path.name}"


def check_schema(engine: sa.Engine, url: str) -> None:
    """Check that the tables are those that this program reads and writes by hand.

    Raises:
        StorageError: If they are of another version of Optuna, or of no Optuna at all.
    """
    inspector = sa.inspect(engine)
    if not inspector.has_table("version_info"):
        if inspector.get_table_names():
            raise StorageError(
                f"{masked(url)} is a database of something else: it has no tables of Optuna. "
                f"Name another with --storage."
            )
        return
    with engine.connect() as connection:
        row = connection.execute(
            sa.text("SELECT schema_version, library_version FROM version_info")
        ).first()
    if row is not None and row[0] != SCHEMA_VERSION:
        raise StorageError(
            f"Database {masked(url)} has tables of Optuna {row[1]} (schema {row[0]}), and this "
            f"program knows schema {SCHEMA_VERSION}. Use the version of this program that made "
            f"it, or name another database with --storage."
        )


def _check_place(path: Path, must_exist: bool) -> None:
    """Refuse what cannot be a database, or would lose what is written to it."""
    if path.is_dir():
        raise StorageError(f"A database is a file, but {str(path)!r} is a folder.")
    if not path.parent.is_dir():
        raise StorageError(
            f"The folder of a database must exist, but {str(path.parent)!r} does not."
        )
    if not path.exists():
        if must_exist:
            raise StorageError(
                f"There is no database {str(path)!r}. `search run TASK` creates one; --storage "
                f"names another."
            )
        return
    if not path.is_file():
        raise StorageError(f"A database is a file, but {str(path)!r} is none.")
    if path.stat().st_nlink > 1 and not must_exist:
        raise StorageError(
            f"{str(path)!r} has {path.stat().st_nlink} names (hard links), under each of which "
            f"SQLite would keep another log: trials would be lost. Copy the file to a name of its "
            f"own, or name another with --storage."
        )


def _prepare_sqlite(path: Path, must_exist: bool) -> None:
    """Check a SQLite file and put it into WAL mode, which it then keeps."""
    _check_place(path, must_exist)
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)
    try:
        # It stays as it is where it cannot be changed, as on some network file systems.
        _beside_others(lambda: connection.execute("PRAGMA journal_mode=WAL").fetchone())
    except sqlite3.DatabaseError as error:
        if "not a database" not in str(error):
            raise
        raise StorageError(
            f"{str(path)!r} is no SQLite database. Name another file with --storage."
        ) from error
    finally:
        connection.close()


def _beside_others(make: Callable[[], _Made]) -> _Made:
    """Make what may be there already, while others may be making the same at the same moment.

    Neither Optuna nor SQLite waits then: tables are looked for and then created, and a change of
    the journal's mode is refused at once beside another one.
    """
    for _ in range(_N_ATTEMPTS):
        began = time.monotonic()
        try:
            return make()
        except (StorageInternalError, SQLAlchemyError, sqlite3.Error) as error:
            told = str(error).lower()
            is_made = any(words in told for words in _MADE_MEANWHILE)
            is_brief = "locked" in told and time.monotonic() - began < 1
            if not (is_made or is_brief):
                raise
        time.sleep(_PAUSE_S)
    return make()


def _tune_sqlite(connection: Any, _record: Any) -> None:
    # NORMAL would survive a killed process, but a power cut may take the last trials with it.
    connection.execute("PRAGMA synchronous=FULL")


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn what a database raises into one line.

    Raises:
        StorageError: Instead of what Optuna, SQLAlchemy and database drivers raise.
    """
    try:
        yield
    except (StorageInternalError, SQLAlchemyError, sqlite3.Error) as error:
        raise StorageError(_what_is_wrong(url, error)) from error
    except ImportError as error:
        raise StorageError(_missing_driver(url, error)) from error
    except RuntimeError as error:
        # Optuna's own words on a database of another Optuna; it has no class for it.
        if "optuna" not in str(error):
            raise
        raise StorageError(f"Database {masked(url)}: {scrubbed(str(error))}") from error
    except OSError as error:
        raise StorageError(f"Database {masked(url)}: {error.strerror or error}.") from error


def _what_is_wrong(url: str, error: BaseException) -> str:
    name = masked(url)
    # Optuna's text says nothing; what the database said is its cause's cause.
    inner: BaseException | None = error
    root: BaseException = error
    while inner is not None:
        if isinstance(inner, NoSuchModuleError):
            dialect = make_url(url).drivername
            return (
                f"Unknown kind of database {dialect!r} in {name}. Known kinds: sqlite, "
                f"postgresql+psycopg, mysql+pymysql, and others that SQLAlchemy knows."
            )
        root = inner
        inner = getattr(inner, "orig", None) or inner.__cause__
    said = scrubbed(one_line(root).rstrip("."))
    lower = said.lower()
    if "disk is full" in lower or "no space left" in lower:
        return (
            f"Database {name}: the disk is full. Everything told so far is kept; make room and "
            f"run the same command again to go on."
        )
    if "readonly" in lower or "read-only" in lower:
        return f"Database {name} is read-only. Make it writable, or name another with --storage."
    if "database is locked" in lower:
        return (
            f"Database {name} has been locked by another program for {_BUSY_TIMEOUT_S} s. "
            f"Close that program and run the same command again."
        )
    if "not a database" in lower or "malformed" in lower:
        return f"{name} is no SQLite database, or a damaged one: {said}."
    return f"Database {name} cannot be used: {said}."


def _missing_driver(url: str, error: ImportError) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    module = (getattr(cause, "name", None) or "").partition(".")[0]
    install = _INSTALL.get(module, f"pip install {module}" if module else "install it")
    return (
        f"Database {masked(url)} needs the Python package {module or 'of its driver'}, which is "
        f"not installed: {install}."
    )
