"""The machine: versions, cores, memory, disks. Looking is apart from judging, which is pure."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from search.doctor.findings import Finding
from search.units import format_size
from workers.executors.ray_start import available_cores

PYTHONS = ((3, 10), (3, 13))
"""The first and the last release that TensorFlow and Ray have wheels for."""

WORKER_BYTES = 800_000_000
"""What a worker takes before it trains anything: TensorFlow, Keras and its pruning, imported."""

LOW_DISK_BYTES = 2_000_000_000
LEAST_DISK_BYTES = 200_000_000
SLOW_COMMIT_MS = 50.0
"""A trial is two commits; from here on they are felt beside trials of a few seconds."""

_PROBE_BYTES = 16 << 20
_N_COMMITS = 8
_SHARED_MEMORY = Path("/dev/shm")
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afs", "lustre", "glusterfs")


# --- Versions ---------------------------------------------------------------------------------


def judge_python(version: tuple[int, int], name: str) -> Finding:
    """Judge the version of Python.

    Args:
        version: Its first two numbers.
        name: How it is shown.
    """
    low, high = PYTHONS
    if low <= version <= high:
        return Finding("python", name)
    fix = f"Use Python {low[0]}.{low[1]} to {high[0]}.{high[1]}."
    return Finding("python", f"{name}: TensorFlow and Ray have no wheels for it", fix, "stop")


def judge_packages(
    requirements: Iterable[str], version_of: Callable[[str], str | None]
) -> Iterator[Finding]:
    """Judge what is installed: one finding for all that is needed, one for each extra.

    Args:
        requirements: As the metadata of this distribution has them.
        version_of: Returns the version of an installed distribution; None for none.
    """
    from packaging.requirements import Requirement

    shown, wrong = [], []
    extras: dict[str, list[str]] = {}
    for text in requirements:
        requirement = Requirement(text)
        marker, extra = requirement.marker, _extra_of(text)
        if marker is not None and not marker.evaluate({"extra": extra}):
            continue
        version = version_of(requirement.name)
        fits = version is not None and requirement.specifier.contains(version, prereleases=True)
        if extra:
            if not fits:
                extras.setdefault(extra, []).append(f"{requirement.name} {version or 'missing'}")
            else:
                extras.setdefault(extra, [])
        elif fits:
            shown.append(f"{requirement.name} {version}")
        else:
            wanted = f"{requirement.name}{requirement.specifier}"
            wrong.append(f"{wanted} is wanted, and there is {version or 'none'}")
    if wrong:
        fix = "`make install` in a checkout, or pip install --upgrade litefront."
        yield Finding("packages", "; ".join(wrong), fix, "stop")
    else:
        yield Finding("packages", ", ".join(shown))
    for extra, missing in extras.items():
        if missing:
            fix = f"Where it is wanted: pip install 'litefront[{extra}]'"
            yield Finding(f"extra {extra}", f"not there ({', '.join(missing)})", fix)
        else:
            yield Finding(f"extra {extra}", "there")


def _extra_of(requirement: str) -> str:
    _, _, after = requirement.partition("extra == ")
    return after[1:].split(after[0], 1)[0] if after else ""


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution; None if there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> Iterator[Finding]:
    """Look at Python and at what is installed."""
    found = (int(part) for part in platform.python_version_tuple()[:2])
    yield judge_python((next(found), next(found)), platform.python_version())
    try:
        requirements = importlib.metadata.requires("litefront") or []
    except importlib.metadata.PackageNotFoundError:
        fix = "pip install it, or `make install` in a checkout."
        yield Finding("packages", "litefront itself is not installed", fix, "note")
        return
    yield from judge_packages(requirements, installed_version)


# --- Cores and memory -------------------------------------------------------------------------


def judge_cores(n_cores: int, quota: float | None) -> Finding:
    """Judge how many trials can run side by side.

    Args:
        n_cores: Cores that this process may use.
        quota: How many the control group really gives; None for all.
    """
    shown = f"{n_cores} cores: as many trials side by side"
    if quota is not None and quota < n_cores - 0.5:
        least = max(1, int(quota))
        text = f"{n_cores} cores are seen, but this container is given {quota:g} of them"
        return Finding("cores", text, f"Run with --workers {least}.", "note")
    return Finding("cores", shown)


def judge_memory(free: int, shared: int | None, n_workers: int) -> Iterator[Finding]:
    """Judge the room that workers have.

    Args:
        free: Bytes of memory to be had.
        shared: Bytes free in ``/dev/shm``, where Ray shares data; None for no such folder.
        n_workers: Workers that a run starts.
    """
    room = free // WORKER_BYTES
    text = f"{format_size(free)} free, {format_size(WORKER_BYTES)} a worker before its training"
    if room < 1:
        yield Finding("memory", text, "Close other programs, or use a larger machine.", "stop")
    elif room < n_workers:
        yield Finding("memory", text, f"Run with --workers {room}.", "note")
    else:
        yield Finding("memory", text)
    if shared is not None and shared < 256 << 20:
        fix = (
            "Give the container more (docker run --shm-size 1g); data is shared on disk till then."
        )
        yield Finding("shared memory", f"{format_size(shared)} in {_SHARED_MEMORY}", fix, "note")


def cpu_quota(text: str) -> float | None:
    """Return how many cores ``cpu.max`` of a control group gives; None for all."""
    words = text.split()
    if len(words) != 2 or words[0] == "max" or not words[1].isdigit() or not words[0].isdigit():
        return None
    return int(words[0]) / int(words[1]) if int(words[1]) else None


def free_memory(meminfo: str, limit: str = "", used: str = "") -> int:
    """Return how many bytes of memory are to be had.

    Args:
        meminfo: Text of ``/proc/meminfo``.
        limit: Text of the control group's ``memory.max``.
        used: Text of its ``memory.current``.
    """
    free = 0
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            free = int(rest.split()[0]) * 1024
    if limit.strip().isdigit() and used.strip().isdigit():
        free = min(free, max(0, int(limit) - int(used)))
    return free


def cores_and_memory(n_workers: int | None = None) -> Iterator[Finding]:
    """Look at cores and memory."""
    group = Path("/sys/fs/cgroup")
    n_cores = available_cores()
    yield judge_cores(n_cores, cpu_quota(_text(group / "cpu.max")))
    meminfo = _text(Path("/proc/meminfo"))
    if not meminfo:
        yield Finding("memory", "not known on this system")
        return
    limit, used = _text(group / "memory.max"), _text(group / "memory.current")
    shared = shutil.disk_usage(_SHARED_MEMORY).free if _SHARED_MEMORY.is_dir() else None
    yield from judge_memory(free_memory(meminfo, limit, used), shared, n_workers or n_cores)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


# --- Disks ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Disk:
    """A folder's file system.

    Attributes:
        folder: The folder.
        free: Bytes free.
        mb_s: Megabytes written and synced a second; None where nothing can be written.
        commit_ms: Median of a small write that is synced, as each commit of SQLite is.
        kind: Of the file system, as ``/proc/mounts`` has it; empty if unknown.
    """

    folder: Path
    free: int
    mb_s: float | None
    commit_ms: float = 0.0
    kind: str = ""


def judge_disk(topic: str, disk: Disk, *, holds_database: bool = False) -> Finding:
    """Judge a folder that a run writes to.

    Args:
        topic: What the folder is for.
        disk: What is known of it.
        holds_database: Whether a SQLite database lies in it.
    """
    where = str(disk.folder)
    if disk.mb_s is None:
        return Finding(topic, f"{where} cannot be written to", _elsewhere(topic), "stop")
    text = (
        f"{where}: {format_size(disk.free)} free, {disk.mb_s:,.0f} MB/s, "
        f"{disk.commit_ms:.1f} ms a commit"
    )
    if disk.free < LEAST_DISK_BYTES:
        return Finding(topic, text, f"Make room there. {_elsewhere(topic)}", "stop")
    if holds_database and disk.kind.startswith(_NETWORK_FILE_SYSTEMS):
        fix = (
            "SQLite is not safe over a network: name a local file, or PostgreSQL, with --storage."
        )
        return Finding(topic, f"{text}, on a network ({disk.kind})", fix, "note")
    if disk.free < LOW_DISK_BYTES:
        return Finding(topic, text, "Make room there before a long run.", "note")
    if holds_database and disk.commit_ms > SLOW_COMMIT_MS:
        return Finding(topic, text, "A local disk tells trials sooner: --storage.", "note")
    return Finding(topic, text)


def _elsewhere(topic: str) -> str:
    return {
        "database": "Or name another place with --storage.",
        "cache": "Or set SEARCH_CACHE_DIR to another folder.",
        "temporary": "Or set TMPDIR to another folder.",
    }[topic]


def measure_disk(folder: Path) -> Disk:
    """Write 16 MB to a folder, and some small files' worth of commits; nothing stays."""
    there = folder
    while not there.is_dir():  # It will be made; its parents tell where.
        there = there.parent
    free, kind = shutil.disk_usage(there).free, file_system(_text(Path("/proc/mounts")), there)
    if free < 2 * _PROBE_BYTES:
        return Disk(folder, free, 0.0, kind=kind)
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            commits = []
            for _ in range(_N_COMMITS):
                began = time.perf_counter()
                file.write(b"\0" * 4096)
                file.flush()
                os.fsync(file.fileno())
                commits.append(time.perf_counter() - began)
            block = os.urandom(1 << 20)
            began = time.perf_counter()
            for _ in range(_PROBE_BYTES // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
            seconds = time.perf_counter() - began
    except OSError:
        return Disk(folder, free, None, kind=kind)
    commit_ms = 1000 * sorted(commits)[len(commits) // 2]
    return Disk(folder, free, _PROBE_BYTES / 1e6 / max(seconds, 1e-9), commit_ms, kind)


def file_system(mounts: str, folder: Path) -> str:
    """Return the kind of file system that a folder is on; empty if unknown.

    Args:
        mounts: Text of ``/proc/mounts``.
        folder: The folder.
    """
    found, longest = "", -1
    here = str(folder.resolve())
    for line in mounts.splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        point = words[1].replace("\\040", " ")
        is_below = here == point or here.startswith(point.rstrip("/") + "/")
        if is_below and len(point) >= longest:
            found, longest = words[2], len(point)
    return found
