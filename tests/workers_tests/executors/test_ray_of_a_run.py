"""Ray that is started for a run: whatever else the machine has, and whatever becomes of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spaces.errors import WorkersLostError
from tests.workers_tests.executors.contract import (
    MakeRay,
    collect,
    fail,
    ignore_payload,
    ray_node,
    reason,
    request,
)
from workers.messages.result import EvaluateRequest, TrialResult
from workers.processes.run_folder import PREFIX


def sleep_long(request: EvaluateRequest) -> TrialResult:
    time.sleep(1000)
    return fail(request)


@pytest.mark.slow
class TestRayStartedForARun:
    """Ray of its own: whatever else the machine has, and whatever becomes of it."""

    @pytest.fixture
    def folders(self) -> Callable[[], set[str]]:
        return lambda: {path.name for path in Path("/tmp").glob(f"{PREFIX}{os.getuid()}-*")}

    def test_elsewhere(
        self,
        make_ray: MakeRay,
        folders: Callable[[], set[str]],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """RAY_ADDRESS of another cluster, a folder too long for sockets, traps as neighbours."""
        for name in ("random", "workers", "numpy"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('was run')\n")
        long = tmp_path / ("long" * 30)
        long.mkdir()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("RAY_ADDRESS", "192.0.2.1:6379")
        monkeypatch.setenv("TMPDIR", str(long))
        monkeypatch.setattr(sys, "path", ["", *sys.path])
        handler = signal.getsignal(signal.SIGTERM)

        def look(request: EvaluateRequest) -> TrialResult:
            import numpy

            import workers

            assert numpy.__file__ and workers.__file__
            try:
                raise KeyboardInterrupt  # A task's own, in a worker: no Ctrl-C gets there.
            except KeyboardInterrupt:
                is_ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            facts = (str(tmp_path) in sys.path, os.getcwd() == str(tmp_path), is_ignored)
            return TrialResult(request.config, "failed", reason=str(facts))

        before = folders()
        notices: list[str] = []
        executor = make_ray(ignore_payload(look), notice=notices.append)

        # Others may start one in the same moment.
        new = Path(ray_node().get_temp_dir_path()).name
        assert new in folders() - before
        executor.submit(request())
        assert reason(collect(executor, 1)[0]) == str((False, True, True))
        assert len(notices) == 1 and "192.0.2.1" in notices[0] and "--address" in notices[0]
        assert signal.getsignal(signal.SIGTERM) == handler
        executor.shutdown()
        assert new not in folders()

    @pytest.mark.parametrize("kind", ["raylet", "gcs_server"])
    def test_ray_that_is_killed_is_one_line(self, kind: str, make_ray: MakeRay) -> None:
        """Left alone, Ray ends this process from C++."""
        executor = make_ray(ignore_payload(sleep_long))
        executor.submit(request())
        import ray

        [info] = ray_node().all_processes[kind]
        os.kill(info.process.pid, signal.SIGKILL)
        with pytest.raises(WorkersLostError, match=f"{kind} .* was ended by SIGKILL.*goes on"):
            collect(executor, 1)
        executor.shutdown()
        assert not ray.is_initialized()


CHECKOUT = Path(__file__).parents[3]

DIES_BEFORE = """
import importlib, os, signal, sys
import ray
from workers.executors import ray_watch
from workers.executors.ray_start import StartedRay

ray_watch.PATIENCE_S = 2.0
module, name = importlib.import_module(sys.argv[1]), sys.argv[2]
holder = getattr(module, "Node", module) if name.startswith("_") else module
called = getattr(holder, name)
node = None

def make(self, *args, **options):
    global node
    node = self
    return start(self, *args, **options)

def too_late(*args, **options):
    [info] = node.all_processes["gcs_server"]
    os.kill(info.process.pid, signal.SIGKILL)
    info.process.wait()
    return called(*args, **options)

node_class = importlib.import_module("ray._private.node").Node
start, node_class.start_head_processes = node_class.start_head_processes, make
setattr(holder, name, too_late)
StartedRay(None, 1, 1, None)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [("ray._private.worker", "connect"), ("ray._private.node", "_write_cluster_info_to_kv")],
)
def test_ray_that_dies_while_it_starts_is_one_line(call: tuple[str, str], tmp_path: Path) -> None:
    """Left alone, Ray waits in C++ for a minute, and then ends the process without a word."""
    done = subprocess.run(
        [sys.executable, "-c", DIES_BEFORE, *call],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(CHECKOUT)},
    )
    last = done.stderr.strip().rpartition("\n")[2]
    assert re.match(r"Error: Ray's process gcs_server \(\d+\) was ended by SIGKILL", last), done
    assert done.returncode == 1
    assert not list(tmp_path.glob(f"{PREFIX}*"))
