"""Kinds of faults: what is done to a driver, and how it may end after that."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.driven import Folder, Plan, start

KILLED = -signal.SIGKILL
ONE_LINE = 1
"""Exit code of a command that failed and said so in one line."""


@dataclass
class Scene:
    """What a fault has to work with.

    Attributes:
        folder: Where the study lives.
        dice: Decide when and how.
        pid: Of the driver; 0 before it has started.
        damaged: Names of artifacts that were broken.
        start: Forks a driver of the study; returns its process's id.
        problems: What did not hold while it was hurt, one line each.
    """

    folder: Folder
    dice: random.Random
    pid: int = 0
    damaged: frozenset[str] = frozenset()
    start: Callable[[Folder, Plan], int] = start
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        name: For people.
        codes: With which the driver may end, beside 0: it may have been done before.
        early_codes: With which it may end too, if it had not begun with its trials.
        is_clean: Whether the driver ends by itself with all in order.
        strike: Hurts a driver that runs; returns what puts the world right again.
        before: Hurts files before it starts; returns what puts the world right again.
        plan: What it does to itself.
        latest_s: The latest moment of the strike.
        needs_mount: Whether a file system must be mounted for it.
        leaves_files: Whether files without a name may be left, until the next driver looks.
    """

    name: str
    codes: tuple[int, ...] = ()
    early_codes: tuple[int, ...] = ()
    is_clean: bool = True
    strike: Callable[[Scene], Callable[[], object] | None] | None = None
    before: Callable[[Scene], Callable[[], object] | None] | None = None
    plan: Callable[[random.Random], Plan] = lambda dice: Plan()
    latest_s: float = 0.6
    needs_mount: bool = False
    leaves_files: bool = False


def ended_with(pid: int, patience_s: float) -> int:
    """Wait for a driver, and return its exit code; one that hangs is killed, and gives -1000."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1000


def children(pid: int) -> list[int]:
    """Return the ids of a process's children."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_driver(scene: Scene) -> None:
    send(scene.pid, signal.SIGKILL)


def _kill_worker(scene: Scene) -> None:
    if pids := children(scene.pid):
        send(scene.dice.choice(pids), signal.SIGKILL)


def _kill_all(scene: Scene) -> None:
    pids = [scene.pid, *children(scene.pid)]
    scene.dice.shuffle(pids)
    for pid in pids:
        send(pid, signal.SIGKILL)


def _signal(number: int) -> Callable[[Scene], None]:
    return lambda scene: send(scene.pid, number)


def _twice(scene: Scene) -> None:
    for _ in range(2):
        send(scene.pid, signal.SIGTERM)
        time.sleep(scene.dice.uniform(0, 0.03))


def _freeze(scene: Scene) -> None:
    send(scene.pid, signal.SIGSTOP)
    time.sleep(scene.dice.uniform(0.05, 0.4))
    send(scene.pid, signal.SIGCONT)


def fill(folder: Path) -> Path:
    """Fill the disk of a folder to the last byte; return the file that takes it."""
    filler = folder / "filler"
    block = 1 << 20
    with open(filler, "wb", buffering=0) as file:
        while block:
            try:
                if file.write(bytes(block)) < block:
                    block //= 2
            except OSError:
                block //= 2
    return filler


def _fill_disk(scene: Scene) -> Callable[[], object]:
    filler = fill(scene.folder.disk)
    return lambda: filler.unlink(missing_ok=True)


def _limit_files(scene: Scene) -> None:
    """Let no file of the driver grow beyond about what its database has."""
    size = max((p.stat().st_size for p in scene.folder.disk.glob("studies.db*")), default=0)
    with suppress(ProcessLookupError):
        limit = size + scene.dice.randrange(1, 1 << 16)
        resource.prlimit(scene.pid, resource.RLIMIT_FSIZE, (limit, limit))


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def _read_only_database(scene: Scene) -> Callable[[], object]:
    disk = str(scene.folder.disk)
    _mount("-o", "remount,ro", disk)
    return lambda: _mount("-o", "remount,rw", disk)


def _read_only_artifacts(scene: Scene) -> Callable[[], object] | None:
    store = scene.folder.disk / "artifacts"
    if not store.exists():
        return None
    _mount("--bind", str(store), str(store))
    with suppress(subprocess.CalledProcessError):  # A file is being written.
        _mount("-o", "remount,bind,ro", str(store))
    return lambda: subprocess.run(["umount", str(store)], check=True)


def _no_artifact_folder(scene: Scene) -> Callable[[], object] | None:
    """Let a file have the place of the folder of artifacts."""
    store, aside = scene.folder.disk / "artifacts", scene.folder.disk / "aside"
    if not store.exists():
        return None
    store.rename(aside)
    store.touch()

    def back() -> None:
        store.unlink()
        aside.rename(store)

    return back


