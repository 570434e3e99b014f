"""Arrays from .npz files: what is taken, what is refused, how they are split."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.data.cache import mapped_file
from spaces.data.dataset import Dataset
from spaces.data.npz import load_npz
from spaces.data.request import DataRequest
from spaces.data.splits import split_off
from spaces.errors import DataError

Arrays = dict[str, Any]  # By their names.
Load = Callable[[Arrays], Dataset]


def make_arrays(n_train: int = 40, n_test: int = 10, n_classes: int = 2) -> Arrays:
    """Return images that are all different, with labels 0, 1, 0, 1, ..."""
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(0, 256, (n_train, 4, 5), np.uint8),
        "y_train": np.arange(n_train) % n_classes,
        "x_test": random.integers(0, 256, (n_test, 4, 5), np.uint8),
        "y_test": np.arange(n_test) % n_classes,
    }


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_arrays(arrays: Arrays) -> Dataset:
        np.savez(tmp_path / "digits.npz", **arrays)
        return load_npz(tmp_path / "digits.npz", DataRequest(None, tmp_path / "cache"))

    return load_arrays


def test_keras_layout(load: Load) -> None:
    arrays = make_arrays()
    dataset = load(arrays)
    assert dataset.name == "digits"
    assert dataset.input_shape == (4, 5, 1)
    assert dataset.class_names == ("0", "1")
    assert dataset.train.images.dtype == np.uint8
    assert [len(dataset.train), len(dataset.val), len(dataset.test)] == [24, 16, 10]
    np.testing.assert_array_equal(dataset.test.images[..., 0], arrays["x_test"])
    np.testing.assert_array_equal(dataset.test.labels, arrays["y_test"])
    assert np.bincount(dataset.val.labels).tolist() == [8, 8]
    assert any("16 training images" in note for note in dataset.notes)
    assert any("has 40 % of them, not 10" in note for note in dataset.notes)
    assert not dataset.generated


@pytest.mark.parametrize(
    ("n_train", "rule", "n_val"),
    [(1_000, "sized", 256), (3_000, "sized", 300), (1_000, "stratified", 100)],
)
def test_of_few_images_validation_takes_more(
    tmp_path: Path, n_train: int, rule: str, n_val: int
) -> None:
    path = tmp_path / "digits.npz"
    np.savez(path, **make_arrays(n_train=n_train))
    dataset = load_npz(path, DataRequest(None, tmp_path / "cache", split_rule=rule))
    assert len(dataset.val) == n_val
    assert any("not 10, as models" in note for note in dataset.notes) is (n_val == 256)


def test_validation_images_are_taken_from_training(load: Load) -> None:
    arrays = make_arrays()
    dataset = load(arrays)
    together = [image.tobytes() for image in (*dataset.train.images, *dataset.val.images)]
    assert sorted(together) == sorted(image.tobytes() for image in arrays["x_train"])
    labels = {
        image.tobytes(): label
        for image, label in zip(arrays["x_train"], arrays["y_train"], strict=True)
    }
    for split in (dataset.train, dataset.val):
        for image, label in zip(split.images, split.labels, strict=True):
            assert labels[image.tobytes()] == label


def test_three_splits_are_kept_as_they_are(load: Load) -> None:
    arrays = make_arrays()
    arrays |= {"x_val": arrays["x_test"] // 2, "y_val": arrays["y_test"]}
    dataset = load(arrays)
    np.testing.assert_array_equal(dataset.train.images[..., 0], arrays["x_train"])
    np.testing.assert_array_equal(dataset.val.images[..., 0], arrays["x_val"])
    assert dataset.notes == ()


def test_test_split_is_set_aside_too(load: Load) -> None:
    arrays = make_arrays(n_train=100)
    del arrays["x_test"], arrays["y_test"]
    dataset = load(arrays)
    assert [len(dataset.train), len(dataset.val), len(dataset.test)] == [54, 36, 10]
    splits = (dataset.train, dataset.val, dataset.test)
    assert len({image.tobytes() for split in splits for image in split.images}) == 100


@pytest.mark.parametrize(
    ("change", "dtype", "shape"),
    [
        (lambda x: x[..., np.newaxis], np.uint8, (4, 5, 1)),
        (lambda x: np.stack([x] * 3, axis=-1), np.uint8, (4, 5, 3)),
        (lambda x: x.astype(np.int64), np.uint8, (4, 5, 1)),
        (lambda x: x.astype(np.float64) / 255, np.float32, (4, 5, 1)),
        (lambda x: (x / 255).astype(np.float16), np.float32, (4, 5, 1)),
        (lambda x: x > 100, np.float32, (4, 5, 1)),
    ],
)
def test_images(
    load: Load, change: Callable[[Any], Any], dtype: type, shape: tuple[int, ...]
) -> None:
    arrays = make_arrays()
    arrays |= {key: change(arrays[key]) for key in ("x_train", "x_test")}
    dataset = load(arrays)
    assert dataset.train.images.dtype == dtype
    assert dataset.input_shape == shape
    np.testing.assert_array_equal(
        dataset.test.images.reshape(arrays["x_test"].shape), arrays["x_test"].astype(dtype)
    )


def test_floats_up_to_255_are_mentioned(load: Load) -> None:
    arrays = make_arrays()
    arrays |= {key: arrays[key].astype(np.float32) for key in ("x_train", "x_test")}
    assert any("divided by 255" in note for note in load(arrays).notes)


NAMES = np.array(["dog", "cat"])


@pytest.mark.parametrize(
    ("change", "class_names", "first"),
    [
        (lambda y: y.astype(np.uint8), ("0", "1"), 0),
        (lambda y: y[:, np.newaxis], ("0", "1"), 0),
        (lambda y: y.astype(np.float32), ("0", "1"), 0),
        (lambda y: y.astype(bool), ("0", "1"), 0),
        (lambda y: np.eye(2)[y], ("0", "1"), 0),
        (lambda y: np.eye(3, dtype=np.uint8)[y], ("0", "1", "2"), 0),
        (lambda y: y * 4 + 3, ("3", "7"), 0),
        (lambda y: -y, ("-1", "0"), 1),
        (lambda y: NAMES[y], ("cat", "dog"), 1),
        (lambda y: NAMES[y][:, np.newaxis], ("cat", "dog"), 1),
        (lambda y: NAMES.astype("S")[y], ("cat", "dog"), 1),
    ],
)
def test_labels(
    load: Load, change: Callable[[Any], Any], class_names: tuple[str, ...], first: int
) -> None:
    arrays = make_arrays()
    arrays |= {key: change(arrays[key]) for key in ("y_train", "y_test")}
    dataset = load(arrays)
    assert dataset.class_names == class_names
    assert dataset.test.labels.dtype == np.int64
    assert dataset.test.labels.tolist() == [first, 1 - first] * 5
    renumbered = any("renumbered" in note for note in dataset.notes)
    assert renumbered == (class_names in (("3", "7"), ("-1", "0")))


@pytest.mark.parametrize("names", [np.array(["dog", "cat", "fox"]), np.array([b"dog", b"cat"])])
@pytest.mark.parametrize("labels", ["numbers", "names"])
def test_class_names(load: Load, names: npt.NDArray[Any], labels: str) -> None:
    arrays = {**make_arrays(), "class_names": names}
    if labels == "names":
        arrays |= {key: NAMES[arrays[key]] for key in ("y_train", "y_test")}
    dataset = load(arrays)
    assert dataset.class_names == ("dog", "cat", "fox")[: len(names)]
    assert dataset.test.labels.tolist() == [0, 1] * 5


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"x_train": np.zeros((40, 4))}, "height, width"),
        ({"x_train": np.zeros((40, 3, 32, 32))}, "channels last"),
        ({"x_train": np.zeros((0, 4, 5)), "y_train": np.zeros(0, int)}, "hold images"),
        ({"x_train": np.full((40, 4, 5), 256)}, "0 to 255"),
        ({"x_train": np.full((40, 4, 5), -1)}, "0 to 255"),
        ({"x_train": np.full((40, 4, 5), np.nan)}, "finite"),
        ({"x_train": np.full((40, 4, 5), 1e300)}, "finite"),
        ({"x_train": np.full((40, 4, 5), "x")}, "must be numbers"),
        ({"x_train": np.zeros((40, 4, 5), complex)}, "must be numbers"),
        ({"x_train": np.zeros((40, 4, 5))}, "one type and size"),
        ({"x_train": np.zeros((40, 4, 6), np.uint8)}, "one type and size"),
        ({"x_train": np.zeros((39, 4, 5), np.uint8)}, "39 and y_train 40"),
        ({"y_train": np.zeros(40, int)}, "must be in y_train too"),
        ({"y_train": np.arange(40) / 2}, "whole numbers"),
        ({"y_train": np.full(40, np.nan)}, "whole numbers"),
        ({"y_train": np.full(40, 1e300)}, "whole numbers"),
        ({"y_train": np.full(40, 2**63, np.uint64)}, "whole numbers"),
        ({"y_train": np.zeros((40, 2, 2), int)}, "whole numbers"),
        ({"y_train": np.zeros((40, 2)), "y_test": np.zeros((10, 2))}, "single 1"),
        ({"y_train": np.full((40, 2), 0.5), "y_test": np.full((10, 2), 0.5)}, "whole numbers"),
        ({"y_train": np.eye(2)[np.arange(40) % 2]}, "must be alike"),
        ({"y_train": NAMES[np.arange(40) % 2]}, "must be alike"),
        ({"y_train": np.zeros(40, int), "y_test": np.zeros(10, int)}, "two classes"),
        ({"y_train": np.array([2, *[0, 1] * 19, 0])}, "too few of 2"),
        ({"class_names": np.array(["a"])}, "labels must be 0 to 0"),
        ({"class_names": np.array(["a", "a"])}, "different strings"),
        ({"class_names": np.array([1, 2])}, "different strings"),
    ],
)
def test_refused(load: Load, changed: Arrays, text: str) -> None:
    with pytest.raises(DataError, match=text) as caught:
        load({**make_arrays(), **changed})
    assert "\n" not in str(caught.value)
    assert "digits" in str(caught.value)


def test_names_that_are_not_among_class_names(load: Load) -> None:
    arrays = {**make_arrays(), "class_names": np.array(["dog", "fox"])}
    arrays |= {key: NAMES[arrays[key]] for key in ("y_train", "y_test")}
    with pytest.raises(DataError, match="dog, fox.*but got cat"):
        load(arrays)


@pytest.mark.parametrize("missing", ["x_train", "y_train", "x_test", "y_test"])
def test_missing_keys(load: Load, missing: str) -> None:
    arrays = make_arrays()
    del arrays[missing]
    with pytest.raises(DataError, match=f"{missing} is missing; found: "):
        load(arrays)


def npz_bytes() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **make_arrays())
    return file.getvalue()


def npy_bytes() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def huge_npz_bytes() -> bytes:
    """Return a file whose header promises more than any memory holds."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999, 9, 9), }\n"
        array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        archive.writestr("x_train.npy", array)
        archive.writestr("y_train.npy", npy_bytes())
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"garbage", npz_bytes()[:-100], npz_bytes()[:900], npy_bytes()]
    + [npz_bytes()[:300] + b"\0" * 50 + npz_bytes()[350:], huge_npz_bytes()],
    ids=["empty", "magic", "garbage", "no end", "half", "npy", "damaged", "huge"],
)
def test_broken_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="broken.npz must be a whole .npz") as caught:
        load_npz(path, DataRequest(None, tmp_path / "cache"))
    assert "\n" not in str(caught.value)
    assert "allow_pickle" not in str(caught.value)


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(tmp_path: Path, load: Load) -> None:
    with pytest.raises(DataError, match="Python objects"):
        load({**make_arrays(), "x_train": np.array([Bomb(tmp_path / "ran")], object)})
    assert not (tmp_path / "ran").exists()


