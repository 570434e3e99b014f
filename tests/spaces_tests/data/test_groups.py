"""Which pictures belong together: asked for by name or table, or plain from the name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaces.data.class_folders import FoundFile
from spaces.data.dataset import Dataset
from spaces.data.groups import groups_asked_for, groups_by_name
from spaces.data.image_folder import load_image_folder
from spaces.data.request import DataRequest
from spaces.errors import DataError

ROBOFLOW = "dog_jpg.rf.0123456789abcdef0123456789abcdef.jpg"


def files(*names: str) -> list[FoundFile]:
    paths = [Path("data/cat") / name for name in names]
    return [
        FoundFile(path, "", "cat", path.relative_to("data/cat").as_posix(), path) for path in paths
    ]


@pytest.mark.parametrize(
    ("group_by", "names", "groups"),
    [
        (r"^(p\d+)_", ["p1_a.jpg", "p1_b.jpg", "x.jpg"], ["p1", "p1", None]),
        (r"(\d+)-(\d+)", ["1-2-3.jpg", "12-3.jpg"], ["1\x002", "12\x003"]),
        ("*_*.jpg", ["scene_1_007.jpg", "scene_1_008.jpg", "one.jpg"], ["scene_1"] * 2 + [None]),
        ("*/*", ["p1/a.jpg", "p1/b.jpg", "p2/a.jpg"], ["p1", "p1", "p2"]),
        ("frame?_*.png", ["frameA_7.png", "frameB_7.png"], ["7", "7"]),
    ],
)
def test_groups_of_names(group_by: str, names: list[str], groups: list[str | None]) -> None:
    assert groups_asked_for(group_by, Path("data"), files(*names))[0] == groups


@pytest.mark.parametrize(
    ("group_by", "says"),
    [
        ("scene", "regular expression with a group"),
        ("(scene", "missing \\)"),
        ("(?:a)", "regular expression with a group"),
        (r"^(q\d+)", "matches none of 1, such as a.jpg"),
        ("missing.csv", "missing.csv cannot be read"),
    ],
)
def test_what_says_nothing_is_refused(group_by: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        groups_asked_for(group_by, Path("data"), files("a.jpg"))


def test_a_table_names_files_by_path_or_name(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("\ufefffile,group\ncat/a.jpg,1\nb.jpg,1\n./cat/c.jpg,2\n", encoding="utf-8")
    found, notes = groups_asked_for(
        str(table), Path("data"), files("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    )
    assert found == ["1", "1", "2", None]
    assert notes == (
        "3 pictures are 2 groups by groups.csv; 1 without a group stand alone. No group is split.",
    )
    table.write_text("other.jpg,1\n")
    with pytest.raises(DataError, match="names none of them; its first row is 'other.jpg,1'"):
        groups_asked_for(str(table), Path("data"), files("a.jpg"))
    table.write_text("only\n")
    with pytest.raises(DataError, match="two columns, file and group, but row 1 is 'only'"):
        groups_asked_for(str(table), Path("data"), files("a.jpg"))


def test_augmented_copies_are_known_by_their_names() -> None:
    assert groups_by_name(files(ROBOFLOW, "dog.jpg", "a.rf.short.jpg")) == ["dog_jpg", None, None]


def make(root: Path, name: str, number: int) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (number, 7, 7)).save(path)


def scenes_across(dataset: Dataset, size: int) -> int:
    """Return how many scenes, each of ``size`` consecutive shades, are in more than one split."""
    found = [
        {int(image[0, 0, 0]) // size for image in split.images}
        for split in (dataset.train, dataset.val, dataset.test)
    ]
    return len(found[0] & found[1] | found[0] & found[2] | found[1] & found[2])


@pytest.mark.parametrize("name", ["s{0}_{1}.png", "s{0}_png.rf.{1:032x}.png"])
def test_no_scene_is_in_two_splits(tmp_path: Path, name: str) -> None:
    root = tmp_path / "data"
    for number in range(200):
        make(root, f"{'ab'[number // 100]}/{name.format(number // 5, number)}", number)
    request = DataRequest(root, tmp_path / "cache", group_by=None if ".rf." in name else "s*_*")
    dataset = load_image_folder(root, request, image_size=4)
    assert scenes_across(dataset, 5) == 0
    assert np.bincount(dataset.test.labels).tolist() == [15, 15]
    assert np.bincount(dataset.val.labels).tolist() == [35, 35]  # Nearest to 34, in fives.
    assert any("never split" in note or "No group is split" in note for note in dataset.notes)
    plain = load_image_folder(root, DataRequest(root, tmp_path, split_rule="by_name"), 4)
    assert scenes_across(plain, 5) > 0


def test_equal_pictures_go_together_and_renaming_moves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for number in range(120):
        make(root, f"{'ab'[number % 2]}/{number}.png", number // 4 * 2)
    request = DataRequest(root, tmp_path / "cache")
    first = load_image_folder(root, request, image_size=2)
    assert scenes_across(first, 2) == 0
    for folder in ("a", "b"):
        for path in sorted((root / folder).iterdir()):
            path.rename(path.with_name(f"new {path.name}"))
    (root / "a").rename(root / "c")
    second = load_image_folder(root, request, image_size=2)
    for one in ("train", "val", "test"):
        shades = [
            sorted(getattr(dataset, one).images[:, 0, 0, 0].tolist())
            for dataset in (first, second)
        ]
        assert shades[0] == shades[1]
