"""Faults of Ray: its processes killed, workers that die, hang or eat, no room for files."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.driven import Folder
from benchmarks.faults.ground import Ground
from benchmarks.faults.kinds import KILLED, ONE_LINE, Kind, Scene, fill, kill_driver, send
from benchmarks.faults.ray_driven import EAT, MARK, TRIAL_TIMEOUT_S, start, started_at, window_of
from workers.processes.run_folder import dead_folders

_BEGINS_S = 120.0
"""How long a driver may take to tell its first trial."""

_LEAVES_S = 60.0
"""How long processes of Ray may outlive their driver: they look for it every few seconds."""

_START_UP_S = 4.0
_SPARE_MB = 700
_ROOM = "64m"


def processes(folder: Folder) -> dict[int, str]:
    """Return the names of the processes that drivers of a study started, by process id."""
    found = {}
    mark = f"{MARK}={folder.path}".encode()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                found[int(entry.name)] = os.path.basename(words[0].decode(errors="replace"))
        except OSError:
            continue
    return {pid: name for pid, name in found.items() if name}  # Those without are dead.


def left(folder: Folder, code: int) -> list[str]:
    """Return what a driver left that has ended."""
    deadline = time.monotonic() + _LEAVES_S
    while (alive := processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in alive:
        send(pid, signal.SIGKILL)
    lines = [f"process {pid} ({name}) outlives its driver" for pid, name in alive.items()]
    if code >= 0:
        since = started_at(folder)
        dead = dead_folders((folder.path.parent,))
        # Those of earlier drivers that were killed go when one starts there again.
        lines += [f"{path} was left behind" for path in dead if path.stat().st_mtime > since]
    return lines


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _wait_for(scene: Scene, is_so: Callable[[], bool]) -> bool:
    """Wait until something is so; return whether it is, and the driver has not ended."""
    deadline = time.monotonic() + _BEGINS_S
    while time.monotonic() < deadline and not _has_ended(scene.pid):
        if is_so():
            return True
        time.sleep(0.01)
    return False


def _under_way(scene: Scene) -> bool:
    told = scene.folder.acknowledged
    n_before = told.stat().st_size if told.exists() else 0
    is_so = _wait_for(scene, lambda: told.exists() and told.stat().st_size > n_before)
    time.sleep(scene.dice.uniform(0, 0.5))
    return is_so


def _kill(*names: str) -> Callable[[Scene], None]:
    """Kill all of Ray's processes whose names begin so."""

    def kill(scene: Scene) -> None:
        found = [p for p, name in processes(scene.folder).items() if name.startswith(names)]
        scene.dice.shuffle(found)
        for pid in found:
            send(pid, signal.SIGKILL)

    return kill


def _worker(scene: Scene) -> int | None:
    found = [p for p, name in processes(scene.folder).items() if name.startswith("ray::Worker")]
    return scene.dice.choice(sorted(found)) if found else None


def _kill_worker(scene: Scene) -> None:
    if pid := _worker(scene):
        send(pid, signal.SIGKILL)


def _stop_worker(seconds: float) -> Callable[[Scene], Callable[[], object]]:
    """Stop a worker that works, and let it go on after some seconds."""

    def stop(scene: Scene) -> Callable[[], object]:
        pid = _worker(scene)
        if pid is None:
            return lambda: None
        send(pid, signal.SIGSTOP)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not _has_ended(scene.pid):
            time.sleep(0.05)
        send(pid, signal.SIGCONT)
        return lambda: None

    return stop


def _kill_in_window(scene: Scene) -> None:
    window = window_of(scene.folder)
    if _wait_for(scene, lambda: window.exists() and bool(window.read_text())):
        send(int(window.read_text()), signal.SIGKILL)
        window.unlink(missing_ok=True)


def _eat(scene: Scene) -> None:
    (scene.folder.path / EAT).write_text(str(6 * _SPARE_MB))