def _lock(seconds: tuple[float, float]) -> Callable[[Scene], None]:
    def lock(scene: Scene) -> None:
        if not scene.folder.database.exists():
            return
        with closing(sqlite3.connect(scene.folder.database, timeout=30)) as other:
            with suppress(sqlite3.OperationalError):
                other.execute("BEGIN IMMEDIATE")
                time.sleep(scene.dice.uniform(*seconds))
                other.rollback()

    return lock


def damage(path: Path, dice: random.Random) -> str:
    """Break a file in one of the ways in which files break; return which."""
    content = path.read_bytes()
    how = dice.choice(("cut", "flipped", "zeroed", "gone", "empty"))
    if how == "gone":
        path.unlink()
    elif how == "empty" or not content:
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(content[: dice.randrange(len(content))])
    elif how == "zeroed":
        path.write_bytes(bytes(len(content)))
    else:
        broken = bytearray(content)
        broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        path.write_bytes(broken)
    return how


def _damage_artifacts(scene: Scene) -> None:
    store = scene.folder.disk / "artifacts"
    files = sorted(path for path in store.rglob("*") if path.is_file())
    chosen = scene.dice.sample(files, min(len(files), 3))
    gone = {path.name for path in chosen if damage(path, scene.dice) == "gone"}
    scene.damaged |= {path.name for path in chosen}
    _note_taken_away(scene, gone)


def _lose_artifacts(scene: Scene) -> None:
    store = scene.folder.disk / "artifacts"
    names = {path.name for path in store.rglob("*") if path.is_file()}
    _note_taken_away(scene, names)
    scene.damaged |= names
    shutil.rmtree(store, ignore_errors=True)


def _note_taken_away(scene: Scene, names: set[str]) -> None:
    with open(scene.folder.taken_away, "a") as file:
        file.writelines(f"{name}\n" for name in sorted(names))


def _at_a_write(dice: random.Random) -> Plan:
    return Plan(kill_at_write=dice.randrange(1, 600))


def _jumps(dice: random.Random) -> Plan:
    hour = 3600.0
    return Plan(clock_jumps_s=tuple(dice.uniform(-9000, 9000) * hour for _ in range(7)))


def _signals(when: str, latest_s: float) -> Sequence[Kind]:
    return [
        Kind(
            f"{number.name}{when}",
            (128 + number,),
            # Before the program took over, a signal ends Python itself.
            (-number,),
            # One that comes too early marks nothing.
            is_clean=not when,
            strike=_signal(number),
            latest_s=latest_s,
        )
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    ]


KINDS: tuple[Kind, ...] = (
    Kind("driver killed", (KILLED,), is_clean=False, strike=kill_driver),
    Kind("driver killed at start-up", (KILLED,), is_clean=False, strike=kill_driver, latest_s=0.1),
    Kind("a worker killed", strike=_kill_worker),
    Kind("driver and workers killed at once", (KILLED,), is_clean=False, strike=_kill_all),
    Kind("killed in the middle of a write", (KILLED,), is_clean=False, plan=_at_a_write),
    *_signals("", 0.6),
    *_signals(" at start-up", 0.12),
    Kind("SIGTERM twice", (143, -15), is_clean=False, strike=_twice),
    Kind("stopped and continued", strike=_freeze),
    Kind("disk full", (ONE_LINE,), is_clean=False, strike=_fill_disk, needs_mount=True),
    Kind(
        "disk full at the start", (ONE_LINE,), is_clean=False, before=_fill_disk, needs_mount=True
    ),
    Kind("files may not grow", (ONE_LINE,), is_clean=False, strike=_limit_files),
    Kind(
        "database read-only",
        (ONE_LINE,),
        is_clean=False,
        before=_read_only_database,
        needs_mount=True,
    ),
    Kind(
        "artifacts read-only",
        (ONE_LINE,),
        is_clean=False,
        strike=_read_only_artifacts,
        needs_mount=True,
    ),
    Kind("no folder of artifacts", (ONE_LINE,), is_clean=False, strike=_no_artifact_folder),
    Kind("database locked for a while", strike=_lock((0.1, 1.0))),
    Kind(
        "database locked for longer than is waited",
        (ONE_LINE,),
        is_clean=False,
        strike=_lock((1.0, 1.5)),
        plan=lambda dice: Plan(busy_timeout_s=0.2),
    ),
    Kind("artifacts and weights damaged", before=_damage_artifacts),
    Kind("artifacts and weights gone", before=_lose_artifacts),
    Kind("clock jumps", plan=_jumps),
)
"""All kinds, equally often."""
