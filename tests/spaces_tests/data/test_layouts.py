"""Folders as people have them: what is a split, a class, a picture, and what is none of these."""

from __future__ import annotations

import errno
import os
import socket
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spaces.data.cache import mapped_file, stored_directory
from spaces.data.class_folders import find_pictures
from spaces.data.dataset import Dataset
from spaces.data.image_folder import load_image_folder
from spaces.data.listing import list_files
from spaces.data.request import DataRequest
from spaces.errors import DataError
from spaces.tasks.images import load_images

Counts = dict[str, dict[str, int]]


def make(root: Path, files: Mapping[str, int]) -> Path:
    """Write files: ``a/b`` is a folder of that many pictures, ``a/b.txt`` that many texts."""
    for number, (name, count) in enumerate(files.items()):
        folder, _, pattern = name.rpartition("/") if "." in name else (name, "", "*.png")
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            path = root / folder / pattern.replace("*", str(i))
            if path.suffix == ".png":
                Image.effect_noise((6, 6), 60 + number + i).convert("RGB").save(path)
            else:
                path.write_text("text")
    return root


def found(root: Path) -> Counts:
    """Return the files of every class, by split."""
    counts: Counts = {}
    for file in find_pictures(root).files:
        split = counts.setdefault(file.split, {})
        split[file.class_name] = split.get(file.class_name, 0) + 1
    return counts


def load(root: Path, **options: Any) -> Dataset:
    request = DataRequest(root, root.parent / "cache")
    return load_image_folder(root, request, image_size=6, **options)


TRAIN_AND_TEST = {"train": {"cat": 4, "dog": 3}, "test": {"cat": 2, "dog": 1}}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("Training", "Testing"),
        ("training_set", "test_set"),
        ("TRAIN", "TEST"),
        ("seg_train", "seg_test"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train_data", "test_data"),
        ("trainset", "testset"),
        ("TrainSet", "TestSet"),
        ("train-images", "test-images"),
        ("train/images", "test/images"),
        ("train/data", "test/data"),
        ("train_data/train", "test_data/test"),
        ("train", "holdout"),
        ("pets_train", "pets_test"),
        ("train_pets", "test_pets"),
        ("data-train-v2", "data-test-v2"),
        ("train2017", "test2017"),
    ],
)
def test_splits_by_any_of_their_names(tmp_path: Path, train: str, test: str) -> None:
    root = make(
        tmp_path / "pets",
        {f"{train}/cat": 4, f"{train}/dog": 3, f"{test}/cat": 2, f"{test}/dog": 1},
    )
    assert found(root) == TRAIN_AND_TEST
    said = " ".join(find_pictures(root).notes)
    if (train, test) in (("train", "test"), ("Training", "Testing"), ("TRAIN", "TEST")):
        assert said == ""
    else:
        assert f"{train}/ as train" in said and f"{test}/ as test" in said


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "dev", "eval", "val_set"])
def test_validation_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    root = make(
        tmp_path / "pets", {"train/cat": 4, "train/dog": 3, f"{name}/cat": 2, f"{name}/dog": 1}
    )
    assert found(root) == {"train": TRAIN_AND_TEST["train"], "val": TRAIN_AND_TEST["test"]}


def test_eval_is_the_test_split_beside_a_validation_split(tmp_path: Path) -> None:
    names = {f"{split}/{name}": 3 for split in ("train", "val", "eval") for name in "ab"}
    assert sorted(found(make(tmp_path / "d", names))) == ["test", "train", "val"]


@pytest.mark.parametrize(
    "classes",
    [
        ("bus", "car", "train"),
        ("valid", "invalid"),
        ("test", "control"),
        ("blood_test", "urine_test"),
        ("freight_train", "passenger_train"),
        ("freight_train", "crash_test"),
        ("with_mask", "without_mask"),
        ("label", "no_label"),
        ("pretest", "posttest"),
        ("1", "2", "10"),
        ("fold", "tear"),
        ("test_a", "test_b"),
        ("images", "drawings"),
        ("hats", "gloves", "masks"),
        ("test_1", "test_2"),
    ],
)
def test_classes_that_look_like_something_else(tmp_path: Path, classes: tuple[str, ...]) -> None:
    root = make(tmp_path / "data", dict.fromkeys(classes, 3))
    assert found(root) == {"": dict.fromkeys(classes, 3)}
    assert find_pictures(root).notes == []


