"""A study on a cluster of several hosts, which come and go while it runs.

The hosts are namespaces of this machine. A node has the installed packages, as a machine whose
image was made from requirements.lock has them, and nothing else: neither this checkout nor data.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.checks import check
from benchmarks.faults.driven import Folder
from search import load_trials
from search.storage import attributes
from tests import hosts
from tests.conftest import CHECKOUT
from tests.hosts import Host
from workers.processes.run_folder import RunFolder

PORT = 6379
PATIENCE_S = 240.0
"""For whatever is waited for: on a busy machine Ray takes a minute to start."""

_RAY = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "a-token-of-the-tests-and-of-nothing-else",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    # A node that is cut off is given up after some 10 s and not 50.
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
}


class Cluster:
    """A cluster of hosts, which are added one by one.

    Attributes:
        head: Where drivers run; it has this checkout.
    """

    def __init__(self, folder: Path, switch: Host, ray_folder: Path) -> None:
        self._folder = folder
        self._switch = switch
        self._ray_folder = ray_folder
        self.nodes: dict[str, Host] = {}
        self._commands: dict[str, list[str]] = {}
        self._rays: dict[str, subprocess.Popen[str]] = {}
        self.env = {**os.environ, **_RAY, "TMPDIR": "/tmp"}
        del self.env["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"]  # Of tests on one host.
        self.head = self._host("head", 1)
        self._start_ray(self.head, "--head", f"--port={PORT}", "--num-cpus=0")
        self.wait_for_ray(self.head)

    @property
    def address(self) -> str:
        return f"{self.head.address}:{PORT}"

    def add(self, name: str, *words: str, n_cpus: int = 1, wait: bool = True) -> Host:
        """Start a bare node."""
        host = self._host(name, len(self.nodes) + 2, hosts.python_folders())
        self.nodes[name] = host
        self._start_ray(host, f"--address={self.address}", f"--num-cpus={n_cpus}", *words)
        if wait:
            self.wait_for_ray(host)
        return host

    def _host(self, name: str, number: int, visible: list[Path] | None = None) -> Host:
        host = Host(name, number, visible)
        hosts.plug_in(host, self._switch)
        return host

    def _start_ray(self, host: Host, *words: str) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
        command += [f"--node-ip-address={host.address}", "--object-store-memory=80000000", *words]
        if "--head" in words:
            command += ["--include-dashboard=false", f"--temp-dir={self._ray_folder}"]
        self._commands[host.name] = command
        self._try_ray(host)

    def _try_ray(self, host: Host) -> None:
        with open(self._folder / f"{host.name}.log", "w") as log:
            self._rays[host.name] = host.start(
                self._commands[host.name], env=self.env, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_for_ray(self, host: Host) -> None:
        """Wait until a host's Ray runs; on a busy machine it misses deadlines of its own."""
        log = self._folder / f"{host.name}.log"
        deadline = time.monotonic() + PATIENCE_S
        while "Ray runtime started" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            if self._rays[host.name].poll() is not None:
                self._try_ray(host)
            time.sleep(0.2)

    def close(self) -> None:
        for host in (*self.nodes.values(), self.head):
            host.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := hosts.why_not():
        pytest.skip(f"needs hosts made of namespaces: {reason}")  # In CI too: it needs rights.
    folder = tmp_path_factory.mktemp("cluster")
    with RunFolder() as ray_folder, hosts.hub() as switch:
        made = Cluster(folder, switch, ray_folder.path)
        try:
            yield made
        finally:
            made.close()


