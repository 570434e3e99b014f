"""Code that was named goes to a host without it, and is loaded there as here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spaces.tasks.code_files import CodeFiles, read_code
from spaces.tasks.source import source_hashes

TASK = """
from neighbour import WIDTH
from package.inner import DEPTH
from spaces import Task
TASK = Task("own", f"{WIDTH} by {DEPTH}", model=None, load_data=None)
"""

ELSEWHERE = """
import json, sys
from pathlib import Path
from spaces.tasks.code_files import CodeFiles
from spaces.tasks.registry import resolve_task
from spaces.tasks.user_code import add_code_folder
sent = json.load(sys.stdin)
code = CodeFiles(sent["folder"], tuple((name, text.encode()) for name, text in sent["files"]))
assert not code.is_here()
code.unpack(Path(sent["below"]))
add_code_folder(sent["folder"])
print(resolve_task(sent["ref"]).description)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task, what it imports, and what it does not."""
    made = tmp_path / "own"
    (made / "package").mkdir(parents=True)
    (made / "net.py").write_text(TASK)
    (made / "neighbour.py").write_text("WIDTH = 3\n")
    (made / "package" / "__init__.py").write_text("")
    (made / "package" / "inner.py").write_text("DEPTH = 4\n")
    (made / "other.py").write_text("raise SystemExit\n")
    (made / "photo.jpg").write_bytes(b"not code")
    return made


def read(folder: Path) -> tuple[str, CodeFiles]:
    ref = f"{folder / 'net.py'}:TASK"
    code = read_code(ref, source_hashes(ref))
    assert code is not None
    return ref, code


def test_it_is_loaded_where_its_folder_is_not(folder: Path, tmp_path: Path) -> None:
    ref, code = read(folder)
    assert [name for name, _ in code.files] == [
        "neighbour.py",
        "net.py",
        "package/__init__.py",
        "package/inner.py",
    ]
    assert code.is_here()
    shutil.rmtree(folder)
    (tmp_path / "there").mkdir()
    sent = {
        "ref": ref,
        "folder": code.folder,
        "files": [(name, content.decode()) for name, content in code.files],
        "below": str(tmp_path / "there"),
    }
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=json.dumps(sent), capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("3 by 4\n", "")


def test_other_files_of_the_same_names_are_not_sent(folder: Path) -> None:
    ref = f"{folder / 'net.py'}:TASK"
    hashes = source_hashes(ref)
    (folder / "neighbour.py").write_text("WIDTH = 5\n")
    assert read_code(ref, hashes) is None
    _, code = read(folder)
    (folder / "neighbour.py").write_text("WIDTH = 3\n")
    assert not code.is_here()


def test_a_module_is_found_on_the_path(folder: Path, tmp_path: Path) -> None:
    hashes = source_hashes(f"{folder / 'net.py'}:TASK")
    assert read_code("net:TASK", hashes) is None
    code = read_code("net:TASK", hashes, [str(tmp_path), str(folder)])
    assert code is not None and code.folder == str(folder)


def test_what_is_ours_needs_none() -> None:
    assert read_code("mnist", {}) is None