def test_splits_inside_classes(tmp_path: Path) -> None:
    root = make(tmp_path / "pets", {"cat/train": 4, "cat/test": 2, "dog/train": 3, "dog/test": 1})
    assert found(root) == TRAIN_AND_TEST
    (note,) = find_pictures(root).notes
    assert "inside the classes" in note
    assert load(root).class_names == ("cat", "dog")
    assert len(load(root).test) == 3


def test_other_folders_inside_classes_still_belong_to_them(tmp_path: Path) -> None:
    root = make(tmp_path / "pets", {"cat/front": 4, "cat/side": 2, "dog/front": 3, "dog/train": 2})
    assert found(root) == {"": {"cat": 6, "dog": 5}}


@pytest.mark.parametrize(
    ("files", "classes", "kind"),
    [
        (
            {"images/cat": 4, "images/dog": 3, "annotations/cat/*.xml": 4, "masks": 7},
            {"": {"cat": 4, "dog": 3}},
            {"annotations (annotations/)": 4, "annotations (masks/)": 7},
        ),
        (
            {"cat/images": 4, "cat/masks": 4, "dog/images": 3, "dog/masks": 3},
            {"": {"cat": 4, "dog": 3}},
            {"annotations (masks/)": 7},
        ),
        (
            {"cat": 4, "cat/labels/*.txt": 4, "dog": 3},
            {"": {"cat": 4, "dog": 3}},
            {"annotations (labels/)": 4},
        ),
        (
            {"cat": 4, "dog": 3, "labels/*.txt": 7},
            {"": {"cat": 4, "dog": 3}},
            {"annotations (labels/)": 7},
        ),
        (
            {"cat": 4, "dog": 3, "masks/cat": 4, "masks/dog": 3},
            {"": {"cat": 4, "dog": 3}},
            {"annotations (masks/)": 7},
        ),
        (
            {"cat": 4, "dog": 3, "masks/*_mask.png": 4},
            {"": {"cat": 4, "dog": 3}},
            {"annotations (masks/)": 4},
        ),
        (
            {
                **{"train/cat": 4, "train/dog": 3, "train/masks/cat": 4},
                **{"test/cat": 2, "test/dog": 1, "test/masks/cat": 2},
            },
            TRAIN_AND_TEST,
            {"annotations (masks/)": 6},
        ),
        (
            {"cat/*.png": 4, "cat/*_mask.png": 4, "dog/*.png": 3, "dog/*_mask_1.png": 2},
            {"": {"cat": 4, "dog": 3}},
            {"masks of pictures beside them": 6},
        ),
        (
            {
                "train/cat": 4,
                "train/dog": 3,
                "test/cat": 2,
                "test/dog": 1,
                "labels/*.txt": 2,
            },
            TRAIN_AND_TEST,
            {"annotations (labels/)": 2},
        ),
        (
            {"train/cat": 4, "train/dog": 3, "test": 9},
            {"train": {"cat": 4, "dog": 3}},
            {"without a class (test/)": 9},
        ),
        (
            {"train/cat": 4, "train/dog": 3, "test1/test1": 9},
            {"train": {"cat": 4, "dog": 3}},
            {"without a class (test1/)": 9},
        ),
    ],
)
def test_masks_and_annotations_are_no_pictures(
    tmp_path: Path, files: dict[str, int], classes: Counts, kind: dict[str, int]
) -> None:
    root = make(tmp_path / "data", files)
    assert found(root) == classes
    assert find_pictures(root).ignored == kind


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"images": 4, "masks": 4}, "images/ beside masks/ is a data set for detection"),
        ({"JPEGImages": 4, "Annotations/*.xml": 4, "ImageSets/*.txt": 1}, "detection"),
        ({"images/train": 4, "labels/train/*.txt": 4}, "one folder"),
        ({"train/images": 4, "train/labels/*.txt": 4, "valid/images": 2}, "detection"),
        ({"train_images": 4, "train_masks": 4, "test_images": 2}, "detection"),
        ({"train/*.jpg": 4, "train/_annotations.coco.json": 1, "valid/*.jpg": 4}, "into class"),
        ({"fold1/a": 3, "fold1/b": 3, "fold2/a": 3, "fold2/b": 3}, "are folds. Put one"),
        ({"cv_1/a": 3, "cv_1/b": 3, "cv_2/a": 3, "cv_2/b": 3}, "are folds. Put one"),
        ({"fold1": 3, "fold2": 3}, "are folds"),
        ({"fold1/a": 3, "fold2/a": 3, "test/a": 3}, "are folds. Put one"),
        ({"split1/a": 3, "split2/a": 3}, "are folds. Put one"),
        ({"development/a": 3, "evaluation/a": 3}, "must have a folder train/ too"),
        ({"cat": 3, "dog": 0, "eel": 3}, "dog 0 .empty.. Add pictures, or remove"),
        ({"train2017": 4, "val2017": 2, "annotations/*.json": 2}, "4 pictures lie right in it"),
        ({"Fold 1/train/a": 3, "Fold 2/train/a": 3}, "splits of its own. Name one of them: .*1"),
        ({"cat/train": 3, "cat/test": 3, "dog/train": 3}, "dog/ has not all"),
        ({"cat/train": 3, "cat/test": 3, "cat": 2, "dog/train": 3, "dog/test": 1}, "Move those"),
        ({"cat_train": 3, "cat_test": 3, "dog_train": 3, "dog_test": 3}, "say both"),
        ({"train1/a": 3, "train1/b": 3, "train2/a": 3, "train2/b": 3}, "one folder a split"),
        ({"train/a": 3, "train/b": 3, "dev/a": 3, "dev/b": 3, "val/a": 3, "val/b": 3}, "one fold"),
        ({"cat": 3, "labels/*.txt": 3}, "labels 0 .and 3 .txt.. A folder of other files is no"),
        ({"cat": 3, "dog/*.nef": 3}, "dog 0 .and 3 .nef.. .*save as JPEG or PNG"),
        ({"cat/*.txt": 3, "dog/*.nef": 3}, "they hold 3 .nef, 3 .txt"),
    ],
)
def test_what_is_no_data_set_of_classes_is_refused_with_the_way_out(
    tmp_path: Path, files: dict[str, int], text: str
) -> None:
    root = make(tmp_path / "data", files)
    with pytest.raises(DataError, match=text) as caught:
        load(root)
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)