class Lines:
    """What a driver says, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._stdout = process.stdout
        self.seen: list[dict[str, Any]] = []

    def until(self, **wanted: str) -> None:
        """Read on until a line says something of a kind that holds a text."""
        [(kind, text)] = wanted.items()
        for line in self._stdout:
            if not line.startswith("{"):
                continue  # The summary.
            self.seen.append(json.loads(line))
            if text in str(self.seen[-1].get(kind, "")):
                return
        raise AssertionError(f"the driver ended without {kind}={text!r}: {self.seen}")

    def all_of(self, kind: str) -> list[str]:
        """Return all that was said of a kind so far, and what is still to come."""
        self.seen += [json.loads(line) for line in self._stdout if line.startswith("{")]
        return [line[kind] for line in self.seen if kind in line]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nodes_come_and_go(cluster: Cluster, tmp_path: Path) -> None:
    """One joins, one has its plug pulled, one its cable, while a study runs."""
    folder = Folder(tmp_path, target=60)
    folder.disk.mkdir()
    killed, cut_off = cluster.add("killed", wait=False), cluster.add("cut-off", wait=False)
    cluster.wait_for_ray(killed)
    cluster.wait_for_ray(cut_off)
    command = [sys.executable, "-m", "tests.search_tests.run.driven_on_hosts"]
    command += [str(tmp_path), str(folder.target), "--address", cluster.address, "--workers", "3"]
    with open(tmp_path / "stderr.txt", "w") as said:
        driver = cluster.head.start(
            command,
            env={**cluster.env, "PYTHONPATH": str(CHECKOUT)},
            stdout=subprocess.PIPE,
            stderr=said,
        )
    lines = Lines(driver)
    try:
        lines.until(message="has 2 free cores for 3 workers: 2 of them begin")
        lines.until(worker="killed")
        cluster.add("joined", wait=False)
        lines.until(worker="joined")
        killed.kill()
        lines.until(lost="The node of its worker")
        lines.until(worker="cut-off")
        cut_off.set_link("down")
        lines.until(lost="The node of its worker")
        (tmp_path / "hurry").touch()
        workers = lines.all_of("worker")
        assert driver.wait(PATIENCE_S) == 0, (tmp_path / "stderr.txt").read_text()
    finally:
        driver.kill()
    assert {worker.split(":")[0] for worker in workers} == {"killed", "cut-off", "joined"}
    # The data arrived whole.
    assert {worker.split(":")[2] for worker in workers} == {str(sum(range(10**6)))}
    found = check(folder, is_clean=True)
    assert (found.losses, found.problems, found.running) == ([], [], set())
    assert found.is_done and found.n_trials == folder.target
    said_of_losses = (tmp_path / "stderr.txt").read_text()
    assert "Trying it once more" in said_of_losses


TASK = """
from corners import TASK as CORNERS
from dataclasses import replace
TASK = replace(CORNERS, name="mine")
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ones_own_task_is_trained_and_measured_on_bare_nodes(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Its module goes to the nodes; one kind of them trains, another comes and takes latencies."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "mine.py").write_text(TASK)
    shutil.copy(CHECKOUT / "tests" / "workers_tests" / "corners_task.py", code / "corners.py")
    cluster.add("trains", '--resources={"training": 1}')
    storage, said = tmp_path / "studies.db", tmp_path / "stderr.txt"
    command = [sys.executable, "-m", "search", "run", "mine:TASK", "--trials", "1"]
    command += ["--epochs", "1", "--workers", "1", "--storage", str(storage)]
    command += ["--address", cluster.address, "--latency-on", "bench"]
    with open(said, "w") as stderr:
        env = {**cluster.env, "PYTHONPATH": str(code)}
        driver = cluster.head.start(command, env=env, stdout=stderr, stderr=stderr)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "No node of the cluster has the resource 'bench'" not in said.read_text():
            assert driver.poll() is None and time.monotonic() < deadline, said.read_text()
            time.sleep(0.2)
        cluster.add("bench", '--resources={"bench": 1}', n_cpus=0)
        assert driver.wait(600) == 0, said.read_text()
    finally:
        driver.kill()
    trials = load_trials("mine", storage).trials
    assert len(trials) > 1 and {trial.outcome for trial in trials} == {"complete"}
    assert {trial.stored[attributes.LATENCY]["node"] for trial in trials} == {"bench"}
    [trained_on] = {trial.stored[attributes.WORKER].split(":")[0] for trial in trials}
    assert trained_on not in ("bench", "head")
