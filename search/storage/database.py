"""Opens the database: ``studies.db`` in the working directory, or any SQLAlchemy URL.

SQLite is opened in WAL mode with a long busy timeout, so that optuna-dashboard may read while
a study runs. What goes wrong with a database becomes one line (:class:`StorageError`), in which
passwords never show.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from search.storage.attributes import DEFAULT_STORAGE
from spaces.errors import StorageError

_BUSY_TIMEOUT_S = 60
_SQLITE_HEADER = b"SQLite format 3\0"

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


def storage_url(storage: str | Path) -> str:
    """Return an SQLAlchemy URL; a bare path is a SQLite file.

    Raises:
        StorageError: If it is neither.
    """
    text = str(storage)
    if not text:
        raise StorageError("A storage is a file name or a database URL, but got ''.")
    if "://" not in text:
        return f"sqlite:///{text}"
    try:
        make_url(text)
    except ArgumentError as error:
        raise StorageError(
            f"A database URL reads dialect://user@host/name, but got {masked(text)!r}."
        ) from error
    return text


def masked(url: str) -> str:
    """Return a URL as it may be shown: without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite database; None for other databases and in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database).removeprefix("file:"))


def artifacts_dir(url: str) -> Path:
    """Return the folder of a database's artifacts: beside a SQLite file, else here."""
    path = sqlite_path(url)
    return (path.parent if path else Path()) / "artifacts"


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
        opened = RDBStorage(url, engine_kwargs=engine_kwargs)
        if path is not None:
            sa.event.listen(opened.engine, "connect", _tune_sqlite)
            opened.engine.dispose()  # Connections from before do not count.
        return opened


def _prepare_sqlite(path: Path, must_exist: bool) -> None:
    """Check a SQLite file and put it into WAL mode, which it then keeps."""
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
    elif path.stat().st_size:
        with path.open("rb") as file:
            if file.read(len(_SQLITE_HEADER)) != _SQLITE_HEADER:
                raise StorageError(
                    f"{str(path)!r} is no SQLite database. Name another file with --storage."
                )
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)
    try:
        # It stays as it is where it cannot be changed, as on some network file systems.
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
    finally:
        connection.close()


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
        raise StorageError(_one_line(url, error)) from error
    except ImportError as error:
        raise StorageError(_missing_driver(url, error)) from error
    except RuntimeError as error:
        # Optuna's own words on a database of another Optuna; it has no class for it.
        if "optuna" not in str(error):
            raise
        raise StorageError(f"Database {masked(url)}: {error}") from error
    except OSError as error:
        raise StorageError(f"Database {masked(url)}: {error.strerror or error}.") from error


def _one_line(url: str, error: BaseException) -> str:
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
    said = " ".join(str(root).split()).rstrip(".")
    password = make_url(url).password
    if password:
        said = said.replace(str(password), "***")
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
