"""Standard streams that are closed, or close while somebody reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SEARCH = f"{sys.executable} -m search"


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_exit_code(tmp_path: Path, closed: str) -> None:
    assert shell(f"{SEARCH} tasks {closed}", tmp_path).returncode == 0
    assert shell(f"{SEARCH} front nothing {closed}", tmp_path).returncode == 1


def test_a_closed_stderr_leaves_stdout_alone(tmp_path: Path) -> None:
    whole = shell(f"{SEARCH} tasks --json", tmp_path)
    closed = shell(f"{SEARCH} tasks --json 2>&-", tmp_path)
    assert closed.stdout == whole.stdout != ""


def test_a_reader_who_has_enough_is_no_error(tmp_path: Path) -> None:
    done = shell(f"{SEARCH} tasks --json | true; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert (done.stdout, done.stderr) == ("0\n", "")
