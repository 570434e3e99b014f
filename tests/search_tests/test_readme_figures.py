"""Figures in README are of one run and one table, and no more than a release old."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

CHECKOUT = Path(__file__).resolve().parents[2]
HIGHEST = json.loads((CHECKOUT / "docs" / "figures.json").read_text())["replay"]["as_they_come"][1]
CHANGELOG = "## [0.3.0] - unreleased\n\n## [0.2.0] - 2027-01-01\n\n## [0.1.0] - 2026-12-01\n"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = CHECKOUT / "scripts" / "readme_figures.py"
    spec = importlib.util.spec_from_file_location("readme_figures", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checkout(folder: Path, version: str = "0.3.0") -> Path:
    """A checkout with figures of a version, under the changelog above."""
    for name in ("README.md", "docs/how.md", "docs/figures.json", "benchmarks/RESULTS.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text((CHECKOUT / name).read_text())
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    figures = json.loads((folder / "docs/figures.json").read_text())
    figures["main_job"]["version"] = version
    (folder / "docs/figures.json").write_text(json.dumps(figures))
    return folder


@pytest.mark.parametrize(
    ("version", "is_old"), [("0.3.0", False), ("0.2.0", False), ("0.1.0", True)]
)
def test_figures_may_be_a_release_old(
    script: ModuleType, tmp_path: Path, version: str, is_old: bool
) -> None:
    assert bool(script.stale(checkout(tmp_path, version))) == is_old


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("README.md", "measured models", "measured  models", "README.md quotes other figures"),
        ("docs/how.md", "times sooner", "times faster", "how.md quotes other figures"),
        ("benchmarks/RESULTS.md", f"| {HIGHEST} (", "| 99.9 (", "another replay"),
        ("benchmarks/RESULTS.md", "seeds 0, 1, 2", "seeds 1, 2", "other live runs"),
    ],
)
def test_figures_that_disagree_are_told(
    script: ModuleType, tmp_path: Path, file: str, old: str, new: str, told: str
) -> None:
    root = checkout(tmp_path)
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))
    (line,) = script.stale(root)
    assert told in line


def test_ratios_are_the_lowest_and_the_highest_of_the_table(script: ModuleType) -> None:
    results = (
        "1,234 real trainings of two data sets\n"
        "### Samplers, and peers at their best\nat commit abc1234, 30 seeds: means\n"
        "| `search, gp` sooner than | a | b |\n| --- | ---: | ---: |\n"
        "| Optuna random, at its best | 3.3 (2.6 to 9.9); 20 of 20 | 1.5 (1.0 to 2.0); 9 of 20 |\n"
        "| Optuna tpe | 8.8 (0.1 to 12.5); 20 of 20 | 2.7 (2.2 to 2.7); 20 of 20 |\n"
        "| MO-ASHA | 11.8 (0.1 to 12.5); 20 of 20 | 3.7 (2.2 to 2.7); 20 of 20 |\n\n### Next\n"
    )
    assert script.replayed(results) == {
        "commit": "abc1234",
        "seeds": 30,
        "trainings": 1234,
        "data_sets": "two",
        "peers": ["Optuna random", "Optuna tpe", "MO-ASHA"],
        "at_best": [1.5, 3.3],
        "as_they_come": [2.7, 11.8],
    }


def test_peers_that_were_replayed_are_named_and_no_others(script: ModuleType) -> None:
    figures = json.loads((CHECKOUT / "docs" / "figures.json").read_text())
    figures["replay"]["peers"] = ["Optuna random", "Optuna gp"]
    told = script.texts(figures)
    assert "(random, GPSampler) get" in told["sooner"] and "MO-ASHA" not in told["replay"]
    figures["replay"]["peers"].append("MO-ASHA")
    told = script.texts(figures)
    assert "(random, GPSampler) and a rebuilt MO-ASHA get" in told["sooner"]
    assert "against plain Optuna and MO-ASHA:" in told["replay"]


def test_live_ratios_are_the_lowest_and_the_highest_of_all_runs(script: ModuleType) -> None:
    head = "| `search run` against | a | b | c | d |\n| --- | --- | --- | --- | --- |\n"
    results = (
        "## Efficiency: mnist\n\n40 seconds, 2 workers, seeds 0, 1, 2.\n\n"
        f"{head}| Optuna, TPE, at its best | 0.3 (0.1) | 38 | 27 | 1.4 (1.2 to 1.7) |\n"
        "| Ray Tune, ASHA | 0.2 | 36 | 12 | 2.8 (2.5 to 4.7) |\n\nmore\n\n"
        "## Efficiency: other\n\n9 seconds, 2 workers, seeds 4.\n\n"
        f"{head}| Optuna, NSGA-II, at its best | 0.3 | 38 | 27 | 2.5 (1.2 to 3.7) |\n"
        "| KerasTuner | 0.2 | 36 | 12 | 5.5 |\n\n## Next\n\nseeds 7.\n"
    )
    lived = {
        "data": ["mnist", "other"],
        "seeds": [3, 1],
        "seconds": [40, 9],
        "at_best": [1.4, 2.5],
        "as_they_come": [2.8, 5.5],
        "as_they_come_on": ["mnist", "other"],
    }
    assert script.live(results) == lived
    figures = json.loads((CHECKOUT / "docs" / "figures.json").read_text())
    told = script.texts({**figures, "live": lived})
    assert told["live"].startswith(
        "Live, on MNIST and other (3 and 1 seeds, for 40 and 9 seconds)"
    )
    assert (
        "1.4 to 2.5 times sooner" in told["live"]
        and "end with on MNIST and other 2.8 to 5.5" in told["live"]
    )
    assert "1.4 to 2.5 times sooner" in told["replay"]
    told = script.texts({**figures, "live": {**lived, "as_they_come": []}})
    assert "KerasTuner" not in told["live"] and "1.4 to 2.5 times sooner" in told["live"]
    alone = results.replace("| Ray Tune, ASHA | 0.2 | 36 | 12 | 2.8 (2.5 to 4.7) |\n", "")
    alone = alone.replace("| KerasTuner | 0.2 | 36 | 12 | 5.5 |\n", "")
    assert script.live(alone) == {**lived, "as_they_come": [], "as_they_come_on": []}


def test_the_picture_is_of_the_run_that_is_quoted() -> None:
    """Both name the commit whose code searched, which is one of ours."""
    run = json.loads((CHECKOUT / "docs" / "figures.json").read_text())["main_job"]
    with Image.open(CHECKOUT / "docs" / "front.png") as picture:
        assert picture.info["Source"] == run["commit"]
    if _git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("the whole git history is not here to look the commit up in")
    assert _git("merge-base", "--is-ancestor", run["commit"], "HEAD") == ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(CHECKOUT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() + ("" if done.returncode == 0 else f"exit code {done.returncode}")
