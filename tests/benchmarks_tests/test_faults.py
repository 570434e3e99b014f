"""A short series of injected faults loses nothing; the benchmark of that name is the long one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_nothing_is_lost() -> None:
    words = ["-m", "benchmarks.faults", "--faults", "12", "--target", "20", "--seed", "3"]
    done = subprocess.run(
        [sys.executable, *words], cwd=CHECKOUT, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "**0 lost, 0 other findings**" in done.stdout
    (n_faults, n_trials) = re.findall(
        r"(\d+) faults, \d+ studies, (\d+) acknowledged", done.stdout
    )[0]
    assert int(n_faults) >= 12 and int(n_trials) >= 20
