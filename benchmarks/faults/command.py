"""Hurt a search at random moments, many times over, and count what is lost.

python -m benchmarks.faults                               # 1,000 faults, some twenty minutes
python -m benchmarks.faults --faults 50 --seed 7          # others
python -m benchmarks.faults --minutes 40                  # as many as fit
python -m benchmarks.faults --write                       # into RESULTS.md
"""

from __future__ import annotations

import argparse
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.checks import Findings, check
from benchmarks.faults.driven import Folder, start
from benchmarks.faults.kinds import KILLED, KINDS, Kind, Scene
from benchmarks.results import RESULTS, write_section

TITLE = "## Faults, injected and counted"
TARGET = 60
DISK = "24m"
PATIENCE_S = 300.0
"""How long a driver may take to end before it counts as hanging."""


@dataclass
class Tally:
    """What a series of faults gave.

    Attributes:
        by_kind: How many faults of each kind.
        ended: How drivers ended, by kind and exit code.
        n_trials: Trials that drivers acknowledged.
        n_studies: Studies brought to their target.
        losses: Trials lost, one line each.
        problems: Whatever else did not hold, one line each.
    """

    by_kind: Counter[str] = field(default_factory=Counter)
    ended: Counter[tuple[str, int]] = field(default_factory=Counter)
    n_trials: int = 0
    n_studies: int = 0
    losses: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, kind: str, found: Findings) -> None:
        """Count what was found after a fault."""
        self.losses += [f"{kind}: {line}" for line in found.losses]
        self.problems += [f"{kind}: {line}" for line in found.problems]


def inject(
    n_faults: int,
    seed: int,
    place: Path,
    *,
    target: int = TARGET,
    seconds: float = math.inf,
    say: Callable[[str], object],
) -> Tally:
    """Run studies to their targets, hurting them on the way.

    Args:
        n_faults: How many faults.
        seed: Of kinds and moments.
        place: Folder for the studies, which are removed when they are done and nothing was lost.
        target: Trials of each study.
        seconds: After which no more faults come, and the last study is brought to its target.
        say: Told how far it is, and of each problem.
    """
    dice, tally = random.Random(seed), Tally()
    deck: list[Kind] = []
    until = time.monotonic() + seconds

    def goes_on() -> bool:
        return sum(tally.by_kind.values()) < n_faults and time.monotonic() < until

    while goes_on():
        folder = Folder(place / f"study-{tally.n_studies}", target)
        folder.disk.mkdir(parents=True)
        mounted = _mounted(folder.disk)
        n_before = len(tally.losses) + len(tally.problems)
        try:
            while True:
                if goes_on():
                    deck = deck or _shuffled(dice, mounted)
                    found = _hurt(folder, deck.pop(), dice, tally)
                else:
                    found = _undisturbed(folder, tally)
                for line in (tally.losses + tally.problems)[n_before:]:
                    say(line)
                if found.is_done or len(tally.losses) + len(tally.problems) > n_before:
                    break
            found = _undisturbed(folder, tally)  # The same command, once more.
            if not found.is_done:
                tally.problems.append(f"study {tally.n_studies} does not reach its target")
        finally:
            if len(tally.losses) + len(tally.problems) > n_before:
                shutil.copytree(folder.path, f"{folder.path}-kept")
            if mounted:
                subprocess.run(["umount", "-l", str(folder.disk)], check=True)
            shutil.rmtree(folder.path)
        tally.n_studies += 1
        tally.n_trials += found.n_trials
        say(f"{sum(tally.by_kind.values())} faults, {tally.n_trials} trials")
    return tally


