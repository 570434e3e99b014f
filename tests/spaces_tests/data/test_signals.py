"""Sensor readings: shapes, standardization, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.data.npz import load_npz
from spaces.data.request import DataRequest
from spaces.data.samples import Standardization, as_signals, sample_kind
from spaces.data.signals import load_signals
from spaces.errors import DataError


def write(path: Path, samples: Any) -> Path:
    labels = np.arange(len(samples)) % 2
    np.savez(path, x_train=samples, y_train=labels)
    return path


@pytest.mark.parametrize(
    ("shape", "sample"),
    [((40, 6), (1, 1, 6)), ((40, 32, 3), (1, 32, 3)), ((40, 49, 10, 1), (49, 10, 1))],
)
@pytest.mark.parametrize("dtype", ["int16", "uint8", "float64", "bool"])
def test_a_sample_has_three_sides(
    tmp_path: Path, shape: tuple[int, ...], sample: tuple[int, ...], dtype: str
) -> None:
    samples = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    path = write(tmp_path / "x.npz", samples)
    dataset = load_signals(DataRequest(path, tmp_path / "cache"))
    assert dataset.input_shape == sample
    assert (dataset.kind, dataset.samples.nouns) == ("signal", "samples")
    assert dataset.train.images.dtype == np.float32
    again = load_signals(DataRequest(path, tmp_path / "cache"))
    assert again.standardization == dataset.standardization is not None


def test_every_channel_is_standardized_by_the_training_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal([1e4, -3.0, 7.0], [500.0, 0.01, 0.0], (400, 16, 3))
    dataset = load_signals(DataRequest(write(tmp_path / "x.npz", samples), tmp_path / "cache"))
    train = dataset.train.images.reshape(-1, 3)
    assert train.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-4)
    assert train[:, :2].std(axis=0) == pytest.approx([1, 1], abs=1e-3)
    assert np.all(train[:, 2] == 0)  # A constant channel stays one.
    scaling = dataset.standardization
    assert scaling is not None
    raw = as_signals(samples, "x")
    seen = {tuple(row) for row in scaling(raw).reshape(len(raw), -1)[:, :3].tolist()}
    assert {tuple(row) for row in dataset.val.images.reshape(-1, 48)[:, :3].tolist()} <= seen


def test_rows_of_features_reach_a_network_of_one_s_own_as_they_are(tmp_path: Path) -> None:
    samples = np.arange(80, dtype=np.float32).reshape(40, 2)
    dataset = load_npz(write(tmp_path / "x.npz", samples), DataRequest(None, tmp_path / "cache"))
    assert (dataset.input_shape, dataset.kind) == ((1, 1, 2), "signal")
    assert dataset.standardization is None
    assert dataset.train.images.max() <= 79


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros((40,)), "must be .n, features., .n, time, channels. or"),
        (np.full((40, 3), np.nan), "must be finite numbers"),
        (np.array([["a", "b"]] * 40), "must be numbers"),
    ],
)
def test_what_is_no_reading_is_refused(tmp_path: Path, samples: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_signals(DataRequest(write(tmp_path / "x.npz", samples), tmp_path / "cache"))


@pytest.mark.parametrize("path", [None, Path("photos"), Path("x.csv")])
def test_without_an_npz(path: Path | None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="takes an .npz with x_train .n, features."):
        load_signals(DataRequest(path, tmp_path / "cache"))


def test_what_is_older_than_kinds_is_of_images() -> None:
    assert sample_kind(None).nouns == "images"
    assert Standardization((1.0,), (2.0,))(np.array([5.0])).tolist() == [2.0]
