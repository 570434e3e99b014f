"""Executors as far as no Ray is started for it."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from spaces.errors import ConfigError, WorkersLostError
from tests.workers_tests.executors.contract import (
    ExecutorTestCase,
    MakeExecutor,
    fail,
    ignore_payload,
)
from workers.executors import worker
from workers.executors.memory import oom_kills
from workers.executors.ray_watch import Watch
from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import InlineExecutor


class TestInlineExecutor(ExecutorTestCase):
    @pytest.fixture
    def make(self) -> MakeExecutor:
        return lambda evaluate, n_workers=1: InlineExecutor(evaluate)


def test_a_death_that_is_noticed_ends_no_process() -> None:
    died = threading.Event()

    def check() -> None:
        died.set()
        raise WorkersLostError("Ray died.")

    watch = Watch(check, lambda: pytest.fail("The process was to be ended."))
    died.wait()
    watch.stop()
    watch.stop()


@pytest.mark.parametrize(
    ("error", "n_kills", "told"),
    [
        (RuntimeError("node running low on memory"), 0, "the machine runs out of memory"),
        (RuntimeError("connection lost"), 1, "killed by the kernel for want of memory"),
        (RuntimeError("connection lost"), 0, "it was killed, ran out of memory, or crashed"),
    ],
)
def test_why_a_worker_died(
    error: Exception, n_kills: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text(f"low 0\nhigh 0\nmax 3\noom 3\noom_kill {5 + n_kills}\n")
    slot = worker.Slot(None, None, pid=7, oom_kills=5)
    monkeypatch.setattr(worker, "oom_kills", lambda: oom_kills([tmp_path / "no", counter]))
    reason = worker.why_it_died(slot, error)
    assert told in reason and "process 7" in reason


def test_ray_that_cannot_write_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/small/disk")

    monkeypatch.setattr("workers.executors.ray_start.RunFolder", full)
    with pytest.raises(WorkersLostError, match="No space left on device: /small/disk.*TMPDIR"):
        RayExecutor(ignore_payload(fail), None, n_workers=1)


def test_no_workers() -> None:
    with pytest.raises(ConfigError, match="1 <= workers.*workers=0"):
        RayExecutor(ignore_payload(fail), None, n_workers=0)
