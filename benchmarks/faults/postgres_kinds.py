"""Faults of a database server: it goes away and returns, cuts connections, or has two drivers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.faults import driven
from benchmarks.faults.driven import Folder, Plan
from benchmarks.faults.ground import Ground
from benchmarks.faults.kinds import (
    KILLED,
    ONE_LINE,
    Kind,
    Scene,
    ended_with,
    kill_driver,
    send,
)
from tests.postgres_server import PrivateServer

LEASE_S = 1.5
"""How long a sign of life counts here: a minute for each killed driver would be an hour in all."""

PATIENCE_S = 120.0


def postgres(server: PrivateServer) -> Ground:
    """Return forked workers and a database of their own for each study on a server."""

    def make_folder(path: Path, target: int) -> Folder:
        return Folder(path, target, server.create(path.name))

    def start(folder: Folder, plan: Plan) -> int:
        return driven.start(folder, replace(plan, lease_s=LEASE_S))

    return Ground("postgres", _kinds(server), make_folder, start)


def _kinds(server: PrivateServer) -> tuple[Kind, ...]:
    def away(scene: Scene) -> None:
        server.stop()
        time.sleep(scene.dice.uniform(0.5, 3.0))
        server.start()

    def restart(_: Scene) -> None:
        server.stop()
        server.start()

    def cut(at_most: int | None) -> Callable[[Scene], None]:
        return lambda scene: server.cut(scene.folder.path.name, at_most=at_most)

    def beside(strike: Callable[[Scene], object]) -> Callable[[Scene], Callable[[], object]]:
        """Let a second driver run the study, strike, and see that the second one ends well."""

        def struck(scene: Scene) -> Callable[[], object]:
            pid = _second(scene)
            strike(scene)
            return lambda: _check_second(scene, pid)

        return struck

    fails = (ONE_LINE,)
    return (
        Kind("server gone and back", fails, is_clean=False, strike=away, latest_s=LATEST_S),
        Kind("server restarted at start-up", fails, is_clean=False, strike=restart, latest_s=0.2),
        Kind("all connections cut", fails, is_clean=False, strike=cut(None), latest_s=LATEST_S),
        Kind("a connection cut", fails, is_clean=False, strike=cut(1), latest_s=LATEST_S),
        Kind("a connection cut at start-up", fails, is_clean=False, strike=cut(1), latest_s=0.3),
        Kind("driver killed", (KILLED,), is_clean=False, strike=kill_driver, latest_s=LATEST_S),
        Kind("second driver killed", strike=_kill_second, leaves_files=True),
        Kind(
            "driver killed beside a second",
            (KILLED,),
            is_clean=False,
            strike=beside(kill_driver),
            leaves_files=True,
        ),
        Kind(
            "driver stopped beside a second for longer than its lease",
            strike=beside(_stop),
            leaves_files=True,
        ),
        Kind(
            "a connection cut, two drivers",
            fails,
            is_clean=False,
            strike=beside(cut(1)),
            leaves_files=True,
        ),
        Kind(
            "all connections cut, two drivers",
            fails,
            is_clean=False,
            strike=beside(cut(None)),
            leaves_files=True,
        ),
        Kind(
            "server gone and back, two drivers",
            fails,
            is_clean=False,
            strike=beside(away),
            leaves_files=True,
        ),
    )


LATEST_S = 1.5


def _second(scene: Scene) -> int:
    pid = scene.start(replace(scene.folder, who="second"), Plan())
    time.sleep(scene.dice.uniform(0.2, 1.0))
    return pid


def _kill_second(scene: Scene) -> None:
    pid = _second(scene)
    send(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _stop(scene: Scene) -> None:
    """Stop the first driver until its trials were given away, and let it come back."""
    send(scene.pid, signal.SIGSTOP)
    time.sleep(scene.dice.uniform(LEASE_S, 2 * LEASE_S))
    send(scene.pid, signal.SIGCONT)


def _check_second(scene: Scene, pid: int) -> None:
    code = ended_with(pid, PATIENCE_S)
    said = replace(scene.folder, who="second").said.read_text(errors="replace").strip()
    ended_well = code == 0 or said.rpartition("\n")[2].startswith("Error: ")
    if code not in (0, ONE_LINE) or not ended_well or "Traceback" in said:
        scene.problems.append(f"the second driver ended with {code}: {said[-3000:]}")
