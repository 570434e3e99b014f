"""MNIST from Keras's own copy, and what is said when there is none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from spaces.data.cache import mapped_file
from spaces.data.mnist import load_mnist
from spaces.data.request import DataRequest
from spaces.errors import DataError


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "keras"
    (home / "datasets").mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home


def save_digits(path: Path, n_train: int = 100) -> None:
    random = np.random.default_rng(0)
    np.savez(
        path,
        x_train=random.integers(0, 256, (n_train, 28, 28), np.uint8),
        y_train=np.arange(n_train, dtype=np.uint8) % 10,
        x_test=random.integers(0, 256, (20, 28, 28), np.uint8),
        y_test=np.arange(20, dtype=np.uint8) % 10,
    )


class FakeKeras:
    """Stands where ``tf_keras`` is: downloads without a network, or fails as Keras does.

    As in Keras, what is told as ``cache_dir`` counts and ``KERAS_HOME`` does not.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, online: bool = True, writable: bool = True
    ) -> None:
        self.online = online
        self.writable = writable
        self.timeouts: list[float | None] = []
        module = ModuleType("tf_keras")
        mnist = SimpleNamespace(load_data=self.load_data)
        module.datasets = SimpleNamespace(mnist=mnist)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "tf_keras", module)

    def load_data(self, path: str = "mnist.npz", cache_dir: str | None = None) -> None:
        self.timeouts.append(socket.getdefaulttimeout())
        print("Downloading data from https://example.org/mnist.npz")
        if not self.online:
            raise Exception(
                "URL fetch failure on https://example.org/mnist.npz:\n None -- refused"
            )
        if self.writable:
            folder = Path(cache_dir or "~/.keras").expanduser() / "datasets"
            folder.mkdir(parents=True, exist_ok=True)
            save_digits(folder / path)


def test_real_digits(shared_data: Path, keras_home: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "mnist.npz", keras_home / "datasets" / "mnist.npz")
    request = DataRequest(None, tmp_path / "cache")
    dataset = load_mnist(request)
    splits = (dataset.train, dataset.val, dataset.test)
    assert dataset.name == "mnist"
    assert [len(split) for split in splits] == [54_000, 6_000, 10_000]
    assert dataset.input_shape == (28, 28, 1)
    assert dataset.train.images.dtype == np.uint8
    assert dataset.class_names == tuple("0123456789")
    n_train = np.bincount(dataset.train.labels) + np.bincount(dataset.val.labels)
    assert n_train.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.abs(np.bincount(dataset.val.labels) - n_train / 10).max() < 1
    again = load_mnist(request)
    assert again.fingerprint == dataset.fingerprint
    assert mapped_file(again.train.images) is not None


def test_home_without_keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".keras" / "datasets").mkdir(parents=True)
    save_digits(tmp_path / ".keras" / "datasets" / "mnist.npz")
    dataset = load_mnist(DataRequest(None, tmp_path / "cache"))
    assert [len(dataset.train), len(dataset.val), len(dataset.test)] == [60, 40, 20]


def test_path_of_ones_own(tmp_path: Path, keras_home: Path) -> None:
    save_digits(tmp_path / "own.npz", n_train=200)
    dataset = load_mnist(DataRequest(tmp_path / "own.npz", tmp_path / "cache"))
    assert dataset.name == "own"
    assert len(dataset.train) == 120


@pytest.mark.parametrize("before", [None, b"half a file"])
def test_keras_downloads(
    tmp_path: Path,
    keras_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: bytes | None,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = keras_home / "datasets" / "mnist.npz"
    if before is not None:
        path.write_bytes(before)
    keras = FakeKeras(monkeypatch)
    dataset = load_mnist(DataRequest(None, tmp_path / "cache"))
    assert len(dataset.train) == 60
    (timeout,) = keras.timeouts
    assert timeout is not None and timeout <= 60
    assert socket.getdefaulttimeout() is None
    assert path.is_file()
    assert capsys.readouterr().out == ""
    load_mnist(DataRequest(None, tmp_path / "cache"))
    assert len(keras.timeouts) == 1


def test_without_network(
    tmp_path: Path, keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeKeras(monkeypatch, online=False)
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        load_mnist(DataRequest(None, tmp_path / "cache"))
    text = str(caught.value)
    assert "\n" not in text
    assert str(keras_home / "datasets" / "mnist.npz") in text
    assert "KERAS_HOME" in text
    assert socket.getdefaulttimeout() is None


def test_keras_that_keeps_no_copy(
    tmp_path: Path, keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeKeras(monkeypatch, writable=False)
    with pytest.raises(DataError, match="could not keep MNIST"):
        load_mnist(DataRequest(None, tmp_path / "cache"))


OFFLINE = """
import pathlib, spaces.data.mnist, spaces.data.request
request = spaces.data.request.DataRequest(None, pathlib.Path("cache"))
try:
    spaces.data.mnist.load_mnist(request)
except spaces.errors.DataError as error:
    print(error)
"""


@pytest.mark.slow
def test_real_keras_without_network(tmp_path: Path) -> None:
    # Nobody listens on port 9: the download fails at once, with or without a network.
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    (tmp_path / "keras").mkdir()
    env = {
        **{name: value for name, value in os.environ.items() if name.lower() != "no_proxy"},
        **proxies,
        "HOME": str(tmp_path),
        "KERAS_HOME": str(tmp_path / "keras"),
        "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    (line,) = done.stdout.splitlines()
    assert f"MNIST is not at {tmp_path / 'keras' / 'datasets' / 'mnist.npz'}" in line
    assert "URL fetch failure" in line
