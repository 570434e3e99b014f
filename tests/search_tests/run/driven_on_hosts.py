"""``search run --address`` on a task of formulas, as a program for a host of its own.

What the command does with database, files, Ray and lost workers is the product's; only the
preparation of data and the training are replaced. A line of JSON on stdout for every trial that
came back and every sentence that the run says.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ray import cloudpickle

import search.run.run_study as run_module
from benchmarks.faults import driven
from search.cli.main import cli
from tests.search_tests import analytic
from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import Evaluator, Finished, Outcome
from workers.messages.result import EvaluateRequest, TrialResult

SLOW_S, FAST_S = 3.0, 0.05
PAYLOAD = np.arange(10**6)


def make_evaluator(payload: Any) -> Evaluator:
    """Return what takes as many seconds as a thousandth of its time limit."""
    total = int(payload.sum())

    def evaluate(request: EvaluateRequest) -> TrialResult:
        assert request.timeout_s is not None
        time.sleep(request.timeout_s / 1000)
        where = f"{socket.gethostname()}:{os.getpid()}:{total}"
        return replace(analytic.make_result(request), worker=where)

    return evaluate


class TellingExecutor(RayExecutor):
    """Says what comes back; trials are slow until a file appears.

    Args:
        hurry: The file.
        options: As of a ``RayExecutor``.
    """

    def __init__(self, hurry: Path, **options: Any) -> None:
        self._hurry = hurry
        options["notice"] = lambda text: say(message=text)
        super().__init__(make_evaluator, PAYLOAD, **options)

    def submit(self, request: EvaluateRequest) -> int:
        """Submit a trial with the seconds that it is to take."""
        seconds = FAST_S if self._hurry.exists() else SLOW_S
        return super().submit(replace(request, timeout_s=1000 * seconds))

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        """Wait, and say what came back."""
        outcomes = super().wait(timeout_s)
        for outcome in outcomes:
            if isinstance(outcome, Finished):
                say(worker=outcome.result.worker)
            else:
                say(lost=outcome.reason)
        return outcomes


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def main(path: str, target: str, *words: str) -> None:
    """Run the study of a folder to its target."""
    folder = driven.Folder(Path(path), int(target))
    # Nodes have neither the formulas nor this file.
    for module in (analytic, sys.modules[__name__]):
        cloudpickle.register_pickle_by_value(module)
    driven.replace_parts(folder)
    replaced: Any = run_module
    replaced.RayExecutor = lambda *_, **options: TellingExecutor(folder.path / "hurry", **options)
    command = ["run", "analytic", "--trials", target, "--storage", str(folder.database)]
    cli.main([*command, "--sampler", "random", *words])


if __name__ == "__main__":
    main(*sys.argv[1:])
