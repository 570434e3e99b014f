"""A tiny efficiency benchmark from the command to the report: real trainings, real Ray."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.efficiency import command as efficiency
from benchmarks.efficiency.jobs import CHECKOUT
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
@pytest.mark.parametrize("method", ["tune-asha", "optuna-tpe-best"])
def test_a_program_runs_from_the_command_to_its_file(
    method: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    write_pictures(tmp_path / "halves.npz")
    out = tmp_path / "out"
    command = [
        *("efficiency", "--task", "mnist", "--data", str(tmp_path / "halves.npz")),
        *("--trials", str(N_TRIALS), "--epochs", "1", "--workers", "1", "--seeds", "0"),
        *("--methods", method, "--out", str(out)),
    ]
    monkeypatch.setattr(sys, "argv", command)
    efficiency.main()
    (run,) = load_runs(out, "mnist")
    assert run.method == method and run.setting.trials == N_TRIALS
    curve = curve_of(run)
    assert curve.epochs[-1] >= N_TRIALS and curve.points[-1] >= 1
    # At its best, a loop measures every scheme.
    assert max(len(event.points) for event in run.events) == (1 if method == "tune-asha" else 6)
    assert run.front and all(0 <= tested.test_accuracy <= 1 for tested in run.front)
    assert {tested[:3] for tested in run.front} <= {p for e in run.events for p in e.points}
    assert 0 < run.events[0].seconds <= run.events[-1].seconds and run.setup_s > 0

    capsys.readouterr()
    efficiency.main()  # Everything is there: nothing is run again.
    assert capsys.readouterr().out == ""
