"""A driver to hurt: the command ``search run`` itself, on a task of formulas, in a forked process.

Forked from a process that has imported everything, it starts within milliseconds, so that a fault
costs a fraction of a second. What ``search run`` does with database, files and signals is the
product's own code; only the preparation of data and the workers are replaced.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import sqlalchemy as sa
from optuna.artifacts import FileSystemArtifactStore

import search.run.preparation as preparation_module
import search.run.run_study as run_module
from benchmarks.faults.workers import ForkedWorkers
from search.cli.main import cli
from search.storage import batches, database, leases, recorder
from search.study.messages import Told
from search.study.open_study import OpenStudy
from spaces.data.dataset import Dataset, Split
from tests.search_tests import analytic
from workers.messages.result import TaskInfo

STUDY = "analytic"
N_WORKERS = 2


@dataclass(frozen=True)
class Plan:
    """What a driver does to itself.

    Attributes:
        kill_at_write: At which of its writes (statements, commits, halves of files, renames) it
            kills itself; 0 for none.
        clock_jumps_s: By how much its clock is off, alternately; empty for none.
        busy_timeout_s: How long it waits for a locked database; None for as long as the product.
        lease_s: How long its sign of life counts for other drivers; None for as long as the
            product says.
    """

    kill_at_write: int = 0
    clock_jumps_s: tuple[float, ...] = ()
    busy_timeout_s: float | None = None
    lease_s: float | None = None


@dataclass(frozen=True)
class Folder:
    """Where a study under faults lives.

    Attributes:
        path: Of everything.
        target: Trials that the study is to have.
        server: URL of its database on a server; None for a SQLite file.
        who: Which of several drivers of the study it is meant for.
    """

    path: Path
    target: int
    server: str | None = None
    who: str = "stderr"

    @property
    def disk(self) -> Path:
        """Where database and artifacts lie: a file system of its own, where one can be mounted."""
        return self.path / "disk"

    @property
    def database(self) -> Path:
        """The database."""
        return self.disk / "studies.db"

    @property
    def url(self) -> str:
        """What plain Optuna opens."""
        return self.server or f"sqlite:///{self.database}"

    @property
    def is_there(self) -> bool:
        """Whether there is a database, be it an empty one."""
        return self.server is not None or self.database.exists()

    @property
    def acknowledged(self) -> Path:
        """What the driver said is told: one line a trial, on the disk before it goes on."""
        return self.path / "told.jsonl"

    @property
    def taken_away(self) -> Path:
        """Names of artifacts that were removed: a line each. They may be named still."""
        return self.path / "taken-away.txt"

    @property
    def said(self) -> Path:
        """What the last driver wrote to stderr."""
        return self.path / f"{self.who}.txt"


def start(
    folder: Folder,
    plan: Plan = Plan(),
    *,
    words: Sequence[str] = (),
    replace_more: Callable[[Folder], None] = lambda folder: None,
) -> int:
    """Fork a driver that runs the study of a folder to its target; return its process's id.

    Args:
        folder: Where the study lives.
        plan: What it does to itself.
        words: More options of ``search run``.
        replace_more: Called in the driver, after its parts were replaced.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        _redirect(folder)
        replace_parts(folder)
        replace_more(folder)
        _carry_out(plan)
        cli.main(
            [
                "run",
                "analytic",
                "--trials",
                str(folder.target),
                "--storage",
                folder.server or str(folder.database),
                "--sampler",
                "random",
                "--workers",
                str(N_WORKERS),
                *words,
            ]
        )
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT  # Before the program took over.
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _redirect(folder: Folder) -> None:
    # Artifacts of a study on a server lie in the current folder.
    os.chdir(folder.path if folder.server is None else folder.disk)
    said = os.open(folder.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(said, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)


def replace_parts(folder: Folder) -> None:
    """Let ``search run`` of this process search formulas, and note what is told."""
    module: Any = run_module

    def prepare(*_: object, **__: object) -> tuple[TaskInfo, Dataset]:
        split = Split(np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1, np.int64))
        data = Dataset("formulas", split, split, split, ("apple", "orange"), generated=True)
        return replace(analytic.task_info(), ref="fruit", name=STUDY), data

    prepares: Any = preparation_module
    prepares.prepare_task = prepare
    prepares.canonical_ref = lambda task: task
    module.RayExecutor = lambda *_, **__: ForkedWorkers(analytic.make_result, N_WORKERS)
    told = os.open(folder.acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    tell = OpenStudy.tell

    def tell_and_say(self: OpenStudy, number: int, result: Any) -> Told:
        ending = tell(self, number, result)
        line = {
            "number": number,
            "outcome": ending.outcome,
            "values": ending.values,
            "derived": ending.n_derived,
        }
        os.write(told, (json.dumps(line) + "\n").encode())
        os.fsync(told)
        return ending

    open_study: Any = OpenStudy
    open_study.tell = tell_and_say


def _carry_out(plan: Plan) -> None:
    if plan.busy_timeout_s is not None:
        patched: Any = database
        patched._BUSY_TIMEOUT_S = plan.busy_timeout_s
    if plan.lease_s is not None:
        leased: Any = leases
        leased.LEASE_S = plan.lease_s
    if plan.clock_jumps_s:
        _make_clock_jump(plan.clock_jumps_s)
    if plan.kill_at_write:
        _strike_at_writes(plan.kill_at_write)


def _make_clock_jump(jumps_s: tuple[float, ...]) -> None:
    """Let every reading of the wall clock be off by the next of some jumps."""
    count = 0

    def off() -> float:
        nonlocal count
        count += 1
        return jumps_s[count % len(jumps_s)]

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=off())

    now = time.time
    time.time = lambda: now() + off()
    told_the_time: tuple[Any, ...] = (batches, recorder)
    for module in told_the_time:
        module.datetime = Jumping


def _strike_at_writes(number: int) -> None:
    """Let this process kill itself at its n-th write: before, after, or in the middle of it."""
    left = number

    def strike(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    for moment in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sa.event.listen(sa.engine.Engine, moment, strike)

    def write(self: FileSystemArtifactStore, artifact_id: str, content_body: BinaryIO) -> None:
        content = content_body.read()
        with open(os.path.join(self._base_path, artifact_id), "wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            strike()
            file.write(content[len(content) // 2 :])

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def struck(*args: Any, **kwargs: Any) -> Any:
            strike()
            result = function(*args, **kwargs)
            strike()
            return result

        return struck

    store: Any = FileSystemArtifactStore
    store.write = write
    for name in ("replace", "unlink", "remove", "fsync"):
        setattr(os, name, around(getattr(os, name)))
