"""Data sets from a folder of pictures, one folder a class; decoded once, in parallel."""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from spaces.data.cache import cached_dataset, content_key
from spaces.data.class_folders import FoundFile, FoundFolder, find_pictures, readable
from spaces.data.dataset import SPLIT_NAMES, Dataset, Split, fingerprint_arrays
from spaces.data.npz import load_npz
from spaces.data.pictures import HEAD_BYTES, is_picture, read_picture
from spaces.data.request import DataRequest, Progress
from spaces.errors import ConfigError, DataError

READER_VERSION = "1"  # To be raised when the same files come to mean other arrays.
SPLIT_OFF_FRACTION = 0.15
MIN_PICTURES = 3  # One a split.
MAX_BROKEN_FRACTION = 0.05

T = TypeVar("T")
R = TypeVar("R")


def load_image_folder(
    path: Path | None,
    request: DataRequest,
    image_size: int = 96,
    seed: int = 0,
    class_names: tuple[str, ...] | None = None,
    display_names: Mapping[str, str] | None = None,
) -> Dataset:
    """Load pictures from a folder with one folder a class.

    With folders ``train`` and ``val`` or ``test`` around the class folders, these are the
    splits. A missing one takes about 15 % of the (training) pictures of every class, at least
    one. A hash of each file's name decides, so that a file stays in its split when others are
    added (save in classes so small that the only picture of a split was lent to it).

    Pictures become RGB, ``[image_size, image_size, 3]`` uint8: upright, the largest square in
    the middle, scaled. Up to 5 % may be broken; these are left out and counted in the notes.
    Decoded pictures are cached by content: unchanged files are only read to be compared.

    Args:
        path: The folder; an ``.npz`` is passed on to :func:`~spaces.data.npz.load_npz`.
        request: Where the cache is, and whom to tell about progress.
        image_size: Height and width of the images, in pixels.
        seed: Chooses what is split off.
        class_names: Order of the classes, if the folders are named so (in any case). Otherwise
            classes are sorted by name.
        display_names: What to call classes, by their folder's name in lower case; those that
            are missing keep their name. Classes are sorted by what they are called.

    Raises:
        DataError: If there are no such pictures, or they cannot be used.
    """
    if image_size < 1:
        raise ConfigError(f"`1 <= image_size` must hold, but got {image_size}.")
    if path is None:
        raise DataError("This task has no pictures of its own: name a folder of them with --data.")
    if path.suffix.lower() == ".npz" and path.is_file():
        return load_npz(path, request)
    found = find_pictures(path)
    pictures, n_ignored = _inspect(found.files, request.progress)
    _check_counts(path, found, Counter((file.split, file.class_name) for file, _ in pictures))
    order, names = _class_order(found.class_names, class_names, display_names or {})
    name = readable(path.resolve().name)
    key = content_key(
        "folder",
        READER_VERSION,
        name,
        str(image_size),
        str(seed),
        str(n_ignored + found.n_ignored),
        *found.notes,
        *names,
        *(
            part
            for file, digest in pictures
            for part in (file.split, file.class_name, file.name, digest)
        ),
    )

    def make() -> Dataset:
        images, broken = _decode([file for file, _ in pictures], image_size, request.progress)
        whole = [picture for number, picture in enumerate(pictures) if number not in broken]
        _check_broken(path, pictures, broken)
        files = [file for file, _ in whole]
        _check_counts(path, found, Counter((file.split, file.class_name) for file in files))
        members = _assign(files, found.splits, seed)
        labels = np.array([order.index(file.class_name) for file in files], np.int64)
        train, val, test = (
            Split(images[members[split]], labels[members[split]]) for split in SPLIT_NAMES
        )
        return Dataset(
            name=name,
            train=train,
            val=val,
            test=test,
            class_names=names,
            fingerprint=fingerprint_arrays(names, (train, val, test)),
            notes=(
                *found.notes,
                *_count_note(n_ignored + found.n_ignored, "other files were ignored"),
                *_broken_note(path, pictures, broken),
                *_split_note(found.splits, members),
                *_copies_note(whole, members),
            ),
        )

    return cached_dataset(key, request.cache_dir, make)


