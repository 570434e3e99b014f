"""Feed all that parses with what a coverage-guided fuzzer thinks of, and count.

python -m benchmarks.fuzz                          # 30 s a target
python -m benchmarks.fuzz --seconds 300 --write    # into RESULTS.md
python -m benchmarks.fuzz --target csv_source

It wants atheris (pip install atheris), which has wheels for Linux on x86-64 and Python 3.11 to
3.13. Each target runs in a process of its own, as libFuzzer ends the one it runs in.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, write_section

TITLE = "## Fuzzing what parses"
MAX_BYTES = 4096
MAX_FINDINGS = 20
_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Counted:
    """What fuzzing one target gave.

    Attributes:
        target: Its name.
        n_inputs: Inputs tried.
        findings: Places at which something else than our own errors was raised.
    """

    target: str
    n_inputs: int
    findings: tuple[str, ...]


def _fuzz_here(name: str, seconds: float, counts: Path) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["search", "spaces", "workers"]):
        targets = importlib.import_module("benchmarks.fuzz.targets")
    target = targets.TARGETS[name]
    n_inputs = 0
    findings: dict[str, str] = {}

    def once(data: bytes) -> None:
        nonlocal n_inputs
        n_inputs += 1
        try:
            target(data)
        except Exception as error:  # What is looked for.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            ours = [
                one for one in traceback.extract_tb(error.__traceback__) if "/site-" not in one[0]
            ][-1]
            place = f"{type(error).__name__} at {Path(ours[0]).name}:{ours[1]} ({frame.name})"
            if place not in findings and len(findings) < MAX_FINDINGS:
                findings[place] = repr(data[:200])
                print(f"{name}: {place}: {error} on {data[:200]!r}", file=sys.stderr)
                counts.write_text(json.dumps([n_inputs, sorted(findings)]))
        if n_inputs % 200 == 0:
            counts.write_text(json.dumps([n_inputs, sorted(findings)]))

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(targets.seeds(name)):
            (Path(corpus) / str(number)).write_bytes(seed)
        options = [f"-max_total_time={seconds:.0f}", f"-max_len={MAX_BYTES}", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *options, "-rss_limit_mb=4096", corpus], once)
        atheris.Fuzz()  # It does not return: it ends the process, and removes nothing.


def fuzz(names: list[str], seconds: float) -> Iterator[Counted]:
    """Yield what fuzzing each target gives.

    Args:
        names: Of the targets.
        seconds: For each.
    """
    for name in names:
        in_memory = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
        with tempfile.TemporaryDirectory(prefix="search-fuzz-", dir=in_memory) as folder:
            counts = Path(folder) / "counts.json"
            words = ["-m", "benchmarks.fuzz", "--here", str(counts), "--target", name]
            done = subprocess.run(
                [sys.executable, *words, "--seconds", str(seconds)],
                env={**os.environ, "TMPDIR": folder},
                stdout=subprocess.DEVNULL,
            )
            n_inputs, findings = json.loads(counts.read_text()) if counts.exists() else (0, [])
            if done.returncode != 0:
                findings = [*findings, f"the process ended with {done.returncode}"]
            yield Counted(name, n_inputs, tuple(findings))


def table(found: list[Counted]) -> str:
    """Return the counts as a table."""
    lines = ["| what is parsed | inputs | findings |", "| --- | ---: | --- |"]
    lines += [
        f"| {one.target} | {one.n_inputs:,} | {'; '.join(one.findings) or 'none'} |"
        for one in found
    ]
    return "\n".join(lines)


def main() -> None:
    """Fuzz, and print or write the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=30.0, help="for each target")
    parser.add_argument("--target", help="only this one")
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here is not None:
        _fuzz_here(args.target, args.seconds, args.here)
        return
    from benchmarks.fuzz.targets import TARGETS, clear  # Not before: it is to be instrumented.

    clear()
    if args.target not in (None, *TARGETS):
        parser.error(f"--target must be one of {', '.join(TARGETS)}, but got {args.target!r}.")
    found = []
    for one in fuzz([args.target] if args.target else list(TARGETS), args.seconds):
        print(table([one]).splitlines()[-1], file=sys.stderr, flush=True)
        found.append(one)
    n_inputs = sum(one.n_inputs for one in found)
    n_findings = sum(len(one.findings) for one in found)
    section = f"""{TITLE}

`python -m benchmarks.fuzz --seconds {args.seconds:.0f}`: atheris (libFuzzer), guided by the
coverage of our own code, from sound inputs on, at most {MAX_BYTES:,} bytes each. Whatever is
raised but our own errors is a finding: a person would see a traceback. {n_inputs:,} inputs,
**{n_findings} findings**.

{table(found)}
"""
    print(section)
    if args.write:
        write_section(TITLE, section)
    sys.exit(1 if n_findings else 0)