def test_no_file(tmp_path: Path) -> None:
    request = DataRequest(None, tmp_path / "cache")
    with pytest.raises(DataError, match="No such file"):
        load_npz(tmp_path / "none.npz", request)
    with pytest.raises(DataError, match="is a folder"):
        load_npz(tmp_path, request)


def test_cached_by_content(tmp_path: Path) -> None:
    request = DataRequest(None, tmp_path / "cache")
    first, moved, other = (tmp_path / name for name in ("a.npz", "b.npz", "c.npz"))
    arrays = make_arrays()
    np.savez(first, **arrays)
    one = load_npz(first, request, name="digits")
    moved.write_bytes(first.read_bytes())
    two = load_npz(moved, request, name="digits")
    assert two.fingerprint == one.fingerprint
    file = mapped_file(one.train.images)
    assert file is not None and file == mapped_file(two.train.images)
    arrays["x_test"][0, 0, 0] ^= 1
    np.savez(other, **arrays)
    assert load_npz(other, request, name="digits").fingerprint != one.fingerprint


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    fraction=st.floats(0.02, 0.5),
    seed=st.integers(0, 3),
)
def test_split_off_is_stratified(counts: list[int], fraction: float, seed: int) -> None:
    labels = np.random.RandomState(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    stay, taken = split_off(labels, fraction, seed)
    assert sorted([*stay, *taken]) == list(range(len(labels)))
    for label, count in enumerate(counts):
        n_taken = int((labels[taken] == label).sum())
        assert n_taken <= count - 1
        assert n_taken >= min(1, count - 1)
        assert abs(n_taken - count * fraction) <= 1
    again = split_off(labels, fraction, seed)
    np.testing.assert_array_equal(again[1], taken)


def test_split_off_takes_the_fraction_of_all() -> None:
    labels = np.repeat(np.arange(10), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    stay, taken = split_off(labels, 0.1)
    assert (len(stay), len(taken)) == (54_000, 6_000)


def with_two_label_sets() -> Arrays:
    arrays = make_arrays()
    for split in ("train", "test"):
        labels = arrays.pop(f"y_{split}")
        arrays[f"y_{split}_coarse"] = labels
        arrays[f"y_{split}_fine"] = np.arange(len(labels)) % 4
    arrays["coarse_label_names"] = np.array(["small", "large"])
    arrays["fine_label_names"] = np.array(["ant", "cow", "bee", "elk"])
    return arrays


@pytest.mark.parametrize("label_set", ["coarse", "fine"])
def test_one_of_several_sets_of_labels(tmp_path: Path, label_set: str) -> None:
    arrays = with_two_label_sets()
    np.savez(tmp_path / "animals.npz", **arrays)
    # Both from one cache: they must not be taken for each other.
    for name in ("coarse", "fine", label_set):
        request = DataRequest(None, tmp_path / "cache")
        dataset = load_npz(tmp_path / "animals.npz", request, label_set=name)
    assert dataset.class_names == tuple(arrays[f"{label_set}_label_names"])
    np.testing.assert_array_equal(dataset.test.labels, arrays[f"y_test_{label_set}"])


def test_a_single_set_of_labels_is_the_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", **make_arrays())
    request = DataRequest(None, tmp_path / "cache")
    dataset = load_npz(tmp_path / "plain.npz", request, label_set="fine")
    assert dataset.class_names == ("0", "1")


@pytest.mark.parametrize("label_set", ["", "middle"])
def test_a_set_of_labels_that_is_missing(tmp_path: Path, label_set: str) -> None:
    np.savez(tmp_path / "animals.npz", **with_two_label_sets())
    with pytest.raises(DataError, match="y_train.* is missing; found: .*y_train_coarse"):
        load_npz(
            tmp_path / "animals.npz", DataRequest(None, tmp_path / "cache"), label_set=label_set
        )
