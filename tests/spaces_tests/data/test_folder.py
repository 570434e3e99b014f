"""Folders of pictures: which are read, how they are split, and what is said of bad ones."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from spaces.data.cache import mapped_file
from spaces.data.dataset import Dataset
from spaces.data.image_folder import load_image_folder
from spaces.data.listing import list_files
from spaces.data.request import DataRequest
from spaces.errors import ConfigError, DataError

Load = Callable[..., Dataset]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_folder(path: Path | None, image_size: int = 4, **options: Any) -> Dataset:
        request = DataRequest(path, tmp_path / "cache")
        return load_image_folder(path, request, image_size=image_size, **options)

    return load_folder


def colour(text: str) -> tuple[int, int, int]:
    """Return a colour of its own for every text."""
    red, green, blue = hashlib.sha256(text.encode()).digest()[:3]
    return red, green, blue


def save_picture(path: Path, seed: str | None = None) -> None:
    """Write a picture of one colour, which says which file it was, with a spot in a corner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = path.as_posix() if seed is None else seed
    image = Image.new("RGB", (4, 4), colour(seed))
    image.putpixel((3, 3), (0, 0, 0) if sum(colour(seed)) > 380 else (255, 255, 255))
    image.save(path, "PNG")


def make_folder(root: Path, counts: Mapping[str, int]) -> Path:
    """Write that many pictures into each folder below root; colours follow names alone."""
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            name = f"{folder}/{number}.png"
            save_picture(root / name, name)
    return root


def colours(dataset: Dataset) -> dict[str, set[tuple[int, ...]]]:
    """Return the colours in each split."""
    return {
        name: {tuple(image[0, 0].tolist()) for image in getattr(dataset, name).images}
        for name in ("train", "val", "test")
    }


