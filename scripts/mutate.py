"""Change one module in many small ways, one at a time, and list the changes no test notices.

    .venv/bin/uv pip install --target /tmp/mutmut --no-deps "mutmut<3" parso toml
    PYTHONPATH=/tmp/mutmut .venv/bin/python scripts/mutate.py --sample 60 \
        workers/messages/race.py tests/workers_tests/messages/test_race.py

mutmut makes the mutants. Its own runner starts a Python for each, which takes longer than our
tests: here every mutant is tested in a fork of one process that has imported the libraries, on
a copy of the checkout. Tests marked `slow` are left out. Exit code 0, whatever lives.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
FLOORS = ("spaces", "workers", "search")
LIBRARIES = ("pytest", "hypothesis", "numpy", "optuna", "sqlalchemy", "click", "rich.console")


def main() -> None:
    """Parse, mutate, test, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("module", help="file to change, from the checkout's root")
    parser.add_argument("tests", nargs="+", help="test files, from the checkout's root")
    parser.add_argument("--sample", type=int, help="how many mutants at most; all without it")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds a mutant; over: caught"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        _enter_copy(Path(folder))
        _run(options)


def _enter_copy(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in (*FLOORS, "tests", "benchmarks"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=ignored)
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    os.chdir(folder)
    # Before the checkout, which is installed as it stands; children of tests look there too.
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    # A stale cache of a mutated module would be taken for the next one's.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for name in LIBRARIES:
        importlib.import_module(name)


def _run(options: argparse.Namespace) -> None:
    import mutmut

    module = Path(options.module)
    source = module.read_text(encoding="utf-8")
    mutants: list[Any] = mutmut.list_mutations(mutmut.Context(source=source, filename=str(module)))
    n_all = len(mutants)
    if options.sample is not None and options.sample < n_all:
        drawn = random.Random(options.seed).sample(range(n_all), options.sample)
        mutants = [mutants[index] for index in sorted(drawn)]
    if not _passes(options.tests, 10 * options.timeout):
        raise SystemExit(f"The tests must pass before anything is changed: {options.tests}")
    n_caught = 0
    for mutant in mutants:
        context = mutmut.Context(source=source, filename=str(module), mutation_id=mutant)
        mutated, _ = mutmut.mutate(context)
        module.write_text(mutated, encoding="utf-8")
        if _passes(options.tests, options.timeout):
            _show(source, mutated)
        else:
            n_caught += 1
    share = 100 * n_caught / len(mutants)
    print(f"{module}: {n_caught} of {len(mutants)} caught ({share:.0f} %), of {n_all} in all")


def _show(source: str, mutated: str) -> None:
    lines = difflib.unified_diff(source.splitlines(), mutated.splitlines(), lineterm="", n=0)
    print("lives:", *list(lines)[2:], sep="\n    ", flush=True)


def _passes(tests: list[str], timeout_s: float) -> bool:
    """Whether all tests pass, in a process group of their own that ends in time."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _test_and_exit(tests)
    end = time.monotonic() + timeout_s
    status: int | None = None
    while status is None and time.monotonic() < end:
        done, found = os.waitpid(child, os.WNOHANG)
        status = found if done else None
        time.sleep(0.02)
    try:
        os.killpg(child, signal.SIGKILL)  # What a test may have left running, too.
    except ProcessLookupError:
        pass
    if status is None:
        os.waitpid(child, 0)
    return status == 0


def _test_and_exit(tests: list[str]) -> None:
    import hypothesis
    import pytest

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    # The same examples for all, none kept from one mutant to the next, and no haste: a busy
    # machine must catch nothing.
    hypothesis.settings.register_profile("mutate", deadline=None, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutate")
    plugins = ["-p", "no:cacheprovider", "-p", "no:xdist"]
    os._exit(pytest.main(["-x", "-q", "-m", "not slow", *plugins, *tests]))


if __name__ == "__main__":
    main()
