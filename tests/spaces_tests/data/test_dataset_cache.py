"""The cache: made once, mapped ever after, rebuilt when damaged, never in the way."""

from __future__ import annotations

import dataclasses
import os
import pickle
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.data.cache import (
    cached_dataset,
    content_key,
    default_cache_dir,
    mapped_file,
    open_dataset,
    save_dataset,
    stored_directory,
)
from spaces.data.dataset import SPLIT_NAMES, Dataset, Split, fingerprint_arrays
from spaces.errors import DataError


def make_dataset(seed: int = 0, n: int = 6) -> Dataset:
    random = np.random.default_rng(seed)
    train, val, test = (
        Split(random.integers(0, 256, (n, 8, 8, 3), np.uint8), np.arange(n, dtype=np.int64) % 2)
        for _ in SPLIT_NAMES
    )
    class_names = ("apple", "Bäume und Sträucher")
    return Dataset(
        name="fruit",
        train=train,
        val=val,
        test=test,
        class_names=class_names,
        fingerprint=fingerprint_arrays(class_names, (train, val, test)),
        generated=True,
        notes=("drawn",),
    )


def never() -> Dataset:
    raise AssertionError("it is in the cache")


def assert_equal(one: Dataset, other: Dataset) -> None:
    for field in ("name", "class_names", "fingerprint", "generated", "notes"):
        assert getattr(one, field) == getattr(other, field)
    for name in SPLIT_NAMES:
        np.testing.assert_array_equal(getattr(one, name).images, getattr(other, name).images)
        np.testing.assert_array_equal(getattr(one, name).labels, getattr(other, name).labels)


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def small_disk(max_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SEARCH_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/c"}, "/a/b"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/litefront"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/litefront"),
        ({"SEARCH_CACHE_DIR": ""}, "/home/me/.cache/litefront"),
        ({"SEARCH_CACHE_DIR": "~/x"}, "/home/me/x"),
    ],
)
def test_default_cache_dir(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SEARCH_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_cache_dir() == Path(expected)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_content_key_tells_parts_apart(one: list[str], other: list[str]) -> None:
    assert (content_key(*one) == content_key(*other)) == (one == other)


def test_content_key_takes_undecodable_names() -> None:
    assert content_key(os.fsdecode(b"\xff.jpg")) != content_key(os.fsdecode(b"\xfe.jpg"))


def test_hit_is_the_same_and_mapped(tmp_path: Path) -> None:
    first = cached_dataset("key", tmp_path, make_dataset)
    second = cached_dataset("key", tmp_path, never)
    for dataset in (first, second):
        assert_equal(dataset, make_dataset())
        for name in SPLIT_NAMES:
            for array in (getattr(dataset, name).images, getattr(dataset, name).labels):
                file = mapped_file(array)
                assert file is not None and file.is_file()
                assert not array.flags.writeable
    assert cached_dataset("other key", tmp_path, lambda: make_dataset(1)).fingerprint != (
        first.fingerprint
    )


def test_mapped_images_are_pickled_without_a_copy(tmp_path: Path) -> None:
    # What Ray does to hand one copy to all workers of a node.
    dataset = cached_dataset("key", tmp_path, make_dataset)
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(dataset, protocol=5, buffer_callback=buffers.append)
    assert sorted(buffer.raw().nbytes for buffer in buffers) == sorted(
        array.nbytes
        for split in (dataset.train, dataset.val, dataset.test)
        for array in (split.images, split.labels)
    )
    assert_equal(pickle.loads(pickled, buffers=buffers), dataset)


@pytest.mark.parametrize("take", [lambda a: a, lambda a: a[1:][::2], lambda a: a.reshape(-1)])
def test_views_of_a_map_know_their_file(
    tmp_path: Path, take: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]
) -> None:
    np.save(tmp_path / "x.npy", make_dataset().train.images)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for array in (mapped, np.asarray(mapped)):
        assert mapped_file(take(array)) == tmp_path / "x.npy"
    assert mapped_file(np.asarray(mapped) + 1) is None


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_garbage(path: Path) -> None:
    path.write_bytes(b"garbage\n" * 10)


@pytest.mark.parametrize("damage", [Path.unlink, damage_cut, damage_empty, damage_garbage])
@pytest.mark.parametrize("file", range(7))
def test_damaged_entry_is_made_again(tmp_path: Path, damage: object, file: int) -> None:
    assert callable(damage)
    cached_dataset("key", tmp_path, make_dataset)
    files = files_below(tmp_path)
    assert len(files) == 7
    damage(files[file])
    assert_equal(cached_dataset("key", tmp_path, make_dataset), make_dataset())
    assert_equal(cached_dataset("key", tmp_path, never), make_dataset())
    assert files_below(tmp_path) == files


