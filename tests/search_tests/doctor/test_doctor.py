"""What `search doctor` finds: judgements by tables, and the command on a machine of our making."""

from __future__ import annotations

import json
import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from search.cli.main import cli
from search.doctor import leftovers, services
from search.doctor.bytecode import bytecode, judge_bytecode
from search.doctor.findings import Finding, looked_at
from search.doctor.machine import (
    Disk,
    cpu_quota,
    file_system,
    free_memory,
    judge_cores,
    judge_disk,
    judge_memory,
    judge_packages,
    judge_python,
)
from spaces.errors import StorageError
from workers.executors.cluster import head_of
from workers.processes.run_folder import RunFolder

GB = 10**9
HERE = Path("/data")


def levels(findings: list[Finding]) -> list[str]:
    return [finding.level for finding in findings]


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 9), "stop"), ((3, 10), "ok"), ((3, 13), "ok"), ((3, 14), "stop"), ((4, 0), "stop")],
)
def test_pythons(version: tuple[int, int], level: str) -> None:
    assert judge_python(version, "3.x").level == level


@pytest.mark.parametrize(
    ("is_compiled", "is_written", "level"),
    [(True, False, "ok"), (True, True, "ok"), (False, True, "ok"), (False, False, "note")],
)
def test_bytecode(is_compiled: bool, is_written: bool, level: str) -> None:
    found = judge_bytecode(Path("/lib/tensorflow"), is_compiled=is_compiled, is_written=is_written)
    assert found.level == level
    assert ("compileall -q /lib" in found.fix) == (level == "note")


def test_bytecode_that_is_neither_there_nor_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    framework = tmp_path / "tensorflow" / "python" / "framework"
    framework.mkdir(parents=True)
    for module in (tmp_path / "tensorflow" / "__init__.py", framework / "ops.py"):
        module.write_text("raise RuntimeError('nothing of it is to be run')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert levels(list(bytecode())) == ["note"]
    py_compile.compile(str(framework / "ops.py"))
    assert levels(list(bytecode())) == ["ok"]


@pytest.mark.parametrize(
    ("n_cores", "quota", "level"),
    [(8, None, "ok"), (8, 8.0, "ok"), (8, 2.0, "note"), (2, 1.0, "note"), (1, 0.5, "ok")],
)
def test_cores(n_cores: int, quota: float | None, level: str) -> None:
    found = judge_cores(n_cores, quota)
    assert found.level == level
    assert ("--workers" in found.fix) == (level == "note")


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("max 100000", None),
        ("200000 100000\n", 2.0),
        ("50000 100000", 0.5),
        ("", None),
        ("x y", None),
        ("5 0", None),
    ],
)
def test_cpu_quota(text: str, quota: float | None) -> None:
    assert cpu_quota(text) == quota