SYSTEM = """@eaDir #recycle __MACOSX $RECYCLE.BIN .thumbnails lost+found .ipynb_checkpoints .git
.AppleDouble @tmp .Trash-1000 @Recycle .@__thumb #snapshot RECYCLER""".split()


@pytest.mark.parametrize("name", [*SYSTEM, "System Volume Information"])
@pytest.mark.parametrize("below", ["", "cat/", "cat/deep/"])
def test_what_systems_leave_is_neither_class_nor_picture(
    tmp_path: Path, name: str, below: str
) -> None:
    root = make(tmp_path / "pets", {"cat": 4, "cat/deep": 1, "dog": 3})
    plain = load(root)
    make(root, {f"{below}{name}/*.jpg": 2, f"{below}{name}/*.png": 1})
    assert found(root) == {"": {"cat": 5, "dog": 3}}
    dataset = load(root)
    assert dataset.fingerprint == plain.fingerprint
    ((kind, count),) = dataset.ignored.items()
    assert name in kind and count == 3


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "._0.png", ".DS_Store", "desktop.ini", ".nomedia", "~$x.png"]
)
def test_files_of_systems_are_no_pictures(tmp_path: Path, name: str) -> None:
    root = make(tmp_path / "pets", {"cat": 4, "dog": 3})
    (root / "cat" / name).write_bytes((root / "cat" / "0.png").read_bytes())
    assert found(root) == {"": {"cat": 4, "dog": 3}}
    assert sum(find_pictures(root).ignored.values()) == 1


