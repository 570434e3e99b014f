"""Whether Python finds TensorFlow compiled, or compiles it in every process anew.

Every trial's worker and every preparation is a process of its own that imports TensorFlow. Python
keeps what it compiled beside the sources, unless ``PYTHONDONTWRITEBYTECODE`` is set, as many
container images have it, or the folder is read-only; installers such as uv leave it to Python. The
import then takes three times as long, at each start.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from search.doctor.findings import Finding


def judge_bytecode(package: Path, *, is_compiled: bool, is_written: bool) -> Finding:
    """Judge the start of every process.

    Args:
        package: Folder of TensorFlow.
        is_compiled: Whether it lies there compiled.
        is_written: Whether Python writes what it compiles.
    """
    if is_compiled:
        return Finding("bytecode", "TensorFlow is compiled")
    if is_written:
        return Finding("bytecode", "TensorFlow is compiled at its first import")
    return Finding(
        "bytecode",
        "every process compiles TensorFlow anew, which makes its import three times as long",
        f"Once: {sys.executable} -m compileall -q {package.parent}",
        "note",
    )


def bytecode() -> Iterator[Finding]:
    """Look at TensorFlow's folder; nothing where it is not installed."""
    found = importlib.util.find_spec("tensorflow")  # Nothing of it is run.
    if found is None or found.origin is None:
        return
    package = Path(found.origin).parent
    # A module deep within: pip and Python compile what is imported, an image builder maybe not.
    module = package / "python" / "framework" / "ops.py"
    compiled = Path(importlib.util.cache_from_source(str(module)))
    folder = compiled.parent if compiled.parent.exists() else module.parent
    is_written = not sys.dont_write_bytecode and (
        sys.pycache_prefix is not None or os.access(folder, os.W_OK)
    )
    yield judge_bytecode(package, is_compiled=compiled.exists(), is_written=is_written)
