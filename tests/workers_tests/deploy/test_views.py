"""Test-time augmentation: which views there are, and where pixels go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spaces.tasks.registry import resolve_task
from workers.deploy.comparison import mirrored_shows_the_same
from workers.deploy.test_time_augmentation import shifted, views_of

IMAGES = np.arange(1, 10).reshape(1, 3, 3, 1)


@pytest.mark.parametrize(
    ("down", "right", "expected"),
    [
        (0, 0, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        (1, 0, [[1, 2, 3], [1, 2, 3], [4, 5, 6]]),
        (-1, 0, [[4, 5, 6], [7, 8, 9], [7, 8, 9]]),
        (0, 1, [[1, 1, 2], [4, 4, 5], [7, 7, 8]]),
        (0, -2, [[3, 3, 3], [6, 6, 6], [9, 9, 9]]),
    ],
)
def test_the_edge_is_repeated(down: int, right: int, expected: list[list[int]]) -> None:
    assert shifted(IMAGES, down, right)[0, :, :, 0].tolist() == expected


def test_the_views() -> None:
    views = views_of((28, 28, 1), flips=True)
    assert list(views) == [
        "as it is", "1 px up", "1 px down", "1 px left", "1 px right", "mirrored"
    ]  # fmt: skip
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    seen = {view(images).tobytes() for view in views.values()}
    assert len(seen) == 6
    np.testing.assert_array_equal(views["as it is"](images), images)
    np.testing.assert_array_equal(views["1 px up"](images)[:, :-1], images[:, 1:])
    np.testing.assert_array_equal(views["1 px right"](images)[:, :, 1:], images[:, :, :-1])
    np.testing.assert_array_equal(views["mirrored"](images), images[:, :, ::-1])
    assert "2 px up" in views_of((96, 96, 3), flips=False)
    assert "mirrored" not in views_of((96, 96, 3), flips=False)


def test_digits_are_not_mirrored() -> None:
    assert not mirrored_shows_the_same(resolve_task("mnist"))


def test_what_a_task_is_trained_on_mirrored_may_be_mirrored() -> None:
    task = replace(resolve_task("mnist"), augmentations=("none", "shift+flip"))
    assert mirrored_shows_the_same(task)