def _mounted(disk: Path) -> bool:
    """Mount a small file system of its own, where that is allowed."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)]
    return subprocess.run(words, capture_output=True).returncode == 0


def _shuffled(dice: random.Random, mounted: bool) -> list[Kind]:
    kinds = [kind for kind in KINDS if mounted or not kind.needs_mount]
    dice.shuffle(kinds)
    return kinds


def _undisturbed(folder: Folder, tally: Tally) -> Findings:
    code = _wait(start(folder))
    found = check(folder, is_clean=True)
    if code != 0:
        found.problems.append(f"the same command again ended with {code}: {_said(folder)}")
    tally.add("undisturbed", found)
    return found


def _hurt(folder: Folder, kind: Kind, dice: random.Random, tally: Tally) -> Findings:
    scene = Scene(folder, dice)
    undo = kind.before(scene) if kind.before else None
    try:
        scene.pid = start(folder, kind.plan(dice))
        if kind.strike:
            time.sleep(dice.uniform(0, kind.latest_s))
            undo = kind.strike(scene)
        code = _wait(scene.pid)
    finally:
        if undo is not None:
            undo()
    tally.by_kind[kind.name] += 1
    tally.ended[kind.name, code] += 1
    said = _said(folder)
    # A signal may come before the study is open: what an earlier driver left is still there then.
    had_begun = f"/{folder.target} trials" in said
    is_clean = code == 0 or (kind.is_clean and code in kind.codes and had_begun)
    found = check(folder, is_clean=is_clean, damaged=set(scene.damaged))
    if code not in (0, *kind.codes, *(() if had_begun else kind.early_codes)):
        found.problems.append(f"ended with {code}: {said}")
    # Python swallows a Ctrl-C that comes within a callback of its own, and says so.
    if "Traceback" in said and not ("Exception ignored in" in said and code == 0):
        found.problems.append(f"a traceback: {said}")
    if code == 1 and not said.rpartition("\n")[2].startswith("Error: "):
        found.problems.append(f"no line that says why: {said}")
    tally.add(kind.name, found)
    return found


def _said(folder: Folder) -> str:
    text = folder.said.read_text(errors="replace").strip() if folder.said.exists() else ""
    return text[-3000:]


def _wait(pid: int) -> int:
    """Wait for a driver; one that hangs is killed, and counts as ended in no allowed way."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1000


def table(tally: Tally) -> str:
    """Return the counts as a table."""
    lines = ["| fault | times | driver ended with |", "| --- | ---: | --- |"]
    for kind in KINDS:
        if not tally.by_kind[kind.name]:
            continue
        codes = sorted((c, n) for (name, c), n in tally.ended.items() if name == kind.name)
        ended = ", ".join(f"{'SIGKILL' if c == KILLED else c} ({n})" for c, n in codes)
        lines.append(f"| {kind.name} | {tally.by_kind[kind.name]} | {ended} |")
    return "\n".join(lines)


def main() -> None:
    """Inject faults, and print or write what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="fewer faults if over")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", type=int, default=TARGET, help="trials of each study")
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    args = parser.parse_args()
    began = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="search-faults-"))
    os.environ["TMPDIR"] = str(place)
    tempfile.tempdir = str(place)
    tally = inject(
        args.faults,
        args.seed,
        place,
        target=args.target,
        seconds=60 * args.minutes,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    n_bad = len(tally.losses) + len(tally.problems)
    section = f"""{TITLE}

`python -m benchmarks.faults --faults {args.faults} --seed {args.seed}`: `search run` on a task
of formulas with two worker processes, hurt once a start at a random moment, and then typed again
until its {args.target} trials are there; the whole product but the preparation of data and the
training is under test. After each fault the study is opened by plain Optuna: every trial that the
driver had acknowledged (written down elsewhere, synced) must be there once with its values and
derived trials, nothing running after a clean end, parents there, no configuration twice, models
of the front with their hashes, no file without an owner, attempts equal to the target, one line
for an error.

{sum(tally.by_kind.values()):,} faults, {tally.n_studies} studies, {tally.n_trials:,} acknowledged
trials: **{len(tally.losses)} lost, {len(tally.problems)} other findings**,
{time.monotonic() - began:,.0f} s.

{table(tally)}
"""
    print(section)
    if args.write:
        write_section(TITLE, section)
    if n_bad:
        print(f"What is left of the studies concerned: {place}", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
