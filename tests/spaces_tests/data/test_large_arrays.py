"""Data sets larger than memory: arrays lie on disk while they are made, and hold the same."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaces.data import large_arrays
from spaces.data.cache import mapped_file
from spaces.data.dataset import Dataset
from spaces.data.image_folder import load_image_folder
from spaces.data.large_arrays import large_array, taken
from spaces.data.request import DataRequest


def draw(folder: Path, n: int, side: int) -> None:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(n):
            pixels = rng.integers(0, 255, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def is_on_disk(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bool:
    owner: object = array
    while isinstance(owner, np.ndarray) and not isinstance(owner, np.memmap):
        owner = owner.base
    return isinstance(owner, np.memmap)


@pytest.mark.parametrize(("limit", "on_disk"), [(1_000, True), (10_000, False)])
def test_large_ones_lie_on_disk_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, on_disk: bool
) -> None:
    monkeypatch.setattr(large_arrays, "IN_MEMORY_BYTES", limit)
    array = large_array((50, 7, 5), np.uint16, tmp_path / "cache")
    array[:] = np.arange(50 * 7 * 5).reshape(50, 7, 5)
    rows = taken(array, [3, 49, 3, 0], tmp_path / "cache")
    np.testing.assert_array_equal(rows, np.asarray(array)[[3, 49, 3, 0]])
    assert is_on_disk(array) == on_disk
    assert mapped_file(array) is None  # No entry of the cache.
    assert not (tmp_path / "cache").exists() or not os.listdir(tmp_path / "cache")


def cannot(*_: object) -> None:
    raise OSError(95, "Operation not supported")


@pytest.mark.parametrize("reserved_by", [None, cannot])
def test_where_room_cannot_be_asked_for_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserved_by: object
) -> None:
    monkeypatch.setattr(large_arrays, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(large_arrays, "_PART_BYTES", 1000)
    if reserved_by is None:
        monkeypatch.delattr(os, "posix_fallocate")  # As on macOS.
    else:
        monkeypatch.setattr(os, "posix_fallocate", reserved_by)
    array = large_array((50, 7, 5), np.uint16, tmp_path)
    assert is_on_disk(array) and not array.any()
    array[:] = np.arange(50 * 7 * 5).reshape(50, 7, 5)
    np.testing.assert_array_equal(taken(array, [3, 49], tmp_path), np.asarray(array)[[3, 49]])

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))  # As on a disk that is full.
    try:
        without_room = large_array((50, 7, 5), np.uint16, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not is_on_disk(without_room)


@pytest.mark.parametrize("why", ["full", "no folder"])
def test_without_room_on_disk_they_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(large_arrays, "IN_MEMORY_BYTES", 0)
    folder = tmp_path / "cache"
    if why == "full":

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "posix_fallocate", full)
    else:
        folder.touch()
    array = large_array((10, 10), np.float32, folder)
    array[:] = 1.0
    assert not is_on_disk(array)


def test_a_data_set_is_the_same_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "photos", 20, 24)
    (tmp_path / "photos" / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n")

    def load(name: str) -> Dataset:
        return load_image_folder(
            tmp_path / "photos", DataRequest(None, tmp_path / name), image_size=16
        )

    plain = load("one")
    monkeypatch.setattr(large_arrays, "IN_MEMORY_BYTES", 0)
    mapped = load("other")
    assert mapped.fingerprint == plain.fingerprint
    assert mapped.notes == plain.notes
    np.testing.assert_array_equal(mapped.train.images, plain.train.images)
    np.testing.assert_array_equal(mapped.test.labels, plain.test.labels)


def test_training_and_validation_pictures_are_joined_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "photos", 20, 16)
    request = DataRequest(None, tmp_path / "cache")
    dataset = load_image_folder(tmp_path / "photos", request, image_size=16)
    plain = dataset.learning_from_validation(tmp_path)
    both = np.concatenate([dataset.train.images, dataset.val.images])
    np.testing.assert_array_equal(plain.train.images, both)
    assert not is_on_disk(plain.train.images)
    monkeypatch.setattr(large_arrays, "IN_MEMORY_BYTES", 0)
    mapped = dataset.learning_from_validation(tmp_path)
    assert is_on_disk(mapped.train.images) and mapped.fingerprint == plain.fingerprint
    np.testing.assert_array_equal(mapped.train.images, both)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_memory_does_not_grow_with_the_pictures(tmp_path: Path) -> None:
    """Of 118 MB of pixels, which are there twice before they are split, little is in memory at
    any moment: looked at by a thread beside, as what comes and goes is gone when a step ends."""
    draw(tmp_path / "photos", 60, 64)
    script = f"""
    import re
    import threading
    from pathlib import Path
    from spaces.data import large_arrays
    from spaces.data.image_folder import load_image_folder
    from spaces.data.request import DataRequest

    large_arrays.IN_MEMORY_BYTES = 2**20

    def private_mb():
        text = Path("/proc/self/status").read_text()
        return int(re.search(r"RssAnon:\\s*(\\d+)", text)[1]) / 1000

    def peak_mb(side, cache):
        seen = [private_mb()]
        is_over = threading.Event()

        def look():
            while not is_over.wait(0.001):
                seen.append(private_mb())

        looking = threading.Thread(target=look)
        looking.start()
        request = DataRequest(None, Path({str(tmp_path)!r}) / cache)
        load_image_folder(Path({str(tmp_path / "photos")!r}), request, image_size=side)
        is_over.set()
        looking.join()
        assert len(seen) > 10
        return max(seen)

    before = peak_mb(16, "small")  # What is imported is not what is measured.
    print(peak_mb(572, "large") - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 60
