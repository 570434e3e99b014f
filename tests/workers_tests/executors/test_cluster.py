"""Joining a cluster that lets everybody in: said with the fix, before anything runs there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.executors.cluster import asks_for_token, head_of, is_reachable
from workers.executors.ray_start import N_TRIES
from workers.processes.run_folder import RunFolder

JOINING = """
import sys
from workers.executors.ray_start import StartedRay
started = StartedRay(sys.argv[1], 1, 1, None, print)
started.shutdown()
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def open_cluster() -> Iterator[str]:
    """Address of a cluster on this machine that asks for no token."""
    with RunFolder() as folder:
        for _ in range(N_TRIES):  # On a busy machine Ray misses deadlines of its own.
            address = f"127.0.0.1:{free_port()}"
            head = start_head(address, folder)
            assert head.stdout is not None
            if any("--block" in line for line in head.stdout):
                break  # It is there, and waits.
            head.wait()
        try:
            yield address
        finally:
            head.terminate()  # It ends the processes that it started.
            head.communicate(timeout=60)


def start_head(address: str, folder: RunFolder) -> subprocess.Popen[str]:
    words = ["--head", "--block", "--num-cpus=1", "--include-dashboard=false"]
    words += [f"--port={address.partition(':')[2]}", "--node-ip-address=127.0.0.1"]
    words += [f"--temp-dir={folder.path}", "--object-store-memory=80000000"]
    return subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", *words],
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_cluster_that_asks_for_no_token_is_told(open_cluster: str) -> None:
    assert asks_for_token(open_cluster) is False
    done = subprocess.run(
        [sys.executable, "-c", JOINING, open_cluster],
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert open_cluster in line and "asks for no token" in line
    assert "ray get-auth-token --generate" in line and "RAY_AUTH_MODE=token" in line


def test_where_nothing_listens_it_is_told_at_once(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    assert not is_reachable(address)
    assert asks_for_token(address) is None
    assert head_of("auto") is None
