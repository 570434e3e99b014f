"""A task of one's own works as docs/tasks.md shows it, from its file to a device."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from spaces.data.image_folder import load_image_folder
from spaces.data.request import DataRequest
from workers.conversion.accuracy import tflite_accuracy
from workers.deploy.classifier import load_classifier

PAGE = Path(__file__).parents[2] / "docs" / "tasks.md"


def draw_shapes(folder: Path, n: int) -> None:
    rng = np.random.default_rng(0)
    for name in ("circle", "square", "triangle"):
        (folder / name).mkdir(parents=True)
        for number in range(n):
            image = Image.new("RGB", (80, 64), tuple(rng.integers(0, 100, 3)))
            x, y, r = (int(v) for v in rng.integers((25, 22, 10), (50, 42, 20)))
            colour = tuple(rng.integers(150, 255, 3))
            draw = ImageDraw.Draw(image)
            if name == "circle":
                draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
            elif name == "square":
                draw.rectangle((x - r, y - r, x + r, y + r), fill=colour)
            else:
                draw.polygon(((x, y - r), (x - r, y + r), (x + r, y + r)), fill=colour)
            image.save(folder / name / f"{number:03}.png")


def search(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "search", *arguments], cwd=folder, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def example() -> str:
    (found,) = re.findall(r"```python\n(# shapes\.py\n.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


def test_example_is_short(example: str) -> None:
    assert len(example.splitlines()) < 40


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_example_becomes_a_deployed_model(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "shapes.py").write_text(example)
    draw_shapes(tmp_path / "pictures", 60)
    run = ("run", "shapes.py", "--data", "pictures", "--epochs", "2", "--workers", "2")

    done = search(tmp_path, *run, "--trials", "3")
    assert done.returncode == 0, done.stderr
    assert "search export shapes" in done.stdout + done.stderr
    assert (tmp_path / "studies.db").exists()

    front = json.loads(search(tmp_path, "front", "shapes", "--json").stdout)
    assert front["n_trials"] == 3
    assert front["front_size"] >= 1
    assert front["n_points"] > 3  # Every training gave points under several schemes.

    again = search(tmp_path, *run, "--trials", "3")
    assert again.returncode == 0
    assert "--more" in again.stdout + again.stderr
    assert json.loads(search(tmp_path, "front", "shapes", "--json").stdout) == front

    assert search(tmp_path, "export", "shapes", "-o", "best.json").returncode == 0
    refused = search(tmp_path, "retrain", "best.json", "-o", "deploy")
    assert (refused.returncode, "--task" in refused.stderr) == (1, True)
    done = search(tmp_path, "retrain", "best.json", "-o", "deploy", "--task", "shapes.py")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "deploy" / "metrics.json").read_text())
    assert metrics["identical_to_trial"] is True
    assert (tmp_path / "deploy" / "labels.txt").read_text() == "circle\nsquare\ntriangle\n"
    assert (tmp_path / "deploy" / "model.tflite").read_bytes()[4:8] == b"TFL3"
    assert 0 <= metrics["test"]["accuracy"] <= 1

    # The folder is enough to label pictures: as often rightly as the file was measured to.
    done = search(tmp_path, "classify", "deploy", "pictures", "--json")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    n_right = sum(line["label"] == Path(line["source"]).parent.name for line in found)
    pictures = tmp_path / "pictures"
    height = int(load_classifier(tmp_path / "deploy").input_shape[0])
    dataset = load_image_folder(pictures, DataRequest(pictures, tmp_path / "cache"), height)
    tflite = (tmp_path / "deploy" / "model.tflite").read_bytes()
    splits = (dataset.train, dataset.val, dataset.test)
    measured = sum(tflite_accuracy(tflite, split) * len(split) for split in splits)
    assert (len(found), n_right) == (180, round(measured))

    # Nothing is overwritten by mistake, and a picture more is noticed.
    again = search(tmp_path, "retrain", "best.json", "-o", "deploy", "--task", "shapes.py")
    assert again.returncode == 1
    assert "--force" in again.stderr
    next((tmp_path / "pictures" / "circle").iterdir()).unlink()
    other = search(tmp_path, *run, "--trials", "4")
    assert other.returncode == 2
    assert "--study" in other.stderr
