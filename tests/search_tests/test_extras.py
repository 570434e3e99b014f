"""The program without its extras: whoever has none of them still has all the rest."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DISTRIBUTION = "litefront"

DRAWN = {"search.front.figure"}
"""What is nothing but an extra's, and imported where that is asked for."""

WITHOUT = """
import importlib, pkgutil, sys

class Missing:
    names = frozenset(sys.argv[1:])

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
for floor in ("spaces", "workers", "search"):
    package = importlib.import_module(floor)
    for module in pkgutil.walk_packages(package.__path__, floor + "."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in Missing.names:
                raise
            print(module.name)
"""


def needed_by(requirements: list[str], extras: set[str]) -> set[str]:
    """Return the distributions that requirements bring with them, these of theirs too."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [(text, extras) for text in requirements]
    while waiting:
        text, of = waiting.pop()
        one = Requirement(text)
        applies = one.marker is None or any(one.marker.evaluate({"extra": e}) for e in {"", *of})
        step = (canonicalize_name(one.name), frozenset(one.extras))
        if not applies or step in found:
            continue
        try:
            below = importlib.metadata.requires(one.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(step)
        waiting += [(text, one.extras) for text in below]
    return {name for name, _ in found}


def extra_modules() -> list[str]:
    """Return what is imported of the extras alone, by the names of its packages."""
    declared = importlib.metadata.requires(DISTRIBUTION) or []
    needed = needed_by(declared, set())
    alone = {canonicalize_name(Requirement(text).name) for text in declared} - needed
    named = {
        name
        for name, distributions in importlib.metadata.packages_distributions().items()
        if {canonicalize_name(one) for one in distributions} <= alone and name[0] != "_"
    }
    # tflite-micro does not say what its packages are called.
    return sorted(named | {name.replace("-", "_") for name in alone})


@pytest.mark.slow
def test_all_but_what_is_an_extras_own_imports_without_it() -> None:
    names = extra_modules()
    assert {"psycopg", "ethosu", "tflite_micro", "cv2", "matplotlib"} <= set(names)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *names], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(done.stdout.split()) == DRAWN