@dataclass(frozen=True)
class _Inspected:
    is_picture: bool
    digest: str


def _inspect(
    files: Sequence[FoundFile], progress: Progress
) -> tuple[list[tuple[FoundFile, str]], int]:
    """Return pictures with a hash of their bytes, and how many files are no pictures."""
    pictures = []
    for file, inspected in zip(
        files,
        _in_threads(_inspect_file, files, lambda n: progress("checking images", n, len(files))),
        strict=True,
    ):
        if inspected.is_picture:
            pictures.append((file, inspected.digest))
    return pictures, len(files) - len(pictures)


def _inspect_file(file: FoundFile) -> _Inspected:
    try:
        if not stat.S_ISREG(file.path.stat().st_mode):
            return _Inspected(False, "")  # A pipe named x.jpg would never end.
        with open(file.path, "rb") as stream:
            head = stream.read(HEAD_BYTES)
            if not is_picture(file.name, head):
                return _Inspected(False, "")
            digest = hashlib.sha256(head)
            while block := stream.read(1 << 20):
                digest.update(block)
            return _Inspected(True, digest.hexdigest())
    except OSError:
        return _Inspected(is_picture(file.name, b""), "unreadable")


def _decode(
    files: Sequence[FoundFile], size: int, progress: Progress
) -> tuple[npt.NDArray[np.uint8], dict[int, str]]:
    """Return the images that could be decoded, and the reasons of those that could not."""
    images = np.empty((len(files), size, size, 3), np.uint8)
    broken: dict[int, str] = {}

    def decode(file: FoundFile) -> npt.NDArray[np.uint8] | str:
        try:
            with open(file.path, "rb") as stream:
                return read_picture(stream, size)
        except OSError as error:
            return str(error.strerror or error)
        except ValueError as error:
            return str(error)

    n_whole = 0
    with warnings.catch_warnings():
        # Pillow and its decoders warn about what they then read well enough.
        warnings.simplefilter("ignore")
        for number, result in enumerate(
            _in_threads(decode, files, lambda n: progress("reading images", n, len(files)))
        ):
            if isinstance(result, str):
                broken[number] = result
            else:
                images[n_whole] = result
                n_whole += 1
    return images[:n_whole], broken


