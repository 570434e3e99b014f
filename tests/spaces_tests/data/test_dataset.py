"""A data set refuses what cannot be trained on, and its fingerprint follows its content."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.data.dataset import Dataset, Split, fingerprint_arrays
from spaces.errors import DataError

CLASS_NAMES = ("cat", "dog")


def make_split(n: int = 4, seed: int = 0) -> Split:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (n, 2, 3, 1), np.uint8)
    return Split(images, np.arange(n, dtype=np.int64) % 2)


def make_splits() -> tuple[Split, Split, Split]:
    return make_split(6, 0), make_split(4, 1), make_split(2, 2)


def make_dataset(
    train: Split, val: Split, test: Split, class_names: tuple[str, ...] = CLASS_NAMES
) -> Dataset:
    fingerprint = fingerprint_arrays(class_names, (train, val, test))
    return Dataset("pets", train, val, test, class_names, fingerprint)


def test_shape_and_classes() -> None:
    dataset = make_dataset(*make_splits())
    assert dataset.input_shape == (2, 3, 1)
    assert dataset.n_classes == 2
    assert [len(split) for split in (dataset.train, dataset.val, dataset.test)] == [6, 4, 2]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"val": Split(np.zeros((3, 2, 3, 1), np.uint8), np.zeros(2, np.int64))}, "3 and 2"),
        ({"test": Split(np.zeros((0, 2, 3, 1), np.uint8), np.zeros(0, np.int64))}, "no images"),
        ({"val": Split(np.zeros((1, 2, 4, 1), np.uint8), np.zeros(1, np.int64))}, "one size"),
        ({"class_names": ("cat",)}, "two classes"),
    ],
)
def test_refuses(changed: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        dataclasses.replace(make_dataset(*make_splits()), **changed)


def test_refuses_images_without_channels() -> None:
    flat = Split(np.zeros((3, 2, 2), np.uint8), np.zeros(3, np.int64))
    with pytest.raises(DataError, match="height, width, channels"):
        make_dataset(flat, flat, flat)


@given(
    which=st.integers(0, 2),
    place=st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 2)),
    by=st.integers(1, 255),
)
def test_fingerprint_changes_with_any_pixel(
    which: int, place: tuple[int, int, int], by: int
) -> None:
    splits = list(make_splits())
    before = fingerprint_arrays(CLASS_NAMES, (splits[0], splits[1], splits[2]))
    images = splits[which].images.copy()
    one = (*place, 0)
    images[one] = (int(images[one]) + by) % 256
    splits[which] = Split(images, splits[which].labels)
    assert fingerprint_arrays(CLASS_NAMES, (splits[0], splits[1], splits[2])) != before


def test_fingerprint_follows_labels_names_and_types_only() -> None:
    train, val, test = make_splits()
    same = fingerprint_arrays(CLASS_NAMES, (train, val, test))
    not_contiguous = Split(np.asfortranarray(train.images), train.labels)
    relabelled = Split(train.images, 1 - train.labels)
    as_floats = Split(train.images.astype(np.float32), train.labels)
    assert fingerprint_arrays(CLASS_NAMES, (not_contiguous, val, test)) == same
    others = {
        fingerprint_arrays(CLASS_NAMES, (relabelled, val, test)),
        fingerprint_arrays(CLASS_NAMES, (as_floats, val, test)),
        fingerprint_arrays(CLASS_NAMES, (train, test, val)),
        fingerprint_arrays(("cat", "fox"), (train, val, test)),
        fingerprint_arrays(("dog", "cat"), (train, val, test)),
    }
    assert len(others) == 5
    assert same not in others
