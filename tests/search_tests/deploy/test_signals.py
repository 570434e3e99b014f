"""Sensor readings from the search to a label, without a word of pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from search import classify, export_config, retrain, run_study
from search.cli.main import cli
from search.deploy.export import write_export

PICTURE_WORDS = re.compile(r"\b(image|picture|photo|pixel|camera)s?\b", re.IGNORECASE)
NAMES = np.array(["rest", "walk", "run"])

Array = npt.NDArray[Any]


def series(n: int, seed: int) -> tuple[Array, Array]:
    """Three channels of a sine each, whose frequency is the class; of very unlike scales."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    time = np.arange(32) / 32
    phases = rng.uniform(0, 6, (n, 1, 3))
    waves = np.sin(2 * np.pi * (1 + 3 * labels)[:, None, None] * time[None, :, None] + phases)
    return waves * [1, 20, 300] + [5, -40, 1000] + rng.normal(0, 0.1, (n, 32, 3)), NAMES[labels]


def features(samples: Array) -> Array:
    return np.abs(np.fft.rfft(samples - samples.mean(1, keepdims=True), axis=1))[:, 1:9, 0]


def spectrograms(samples: Array) -> Array:
    return np.abs(np.fft.rfft(samples[:, :, 0].reshape(-1, 8, 4), axis=2))[..., np.newaxis]


SHAPES = {
    "series": lambda x: x,
    "features": features,
    "spectrograms": spectrograms,
}


def write(path: Path, kind: str) -> None:
    arrays: dict[str, Any] = {}
    for split, n, seed in (("train", 240, 1), ("val", 60, 2), ("test", 60, 3)):
        samples, labels = series(n, seed)
        arrays |= {f"x_{split}": SHAPES[kind](samples), f"y_{split}": labels}
    np.savez(path, **arrays)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHAPES)
def test_from_readings_to_labels(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind != "series":  # One kind goes through processes and Ray, as all do for a user.
        request.getfixturevalue("in_this_process")
    data, storage = tmp_path / "readings.npz", tmp_path / "studies.db"
    write(data, kind)
    run_study("signals", data=data, storage=storage, trials=2, epochs=3, workers=1)
    front = CliRunner().invoke(cli, ["front", "signals", "--storage", str(storage)]).stdout
    assert "60 validation samples" in front
    content = export_config("signals", storage, rule="accuracy")
    write_export(content, tmp_path / "best.json")
    metrics = retrain(tmp_path / "best.json", tmp_path / "deploy", float_model=False, tta=True)
    assert metrics["identical_to_trial"]
    assert metrics["input"]["kind"] == "signal"
    assert any("Test-time augmentation" in note for note in metrics["notes"])
    report = (tmp_path / "deploy" / "report.html").read_text()
    shown = re.sub(r"<style>.*?</style>|Test-time augmentation shifts pictures[^<]*", "", report)
    assert "60 test samples" in report and "What it looked at" not in report
    for text in (front, shown):
        assert not PICTURE_WORDS.findall(text)
    with np.load(data) as arrays:
        expected, raw = arrays["y_test"], arrays["x_test"]
    found = [one.label for one in classify(tmp_path / "deploy", data)]
    share = np.mean(np.array(found) == expected)
    assert share == pytest.approx(metrics["test"]["accuracy"], abs=1e-9)
    np.save(tmp_path / "some.npy", raw[:5])
    assert [one.label for one in classify(tmp_path / "deploy", tmp_path / "some.npy")] == (
        found[:5]
    )
    printed = CliRunner().invoke(
        cli, ["classify", str(tmp_path / "deploy"), str(tmp_path / "some.npy"), "--json"]
    )
    assert json.loads(printed.stdout.splitlines()[0])["label"] == found[0]
    np.save(tmp_path / "other.npy", raw[:5, :-1])
    wrong = CliRunner().invoke(
        cli, ["classify", str(tmp_path / "deploy"), str(tmp_path / "other.npy")]
    )
    assert wrong.exit_code == 1 and "must hold samples of" in wrong.stderr