def _in_threads(
    function: Callable[[T], R], items: Sequence[T], report: Callable[[int], None]
) -> Iterator[R]:
    """Map in order, with a report every hundredth of the way."""
    step = max(1, len(items) // 100)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for number, result in enumerate(pool.map(function, items), start=1):
            yield result
            if number % step == 0 or number == len(items):
                report(number)


def _assign(
    files: Sequence[FoundFile], given: Sequence[str], seed: int
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the indices of each split's files."""
    members: dict[str, list[int]] = {split: [] for split in SPLIT_NAMES}
    by_class: dict[str, list[int]] = {}
    for number, file in enumerate(files):
        if file.split in ("", "train"):
            by_class.setdefault(file.class_name, []).append(number)
        else:
            members[file.split].append(number)
    to_split_off = [split for split in ("test", "val") if split not in given]
    for numbers in by_class.values():
        positions = {number: _position(files[number], seed) for number in numbers}
        ordered = sorted(numbers, key=lambda number: positions[number])
        start = 0
        for rank, split in enumerate(to_split_off, start=1):
            end = sum(position < rank * SPLIT_OFF_FRACTION for position in positions.values())
            # One at least for this split, and for each one after it.
            end = min(max(end, start + 1), len(ordered) - (len(to_split_off) - rank) - 1)
            members[split] += ordered[start:end]
            start = end
        members["train"] += ordered[start:]
    return {split: np.array(sorted(numbers), np.int64) for split, numbers in members.items()}


def _position(file: FoundFile, seed: int) -> float:
    """Return a number in [0, 1) that depends on the file's class and name alone."""
    key = content_key("split", str(seed), file.class_name, readable(file.name))
    return int(key[:13], 16) / 16**13


def _class_order(
    found: tuple[str, ...], asked: tuple[str, ...] | None, display_names: Mapping[str, str]
) -> tuple[list[str], tuple[str, ...]]:
    """Return the folders' names in the order of the labels, and what to call the classes."""
    by_folded = {name.casefold(): name for name in found}
    if asked is not None and sorted(name.casefold() for name in asked) == sorted(by_folded):
        return [by_folded[name.casefold()] for name in asked], asked
    called = {display_names.get(name.casefold(), name): name for name in found}
    if len(called) < len(found):  # Two folders of one meaning stay two classes.
        return list(found), found
    names = tuple(sorted(called))
    return [called[name] for name in names], names


def _check_counts(path: Path, found: FoundFolder, counts: Counter[tuple[str, str]]) -> None:
    if not counts:
        raise DataError(f"{path} must hold pictures in its class folders, but none are there.")
    for split in found.splits or ("",):
        needed = MIN_PICTURES if split in ("", "train") else 1
        scarce = [
            f"{class_name} {counts[split, class_name]}"
            for class_name in found.class_names
            if counts[split, class_name] < needed
        ]
        if scarce:
            where = f"{path / split}" if split else f"{path}"
            raise DataError(
                f"{where} must hold at least {needed} readable picture{'s' * (needed > 1)} of "
                f"every class, but has: {', '.join(scarce[:5])}. Add pictures, or remove the "
                "class."
            )


Pictures = Sequence[tuple[FoundFile, str]]


def _check_broken(path: Path, pictures: Pictures, broken: dict[int, str]) -> None:
    if len(broken) > MAX_BROKEN_FRACTION * len(pictures):
        raise DataError(
            f"At most {MAX_BROKEN_FRACTION:.0%} of the pictures may be broken, but "
            f"{len(broken)} of {len(pictures)} are: {_name_broken(path, pictures, broken)}. "
            "Repair or remove them."
        )


def _broken_note(path: Path, pictures: Pictures, broken: dict[int, str]) -> tuple[str, ...]:
    if not broken:
        return ()
    were = (
        "picture that cannot be read was"
        if len(broken) == 1
        else ("pictures that cannot be read were")
    )
    return (f"{len(broken)} {were} left out: {_name_broken(path, pictures, broken)}.",)


def _name_broken(path: Path, pictures: Pictures, broken: dict[int, str]) -> str:
    named = [
        f"{readable(os.path.relpath(pictures[number][0].path, path))} ({reason})"
        for number, reason in list(broken.items())[:3]
    ]
    return ", ".join(named) + (", ..." if len(broken) > 3 else "")


def _count_note(count: int, what: str) -> tuple[str, ...]:
    return (f"{count} {what}.",) if count else ()


def _split_note(
    given: Sequence[str], members: dict[str, npt.NDArray[np.int64]]
) -> tuple[str, ...]:
    missing = [split for split in ("val", "test") if split not in given]
    if not missing:
        return ()
    parts = " and ".join(f"{len(members[split])} as {split} split" for split in missing)
    source = "training pictures" if given else "pictures"
    return (f"Of the {source} some were set aside by a hash of their names: {parts}.",)


def _copies_note(pictures: Pictures, members: dict[str, npt.NDArray[np.int64]]) -> tuple[str, ...]:
    trained = {pictures[number][1] for number in members["train"]}
    n_copies = sum(
        pictures[number][1] in trained for split in ("val", "test") for number in members[split]
    )
    return _count_note(n_copies, "pictures of val and test are also in train, byte for byte")