def _little_memory(_: Scene) -> Callable[[], object]:
    """Let Ray's watch over memory think that little is left."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    mb = {words[0].rstrip(":"): int(words[1]) // 1024 for words in lines}
    used = mb["MemTotal"] - mb["MemAvailable"] + _SPARE_MB + 1500  # What Ray itself takes.
    names = {
        "RAY_memory_usage_threshold": f"{used / mb['MemTotal']:.4f}",
        "RAY_memory_monitor_refresh_ms": "50",
    }
    os.environ.update(names)
    return lambda: [os.environ.pop(name) for name in names]


def _small_temporary(_: Scene) -> Callable[[], object]:
    """Give the driver a small file system for temporary files."""
    before = tempfile.gettempdir()
    place = tempfile.mkdtemp(prefix="t-", dir="/tmp")
    words = ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "tmpfs", place]
    subprocess.run(words, check=True, capture_output=True)
    os.environ["TMPDIR"] = tempfile.tempdir = place

    def back() -> None:
        os.environ["TMPDIR"] = tempfile.tempdir = before
        subprocess.run(["umount", "-l", place], check=True)
        os.rmdir(place)

    return back


def _fill_temporary(_: Scene) -> None:
    fill(Path(tempfile.gettempdir()))


def _full_temporary(scene: Scene) -> Callable[[], object]:
    back = _small_temporary(scene)
    _fill_temporary(scene)
    return back


def _later(strike: Callable[[Scene], object]) -> Callable[[Scene], None]:
    """Strike when trials are under way, if they ever are."""

    def struck(scene: Scene) -> None:
        if _under_way(scene):
            strike(scene)

    return struck


def _kind(name: str, strike: Callable[[Scene], object], *codes: int, **more: object) -> Kind:
    return Kind(name, codes, is_clean=False, strike=_later(strike), latest_s=0, **more)  # type: ignore[arg-type]


def _starting(name: str, process: str, strike: Callable[[Scene], None], *codes: int) -> Kind:
    """Strike soon after a process of Ray has come, whose name begins so."""

    def struck(scene: Scene) -> None:
        if _wait_for(
            scene, lambda: any(n.startswith(process) for n in processes(scene.folder).values())
        ):
            time.sleep(scene.dice.uniform(0, _START_UP_S))
            strike(scene)

    return Kind(name, codes, is_clean=False, strike=struck, latest_s=0)


_ALL = ("raylet", "gcs_server", "ray::")

RAY = Ground(
    "ray",
    (
        _kind("raylet killed", _kill("raylet"), ONE_LINE),
        _starting("raylet killed at start-up", "raylet", _kill("raylet"), ONE_LINE),
        _kind("GCS killed", _kill("gcs_server"), ONE_LINE),
        _starting("GCS killed at start-up", "gcs_server", _kill("gcs_server"), ONE_LINE),
        _kind("all of Ray killed at once", _kill(*_ALL), ONE_LINE),
        _kind("a worker killed", _kill_worker),
        _kind("a worker killed in its quiet window", _kill_in_window),
        _starting("workers killed at start-up", "ray::", _kill("ray::"), ONE_LINE),
        _kind("a worker stopped for good", _stop_worker(600)),
        _kind(
            "a worker stopped, back after its trial was over", _stop_worker(TRIAL_TIMEOUT_S + 2)
        ),
        _kind("a worker out of memory", _eat, ONE_LINE, before=_little_memory),
        _kind("driver killed", kill_driver, KILLED),
        _starting("driver killed at start-up", "gcs_server", kill_driver, KILLED),
        _kind(
            "temporary folder filled",
            _fill_temporary,
            ONE_LINE,
            before=_small_temporary,
            needs_mount=True,
        ),
        Kind(
            "temporary folder full at the start",
            (ONE_LINE,),
            is_clean=False,
            before=_full_temporary,
            needs_mount=True,
        ),
    ),
    start=start,
    left=left,
)
