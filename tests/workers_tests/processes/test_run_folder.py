"""Folders of runs: short, removed at the end, and by the next run where there was no end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from workers.processes.child_process import run_job
from workers.processes.run_folder import MAX_LENGTH, PREFIX, RunFolder, sweep

MINE = f"{PREFIX}{os.getuid()}-"
_KILLED = """
import os, signal
from pathlib import Path
from workers.processes.run_folder import RunFolder
folder = RunFolder((Path({parent!r}),))
(folder.temporary / "left").touch()
print(folder.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def parent() -> Any:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="rf") as folder:
        yield Path(folder)


def test_it_is_gone_after_the_run(parent: Path) -> None:
    with RunFolder((parent,)) as folder:
        (folder.temporary / "generated.py").touch()
        assert [folder.path] == list(parent.iterdir())
        assert folder.path.stat().st_mode & 0o077 == 0
    folder.remove()
    assert list(parent.iterdir()) == []


def test_the_next_run_removes_what_a_killed_one_left(parent: Path) -> None:
    script = _KILLED.format(parent=str(parent))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    left = Path(done.stdout.strip())
    assert (left / "tmp" / "left").exists()
    with RunFolder((parent,)) as folder:
        assert list(parent.iterdir()) == [folder.path]


def test_what_lives_or_is_not_ours_stays(parent: Path) -> None:
    with RunFolder((parent,)) as living:
        target = parent / "pictures"
        target.mkdir()
        (target / "alive").touch()
        link = parent / f"{MINE}link"
        link.symlink_to(target)
        other_user = parent / f"{PREFIX}{os.getuid() + 1}-abc"
        other_user.mkdir()
        being_made = parent / f"{MINE}new"
        being_made.mkdir()
        sweep(parent)
        assert living.path.exists() and (target / "alive").exists()
        assert link.is_symlink() and other_user.exists() and being_made.exists()


def test_a_parent_too_long_for_a_socket_is_passed_over(parent: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * MAX_LENGTH)
    deep.mkdir()
    with RunFolder((deep, parent)) as folder:
        assert folder.path.parent == parent


def test_a_parent_that_cannot_be_written_is_passed_over(parent: Path) -> None:
    gone = Path("/nowhere")
    with RunFolder((gone, parent)) as folder:
        assert folder.path.parent == parent
    with pytest.raises(FileNotFoundError):
        RunFolder((gone,))


def leave(progress: Any) -> str:
    """Leave a temporary file, as TensorFlow does with generated code."""
    descriptor, name = tempfile.mkstemp(prefix="__autograph_generated_file")
    os.close(descriptor)
    return name


def test_what_a_job_leaves_goes_with_it() -> None:
    name = run_job(f"{__name__}:leave", {})
    assert not os.path.exists(name)
    assert not os.path.exists(os.path.dirname(name))
