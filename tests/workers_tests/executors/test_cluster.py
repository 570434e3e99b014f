"""Joining a cluster that lets everybody in: said with the fix, before anything runs there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spaces.errors import ConfigError
from workers.executors.cluster import asks_for_token, head_of, is_reachable
from workers.executors.ray_start import N_TRIES, StartedRay
from workers.processes.run_folder import RunFolder

JOINING = """
import sys
from workers.executors.ray_start import StartedRay
started = StartedRay(sys.argv[1], 1, 1, None, print)
started.shutdown()
"""


GPUS = """
import os, sys
from spaces.config.trial import TrainingConfig, TrialConfig
from workers.executors.ray_workers import RayExecutor
from workers.messages.result import EvaluateRequest, TrialResult

def make_evaluator(payload):
    def look(request):
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        return TrialResult(request.config, "failed", reason=f"sees {seen!r}")
    return look

executor = RayExecutor(make_evaluator, None, n_workers=2, address=sys.argv[1])
found = set()
while len(found) < 2:  # Both have started, and one of them may be quicker.
    for seed in range(executor.n_workers + 1):
        config = TrialConfig("task", "data", (), TrainingConfig(1e-3, 32), seed=seed)
        executor.submit(EvaluateRequest(config))
    found |= {outcome.result.reason for outcome in executor.wait(60)}
print(*sorted(found), sep=", ")
executor.shutdown()
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running_cluster(*words: str) -> Iterator[str]:
    """Start a cluster on this machine that asks for no token; give its address."""
    with RunFolder() as folder:
        for _ in range(N_TRIES):  # On a busy machine Ray misses deadlines of its own.
            address = f"127.0.0.1:{free_port()}"
            head = start_head(address, folder, *words)
            assert head.stdout is not None
            if any("--block" in line for line in head.stdout):
                break  # It is there, and waits.
            head.wait()
        try:
            yield address
        finally:
            head.terminate()  # It ends the processes that it started.
            head.communicate(timeout=60)


def start_head(address: str, folder: RunFolder, *more: str) -> subprocess.Popen[str]:
    words = ["--head", "--block", "--include-dashboard=false", *more]
    words += [f"--port={address.partition(':')[2]}", "--node-ip-address=127.0.0.1"]
    words += [f"--temp-dir={folder.path}", "--object-store-memory=80000000"]
    return subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", *words],
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )


def run_script(script: str, address: str) -> list[str]:
    """Run a script that joins a cluster; return its lines."""
    done = subprocess.run(
        [sys.executable, "-c", script, address],
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_a_cluster_that_asks_for_no_token_is_told() -> None:
    with running_cluster("--num-cpus=1") as address:
        assert asks_for_token(address) is False
        (line,) = run_script(JOINING, address)
    assert address in line and "asks for no token" in line
    assert "ray get-auth-token --generate" in line and "RAY_AUTH_MODE=token" in line


@pytest.mark.slow
def test_one_worker_has_the_gpu_and_the_other_sees_none() -> None:
    with running_cluster("--num-cpus=2", "--num-gpus=1") as address:
        (line,) = run_script(GPUS, address)
    assert line == "sees '', sees '0'"


def test_where_nothing_listens_it_is_told_at_once(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    assert not is_reachable(address)
    assert asks_for_token(address) is None
    assert head_of("auto") is None
    with pytest.raises(ConfigError, match=f"nothing answers at '{address}'"):
        StartedRay(address, 1, 1, None)
