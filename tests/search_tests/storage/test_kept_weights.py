"""Kept weights: bounded, still there after a restart, one study's alone."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from search.storage.weights import WeightKeeper


@pytest.fixture(params=["memory", "folder"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "folder" else None


def no_worth(number: int) -> float:
    return 0.0


def test_what_was_put_is_there(folder: Path | None) -> None:
    keeper = WeightKeeper(folder, "db/study")
    keeper.put(3, b"three", no_worth)
    keeper.put(1, b"one", no_worth)
    assert list(keeper.numbers) == [1, 3]
    assert keeper.get(3) == b"three"
    assert keeper.get(2) is None
    keeper.drop(3)
    assert keeper.get(3) is None
    assert list(keeper.numbers) == [1]


def test_the_least_worth_goes_first_and_of_equals_the_oldest(folder: Path | None) -> None:
    keeper = WeightKeeper(folder, "db/study", max_count=2)
    worth = {0: 5.0, 1: 1.0, 2: 1.0, 3: 0.0}
    for number in (0, 1, 2):
        keeper.put(number, b"x", worth.__getitem__)
    assert keeper.numbers == (0, 2)
    keeper.put(3, b"x", worth.__getitem__)
    assert keeper.numbers == (0, 2)


def test_bytes_are_bounded(folder: Path | None) -> None:
    keeper = WeightKeeper(folder, "db/study", max_bytes=100)
    for number in range(10):
        keeper.put(number, b"x" * 30, no_worth)
    assert keeper.numbers == (7, 8, 9)
    keeper.put(10, b"x" * 101, no_worth)  # Would drive out all others.
    assert keeper.numbers == (7, 8, 9)


def test_a_restart_finds_them(tmp_path: Path) -> None:
    WeightKeeper(tmp_path, "db/study").put(7, b"seven", no_worth)
    WeightKeeper(tmp_path, "db/other").put(8, b"eight", no_worth)
    again = WeightKeeper(tmp_path, "db/study", max_count=1)
    assert again.numbers == (7,)
    assert again.get(7) == b"seven"
    again.put(9, b"nine", lambda n: n)
    assert again.numbers == (9,)
    assert WeightKeeper(tmp_path, "db/other").numbers == (8,)


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("in the way")
    keeper = WeightKeeper(tmp_path, "db/study")
    keeper.put(1, b"one", no_worth)
    assert keeper.numbers == ()
    assert keeper.get(1) is None


def test_half_a_file_of_a_killed_driver_is_removed(tmp_path: Path) -> None:
    keeper = WeightKeeper(tmp_path, "db/study")
    keeper.put(7, b"seven", no_worth)
    (whole,) = keeper.files()
    half = whole.with_suffix(".part")
    half.write_bytes(b"sev")
    others = half.with_name("0123456789ab-7.part")
    others.write_bytes(b"another study's, being written")
    again = WeightKeeper(tmp_path, "db/study")
    assert half.exists()  # Whoever only looks removes nothing.
    again.sweep()
    assert not half.exists() and others.exists() and again.get(7) == b"seven"


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("search.storage.weights.os.replace", full)
    keeper = WeightKeeper(tmp_path, "db/study")
    keeper.put(7, b"seven", no_worth)
    assert keeper.numbers == () and keeper.files() == []
