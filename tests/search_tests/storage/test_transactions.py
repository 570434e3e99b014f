"""What is said and saved when the file of a database goes away, and when its log goes into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from search.storage import transactions
from search.storage.transactions import CHECKPOINT_S, DatabaseFile
from spaces.errors import StorageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "studies.db"


@pytest.fixture
def engine(path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = wal")
        connection.exec_driver_sql("CREATE TABLE songs (title TEXT)")
    yield engine
    engine.dispose()


def test_a_deleted_file_is_saved_whole_under_the_next_free_name(
    path: Path, engine: sa.Engine
) -> None:
    file = DatabaseFile(engine, f"sqlite:///{path}")
    file.check()
    path.with_name("studies-rescued-1.db").touch()
    path.unlink()
    saved = path.with_name("studies-rescued-2.db")
    with pytest.raises(StorageError) as found:
        file.check()
    assert str(found.value) == (
        f"Database {str(path)!r} was deleted or moved while a study was running on it. All that "
        f"it held was saved as {str(saved)!r}; name that with --storage to go on."
    )
    with sqlite3.connect(saved) as copy:
        assert copy.execute("SELECT count(*) FROM songs").fetchone() == (0,)


def test_a_replaced_file_is_said_to_be(path: Path, engine: sa.Engine) -> None:
    file = DatabaseFile(engine, f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    path.unlink()
    path.touch()
    with pytest.raises(StorageError) as found:
        file.check()
    assert str(found.value) == (
        f"Database {str(path)!r} was replaced by another one while a study was running on it. "
        f"What it held up to 5 seconds before was saved as "
        f"{str(path.with_name('studies-rescued-1.db'))!r}; name that with --storage to go on."
    )
    assert b"CREATE TABLE songs" in path.with_name("studies-rescued-1.db").read_bytes()


def test_what_cannot_be_saved_is_said(
    path: Path, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(DatabaseFile, "_save", full)
    file = DatabaseFile(engine, f"sqlite:///{path}")
    path.unlink()
    with pytest.raises(StorageError, match="it held could not be saved: .*No space left"):
        file.check()


def test_the_log_goes_into_the_file_every_few_seconds_and_not_at_each_write(
    path: Path, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    statements: list[str] = []
    sa.event.listen(
        engine, "before_cursor_execute", lambda _c, _u, text, *_: statements.append(text)
    )
    monkeypatch.setattr(transactions, "time", type("Clock", (), {"monotonic": lambda: now}))
    file = DatabaseFile(engine, f"sqlite:///{path}")
    counts = []
    for seconds in (0.0, CHECKPOINT_S - 0.1, 0.1, 0.1, CHECKPOINT_S):
        now += seconds
        file.checkpoint()
        counts.append(statements.count("PRAGMA wal_checkpoint(PASSIVE)"))
    assert counts == [0, 0, 1, 1, 2]
