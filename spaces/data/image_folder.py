"""Data sets from a folder of pictures, one folder a class; decoded once, in parallel."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spaces.data.cache import cached_dataset, content_key
from spaces.data.class_folders import FoundFile, find_pictures, kind_of_file
from spaces.data.copies import find_copies
from spaces.data.dataset import SPLIT_NAMES, Dataset, Split, fingerprint_arrays
from spaces.data.folder_splits import assign_splits, picture_groups, split_note
from spaces.data.large_arrays import taken
from spaces.data.leaks import describe_leaks
from spaces.data.listing import readable
from spaces.data.npz import is_npz, load_npz
from spaces.data.picture_checks import (
    broken_note,
    check_broken,
    check_counts,
    reasons_by_class,
)
from spaces.data.picture_files import decode_pictures, inspect_files
from spaces.data.pixel_checks import check_pixels
from spaces.data.request import DataRequest
from spaces.errors import ConfigError, DataError

READER_VERSION = "4"  # To be raised when the same files come to mean other arrays.


@dataclass(frozen=True)
class ImageSide:
    """Side of the images of a data set.

    Attributes:
        pixels: Height and width.
        note: Why, for a person to know.
    """

    pixels: int
    note: str


ChooseSide = Callable[[Sequence[FoundFile]], ImageSide]
"""Chooses the side for the pictures that were found."""


def load_image_folder(
    path: Path | None,
    request: DataRequest,
    image_size: int | ChooseSide = 96,
    seed: int = 0,
    class_names: tuple[str, ...] | None = None,
    display_names: Mapping[str, str] | None = None,
) -> Dataset:
    """Load pictures from a folder with one folder a class.

    With folders ``train`` and ``val`` or ``test`` around the class folders, these are the
    splits. A missing one takes 15 % of the (training) pictures of every class, at least one; for
    validation more where there are few (:func:`~spaces.data.splits.validation_share`), unless
    ``request.split_rule`` is an earlier one. A hash of each file's content decides which, so that
    nearly all stay in their splits when others are added, and all when files or classes are
    renamed. Pictures of one group (equal ones, augmented copies by Roboflow, and what
    ``request.group_by`` says) are never split.

    Pictures become RGB, ``[image_size, image_size, 3]`` uint8: upright, the largest square in
    the middle, scaled. Up to 5 % may be broken; these are left out and counted in the notes.
    Decoded pictures are cached by content: unchanged files are only read to be compared.

    Args:
        path: The folder; an ``.npz`` is passed on to :func:`~spaces.data.npz.load_npz`.
        request: Where the cache is, and whom to tell about progress.
        image_size: Height and width of the images, in pixels; or what chooses them.
        seed: Chooses what is split off.
        class_names: Order of the classes, if the folders are named so (in any case). Otherwise
            classes are sorted by name.
        display_names: What to call classes, by their folder's name in lower case; those that
            are missing keep their name. Classes are sorted by what they are called.

    Raises:
        DataError: If there are no such pictures, or they cannot be used.
    """
    if isinstance(image_size, int) and image_size < 1:
        raise ConfigError(f"`1 <= image_size` must hold, but got {image_size}.")
    if path is None:
        raise DataError("This task has no pictures of its own: name a folder of them with --data.")
    if is_npz(path):
        return load_npz(path, request)
    found = find_pictures(path)
    pictures, others = inspect_files(path, found.files, request.progress)
    check_counts(path, found, [file for file, _ in pictures], others)
    if isinstance(image_size, int):
        side = ImageSide(image_size, "")
    else:
        side = image_size([file for file, _ in pictures])
    groups, group_notes = picture_groups(path, pictures, request)
    ignored = found.ignored + Counter(kind_of_file(file.name) for file in others)
    order, names = _class_order(found.class_names, class_names, display_names or {})
    name = readable(path.resolve().name)
    key = content_key(
        "folder",
        READER_VERSION,
        name,
        str(side.pixels),
        side.note,
        str(seed),
        request.split_rule,
        request.group_by or "",
        *found.notes,
        *names,
        *(
            part
            for (file, digest), group in zip(pictures, groups, strict=True)
            for part in (file.split, file.class_name, file.name, digest, group)
        ),
    )

    def make() -> Dataset:
        decoded = decode_pictures(
            path, [f for f, _ in pictures], side.pixels, request.progress, request.cache_dir
        )
        images, broken = decoded.images, decoded.broken
        whole = [picture for number, picture in enumerate(pictures) if number not in broken]
        check_broken(path, pictures, broken)
        files = [file for file, _ in whole]
        check_counts(path, found, files, others, dict(reasons_by_class(pictures, broken)))
        whole_groups = [group for number, group in enumerate(groups) if number not in broken]
        request.progress("looking for copies", 0, 1)
        pairs = find_copies(images, [digest for _, digest in whole])
        members = assign_splits(whole, whole_groups, pairs, found.splits, seed, request)
        leaks = describe_leaks(path, files, whole_groups, pairs, members)
        request.progress("looking for copies", 1, 1)
        labels = np.array([order.index(file.class_name) for file in files], np.int64)
        train, val, test = (
            Split(taken(images, members[split], request.cache_dir), labels[members[split]])
            for split in SPLIT_NAMES
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
                *((side.note,) if side.note else ()),
                *broken_note(path, pictures, broken),
                *group_notes,
                *decoded.notes,
                *check_pixels(
                    images,
                    [file.class_name for file in files],
                    [readable(os.path.relpath(file.path, path)) for file in files],
                ),
                *split_note(found.splits, members, request.split_rule),
                *leaks,
            ),
            scales=decoded.scales,
            group_by=request.group_by,
            leaks=leaks,
            ignored=_all_ignored(ignored, len(broken)),
        )

    dataset = cached_dataset(key, request.cache_dir, make)
    # What else lies there may have changed since: it is no part of the data set.
    return replace(dataset, ignored=_all_ignored(ignored, dataset.ignored.get("broken", 0)))


def _all_ignored(ignored: Counter[str], n_broken: int) -> dict[str, int]:
    """Return what was left out, by kind, without kinds of which there is nothing."""
    return dict(+(ignored + Counter(broken=n_broken)))


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
