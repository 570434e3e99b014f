"""Short series of injected faults lose nothing; the benchmark of that name is the long one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.postgres_server import server_programs

CHECKOUT = Path(__file__).resolve().parents[2]


def check_series(*words: str, at_least: int, timeout_s: float) -> None:
    """Run a series in a process of its own; nothing may be lost, and faults must have come."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", *words],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "**0 lost, 0 other findings**" in done.stdout
    [(n_faults, n_trials)] = re.findall(
        r"(\d+) faults, \d+ studies, (\d+) acknowledged", done.stdout
    )
    assert int(n_faults) >= at_least and int(n_trials) >= 6


@pytest.mark.slow
def test_nothing_is_lost() -> None:
    words = ("--faults", "12", "--target", "20", "--seed", "3")
    check_series(*words, at_least=12, timeout_s=280)


@pytest.mark.slow
def test_nothing_is_lost_on_ray() -> None:
    words = ("ray", "--faults", "2", "--target", "12", "--seed", "7")
    check_series(*words, at_least=2, timeout_s=280)


@pytest.mark.slow
def test_nothing_is_lost_on_a_database_server() -> None:
    if server_programs() is None:
        missing("needs a PostgreSQL server (scripts/install-test-system-packages)")
    words = ("postgres", "--faults", "5", "--target", "20", "--seed", "3")
    check_series(*words, at_least=5, timeout_s=280)
