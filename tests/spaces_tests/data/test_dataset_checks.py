"""A data set is checked when it is made, and its fingerprint computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.data.cache import cached_dataset, open_dataset, save_dataset
from spaces.data.dataset import Dataset, Split, fingerprint_arrays
from spaces.errors import DataError

NAMES = ("cat", "dog", "fox")
LABELS = np.array([0, 1, 2])


def make(
    images: Any = None, labels: Any = None, names: Any = NAMES, fingerprint: str = ""
) -> Dataset:
    good = Split(np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8, 1), LABELS)
    changed = Split(
        good.images if images is None else images, good.labels if labels is None else labels
    )
    return Dataset("pets", changed, good, good, names, fingerprint)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int16"])
def test_whole_numbers_are_labels(dtype: str) -> None:
    assert make(labels=LABELS.astype(dtype)).n_classes == 3


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.eye(3), r"labels\.argmax\(axis=1\)"),
        (np.eye(3, dtype=np.int64), r"labels\.argmax\(axis=1\)"),
        (LABELS[:, None], r"labels\[:, 0\]"),
        (LABELS.astype(np.float32), r"astype\('int64'\)"),
        (np.array([0.0, np.nan, 1.0]), r"astype\('int64'\)"),
        (np.array(["cat", "dog", "fox"]), "integers"),
        (LABELS + 1, "0 to 2.*1 to 3"),
        (LABELS - 1, "0 to 2.*-1 to 1"),
        ([0, 1, 2], "list"),
    ],
)
def test_other_labels_are_refused_with_the_fix(labels: Any, text: str) -> None:
    with pytest.raises(DataError, match=text) as caught:
        make(labels=labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (np.zeros((3, 8, 8, 1)), r"float64.*astype\('float32'\)"),
        (np.zeros((3, 8, 8, 1), np.float16), "float16"),
        (np.zeros((3, 8, 8, 1), np.int32), "int32"),
        (np.zeros((3, 8, 8, 1), bool), "bool"),
        (np.full((3, 8, 8, 1), np.nan, np.float32), "NaN"),
        (np.full((3, 8, 8, 1), -np.inf, np.float32), "NaN or infinite"),
        ([[1]], "list"),
    ],
)
def test_other_pixels_are_refused_with_the_fix(images: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        make(images=images)


@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\tb", "a\rb", "\x1b[31mred", "a\x00", "a\u2028b", "\udc80", " ", "", "\u202ea"],
)
def test_names_that_would_ruin_a_file_or_a_terminal_are_refused_before_training(name: str) -> None:
    with pytest.raises(DataError, match="name") as caught:
        make(names=("cat", "dog", name))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name", ["a, b", 'the "best"', "a;b", "it's", "Äpfel", "犬", "<b>", "%s {x}", "well "]
)
def test_other_names_are_fine(name: str) -> None:
    assert make(names=("cat", "dog", name)).class_names[2] == name


@pytest.mark.parametrize("names", [("a", "a", "b"), "abc", (1, 2, 3)])
def test_names_are_different_strings(names: Any) -> None:
    with pytest.raises(DataError):
        make(names=names)


@pytest.mark.parametrize("given", ["", "0", "f" * 16])
def test_what_is_kept_has_the_fingerprint_of_its_content(tmp_path: Path, given: str) -> None:
    dataset = make(fingerprint=given)
    splits = (dataset.train, dataset.val, dataset.test)
    kept = cached_dataset("k", tmp_path, lambda: dataset)
    assert kept.fingerprint == fingerprint_arrays(NAMES, splits)
    assert dataset.with_true_fingerprint().fingerprint == kept.fingerprint


@pytest.mark.parametrize("file", ["meta.json", "train_images.npy", "val_labels.npy"])
def test_no_flipped_byte_of_the_cache_escapes_or_counts(tmp_path: Path, file: str) -> None:
    save_dataset(make(), tmp_path / "datasets" / "k")
    path = tmp_path / "datasets" / "k" / file
    sound = path.read_bytes()
    for place in range(0, len(sound), 3):
        broken = bytearray(sound)
        broken[place] ^= 1 << place % 8
        path.write_bytes(broken)
        try:
            found = open_dataset(tmp_path / "datasets" / "k", verify=True)
        except DataError as error:
            assert str(error).isprintable()
            continue
        # The flip changed how something is written, not what it says.
        np.testing.assert_array_equal(found.train.images, make().train.images)
        np.testing.assert_array_equal(found.val.labels, LABELS)
        assert (found.name, found.class_names) == ("pets", NAMES)
    path.write_bytes(broken)
    remade = cached_dataset("k", tmp_path, make)
    assert remade.class_names == NAMES
    assert open_dataset(tmp_path / "datasets" / "k", verify=True).fingerprint == remade.fingerprint
