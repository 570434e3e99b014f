"""Hurts searches one fault at a time, and looks after each what is still there."""

from __future__ import annotations

import math
import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.checks import Findings, check
from benchmarks.faults.driven import Folder, Plan
from benchmarks.faults.ground import FORKED, Ground
from benchmarks.faults.kinds import KILLED, Kind, Scene, ended_with

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
    ground: Ground = FORKED,
    say: Callable[[str], object],
) -> Tally:
    """Run studies to their targets, hurting them on the way.

    Args:
        n_faults: How many faults.
        seed: Of kinds and moments.
        place: Folder for the studies, which are removed when they are done and nothing was lost.
        target: Trials of each study.
        seconds: After which no more faults come, and the last study is brought to its target.
        ground: What they run on.
        say: Told how far it is, and of each problem.
    """
    dice, tally = random.Random(seed), Tally()
    deck: list[Kind] = []
    until = time.monotonic() + seconds

    def goes_on() -> bool:
        return sum(tally.by_kind.values()) < n_faults and time.monotonic() < until

    while goes_on():
        folder = ground.make_folder(place / f"study-{tally.n_studies}", target)
        folder.disk.mkdir(parents=True)
        mounted = _mounted(folder.disk)
        n_before = len(tally.losses) + len(tally.problems)
        try:
            while True:
                if goes_on():
                    deck = deck or _shuffled(dice, ground, mounted)
                    found = _hurt(folder, deck.pop(), dice, tally, ground)
                else:
                    found = _undisturbed(folder, tally, ground)
                for line in (tally.losses + tally.problems)[n_before:]:
                    say(line)
                if found.is_done or len(tally.losses) + len(tally.problems) > n_before:
                    break
            found = _undisturbed(folder, tally, ground)  # The same command, once more.
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


def _shuffled(dice: random.Random, ground: Ground, mounted: bool) -> list[Kind]:
    kinds = [kind for kind in ground.kinds if mounted or not kind.needs_mount]
    dice.shuffle(kinds)
    return kinds


def _undisturbed(folder: Folder, tally: Tally, ground: Ground) -> Findings:
    code = ended_with(ground.start(folder, Plan()), PATIENCE_S)
    found = check(folder, is_clean=True)
    if code != 0:
        found.problems.append(f"the same command again ended with {code}: {_said(folder)}")
    tally.add("undisturbed", found)
    return found


def _hurt(
    folder: Folder, kind: Kind, dice: random.Random, tally: Tally, ground: Ground
) -> Findings:
    scene = Scene(folder, dice, start=ground.start)
    undo: list[Callable[[], object] | None] = [kind.before(scene) if kind.before else None]
    try:
        scene.pid = ground.start(folder, kind.plan(dice))
        if kind.strike:
            time.sleep(dice.uniform(0, kind.latest_s))
            undo.append(kind.strike(scene))
        code = ended_with(scene.pid, PATIENCE_S)
    finally:
        for one in reversed(undo):
            if one is not None:
                one()
    tally.by_kind[kind.name] += 1
    tally.ended[kind.name, code] += 1
    said = _said(folder)
    # A signal may come before the study is open: what an earlier driver left is still there then.
    had_begun = f"/{folder.target} trials" in said
    is_clean = code == 0 or (kind.is_clean and code in kind.codes and had_begun)
    found = check(folder, is_clean=is_clean, damaged=scene.damaged, is_swept=not kind.leaves_files)
    found.problems += [*scene.problems, *ground.left(folder, code)]
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


def table(tally: Tally, ground: Ground = FORKED) -> str:
    """Return the counts as a table."""
    lines = ["| fault | times | driver ended with |", "| --- | ---: | --- |"]
    for kind in ground.kinds:
        if not tally.by_kind[kind.name]:
            continue
        codes = sorted((c, n) for (name, c), n in tally.ended.items() if name == kind.name)
        ended = ", ".join(f"{'SIGKILL' if c == KILLED else c} ({n})" for c, n in codes)
        lines.append(f"| {kind.name} | {tally.by_kind[kind.name]} | {ended} |")
    return "\n".join(lines)
