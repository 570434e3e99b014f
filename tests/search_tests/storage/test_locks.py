from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.slow
def test_postgresql(postgres_url: str) -> None:
    check_lock(postgres_url)
    check_killed_holder(postgres_url)
