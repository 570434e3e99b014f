"""Code of one's own on a host that has none of it, named as a file and as a module."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spaces.tasks.code_files import read_code
from spaces.tasks.source import source_hash

TASK = """
from {package}inner import DEPTH
from spaces import Task
TASK = Task("own", f"{{DEPTH}} deep", model=None, load_data=None)
"""

THERE = """
import pickle, sys
from spaces.tasks.registry import resolve_task
from spaces.tasks.user_code import add_code_folder
from workers.trial.code import bring_code
ref, code_folder, code = pickle.load(sys.stdin.buffer)
for _ in range(2):
    bring_code([code])
add_code_folder(code_folder)
print(resolve_task(ref).description)
"""


@pytest.mark.parametrize("ref", ["{folder}/net.py:TASK", "net:TASK", "package.net:TASK"])
@pytest.mark.parametrize("code_folder", [None, "/somewhere/else"])
def test_it_arrives_however_it_was_named(
    ref: str, code_folder: str | None, tmp_path: Path
) -> None:
    """A module need not be of the folder that the task's code counts as."""
    folder, stood_in = tmp_path / "own", tmp_path / "stood-in"
    (folder / "package").mkdir(parents=True)
    stood_in.mkdir()
    files = {
        "net.py": TASK.format(package=""),
        "inner.py": "DEPTH = 4\n",
        "package/__init__.py": "",
        "package/net.py": TASK.format(package="package."),
        "package/inner.py": "DEPTH = 4\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    ref = ref.format(folder=folder)
    hashes = {name: source_hash(text.encode()) for name, text in files.items()}
    code = read_code(ref, hashes, [str(folder)])
    assert code is not None and code.folder == str(folder)
    shutil.rmtree(folder)
    done = subprocess.run(
        [sys.executable, "-c", THERE],
        input=pickle.dumps((ref, code_folder, code)),
        capture_output=True,
        cwd=stood_in,
    )
    assert (done.stdout.decode(), done.stderr.decode()) == ("4 deep\n", "")