@pytest.mark.parametrize(
    ("free", "shared", "n_workers", "expected"),
    [
        (16 * GB, 2 * GB, 4, ["ok"]),
        (16 * GB, None, 4, ["ok"]),
        (2 * GB, 2 * GB, 4, ["note"]),
        (GB // 2, 2 * GB, 1, ["stop"]),
        (16 * GB, 64 << 20, 4, ["ok", "note"]),
    ],
)
def test_memory(free: int, shared: int | None, n_workers: int, expected: list[str]) -> None:
    assert levels(list(judge_memory(free, shared, n_workers))) == expected


def test_free_memory_knows_the_limit_of_its_group() -> None:
    meminfo = "MemTotal:       100 kB\nMemAvailable:   4000 kB\n"
    assert free_memory(meminfo) == 4000 * 1024
    assert free_memory(meminfo, "max", "7") == 4000 * 1024
    assert free_memory(meminfo, "1000000\n", "300000\n") == 700000
    assert free_memory(meminfo, "1000000", "2000000") == 0


@pytest.mark.parametrize(
    ("disk", "holds_database", "level", "said"),
    [
        (Disk(HERE, 50 * GB, 500.0, 2.0, "ext4"), True, "ok", "500 MB/s"),
        (Disk(HERE, 50 * GB, None), False, "stop", "cannot be written"),
        (Disk(HERE, GB // 10, 500.0), False, "stop", "free"),
        (Disk(HERE, GB, 500.0), False, "note", "free"),
        (Disk(HERE, 50 * GB, 500.0, 90.0), True, "note", "90.0 ms a commit"),
        (Disk(HERE, 50 * GB, 500.0, 90.0), False, "ok", "90.0 ms a commit"),
        (Disk(HERE, 50 * GB, 500.0, 2.0, "nfs4"), True, "note", "network (nfs4)"),
        (Disk(HERE, 50 * GB, 500.0, 2.0, "nfs4"), False, "ok", "500 MB/s"),
    ],
)
def test_disks(disk: Disk, holds_database: bool, level: str, said: str) -> None:
    found = judge_disk("database", disk, holds_database=holds_database)
    assert (found.level, said in found.text) == (level, True)


def test_a_folder_is_on_the_nearest_mount() -> None:
    mounts = "/dev/sda / ext4 rw 0 0\nhost:/x /mnt/my\\040data nfs4 rw 0 0\nbroken\n"
    assert file_system(mounts, Path("/mnt/my data/photos")) == "nfs4"
    assert file_system(mounts, Path("/mnt/my database")) == "ext4"
    assert file_system("", Path("/mnt")) == ""


def test_packages_and_extras() -> None:
    requirements = [
        "numpy<2.5,>=2.2",
        "ray[tune]<3,>=2.60",
        'winonly; sys_platform == "win32"',
        'psycopg[binary]>=3.2; extra == "postgres"',
        'pandas>=2.2; extra == "notebook"',
    ]
    installed = {"numpy": "2.4.6", "ray": "2.60.0", "pandas": "2.3"}
    found = list(judge_packages(requirements, installed.get))
    assert [one.topic for one in found] == ["packages", "extra postgres", "extra notebook"]
    assert levels(found) == ["ok", "ok", "ok"]
    assert "pip install 'litefront[postgres]'" in found[1].fix and not found[2].fix

    (wrong, *_) = judge_packages(requirements, {"numpy": "1.26", "pandas": "2.3"}.get)
    assert wrong.level == "stop"
    assert "numpy" in wrong.text and "there is 1.26" in wrong.text and "none" in wrong.text


@pytest.mark.parametrize(
    ("guarded", "level", "said"),
    [(True, "ok", "asks for a token"), (False, "note", "run code"), (None, "note", "no telling")],
)
def test_clusters(guarded: bool | None, level: str, said: str) -> None:
    found = services.judge_guard("10.0.0.1:6379", guarded)
    assert (found.level, said in found.text) == (level, True)
    assert ("get-auth-token" in found.fix) == (guarded is False)


@pytest.mark.parametrize(
    ("address", "head"),
    [
        ("10.0.0.1:6379", ("10.0.0.1", 6379)),
        ("ray://head:10001", ("head", 10001)),
        ("[::1]:6379", ("::1", 6379)),
        ("auto", None),
        ("head:", None),
        ("head:99999", None),
    ],
)
def test_heads_of_clusters(address: str, head: tuple[str, int] | None) -> None:
    assert head_of(address) == head


def test_ray_that_is_not_there_stops_a_run() -> None:
    (found,) = services.ray("127.0.0.1:9", {})
    assert (found.level, "nothing listens" in found.text) == ("stop", True)
    (unused,) = services.ray(None, {"RAY_ADDRESS": "10.0.0.1:6379"})
    assert "--address auto" in unused.fix
    _, open_wide = services.ray(None, {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"})
    assert open_wide.level == "note"


def test_a_look_that_fails_ends_no_other() -> None:
    def fails() -> list[Finding]:
        raise StorageError("It is broken.")

    (found,) = looked_at("database", fails)
    assert (found.topic, found.level, found.text) == ("database", "stop", "It is broken.")


def dead_run(folder: Path) -> Path:
    """Make a run's folder in a process that is killed."""
    code = (
        "import os, pathlib, sys\n"
        "from workers.processes.run_folder import RunFolder\n"
        "print(RunFolder((pathlib.Path(sys.argv[1]),)).path, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
    return Path(done.stdout.strip())


@pytest.fixture
def short_tmp(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder whose name is short enough for Ray's sockets."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="d-", dir="/tmp"))
    request.addfinalizer(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


def test_leftovers_are_found_and_removed(
    tmp_path: Path, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "cache"))
    half = tmp_path / "cache" / "datasets" / ".0123.ab.tmp"
    young = half.with_name(".4567.ab.tmp")
    for entry in (half, young):
        entry.mkdir(parents=True)
        (entry / "train.npy").write_bytes(b"x" * 5000)
    os.utime(half, (0, 0))
    lock = tmp_path / ".studies.db.0123abcd.lock"
    lock.write_text("4711")
    alive = RunFolder((short_tmp,))
    dead = dead_run(short_tmp)
    waits = "print(flush=True); input()"
    words = [sys.executable, "-c", waits, f"{dead}/s"]
    lives_on = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert lives_on.stdout is not None and lives_on.stdout.readline() == b"\n"
        found = leftovers.find(tmp_path / "studies.db", (short_tmp,))
        assert found == leftovers.Leftovers((dead, half), (lock,), (lives_on.pid,))
        (told,) = leftovers.judge(found)
        assert told.level == "note" and "--clean" in told.fix
        assert "2 folders (5" in told.text and "1 lock file, 1 process" in told.text

        found.remove()
        assert lives_on.wait(10) == -9
        assert alive.path.is_dir() and young.is_dir()
        assert not dead.exists() and not half.exists() and not lock.exists()
        assert not any(vars(leftovers.find(tmp_path / "studies.db", (short_tmp,))).values())
    finally:
        lives_on.kill()
        lives_on.communicate()
        alive.remove()


def doctor(folder: Path, *arguments: str) -> tuple[int, list[dict[str, str]]]:
    storage = ("--storage", str(folder / "studies.db")) if "--storage" not in arguments else ()
    done = CliRunner().invoke(cli, ["doctor", "--json", *storage, *arguments])
    return done.exit_code, json.loads(done.stdout)


def test_a_database_in_no_folder_stops_a_run(tmp_path: Path) -> None:
    missing = tmp_path / "nodir" / "studies.db"
    code, found = doctor(tmp_path, "--storage", str(missing))
    stops = [one for one in found if one["level"] == "stop"]
    assert code == 1 and len(stops) == 1
    assert str(missing) in stops[0]["text"] and "Make it" in stops[0]["fix"]
    assert not missing.parent.exists()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_study: object) -> None:
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "cache"))
    code, found = doctor(tmp_path)
    assert (code, [one for one in found if one["level"] == "stop"]) == (0, [])
    topics = [one["topic"] for one in found]
    for topic in ("python", "packages", "cores", "memory", "database", "ray", "cache"):
        assert topic in topics
    assert "the first run makes it" in str(found)
    assert not (tmp_path / "studies.db").exists() and not (tmp_path / "cache").exists()

    make_study()  # type: ignore[operator]
    code, found = doctor(tmp_path)
    assert (code, "1 study, its schema is known" in str(found)) == (0, True)

    (tmp_path / "studies.db").write_bytes(b"no database at all" * 100)
    code, found = doctor(tmp_path)
    stops = [one for one in found if one["level"] == "stop"]
    assert (code, [one["topic"] for one in stops]) == (1, ["database"])
    assert stops[0]["fix"]


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:geheim@127.0.0.1:9/studies"
    done = CliRunner().invoke(cli, ["doctor", "--storage", url])
    assert done.exit_code == 1
    assert "STOP  database" in done.stdout
    assert "geheim" not in done.output