def test_swapped_arrays_are_noticed(tmp_path: Path) -> None:
    save_dataset(make_dataset(n=6), tmp_path / "a")
    save_dataset(make_dataset(n=4), tmp_path / "b")
    shutil.copy(tmp_path / "b" / "val_images.npy", tmp_path / "a" / "val_images.npy")
    with pytest.raises(DataError, match="val_images"):
        open_dataset(tmp_path / "a")


def test_file_in_the_way_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "key").write_text("not a folder")
    cached_dataset("key", tmp_path, make_dataset)
    assert_equal(cached_dataset("key", tmp_path, never), make_dataset())


def inode(dataset: Dataset) -> int:
    file = mapped_file(dataset.train.images)
    assert file is not None
    return file.stat().st_ino


def test_loser_of_a_race_uses_the_winners(tmp_path: Path) -> None:
    def make_slowly() -> Dataset:
        winner = cached_dataset("key", tmp_path, make_dataset)
        winners_files.append(inode(winner))
        return make_dataset()

    winners_files: list[int] = []
    loser = cached_dataset("key", tmp_path, make_slowly)
    assert inode(loser) == winners_files[0]
    assert len(files_below(tmp_path)) == 7


def open_in_process(cache_dir: str) -> tuple[str, int]:
    dataset = cached_dataset("key", Path(cache_dir), make_dataset)
    return dataset.fingerprint, int(dataset.test.images.sum())


@pytest.mark.slow
def test_many_processes_make_one_entry(tmp_path: Path) -> None:
    with get_context("spawn").Pool(4) as pool:
        answers = pool.map(open_in_process, [str(tmp_path)] * 12, chunksize=1)
    assert set(answers) == {(make_dataset().fingerprint, int(make_dataset().test.images.sum()))}
    assert len(files_below(tmp_path)) == 7


def test_full_disk_goes_on_in_memory(tmp_path: Path) -> None:
    with small_disk(500):
        dataset = cached_dataset("key", tmp_path, make_dataset)
    assert_equal(dataclasses.replace(dataset, notes=("drawn",)), make_dataset())
    assert dataset.notes[0] == "drawn"
    assert "cannot be written" in dataset.notes[1]
    assert files_below(tmp_path) == []
    # With space again, it is kept.
    cached_dataset("key", tmp_path, make_dataset)
    assert cached_dataset("key", tmp_path, never).notes == ("drawn",)


def test_unwritable_cache_goes_on_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    dataset = cached_dataset("key", tmp_path / "file", make_dataset)
    assert dataset.fingerprint == make_dataset().fingerprint
    assert "SEARCH_CACHE_DIR" in dataset.notes[-1]


def test_saving_on_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with small_disk(500), pytest.raises(DataError, match="must fit on disk") as caught:
        save_dataset(make_dataset(), tmp_path / "entry")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_errors_of_make_pass_and_leave_nothing(tmp_path: Path) -> None:
    def fail() -> Dataset:
        raise DataError("no pictures")

    with pytest.raises(DataError, match="no pictures"):
        cached_dataset("key", tmp_path, fail)
    assert files_below(tmp_path) == []


def test_saving_again_keeps_the_same_and_replaces_another(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    save_dataset(make_dataset(0), directory)
    mapped = open_dataset(directory)
    inode = os.stat(directory / "meta.json").st_ino
    save_dataset(make_dataset(0), directory)
    assert os.stat(directory / "meta.json").st_ino == inode
    save_dataset(make_dataset(1), directory)
    assert_equal(open_dataset(directory), make_dataset(1))
    assert_equal(mapped, make_dataset(0))  # Who has mapped the old one keeps it.


def test_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must hold a data set"):
        open_dataset(tmp_path / "nowhere")


def test_only_old_leftovers_are_removed(tmp_path: Path) -> None:
    old, young = tmp_path / ".key.0.tmp", tmp_path / ".key.1.tmp"
    for path in (old, young):
        path.mkdir()
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    save_dataset(make_dataset(), tmp_path / "entry")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".key.1.tmp", "entry"]


def test_stored_directory(tmp_path: Path) -> None:
    dataset = cached_dataset("key", tmp_path, make_dataset)
    train = dataset.train
    assert stored_directory(dataset) == tmp_path / "datasets" / "key"
    assert stored_directory(make_dataset()) is None
    for changed in (
        dataclasses.replace(dataset, train=Split(train.images[:4], train.labels[:4])),
        dataclasses.replace(dataset, train=Split(train.images[::-1], train.labels)),
        dataclasses.replace(dataset, train=Split(train.images, 1 - train.labels)),
        dataclasses.replace(dataset, train=dataset.val),
        dataclasses.replace(dataset, name="another"),
        dataclasses.replace(dataset, class_names=("a", "b")),
    ):
        assert stored_directory(changed) is None


def test_stored_directory_of_a_users_own_maps(tmp_path: Path) -> None:
    dataset = make_dataset()
    np.save(tmp_path / "x.npy", dataset.train.images)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    own = dataclasses.replace(dataset, train=Split(mapped, dataset.train.labels))
    assert stored_directory(own) is None
