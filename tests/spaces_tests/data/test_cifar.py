"""CIFAR-10 and CIFAR-100 from Keras's own copy or from an .npz."""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spaces.data.cifar import LabelSet, load_cifar10, load_cifar100
from spaces.data.request import DataRequest
from spaces.errors import DataError
from spaces.tasks.registry import resolve_task

COARSE, FINE = 2, 4


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keras's folder of data sets, empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    folder = tmp_path / "keras" / "datasets"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def request_(tmp_path: Path) -> DataRequest:
    return DataRequest(None, tmp_path / "cache")


PurePickler: Any = pickle._Pickler


class Python2Pickler(PurePickler):
    """Writes what Python 2 did: one kind of text, which is bytes today."""

    dispatch = dict(PurePickler.dispatch)

    def save_text(self, text: bytes | str) -> None:
        data = text.encode() if isinstance(text, str) else text
        short = len(data) < 256
        head = b"U" + bytes([len(data)]) if short else b"T" + struct.pack("<i", len(data))
        self.write(head + data)
        self.memoize(text)

    dispatch[bytes] = dispatch[str] = save_text


def dumps(table: object) -> bytes:
    """Return the pickle that Python 2 and a NumPy of its time would have written."""
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(table)
    return stream.getvalue().replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")


def save_batch(path: Path, n: int) -> np.ndarray[Any, Any]:
    """Write images and labels as the data set has them, and return the pixels."""
    pixels = np.random.default_rng(n).integers(0, 256, (n, 3072), np.uint8)
    fine = [number % FINE for number in range(n)]
    table = {
        b"data": pixels,
        b"fine_labels": fine,
        b"coarse_labels": [label // 2 for label in fine],
        b"filenames": [b"a.png"] * n,
    }
    path.write_bytes(dumps(table))
    return pixels


def save_copy(folder: Path) -> np.ndarray[Any, Any]:
    """Write a small data set of the layout and return the training pixels."""
    folder.mkdir(parents=True)
    names = {b"fine_label_names": [b"apple", b"bee", b"fox", b"cup"]}
    names[b"coarse_label_names"] = [b"small", b"large"]
    (folder / "meta").write_bytes(dumps(names))
    save_batch(folder / "test", 12)
    return save_batch(folder / "train", 80)


def save_batch_of_10(path: Path, n: int) -> np.ndarray[Any, Any]:
    """Write a batch as CIFAR-10 has it, of two classes in turn, and return the pixels."""
    pixels = np.random.default_rng(sum(path.name.encode())).integers(0, 256, (n, 3072), np.uint8)
    path.write_bytes(dumps({b"data": pixels, b"labels": [number % 2 for number in range(n)]}))
    return pixels


@pytest.mark.parametrize(
    "place", ["cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"]
)
def test_cifar10_is_put_together_from_its_batches(
    datasets: Path, request_: DataRequest, place: str
) -> None:
    folder = datasets / place
    folder.mkdir(parents=True)
    (folder / "batches.meta").write_bytes(dumps({b"label_names": [b"airplane", b"truck"]}))
    parts = [save_batch_of_10(folder / f"data_batch_{number}", 20) for number in range(1, 6)]
    tested = save_batch_of_10(folder / "test_batch", 12)
    dataset = resolve_task("cifar10").load_data(request_)
    assert (dataset.name, dataset.class_names) == ("cifar10", ("airplane", "truck"))
    assert [len(dataset.train), len(dataset.val), len(dataset.test)] == [90, 10, 12]
    images = {image.tobytes() for split in (dataset.train, dataset.val) for image in split.images}
    rows = np.concatenate(parts)
    assert images == {np.moveaxis(row.reshape(3, 32, 32), 0, -1).tobytes() for row in rows}
    assert dataset.test.labels.tolist() == [0, 1] * 6
    assert np.array_equal(dataset.test.images[0], np.moveaxis(tested[0].reshape(3, 32, 32), 0, -1))
    (folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match="cannot be downloaded|data_batch_3"):
        load_cifar10(DataRequest(None, request_.cache_dir))


@pytest.mark.parametrize(
    ("label_set", "names"),
    [("coarse", ("small", "large")), ("fine", ("apple", "bee", "fox", "cup"))],
)
@pytest.mark.parametrize("place", ["cifar-100-python", "cifar-100-python-target/cifar-100-python"])
def test_keras_copy(
    datasets: Path,
    request_: DataRequest,
    place: str,
    label_set: LabelSet,
    names: tuple[str, ...],
) -> None:
    pixels = save_copy(datasets / place)
    dataset = load_cifar100(request_, label_set)
    assert dataset.class_names == names
    assert dataset.input_shape == (32, 32, 3)
    assert [len(dataset.train), len(dataset.val), len(dataset.test)] == [72, 8, 12]
    assert np.bincount(dataset.val.labels).tolist() == [8 // len(names)] * len(names)
    # A row of the file is a red, a green and a blue plane.
    images = {image.tobytes() for split in (dataset.train, dataset.val) for image in split.images}
    assert images == {np.moveaxis(row.reshape(3, 32, 32), 0, -1).tobytes() for row in pixels}
    assert load_cifar100(request_, label_set).fingerprint == dataset.fingerprint


def test_the_task_names_choose_the_labels(datasets: Path, request_: DataRequest) -> None:
    save_copy(datasets / "cifar-100-python")
    classes = {
        name: resolve_task(name).load_data(request_).n_classes
        for name in ("cifar100", "cifar100-fine")
    }
    assert classes == {"cifar100": COARSE, "cifar100-fine": FINE}


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def test_nothing_in_it_is_run(
    datasets: Path, request_: DataRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_copy(datasets / "cifar-100-python")
    (datasets / "cifar-100-python" / "train").write_bytes(pickle.dumps({b"data": Bomb()}))
    with pytest.raises(DataError, match="asks for .*mkdir") as caught:
        load_cifar100(request_)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"half a pick", pickle.dumps({b"data": [1, 2]})])
def test_damaged(datasets: Path, request_: DataRequest, content: bytes) -> None:
    save_copy(datasets / "cifar-100-python")
    (datasets / "cifar-100-python" / "train").write_bytes(content)
    with pytest.raises(DataError, match="have it downloaded again") as caught:
        load_cifar100(request_)
    assert "\n" not in str(caught.value)


def fake_keras(monkeypatch: pytest.MonkeyPatch, online: bool) -> None:
    """Put something where ``tf_keras`` is that downloads without a network, or fails."""

    def load_data(label_mode: str = "fine", cache_dir: str | None = None) -> None:
        print("Downloading data from https://example.org/cifar-100-python.tar.gz")
        if not online:
            raise Exception("URL fetch failure:\n None -- refused")
        save_copy(Path(cache_dir or "~/.keras").expanduser() / "datasets" / "cifar-100-python")

    module = ModuleType("tf_keras")
    cifar100 = SimpleNamespace(load_data=load_data)
    module.datasets = SimpleNamespace(cifar100=cifar100)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tf_keras", module)


def test_keras_downloads(
    datasets: Path,
    request_: DataRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_keras(monkeypatch, online=True)
    assert len(load_cifar100(request_).train) == 72
    assert capsys.readouterr().out == ""


def test_without_network(
    datasets: Path, request_: DataRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_keras(monkeypatch, online=False)
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        load_cifar100(request_)
    text = str(caught.value)
    assert "\n" not in text
    assert str(datasets / "cifar-100-python") in text
    assert "KERAS_HOME" in text and "--data" in text


@pytest.mark.parametrize(("label_set", "n_classes"), [("coarse", 20), ("fine", 100)])
def test_a_part_of_it_as_npz(
    shared_data: Path, tmp_path: Path, label_set: LabelSet, n_classes: int
) -> None:
    path = shared_data / "cifar100_partial.npz"
    dataset = load_cifar100(DataRequest(path, tmp_path / "cache"), label_set)
    assert dataset.n_classes == n_classes
    assert len(dataset.train) + len(dataset.val) == 1117 and len(dataset.test) == 916
    assert ("aquatic_mammals" in dataset.class_names) == (label_set == "coarse")
