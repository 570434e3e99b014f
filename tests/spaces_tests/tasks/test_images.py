"""Tasks on folders of class folders: what follows from the pictures, and their classes' names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spaces.data.dataset import Dataset, Split
from spaces.data.request import DataRequest
from spaces.errors import DataError
from spaces.tasks.animals10 import ENGLISH, IMAGE_SIZE, load_animals
from spaces.tasks.images import (
    BATCH_SIZES,
    EPOCHS,
    IMAGES,
    MAX_PIXELS,
    MIN_STEPS_OF_AN_EPOCH,
    SIDES,
    load_images,
    usual_side,
)


def save_pictures(folder: Path, size: tuple[int, int], n: int = 4) -> None:
    folder.mkdir(parents=True)
    for number in range(n):
        Image.new("RGB", size, (number, 0, 0)).save(folder / f"{number}.png")


def of_size(n_train: int) -> Dataset:
    def split(n: int) -> Split:
        images = np.broadcast_to(np.zeros((), np.uint8), (n, 32, 32, 3))
        return Split(images, np.arange(n) % 2)

    return Dataset("zeros", split(n_train), split(2), split(2), ("a", "b"), "0")


@pytest.mark.parametrize(
    ("sides", "n_pictures", "side"),
    [
        ([480, 600, 1000], 2_000, 128),
        ([100] * 5, 4_000, 96),
        ([100, 100, 20], 4_000, 96),  # One small picture does not decide.
        ([480] * 5, 20_000, 96),
        ([480] * 5, 60_000, 64),
        ([480] * 5, 10**7, 32),
        ([8, 8], 100, 32),
        ([], 100, 128),
    ],
)
def test_the_side_suits_the_pictures(sides: list[int], n_pictures: int, side: int) -> None:
    assert usual_side(sides, n_pictures) == side


@given(st.lists(st.integers(1, 5000), min_size=1), st.integers(2, 10**6))
def test_a_side_is_one_of_ours_and_fits(sides: list[int], n_pictures: int) -> None:
    side = usual_side(sides, n_pictures)
    assert side in SIDES
    assert side == SIDES[0] or side**2 * n_pictures <= MAX_PIXELS


@given(st.integers(1, 10**6))
def test_epochs_and_batches_suit_the_number_of_images(n: int) -> None:
    task = IMAGES.adapted_to(of_size(n))
    assert EPOCHS[0] <= task.epochs <= EPOCHS[1]
    assert set(task.batch_sizes) <= set(BATCH_SIZES)
    assert task.batch_sizes == tuple(sorted(task.batch_sizes))
    assert len(task.batch_sizes) == 1 or max(task.batch_sizes) * MIN_STEPS_OF_AN_EPOCH <= n
    assert (task.model, task.load_data, task.name) == (IMAGES.model, IMAGES.load_data, "images")


def test_few_images_are_seen_more_often_and_in_smaller_batches() -> None:
    few, many = IMAGES.adapted_to(of_size(300)), IMAGES.adapted_to(of_size(20_000))
    assert few.epochs == EPOCHS[1] and many.epochs == EPOCHS[0]
    assert few.batch_sizes == (8, 16) and many.batch_sizes == (32, 64, 128, 256)


def test_a_task_that_says_nothing_suits_any_data() -> None:
    task = replace(IMAGES, adapt=None)
    assert task.adapted_to(of_size(10)) is task


def test_a_folder_is_read_at_its_side(tmp_path: Path) -> None:
    for name in ("cup", "spoon"):
        save_pictures(tmp_path / "kitchen" / name, (70, 52), 8)
    dataset = load_images(DataRequest(tmp_path / "kitchen", tmp_path / "cache"))
    assert dataset.input_shape == (48, 48, 3)
    assert dataset.class_names == ("cup", "spoon")


def test_files_that_are_no_pictures_do_not_choose_the_side(tmp_path: Path) -> None:
    for name in ("cup", "spoon"):
        save_pictures(tmp_path / "kitchen" / name, (64, 64), 8)
        for number in range(20):
            (tmp_path / "kitchen" / name / f"{number}.txt").write_text("not a picture")
    dataset = load_images(DataRequest(tmp_path / "kitchen", tmp_path / "cache"))
    assert dataset.input_shape == (64, 64, 3)


@pytest.mark.parametrize("load", [load_images, load_animals])
def test_without_a_folder_one_line_says_what_to_give(load: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--data") as caught:
        load(DataRequest(None, tmp_path))  # type: ignore[operator]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("below", [".", "raw-img"])
def test_animals_are_called_in_english(tmp_path: Path, below: str) -> None:
    for name in ENGLISH:
        save_pictures(tmp_path / "animals" / below / name, (8, 8))
    dataset = load_animals(DataRequest(tmp_path / "animals", tmp_path / "cache"))
    assert dataset.class_names == tuple(sorted(ENGLISH.values()))
    assert dataset.input_shape == (IMAGE_SIZE, IMAGE_SIZE, 3)


def test_labels_do_not_depend_on_the_language_of_the_folders(tmp_path: Path) -> None:
    labels = []
    for number, (cat, butterfly) in enumerate([("gatto", "farfalla"), ("cat", "butterfly")]):
        root = tmp_path / str(number)
        save_pictures(root / cat, (8, 8), 5)
        save_pictures(root / butterfly, (8, 8), 9)
        dataset = load_animals(DataRequest(root, tmp_path / "cache"))
        assert dataset.class_names == ("butterfly", "cat")
        splits = (dataset.train, dataset.val, dataset.test)
        everyone = np.concatenate([split.labels for split in splits])
        labels.append(np.bincount(everyone, minlength=2).tolist())
    assert labels == [[9, 5], [9, 5]]


def test_other_animals_keep_their_names(tmp_path: Path) -> None:
    for name in ("Gatto", "cat", "Lupo"):
        save_pictures(tmp_path / "zoo" / name, (8, 8))
    dataset = load_animals(DataRequest(tmp_path / "zoo", tmp_path / "cache"))
    # Two folders of one meaning stay two classes, so nothing is renamed.
    assert dataset.class_names == ("Gatto", "Lupo", "cat")
