"""Copies across splits and in two classes are found, kept together and told; others are not."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from spaces.data.copies import find_copies, joined
from spaces.data.image_folder import load_image_folder
from spaces.data.request import DataRequest

Picture = npt.NDArray[np.uint8]


def scene(seed: int, side: int = 64) -> Picture:
    """Draw a picture of soft blobs that no other seed gives."""
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8))
    soft = noise.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(soft.filter(ImageFilter.GaussianBlur(1)))


def as_jpeg(picture: Picture, quality: int = 60) -> Picture:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture,
        as_jpeg,
        lambda picture: picture[:, ::-1],
        lambda picture: (picture * 0.8).astype(np.uint8),
    ],
    ids=["equal", "saved anew", "mirrored", "darker"],
)
def test_copies_are_found_and_nothing_else(change: Callable[[Picture], Picture]) -> None:
    originals = [scene(seed) for seed in range(60)]
    images = np.stack([*originals, *(change(picture) for picture in originals[:20])])
    assert find_copies(images, numbers(80)) == [(n, n + 60) for n in range(20)]


def test_what_shows_nothing_and_small_pictures_are_no_copies() -> None:
    flat = np.stack([np.full((64, 64, 3), shade, np.uint8) for shade in (7, 7, 8, 200)])
    assert find_copies(flat, numbers(4)) == []
    assert find_copies(flat, ["a", "b", "a", "c"]) == [(0, 2)]  # Equal files.
    small = np.stack([scene(1, 28), as_jpeg(scene(1, 28)), scene(1, 28)])
    assert find_copies(small, numbers(3)) == [(0, 2)]


def test_joined_groups_stay_small() -> None:
    assert joined(["c", "a", "b", "d"], [(0, 1), (1, 2)], 3) == ["a", "a", "a", "d"]
    assert joined(["c", "a", "b", "d"], [(0, 1), (1, 2)], 2) == ["c", "a", "b", "d"]


def save(path: Path, picture: Picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=60)


def test_leaks_of_given_splits_are_told_once(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for number in range(10):
        for split in ("train", "val", "test"):
            kind = 30 * ("train", "val", "test").index(split)
            save(root / split / "a" / f"{number}.png", scene(kind + number))
            save(root / split / "b" / f"{number}.png", scene(kind + number + 15))
    request = DataRequest(root, tmp_path / "cache")
    assert load_image_folder(root, request, 64).leaks == ()
    save(root / "test/a/again.jpg", scene(3))
    shutil.copy(root / "train/b/4.png", root / "val/b/copy.png")
    (root / "train/b/link.png").symlink_to(root / "train/a/7.png")
    for _ in range(2):  # Drawn, and from the cache.
        dataset = load_image_folder(root, request, 64)
        assert dataset.leaks == (
            "2 pictures of val and test are also in another split (equal, saved anew, mirrored or "
            "darker): test/a/again.jpg = train/a/3.png, val/b/copy.png = train/b/4.png. "
            "Accuracies are too good by them: remove them, or draw splits with --group-by.",
            "2 pictures contradict each other, the same one in two classes: train/a/7.png = "
            "train/b/link.png. Remove the wrong ones.",
        )
        assert set(dataset.leaks) <= set(dataset.notes)


def test_drawn_splits_keep_copies_together(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for number in range(60):
        picture = scene(number)
        folder = root / "ab"[number % 2]
        save(folder / f"{number}.png", picture)
        save(folder / f"{number} again.jpg", picture)
        save(folder / f"{number} mirrored.png", picture[:, ::-1])
    dataset = load_image_folder(root, DataRequest(root, tmp_path / "cache"), 64)
    assert dataset.leaks == ()
    assert len(dataset.test) == 30  # Of 180, in threes: nearest to 14 of each 90.
    assert len(dataset.val) == 60  # Nearest to 31 of each.
    earlier = load_image_folder(root, DataRequest(root, tmp_path, split_rule="by_name"), 64)
    assert "also in another split" in earlier.leaks[0]
