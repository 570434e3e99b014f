"""A tiny efficiency benchmark from the command to the report: real trainings, real Ray."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.efficiency import command as efficiency
from benchmarks.efficiency.runs import curve_of, load_runs

N_TRIALS = 2


def write_pictures(path: Path) -> None:
    """Write noisy pictures of which one half is brighter, which is the label."""
    rng = np.random.default_rng(0)
    labels = np.arange(96) % 2
    images = rng.integers(0, 160, (96, 12, 12), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 6 * label : 6 * label + 6] += 90
    np.savez(path, x_train=images, y_train=labels)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_tune_with_asha_runs_from_the_command_to_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(efficiency.CHECKOUT))
    write_pictures(tmp_path / "halves.npz")
    out = tmp_path / "out"
    command = [
        *("efficiency", "--task", "mnist", "--data", str(tmp_path / "halves.npz")),
        *("--trials", str(N_TRIALS), "--epochs", "1", "--workers", "1", "--seeds", "0"),
        *("--methods", "tune-asha", "--out", str(out)),
    ]
    monkeypatch.setattr(sys, "argv", command)
    efficiency.main()
    (run,) = load_runs(out, "mnist")
    assert run.method == "tune-asha" and run.setting.trials == N_TRIALS
    curve = curve_of(run)
    assert curve.epochs[-1] >= N_TRIALS and curve.points[-1] >= 1
    assert all(len(event.points) <= 1 for event in run.events)
    assert 0 < run.events[0].seconds <= run.events[-1].seconds and run.setup_s > 0

    capsys.readouterr()
    efficiency.main()  # Everything is there: nothing is run again.
    assert capsys.readouterr().out == ""