def test_what_this_program_left_beside_the_classes_is_no_class(tmp_path: Path) -> None:
    root = make(tmp_path / "pets", {"cat": 4, "dog": 3})
    plain = load(root)
    make(root, {"artifacts/weights/0123456789ab-3.npz": 1, "deploy/labels.txt": 1})
    (root / "artifacts" / "0123456789ab-0123456789abcdef0123456789abcdef").write_bytes(b"TFL3")
    for name in ("deploy/model.tflite", "deploy/metrics.json", "studies.db", "studies.db-wal"):
        (root / name).write_bytes(b"x")
    dataset = load(root)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.fingerprint == plain.fingerprint
    assert dataset.ignored["made by search (artifacts/)"] == 2
    assert dataset.ignored["made by search (deploy/)"] == 3


def test_a_class_of_artifacts_is_one(tmp_path: Path) -> None:
    assert found(make(tmp_path / "d", {"artifacts": 3, "paintings": 3})) == {
        "": {"artifacts": 3, "paintings": 3}
    }


@pytest.mark.parametrize("load_folder", [load, lambda root: load_images(request_of(root))])
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_would_never_end_is_not_opened(
    tmp_path: Path, kind: str, load_folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(tmp_path / "d", {"cat": 4, "dog": 3})
    path = root / "cat" / "0pipe.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        monkeypatch.chdir(path.parent)  # Names of sockets are short.
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    else:
        path.symlink_to("/dev/zero")
    dataset = load_folder(root)
    assert dataset.ignored == {"pipes or devices": 1}


def request_of(root: Path) -> DataRequest:
    return DataRequest(root, root.parent / "cache")


def test_links_to_folders_around_double_nothing(tmp_path: Path) -> None:
    root = make(tmp_path / "d", {"cat/a": 2, "cat": 2, "dog": 3})
    plain = found(root)
    (root / "around").symlink_to(root, target_is_directory=True)
    (root / "above").symlink_to(tmp_path, target_is_directory=True)
    (root / "cat" / "a" / "up").symlink_to("..", target_is_directory=True)
    (root / "dog" / "root").symlink_to(root, target_is_directory=True)
    (root / "cat" / "again.png").symlink_to("0.png")
    assert found(root) == plain
    assert find_pictures(root).ignored == {
        "links to folders around them": 3,
        "links to files that are there anyway": 1,
    }


def test_files_say_where_they_really_are(tmp_path: Path) -> None:
    root = make(tmp_path / "d", {"cat": 1, "dog": 1})
    make(tmp_path, {"store": 2})
    (root / "cat" / "x.png").symlink_to(tmp_path / "store" / "0.png")
    (root / "eel").symlink_to(tmp_path / "store")
    real = {f"{file.class_name}/{file.name}": file.real for file in find_pictures(root).files}
    assert real["cat/x.png"] == real["eel/0.png"] == (tmp_path / "store" / "0.png").resolve()
    assert real["cat/0.png"] == (root / "cat" / "0.png").resolve()


class FailingDisk:
    """Stands for ``open``; files of a name fail."""

    def __init__(self, name: str, number: int, times: int) -> None:
        self._name = name
        self._number = number
        self.left = times

    def __call__(self, path: Any, *args: Any, **options: Any) -> Any:
        if Path(str(path)).name == self._name and self.left:
            self.left -= 1
            raise OSError(self._number, os.strerror(self._number), str(path))
        return open(path, *args, **options)  # noqa: SIM115


@pytest.mark.parametrize("after", ["hash", "decode"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOMEM, errno.ESTALE])
def test_a_disk_that_does_not_give_a_file_is_no_broken_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, after: str
) -> None:
    from spaces.data import file_reading

    root = make(tmp_path / "d", {"cat": 30, "dog": 30})
    monkeypatch.setattr(file_reading, "RETRY_AFTER_S", (0.0, 0.0))
    disk = FailingDisk("7.png", number, 10**6)
    opened: Counter[str] = Counter()

    def fail(path: Any, *args: Any, **options: Any) -> Any:
        opened[str(path)] += 1
        if after == "decode" and opened[str(path)] == 1:
            return open(path, *args, **options)  # noqa: SIM115
        return disk(path, *args, **options)

    monkeypatch.setattr(file_reading, "open", fail, raising=False)
    with pytest.raises(DataError, match="does not give 2 of 60") as caught:
        load(root)
    assert "cat/7.png" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "cache" / "datasets").exists()
    monkeypatch.delattr(file_reading, "open")
    dataset = load(root)
    assert sum(map(len, (dataset.train, dataset.val, dataset.test))) == 60
    assert dataset.ignored == {}


