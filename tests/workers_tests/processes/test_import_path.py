"""What runs in a folder that holds files named like Python's own: never those files."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from workers.devices.vela_process import VelaProcess
from workers.processes import import_path
from workers.processes.child_process import run_job

HERE = __name__
NAMES = ("random", "json", "signal", "tempfile", "numpy", "workers", "spaces", "search", "select")


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: one of somebody's, with modules that end whoever imports them."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name}.py was run')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def look(progress: Any) -> list[str]:
    import random
    import tempfile

    assert random.random() < 1 and tempfile.gettempdir()
    return [os.path.realpath(entry or os.curdir) for entry in sys.path]


def draw() -> float:
    return float(importlib.import_module("random").random())


def spawn(progress: Any) -> float:
    """As the generated pictures are drawn: in processes that the job starts."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(draw).result()


@pytest.mark.parametrize("first", ["", "absolute", "PYTHONPATH"])
def test_a_job_imports_nothing_from_the_current_folder(
    first: str, trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the folder came first on our own path: a notebook, `python -m`, a stray colon."""
    entry = {"": "", "absolute": str(trap), "PYTHONPATH": str(trap)}[first]
    if first == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", f":{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(sys, "path", [entry, *sys.path])
    assert str(trap) not in run_job(f"{HERE}:look", {})


def test_what_a_job_starts_imports_nothing_from_it_either(trap: Path) -> None:
    assert 0 <= run_job(f"{HERE}:spawn", {}) < 1


def test_vela_s_process_imports_nothing_from_the_current_folder(trap: Path) -> None:
    process = VelaProcess()
    try:
        assert process._ask(["--version"])  # Whatever it answers: it has not crashed.
        assert process._process is not None and process._process.poll() is None
    finally:
        process.close()


def test_python_m_search_imports_nothing_from_it(trap: Path) -> None:
    """But for a `search.py`: that one is what `-m search` names."""
    (trap / "search.py").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "search", "tasks"], capture_output=True, text=True, cwd=trap
    )
    assert (done.returncode, done.stderr.count("was run")) == (0, 0), done.stderr
    assert "fruit" in done.stdout


def test_folders_that_were_chosen_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), "other", *sys.path, str(tmp_path)])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    found = import_path.import_path()
    # It hides nothing behind the library. A relative folder is one that code put there.
    assert found[0] == str(other) and found[-1] == str(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert import_path.import_path()[0] == str(tmp_path)


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [("", ""), (":", ""), (".", ""), ("{here}", "{here}"), ("lib::{here}", "{here}/lib:{here}")],
)
def test_pythonpath_without_what_nobody_meant(
    given: str, passed_on: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", given.format(here=tmp_path))
    assert import_path.python_path() == passed_on.format(here=tmp_path)
