"""Classes and counts of a data set, as they are said and stored."""

from __future__ import annotations

import numpy as np
import pytest

from spaces.data.class_counts import MAX_ROWS, count_classes, describe_classes
from spaces.data.dataset import Dataset, Split


def split(*labels: int) -> Split:
    return Split(np.zeros((len(labels), 2, 2, 1), np.uint8), np.array(labels, np.int64))


def test_every_class_of_every_split_is_counted() -> None:
    dataset = Dataset("d", split(0, 0, 2), split(1), split(2, 2), ("a", "b", "c"), "0")
    assert count_classes(dataset) == {"train": [2, 0, 1], "val": [0, 1, 0], "test": [0, 0, 2]}


def test_counts_stand_in_columns_with_their_sums() -> None:
    counts = {"train": [1200, 7], "val": [1, 2], "test": [30, 4]}
    assert describe_classes(("apple", "fig"), counts, {"broken": 1, ".xml": 12}) == [
        "class  train  val  test",
        "apple  1,200    1    30",
        "fig        7    2     4",
        "all    1,207    3    34",
        "ignored: 12 .xml, 1 broken",
    ]


def test_many_classes_are_all_named_in_few_lines() -> None:
    names = [f"c{number}" for number in range(MAX_ROWS + 1)]
    counts = {name: list(range(len(names))) for name in ("train", "val", "test")}
    lines = describe_classes(names, counts, {})
    assert lines[0] == f"{len(names)} classes, images in train / val / test:"
    assert len(lines) == 3
    assert all(f"c{n} {n} / {n} / {n}" in lines[1] for n in range(len(names)))


@pytest.mark.parametrize("name", ["a\nb", "a\r\n b", "a\tb"])
def test_a_name_stays_on_its_line(name: str) -> None:
    counts = {"train": [1, 1], "val": [1, 1], "test": [1, 1]}
    assert describe_classes((name, "c"), counts, {})[1].startswith("a b ")


def test_older_studies_hold_none() -> None:
    assert describe_classes(("a", "b"), {}, {}) == []