def test_a_disk_that_gives_a_file_a_little_later_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spaces.data import file_reading

    root = make(tmp_path / "d", {"cat": 4, "dog": 4})
    monkeypatch.setattr(file_reading, "RETRY_AFTER_S", (0.0, 0.0))
    disk = FailingDisk("2.png", errno.ESTALE, 2)
    monkeypatch.setattr(file_reading, "open", disk, raising=False)
    assert load(root).ignored == {}
    assert disk.left == 0


def test_masks_are_known_by_the_names_of_their_pictures(tmp_path: Path) -> None:
    names = {"cat": ("a1", "a2", "a3"), "dog": ("b1", "b2", "b3"), "masks": ("a1", "a2", "b3")}
    for folder, stems in names.items():
        (tmp_path / "d" / folder).mkdir(parents=True)
        for stem in stems:
            Image.new("L", (4, 4)).save(tmp_path / "d" / folder / f"{stem}.png")
    assert found(tmp_path / "d") == {"": {"cat": 3, "dog": 3}}
    assert find_pictures(tmp_path / "d").ignored == {"annotations (masks/)": 3}


def test_folds_inside_classes_are_joined_and_said(tmp_path: Path) -> None:
    root = make(tmp_path / "d", {f"{name}/fold{n}": 2 for name in ("cat", "dog") for n in (1, 2)})
    assert found(root) == {"": {"cat": 4, "dog": 4}}
    assert find_pictures(root).notes == ["Folds inside the classes are joined: fold1, fold2."]


def test_what_else_lies_there_decodes_nothing_anew(tmp_path: Path) -> None:
    root = make(tmp_path / "d", {"cat": 4, "dog": 4})
    first = load(root)
    make(root, {"artifacts/weights/0123456789ab-1.npz": 1, "cat/*.xml": 2})
    second = load(root)
    assert mapped_file(second.train.images) == mapped_file(first.train.images)
    assert second.ignored == {"made by search (artifacts/)": 1, ".xml": 2}
    assert stored_directory(second) is not None


def test_broken_pictures_are_counted(tmp_path: Path) -> None:
    root = make(tmp_path / "d", {"cat": 30, "dog": 30, "cat/*.xml": 12})
    (root / "cat" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    assert load(root).ignored == {".xml": 12, "broken": 1}
    assert load(root).ignored == {".xml": 12, "broken": 1}  # from the cache


@pytest.mark.parametrize(("small", "large"), [(150, 249), (249, 150)])
def test_the_side_is_that_of_the_usual_picture_of_all_classes(
    tmp_path: Path, small: int, large: int
) -> None:
    for name, side, count in (("a", 32, small), ("b", 128, large)):
        (tmp_path / "d" / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((side, side), number, np.uint8)
            pixels[0] = 255 - number
            Image.fromarray(pixels).save(tmp_path / "d" / name / f"{number:03}.png")
            (tmp_path / "d" / name / f"{number:03}.json").write_text("{}")
    dataset = load_images(request_of(tmp_path / "d"))
    side = 128 if large > small else 32
    assert dataset.input_shape == (side, side, 3)
    (note,) = (note for note in dataset.notes if f"{side}x{side}" in note)
    assert "32 to 128" in note


def test_loose_files_are_listed_without_what_systems_leave(tmp_path: Path) -> None:
    make(tmp_path, {"a": 1, "@eaDir": 1, "a/__MACOSX": 1})
    (tmp_path / "b.png").symlink_to("a/0.png")  # Is asked for by a name of its own.
    assert list_files(tmp_path) == [tmp_path / "a" / "0.png", tmp_path / "b.png"]
