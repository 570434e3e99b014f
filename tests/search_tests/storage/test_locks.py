from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from search.storage import locks
from search.storage.database import open_storage
from search.storage.locks import study_lock
from search.storage.urls import storage_url
from spaces.errors import StorageError, StudyError

HOLDER = """
import sys, time
from search.storage.locks import study_lock
from search.storage.database import open_storage
from search.storage.urls import storage_url

url = storage_url(sys.argv[1])
with study_lock(url, open_storage(url).engine, "fruit"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(storage: str) -> subprocess.Popen[str]:
    """Start a process that holds the lock of study fruit."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, storage], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def check_lock(storage: str) -> None:
    """The contract of a lock, on any database."""
    url = storage_url(storage)
    engine = open_storage(url).engine
    with study_lock(url, engine, "fruit"):
        with pytest.raises(StudyError, match="'fruit' is being run by another driver"):
            with study_lock(url, engine, "fruit"):
                pass
        with study_lock(url, engine, "mnist"):
            pass
    with study_lock(url, engine, "fruit"):  # It was let go.
        pass


def check_killed_holder(storage: str) -> None:
    """A killed driver leaves no lock behind."""
    url = storage_url(storage)
    engine = open_storage(url).engine
    holder = hold(storage)
    try:
        with pytest.raises(StudyError, match="another driver"):
            with study_lock(url, engine, "fruit"):
                pass
    finally:
        holder.kill()
        holder.communicate()
    with study_lock(url, engine, "fruit"):
        pass


def test_one_driver_a_study(tmp_path: Path) -> None:
    check_lock(str(tmp_path / "studies.db"))
    assert [path.name for path in tmp_path.iterdir() if "lock" in path.name] == []


def test_the_holder_is_named(tmp_path: Path) -> None:
    storage = str(tmp_path / "studies.db")
    holder = hold(storage)
    url = storage_url(storage)
    try:
        with pytest.raises(StudyError, match=rf"\(process {holder.pid}\)"):
            with study_lock(url, open_storage(url).engine, "fruit"):
                pass
    finally:
        holder.kill()
        holder.communicate()


def test_a_full_disk_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = storage_url(tmp_path / "studies.db")
    engine = open_storage(url).engine

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match="No space left on device.*--storage") as error:
        with study_lock(url, engine, "fruit"):
            pass
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    with study_lock(url, engine, "fruit"):
        pass  # It is free, although taking it failed.


def test_a_killed_driver_leaves_no_lock(tmp_path: Path) -> None:
    check_killed_holder(str(tmp_path / "studies.db"))


class TestTheFile:
    """Another release must find the lock that this one holds, and nobody may break it."""

    NAME = ".studies.db.9209526a.lock"  # SHA-256 of the study's name, eight digits of it.

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/studies.db"

    @pytest.fixture
    def engine(self) -> sa.Engine:
        return sa.create_engine("sqlite://")  # A file lock asks no database.

    def test_its_name_stays_and_it_holds_who_holds_it(
        self, tmp_path: Path, url: str, engine: sa.Engine
    ) -> None:
        left_by_a_killed_driver = tmp_path / self.NAME
        left_by_a_killed_driver.write_text("123456789012")
        with study_lock(url, engine, "fruit"):
            [file] = tmp_path.iterdir()
            assert file.name == self.NAME
            assert file.read_text() == str(os.getpid())
            with pytest.raises(StudyError, match=rf"driver \(process {os.getpid()}\)\. Wait"):
                with study_lock(url, engine, "fruit"):
                    pass
        assert list(tmp_path.iterdir()) == []

    def test_a_holder_that_has_not_said_its_name_yet(
        self, tmp_path: Path, url: str, engine: sa.Engine
    ) -> None:
        with study_lock(url, engine, "fruit"):
            (tmp_path / self.NAME).write_text("")
            with pytest.raises(StudyError, match=r"by another driver\. Wait"):
                with study_lock(url, engine, "fruit"):
                    pass

    def test_somebody_removed_it_while_it_was_held(
        self, tmp_path: Path, url: str, engine: sa.Engine
    ) -> None:
        with study_lock(url, engine, "fruit"):
            (tmp_path / self.NAME).unlink()

    @pytest.mark.parametrize("is_made_anew", [False, True])
    def test_let_go_of_between_our_opening_and_locking_it(
        self,
        tmp_path: Path,
        url: str,
        engine: sa.Engine,
        monkeypatch: pytest.MonkeyPatch,
        is_made_anew: bool,
    ) -> None:
        """What is locked then is a file without a name, which keeps nobody out."""
        path, real, tries = tmp_path / self.NAME, fcntl.flock, 0

        def flock(descriptor: int, how: int) -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                path.unlink()
                if is_made_anew:
                    path.touch()
            real(descriptor, how)

        monkeypatch.setattr(fcntl, "flock", flock)
        with study_lock(url, engine, "fruit"):
            assert tries == 2
            with pytest.raises(StudyError, match="another driver"):
                with study_lock(url, engine, "fruit"):
                    pass


class Server:
    """What a lock asks of a database server: an engine and its only connection in one."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.options: dict[str, Any] = {}
        self.ends: list[str] = []

    def connect(self) -> Server:
        return self

    def execution_options(self, **options: Any) -> Server:
        self.options = options
        return self

    def scalar(self, statement: sa.TextClause) -> bool:
        self.asked.append((statement.text, dict(statement.compile().params)))
        return self._answers.pop(0) if self._answers else False

    def invalidate(self) -> None:
        self.ends.append("invalidated")

    def close(self) -> None:
        self.ends.append("closed")


class TestServers:
    """Without a server; `test_postgresql` has one."""

    @pytest.mark.parametrize(
        ("url", "statement", "key"),
        [
            ("postgresql://host/db", "pg_try_advisory_lock(:key)", -6044348303352896962),
            ("mysql://host/db", "GET_LOCK(:key, 0)", "ac1e293e0fea623e3b2f355f43e5c037"),
            ("mariadb://host/db", "GET_LOCK(:key, 0)", "ac1e293e0fea623e3b2f355f43e5c037"),
        ],
    )
    def test_its_key_stays(self, url: str, statement: str, key: object) -> None:
        server: Any = Server(True)
        with study_lock(url, server, "fruit"):
            assert server.ends == []
        assert server.asked == [(f"SELECT {statement}", {"key": key})]
        assert server.options == {"isolation_level": "AUTOCOMMIT"}
        assert server.ends == ["invalidated", "closed"]

    def test_a_killed_driver_s_connection_may_last_for_a_while(self) -> None:
        server: Any = Server(False, True)
        with study_lock("postgresql://host/db", server, "fruit"):
            assert len(server.asked) == 2

    def test_a_living_driver_keeps_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locks, "PATIENCE_S", 0.0)
        server: Any = Server()
        with pytest.raises(StudyError, match=r"'fruit' is being run.* on postgresql://me:\*\*\*@"):
            with study_lock("postgresql://me:secret@host/db", server, "fruit"):
                pass
        assert server.ends == ["invalidated", "closed"]


@pytest.mark.slow
def test_postgresql(postgres_url: str) -> None:
    check_lock(postgres_url)
    check_killed_holder(postgres_url)
