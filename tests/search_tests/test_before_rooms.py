"""What was written before the floors got rooms: a study and exports that still mean the same.

``tests/data`` holds a database (as SQL) with two studies and two exported configurations, written
by the last commit whose floors were flat, on pictures that :func:`corners` draws.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from search import export_config, load_front, retrain, run_study
from spaces import TrialConfig

DATA = Path(__file__).resolve().parents[1] / "data"
EXPORTS = {"derived_int4": ("derived", 4), "pruned_qat": ("pruned", 2)}

# SHA-256 of the processor's features and TensorFlow's version where the exports were made: with
# other vector units, sums are rounded in another order, and weights differ in their last bits.
MACHINE = "c90c758376c978b2a0ea31ac3c861f144e64f7e14d951fdd10d59e537f76927d"

Images = npt.NDArray[np.uint8]


def corners(n: int, seed: int, side: int = 24) -> tuple[Images, npt.NDArray[np.int64]]:
    """Draw pictures whose class is the corner that is lighter than the noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = rng.integers(0, 90, size=(n, side, side, 3), dtype=np.uint8)
    half = side // 2
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        corner = image[row * half : (row + 1) * half, column * half : (column + 1) * half]
        corner += rng.integers(60, 150, dtype=np.uint8)
    return images, labels.astype(np.int64)


def this_machine() -> str:
    from importlib.metadata import version

    flags = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    known = sorted(flag for flag in flags.split() if flag.startswith(("avx", "fma", "sse", "amx")))
    text = " ".join([platform.machine(), version("tensorflow"), *known])
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as it was left: ``studies.db`` and ``corners.npz``."""
    database = sqlite3.connect(tmp_path / "studies.db")
    database.executescript((DATA / "study_before_rooms.sql").read_text())
    database.close()
    splits = {"train": corners(240, 1), "val": corners(90, 2), "test": corners(90, 3)}
    arrays: dict[str, Any] = {f"x_{name}": images for name, (images, _) in splits.items()}
    arrays |= {f"y_{name}": labels for name, (_, labels) in splits.items()}
    np.savez(tmp_path / "corners.npz", **arrays)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def exported(name: str) -> dict[str, Any]:
    return dict(json.loads((DATA / f"export_before_rooms_{name}.json").read_text()))


@pytest.mark.parametrize(
    ("study", "n_trials", "trials", "hypervolume"),
    [
        ("derived", 2, [9, 10, 8, 7, 1, 4, 5, 2], 0.500852),
        ("pruned", 3, [1, 2, 0], 0.667289),
    ],
)
def test_a_front_is_what_it_was(
    folder: Path, study: str, n_trials: int, trials: list[int], hypervolume: float
) -> None:
    front = load_front(study, folder / "studies.db")
    assert front.n_trials == n_trials
    assert [point.trial for point in front.points] == trials
    assert front.hypervolume == pytest.approx(hypervolume, abs=1e-6)


@pytest.mark.parametrize("name", EXPORTS)
def test_a_trial_exports_as_it_did(folder: Path, name: str) -> None:
    study, trial = EXPORTS[name]
    old = exported(name)
    new = export_config(study, folder / "studies.db", trial=trial)
    for key in ("config", "config_hash", "task", "trial", "study", "data_path"):
        assert new[key] == old[key]
    assert {key: new["measured"][key] for key in old["measured"]} == old["measured"]
    assert TrialConfig.from_dict(old["config"]).hash == old["config_hash"]


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_a_study_goes_on(folder: Path) -> None:
    report = run_study(
        "fruit",
        data="corners.npz",
        study="pruned",
        storage=folder / "studies.db",
        epochs=2,
        fix={"family": "cnn", "pruning_schedule": "polynomial", "quantization": "qat_int8"},
        more=1,
        workers=1,
        fan_out=False,
    )
    assert report.progress.n_done == 4
    assert load_front("pruned", folder / "studies.db").n_trials == 4


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_retrains_to_the_same_bytes(folder: Path, name: str) -> None:
    old = exported(name)
    path = folder / "best.json"
    path.write_text(json.dumps(old))
    metrics = retrain(path, folder / "deploy", data="corners.npz", float_model=False)
    sha256 = hashlib.sha256((folder / "deploy" / "model.tflite").read_bytes()).hexdigest()
    if this_machine() == MACHINE:
        assert sha256 == old["measured"]["tflite_sha256"]
    else:
        measured = metrics["measured"]["accuracy"]
        assert measured == pytest.approx(old["measured"]["accuracy"], abs=0.1)


if __name__ == "__main__":
    os.write(1, f"{this_machine()}\n".encode())
