"""Arrays as people save them: what is converted is said, what contradicts itself is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.data.dataset import Dataset
from spaces.data.npz import load_npz
from spaces.data.request import DataRequest
from spaces.errors import DataError

Load = Callable[..., Dataset]

RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 256, (40, 8, 8), np.uint8)
X_TEST = RANDOM.integers(0, 256, (10, 8, 8), np.uint8)
Y, Y_TEST = np.arange(40) % 2, np.arange(10) % 2


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_arrays(**arrays: Any) -> Dataset:
        np.savez(tmp_path / "d.npz", **arrays)
        return load_npz(tmp_path / "d.npz", DataRequest(None, tmp_path / "cache"))

    return load_arrays


def refused(load: Load, text: str, **arrays: Any) -> None:
    with pytest.raises(DataError, match=text) as caught:
        load(**arrays)
    assert "\n" not in str(caught.value)


def notes_of(dataset: Dataset) -> str:
    return " ".join(dataset.notes)


@pytest.mark.parametrize(
    "names",
    [
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("XTrain", "YTrain", "XTest", "YTest"),
        ("trainX", "trainY", "testX", "testY"),
        ("xtrain", "ytrain", "xtest", "ytest"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("images_train", "labels_train", "images_test", "labels_test"),
        ("training_data", "training_targets", "testing_data", "testing_targets"),
    ],
)
def test_other_names_are_taken_for_what_they_mean_and_said(load: Load, names: Any) -> None:
    dataset = load(**dict(zip(names, (X, Y, X_TEST, Y_TEST), strict=True)))
    np.testing.assert_array_equal(dataset.test.images[..., 0], X_TEST)
    assert f"{names[0]} as x_train" in notes_of(dataset)


@pytest.mark.parametrize("split", ["valid", "validation", "dev", "val"])
def test_validation_images_are_never_dropped(load: Load, split: str) -> None:
    more = {f"x_{split}": X_TEST, f"y_{split}": Y_TEST}
    dataset = load(x_train=X, y_train=Y, **more)
    np.testing.assert_array_equal(dataset.val.images[..., 0], X_TEST)


def test_images_and_labels_without_a_split_are_all_of_it(load: Load) -> None:
    dataset = load(images=X, labels=Y)
    assert sum(map(len, (dataset.train, dataset.val, dataset.test))) == 40
    assert "images as x_train" in notes_of(dataset)


def test_what_is_not_used_is_said(load: Load) -> None:
    dataset = load(x_train=X, y_train=Y, weights=Y, x_holdout=X)
    assert "Not used of d.npz: weights, x_holdout." in dataset.notes


def test_names_that_mean_the_same_contradict(load: Load) -> None:
    refused(load, "x_train and X_train both", x_train=X, X_train=X, y_train=Y)
    refused(load, "y_val is missing", x_train=X, y_train=Y, x_valid=X_TEST)
    refused(load, "saved without names", arr_0=X, arr_1=Y)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64"])
def test_zeros_and_ones_become_black_and_white(load: Load, dtype: str) -> None:
    dataset = load(x_train=(X > 99).astype(dtype), y_train=Y)
    assert dataset.train.images.dtype == np.uint8
    assert np.unique(dataset.train.images).tolist() == [0, 255]
    assert "0 and 1: they were taken as 0 and 255" in notes_of(dataset)


def test_true_and_false_are_floats(load: Load) -> None:
    dataset = load(x_train=X > 99, y_train=Y)
    assert dataset.train.images.dtype == np.float32
    assert "true and false" in notes_of(dataset)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (X // 16, "integers up to 15"),
        (X.astype(np.int16), "type int16 were taken as uint8"),
        (X.astype(np.float64) / 255, "type float64 were taken as float32"),
        (X.astype(np.float16) / 255, "type float16 were taken as float32"),
        (X.astype(np.float32), "floats up to 255"),
    ],
)
def test_what_is_converted_or_doubtful_is_said(load: Load, images: Any, said: str) -> None:
    assert said in notes_of(load(x_train=images, y_train=Y))


UNIT = X.astype(np.float32) / 255
UNIT_TEST = X_TEST.astype(np.float32) / 255


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (UNIT, UNIT_TEST * 255),
        (UNIT * 255, UNIT_TEST),
        (UNIT * 2 - 1, UNIT_TEST),
        (UNIT, UNIT_TEST * 2 - 1),
        (UNIT * 2 - 1, UNIT_TEST * 255),
        (X, (X_TEST > 99).astype(np.uint8)),
        ((X > 99).astype(np.uint8), X_TEST),
    ],
)
def test_splits_that_are_scaled_differently_are_refused(load: Load, train: Any, test: Any) -> None:
    refused(load, "scaled alike.*x_t", x_train=train, y_train=Y, x_test=test, y_test=Y_TEST)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (UNIT, UNIT_TEST * 0.6),
        ((UNIT - 0.5) / 0.25, (UNIT_TEST - 0.5) / 0.25),
        (X, X_TEST // 3),
        ((X > 99).astype(np.uint8), (X_TEST > 99).astype(np.uint8)),
    ],
)
def test_splits_that_are_merely_different_are_fine(load: Load, train: Any, test: Any) -> None:
    assert len(load(x_train=train, y_train=Y, x_test=test, y_test=Y_TEST).test) == 10


@pytest.mark.parametrize(
    ("shape", "fix"),
    [
        ((40, 1, 28, 28), "1, -1"),
        ((40, 2, 28, 28), "1, -1"),
        ((40, 3, 30, 28), "1, -1"),
        ((40, 4, 28, 28), "1, -1"),
        ((40, 8, 32, 32), "1, -1"),
        ((8, 8, 3, 40), "-1, 0"),
        ((8, 8, 40), "first axis|as many labels"),
    ],
)
def test_other_layouts_are_refused_with_the_fix(load: Load, shape: Any, fix: str) -> None:
    images = RANDOM.integers(0, 256, shape, np.uint8)
    refused(load, fix, x_train=images, y_train=Y)


@pytest.mark.parametrize("shape", [(40, 4, 5), (40, 3, 28, 1), (40, 28, 28, 4), (40, 16, 9, 3)])
def test_low_and_narrow_images_are_fine(load: Load, shape: Any) -> None:
    images = RANDOM.integers(0, 256, shape, np.uint8)
    assert load(x_train=images, y_train=Y).input_shape[:2] == shape[1:3]


def test_equal_splits_are_refused_and_shared_images_told(load: Load) -> None:
    refused(load, "x_test.*same", x_train=X, y_train=Y, x_test=X, y_test=Y)
    refused(load, "x_test.*same", x_train=X, y_train=Y, x_test=X[::-1], y_test=Y[::-1])
    refused(
        load,
        "x_test.*same",
        **{"x_train": X, "y_train": Y, "x_val": X_TEST, "y_val": Y_TEST},
        **{"x_test": X_TEST, "y_test": Y_TEST},
    )
    mixed = np.concatenate([X_TEST[:8], X[:2]])
    dataset = load(x_train=X, y_train=Y, x_test=mixed, y_test=Y_TEST)
    assert "in x_train too: 2 of 10 images of x_test" in " ".join(dataset.leaks)
    assert set(dataset.leaks) <= set(dataset.notes)


def test_one_image_in_two_classes_is_told(load: Load) -> None:
    images = X.copy()
    images[1] = images[0]
    assert "two classes at once, with the same pixels: 1 image." in notes_of(
        load(x_train=images, y_train=Y)
    )


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x_train": np.zeros((40, 8, 8)), "y_train": Y}, "all its numbers are 0"),
        ({"x_train": X, "y_train": np.array(3)}, "label an image"),
        ({"x_train": X, "y_train": Y[:-1]}, "as many labels"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "must hold images"),
        ({"x_train": X, "y_train": Y + 0.5}, "whole numbers"),
        ({"x_train": X, "y_train": np.where(Y, np.nan, 1.0)}, "whole numbers"),
        ({"x_train": X.astype(object), "y_train": Y}, "Python objects"),
        ({"x_train": np.full((40, 8, 8), np.nan), "y_train": Y}, "NaN"),
        ({"x_train": X.astype(np.complex64), "y_train": Y}, "complex64"),
        ({"x_train": X, "y_train": np.array(["a\nb", "c"])[Y]}, "one line of text"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(load: Load, arrays: Any, text: str) -> None:
    refused(load, text, **arrays)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (Y + 1, ("1", "2")),
        (Y * 2 - 1, ("-1", "1")),
        (Y * 7, ("0", "7")),
        (np.eye(2)[Y], ("0", "1")),
        (Y.astype(bool), ("0", "1")),
        (np.array(["cat", "dog"])[Y], ("cat", "dog")),
        (Y.astype(np.float32)[:, None], ("0", "1")),
    ],
)
def test_labels_as_people_have_them(load: Load, labels: Any, names: Any) -> None:
    dataset = load(x_train=X, y_train=labels)
    assert dataset.class_names == names
    assert dataset.train.labels.dtype == np.int64


def test_no_flipped_byte_of_a_file_escapes(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez_compressed(path, x_train=X[:8], y_train=Y[:8])
    sound = path.read_bytes()
    for place in range(0, len(sound), 5):
        broken = bytearray(sound)
        broken[place] ^= 1 << place % 8
        path.write_bytes(broken)
        try:
            load_npz(path, DataRequest(None, tmp_path / "cache"))
        except DataError as error:
            assert str(error).isprintable()