def write_png_header(path: Path, width: int, height: int) -> None:
    """Write a PNG that claims a size and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + end)


class TestSplits:
    def test_given_splits_are_kept(self, tmp_path: Path, load: Load) -> None:
        for split, count in (("train", 5), ("validation", 2), ("Test", 1)):
            make_folder(tmp_path / "data", {f"{split}/a": count, f"{split}/b": count})
        dataset = load(tmp_path / "data")
        assert dataset.name == "data"
        assert dataset.class_names == ("a", "b")
        for split, name, count in (("train", "train", 5), ("val", "validation", 2)):
            labels = getattr(dataset, split).labels
            assert np.bincount(labels).tolist() == [count, count]
            for label, class_name in enumerate(("a", "b")):
                images = getattr(dataset, split).images[labels == label]
                assert {tuple(image[0, 0].tolist()) for image in images} == {
                    colour(f"{name}/{class_name}/{number}.png") for number in range(count)
                }
        assert dataset.notes == ()

    @pytest.mark.parametrize("given", [("train", "test"), ("train", "val"), ("train",), ()])
    def test_missing_splits_are_set_aside(
        self, tmp_path: Path, load: Load, given: tuple[str, ...]
    ) -> None:
        root = tmp_path / "data"
        counts = {"a": 100, "b": 60, "c": 3}
        for split in given or (".",):
            make_folder(root, {f"{split}/{name}": count for name, count in counts.items()})
        dataset = load(root)
        for split in ("train", "val", "test"):
            n_of = np.bincount(getattr(dataset, split).labels, minlength=3)
            assert n_of.min() >= 1
            if split in given and split != "train":
                assert n_of.tolist() == [100, 60, 3]
            elif split == "test":
                assert n_of.tolist() == [15, 9, 1]
            elif split == "val":  # 40 % of what is no test picture: they are few.
                assert n_of.tolist() == ([40, 24, 1] if "test" in given else [34, 20, 1])
        n_all = sum(len(getattr(dataset, split)) for split in ("train", "val", "test"))
        assert n_all == 163 * max(1, len(given))
        by_split = colours(dataset)
        assert not by_split["train"] & by_split["val"]
        assert not by_split["train"] & by_split["test"]
        assert not by_split["val"] & by_split["test"]
        assert len(set().union(*by_split.values())) == n_all
        assert any("set aside" in note for note in dataset.notes)
        why = "ranked by luck; search retrain --with-validation"
        assert any(why in note for note in dataset.notes) is ("val" not in given)

    def test_adding_pictures_moves_few_others(self, tmp_path: Path, load: Load) -> None:
        root = make_folder(tmp_path / "data", {"a": 60, "b": 60})
        before = colours(load(root))
        for number in range(60, 90):
            save_picture(root / "a" / f"{number}.png")
        (root / "b" / "7.png").unlink()
        after = colours(load(root))
        gone = {colour("b/7.png")}
        moved = [before[split] - gone - after[split] for split in before]
        assert sum(map(len, moved)) <= 10
        assert sum(map(len, after.values())) == 149

    def test_place_and_time_do_not_matter_but_the_seed_does(
        self, tmp_path: Path, load: Load
    ) -> None:
        root = make_folder(tmp_path / "data", {"a": 40, "b": 40})
        first = load(root)
        shutil.move(root, tmp_path / "elsewhere" / "data")
        for path in sorted((tmp_path / "elsewhere").rglob("*.png")):
            os.utime(path, (1, 1))
        second = load(tmp_path / "elsewhere" / "data")
        assert second.fingerprint == first.fingerprint
        other = load(tmp_path / "elsewhere" / "data", seed=1)
        assert colours(other)["test"] != colours(first)["test"]

    @settings(
        max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(counts=st.lists(st.integers(3, 9), min_size=2, max_size=3), seed=st.integers(0, 99))
    def test_every_class_is_in_each_split(
        self, tmp_path_factory: pytest.TempPathFactory, counts: list[int], seed: int
    ) -> None:
        root = tmp_path_factory.mktemp("small")
        make_folder(root / "data", {f"c{number}": count for number, count in enumerate(counts)})
        dataset = load_image_folder(
            root / "data", DataRequest(None, root / "cache"), image_size=2, seed=seed
        )
        splits = (dataset.train, dataset.val, dataset.test)
        by_split = [np.bincount(split.labels, minlength=len(counts)) for split in splits]
        assert np.min(by_split) >= 1
        assert np.sum(by_split, axis=0).tolist() == counts

    def test_copies_across_splits_are_mentioned(self, tmp_path: Path, load: Load) -> None:
        root = make_folder(
            tmp_path / "data", {"train/a": 9, "train/b": 9, "test/a": 2, "test/b": 2}
        )
        assert load(root).leaks == ()
        for number in range(9):
            shutil.copy(root / "train/a" / f"{number}.png", root / "test/a" / f"c{number}.png")
        notes = load(root).notes
        # Those that went from train to val are no copies of training pictures any more.
        assert any("also in another split" in note for note in notes)


class TestClasses:
    def test_names_of_any_kind(self, tmp_path: Path, load: Load) -> None:
        names = ["Äpfel und Birnen", "日本", "a b", "c'd; rm", "🍌"]
        dataset = load(make_folder(tmp_path / "data", dict.fromkeys(names, 3)))
        assert dataset.class_names == tuple(sorted(names))

    def test_undecodable_names(self, tmp_path: Path, load: Load) -> None:
        root = make_folder(tmp_path / "data", {"a": 3, "b": 3})
        try:
            os.rename(os.fsencode(root / "b"), os.fsencode(root) + b"/\xff")
            os.rename(os.fsencode(root / "a/0.png"), os.fsencode(root) + b"/a/\xfe.png")
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
        assert load(root).class_names == ("a", "\ufffd")

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            (("dog", "ant", "cat"), ("dog", "ant", "cat")),
            (("dog", "ant"), ("Cat", "ant", "dog")),
            (("dog", "ant", "fox"), ("Cat", "ant", "dog")),
            (None, ("Cat", "ant", "dog")),
        ],
    )
    def test_order(
        self,
        tmp_path: Path,
        load: Load,
        asked: tuple[str, ...] | None,
        expected: tuple[str, ...],
    ) -> None:
        counts = {"ant": 3, "Cat": 4, "dog": 5}
        dataset = load(make_folder(tmp_path / "data", counts), class_names=asked)
        assert dataset.class_names == expected
        splits = (dataset.train, dataset.val, dataset.test)
        n_of = np.bincount(np.concatenate([split.labels for split in splits]))
        by_name = {name.lower(): count for name, count in counts.items()}
        assert n_of.tolist() == [by_name[name.lower()] for name in expected]

    def test_case_of_classes_may_differ_between_splits(self, tmp_path: Path, load: Load) -> None:
        counts = {"train/Apple": 4, "train/pear": 4, "test/apple": 2, "test/PEAR": 2}
        assert load(make_folder(tmp_path / "data", counts)).class_names == ("Apple", "pear")

    def test_folders_in_class_folders_belong_to_them(self, tmp_path: Path, load: Load) -> None:
        counts = {"a/monday": 3, "a/tuesday/noon": 3, "b": 3}
        dataset = load(make_folder(tmp_path / "data", counts))
        assert dataset.class_names == ("a", "b")
        splits = (dataset.train, dataset.val, dataset.test)
        assert sum(int((split.labels == 0).sum()) for split in splits) == 6

    def test_train_may_be_a_class(self, tmp_path: Path, load: Load) -> None:
        dataset = load(make_folder(tmp_path / "data", {"bus": 3, "car": 3, "train": 3}))
        assert dataset.class_names == ("bus", "car", "train")

    def test_folders_beside_splits_are_mentioned(self, tmp_path: Path, load: Load) -> None:
        counts = {"train/a": 3, "train/b": 3, "labels": 0}
        dataset = load(make_folder(tmp_path / "data", counts))
        assert dataset.class_names == ("a", "b")
        assert any("labels" in note for note in dataset.notes)


def save_exif(path: Path, image: Image.Image, orientation: int, **options: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif, **options)


def corner_picture(size: tuple[int, int] = (32, 32)) -> Image.Image:
    """Return a blue picture with a red upper left quarter."""
    image = Image.new("RGB", size, (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
    return image


@pytest.fixture
def decode(tmp_path: Path, load: Load) -> Callable[[Path, int], Any]:
    """Return a function that loads one file as image of a class of its own."""

    def decode_file(path: Path, image_size: int = 8) -> Any:
        root = make_folder(tmp_path / "folder", {"train/z": 3, "val/z": 1, "test/z": 1})
        make_folder(root, {"train/a": 3, "val/a": 1, "test/a": 0})
        shutil.move(path, root / "test" / "a" / path.name)
        dataset = load(root, image_size=image_size)
        (number,) = np.flatnonzero(dataset.test.labels == 0)
        return dataset.test.images[number]

    return decode_file


Decode = Callable[..., Any]


class TestPictures:
    @pytest.mark.parametrize("name", ["x.jpg", "x.JPEG", "x.PNG", "x.Bmp", "x.webp", "x.gif"])
    def test_formats(self, tmp_path: Path, decode: Decode, name: str) -> None:
        path = tmp_path / name
        Image.new("RGB", (9, 7), (200, 100, 50)).save(path)
        image = decode(path)
        assert image.shape == (8, 8, 3)
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - (200, 100, 50)).max() <= 6

    @pytest.mark.parametrize("name", ["photo", "photo.data", "photo.png"])
    def test_content_counts_not_the_name(self, tmp_path: Path, decode: Decode, name: str) -> None:
        Image.new("RGB", (8, 8), (200, 100, 50)).save(tmp_path / name, "JPEG")
        assert np.abs(decode(tmp_path / name).astype(int) - (200, 100, 50)).max() <= 6

    @pytest.mark.parametrize(
        ("mode", "value", "expected"),
        [
            ("1", 1, (255, 255, 255)),
            ("L", 77, (77, 77, 77)),
            ("LA", (77, 255), (77, 77, 77)),
            ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
            ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
            ("I;16", 77 * 256 + 5, (77, 77, 77)),
        ],
    )
    def test_modes(
        self, tmp_path: Path, decode: Decode, mode: str, value: Any, expected: tuple[int, ...]
    ) -> None:
        Image.new(mode, (8, 8), value).save(tmp_path / "x.png")
        assert decode(tmp_path / "x.png").reshape(-1, 3).tolist() == [list(expected)] * 64

    def test_palette(self, tmp_path: Path, decode: Decode) -> None:
        image = corner_picture().convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
        image.save(tmp_path / "x.png")
        decoded = decode(tmp_path / "x.png")
        assert decoded[0, 0].tolist() == [255, 0, 0]
        assert decoded[7, 7].tolist() == [0, 0, 255]

    def test_transparent_palette(self, tmp_path: Path, decode: Decode) -> None:
        image = Image.new("P", (8, 8), 0)
        image.putpalette([255, 0, 0, 0, 255, 0])
        image.save(tmp_path / "x.png", transparency=0)
        assert decode(tmp_path / "x.png").min() == 255

    def test_cmyk(self, tmp_path: Path, decode: Decode) -> None:
        Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=95)
        assert np.abs(decode(tmp_path / "x.jpg").astype(int) - (255, 0, 0)).max() <= 6

    def test_first_frame(self, tmp_path: Path, decode: Decode) -> None:
        red, blue = (Image.new("RGB", (8, 8), name) for name in ("red", "blue"))
        red.save(tmp_path / "x.gif", save_all=True, append_images=[blue])
        assert decode(tmp_path / "x.gif")[0, 0].tolist() == [255, 0, 0]

    @pytest.mark.parametrize(
        ("orientation", "row", "column"), [(1, 0, 0), (3, 7, 7), (6, 0, 7), (8, 7, 0)]
    )
    def test_exif_orientation(
        self, tmp_path: Path, decode: Decode, orientation: int, row: int, column: int
    ) -> None:
        save_exif(tmp_path / "x.png", corner_picture(), orientation)
        image = decode(tmp_path / "x.png")
        corners = {(r, c): image[r, c].tolist() for r in (0, 7) for c in (0, 7)}
        assert [place for place, rgb in corners.items() if rgb == [255, 0, 0]] == [(row, column)]

    def test_the_middle_square_is_scaled(self, tmp_path: Path, decode: Decode) -> None:
        image = Image.new("RGB", (300, 100), "red")
        image.paste("lime", (100, 0, 200, 100))
        image.save(tmp_path / "x.png")
        # The filter reaches over the edge by less than a pixel.
        decoded = decode(tmp_path / "x.png").astype(int)
        assert (decoded[:, 1:-1] == (0, 255, 0)).all()
        assert np.abs(decoded - (0, 255, 0)).max() <= 30

    @pytest.mark.parametrize("size", [(1, 1), (1, 500), (2000, 1500)])
    def test_sizes(self, tmp_path: Path, decode: Decode, size: tuple[int, int]) -> None:
        Image.new("RGB", size, (200, 100, 50)).save(tmp_path / "x.jpg")
        assert np.abs(decode(tmp_path / "x.jpg").astype(int) - (200, 100, 50)).max() <= 6


def write_broken(path: Path, kind: str) -> None:
    if kind == "cut":
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
        image.save(path, "JPEG")
        path.write_bytes(path.read_bytes()[:1500])
    elif kind == "bomb":
        write_png_header(path, 60_000, 60_000)
    elif kind == "empty picture":
        write_png_header(path, 8, 8)
    elif kind == "dangling link":
        path.symlink_to("nowhere.jpg")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    else:
        path.write_bytes({"empty": b"", "text": b"no picture", "zeros": b"\0" * 999}[kind])


BROKEN = ["cut", "bomb", "empty picture", "dangling link", "link to itself"]
BROKEN += ["empty", "text", "zeros"]


class TestBadPictures:
    @pytest.mark.parametrize("kind", BROKEN)
    def test_few_are_left_out_and_named(self, tmp_path: Path, load: Load, kind: str) -> None:
        root = make_folder(tmp_path / "data", {"a": 20, "b": 20})
        write_broken(root / "a" / "odd.jpg", kind)
        dataset = load(root)
        assert sum(len(split) for split in (dataset.train, dataset.val, dataset.test)) == 40
        (note,) = (note for note in dataset.notes if "left out" in note)
        assert note.startswith("1 ")
        assert "a/odd.jpg" in note
        assert load(root).notes == dataset.notes

    def test_many_are_refused(self, tmp_path: Path, load: Load) -> None:
        root = make_folder(tmp_path / "data", {"a": 20, "b": 20})
        for number in range(4):
            write_broken(root / "a" / f"x{number}.jpg", "zeros")
        with pytest.raises(DataError, match="4 of 44") as caught:
            load(root)
        text = str(caught.value)
        assert "\n" not in text
        assert [f"x{number}.jpg" in text for number in range(4)] == [True, True, True, False]

    def test_other_files_are_ignored(self, tmp_path: Path, load: Load) -> None:
        root = make_folder(tmp_path / "data", {"a": 3, "b": 3})
        plain = load(root)
        for name in ("a/notes.txt", "a/._1.png", "b/Thumbs.db", "README.md", ".DS_Store"):
            (root / name).write_bytes(b"text")
        save_picture(root / ".hidden" / "c.png")
        save_picture(root / "a" / ".trash" / "c.png")
        dataset = load(root)
        assert dataset.fingerprint == plain.fingerprint
        assert dataset.ignored == {
            ".txt": 1,
            ".md": 1,
            "macOS leftovers (._*)": 1,
            "system (Thumbs.db)": 1,
            "system (.DS_Store)": 1,
            "deleted (.trash)": 1,
            "hidden": 1,
        }

    def test_pipes_do_not_hang(self, tmp_path: Path, load: Load) -> None:
        root = make_folder(tmp_path / "data", {"a": 3, "b": 3})
        os.mkfifo(root / "a" / "pipe.jpg")
        assert load(root).class_names == ("a", "b")

    def test_link_loops_do_not_hang(self, tmp_path: Path, load: Load) -> None:
        root = make_folder(tmp_path / "data", {"a/x": 3, "b": 3})
        plain = load(root)
        (root / "a" / "x" / "up").symlink_to(root / "a")
        (root / "a" / "around").symlink_to(root)
        (root / "b" / "self").symlink_to("self")
        assert load(root).fingerprint == plain.fingerprint

    def test_linked_folders_are_followed(self, tmp_path: Path, load: Load) -> None:
        root = make_folder(tmp_path / "data", {"b": 3})
        make_folder(tmp_path / "store", {"pictures": 4})
        (root / "a").symlink_to(tmp_path / "store" / "pictures")
        dataset = load(root)
        splits = (dataset.train, dataset.val, dataset.test)
        assert sum(int((split.labels == 0).sum()) for split in splits) == 4


class TestRefused:
    @pytest.mark.parametrize(
        ("counts", "text"),
        [
            ({}, "no folders in it"),
            ({"a": 3}, "has only a/. Add a folder"),
            ({"inner/a": 3, "inner/b": 3}, "Did you mean .*inner"),
            ({"a": 3, "b": 2}, "at least 3 readable pictures .* b 2"),
            ({"a": 0, "b": 0}, "none are there"),
            ({"train/a": 3, "train/b": 3, "test/a": 1}, "test/ lacks b"),
            ({"train/a": 3, "train/b": 3, "test/a": 1, "test/b": 1, "test/c": 1}, "lacks c"),
            ({"train/a": 3, "train/b": 3, "test/a": 1, "test/b": 0}, "at least 1 .* b 0"),
            ({"test/a": 3, "val/a": 3}, "must have a folder train/"),
            ({"train/a": 3, "train/b": 3, "val/a": 1, "valid/a": 1}, "both val/ and valid/"),
            ({"train": 3, "test": 3}, "lie right in it"),
            ({".": 3}, "3 pictures lie right in it .0.png"),
            ({"a": 3, "b": 3, "A": 3}, "differ in case"),
        ],
    )
    def test_folders(self, tmp_path: Path, load: Load, counts: dict[str, int], text: str) -> None:
        root = make_folder(tmp_path / "data", counts)
        root.mkdir(exist_ok=True)
        with pytest.raises(DataError, match=text) as caught:
            load(root)
        assert "\n" not in str(caught.value)
        assert str(root) in str(caught.value)

    def test_paths(self, tmp_path: Path, load: Load) -> None:
        make_folder(tmp_path / "flowers", {"a": 3, "b": 3})
        (tmp_path / "list.csv").write_text("a,b")
        (tmp_path / "flowers.zip").write_bytes(b"PK")
        for path, text in (
            (None, "--data"),
            (tmp_path / "flowrs", "Did you mean .*flowers"),
            (tmp_path / "flowrs" / "train", "Did you mean .*flowers"),
            (tmp_path / "something else", "Name an existing folder"),
            (tmp_path / "list.csv", "class folders, or arrays in an .npz"),
            (tmp_path / "flowers.zip", "Unpack it first"),
        ):
            with pytest.raises(DataError, match=text) as caught:
                load(path)
            assert "\n" not in str(caught.value)

    def test_size(self, tmp_path: Path, load: Load) -> None:
        with pytest.raises(ConfigError, match="image_size"):
            load(make_folder(tmp_path / "data", {"a": 3, "b": 3}), image_size=0)


def test_npz_is_passed_on(tmp_path: Path, load: Load) -> None:
    images = np.arange(320, dtype=np.uint8).reshape(20, 4, 4)
    np.savez(tmp_path / "x.npz", x_train=images, y_train=np.arange(20) % 2)
    assert load(tmp_path / "x.npz").input_shape == (4, 4, 1)


def test_second_time_nothing_is_decoded(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "data", {"a": 5, "b": 5})
    seen: list[tuple[str, int, int]] = []

    def note_progress(what: str, done: int, total: int) -> None:
        seen.append((what, done, total))

    request = DataRequest(root, tmp_path / "cache", note_progress)
    first = load_image_folder(root, request)
    assert ("reading images", 10, 10) in seen
    seen.clear()
    second = load_image_folder(root, request)
    assert not any(what == "reading images" for what, _, _ in seen)
    assert second.fingerprint == first.fingerprint
    assert mapped_file(second.train.images) is not None


@pytest.mark.parametrize("change", ["pixel", "label", "class name", "removed", "size"])
def test_changes_are_noticed(tmp_path: Path, load: Load, change: str) -> None:
    root = make_folder(tmp_path / "data", {"a": 6, "b": 6})
    before = load(root)
    if change == "pixel":
        with Image.open(root / "a" / "0.png") as image:
            image.load()
            image.putpixel((0, 0), (1, 2, 3))
            image.save(root / "a" / "0.png")
    elif change == "label":
        (root / "a" / "0.png").rename(root / "b" / "moved.png")
    elif change == "class name":
        (root / "b").rename(root / "c")
    elif change == "removed":
        (root / "a" / "0.png").unlink()
    after = load(root, image_size=5 if change == "size" else 4)
    assert after.fingerprint != before.fingerprint


def test_real_photos(shared_data: Path, tmp_path: Path) -> None:
    order = ("apple", "orange", "mandarin", "banana")
    dataset = load_image_folder(
        shared_data / "fruit360",
        DataRequest(None, tmp_path / "cache"),
        image_size=32,
        class_names=order,
    )
    assert dataset.class_names == order
    n_train, n_val, n_test = (
        np.bincount(split.labels) for split in (dataset.train, dataset.val, dataset.test)
    )
    assert (n_train + n_val).tolist() == [1000, 479, 980, 490]
    assert n_test.sum() == 4007 - 2949
    assert (np.abs(n_val / (n_train + n_val) - 0.15) < 0.04).all()
    assert not dataset.generated
    # Apples are redder than bananas, and both stand on white.
    means = [
        dataset.train.images[dataset.train.labels == label].mean((0, 1, 2)) for label in (0, 3)
    ]
    assert means[0][1] < means[1][1]
    assert np.median(dataset.train.images[:, 0, 0].astype(float)) > 240


def test_loose_files_are_listed_in_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.png", "a/2.png", "a/1.txt", "a/.hidden", ".git/config", "c/d/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c" / "round").symlink_to(tmp_path, target_is_directory=True)
    found = [path.relative_to(tmp_path).as_posix() for path in list_files(tmp_path)]
    assert found == ["a/1.txt", "a/2.png", "b.png", "c/d/3.png"]
