"""A stand-in for a training: it takes as long as asked for, and answers by formula.

It imports no TensorFlow, so that many workers fit onto a small machine. Every trial leaves one
line in its worker's file: when it began and when it ended.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.scale.figures import Interval
from tests.search_tests import analytic
from workers.messages.executor import Evaluator
from workers.messages.result import EvaluateRequest, TrialResult


@dataclass(frozen=True)
class StandIn:
    """Makes the evaluator of one worker.

    Attributes:
        seconds: That a trial takes, however it ends.
        folder: Where workers note when they were busy.
    """

    seconds: float
    folder: str

    def __call__(self, _payload: object) -> Evaluator:
        """Return the evaluator."""
        return self._evaluate

    def _evaluate(self, request: EvaluateRequest) -> TrialResult:
        began = time.time()
        result = analytic.make_result(request)
        time.sleep(max(0.0, self.seconds - (time.time() - began)))
        ended = time.time()
        with open(Path(self.folder) / f"{os.getpid()}.txt", "a", encoding="ascii") as file:
            file.write(f"{began!r} {ended!r}\n")
        return replace(result, seconds={"train": ended - began})


def busy_times(folder: Path) -> list[Interval]:
    """Return when workers were busy, in seconds since 1970."""
    lines = [line for file in folder.glob("*.txt") for line in file.read_text().splitlines()]
    return [(float(began), float(ended)) for began, ended in (line.split() for line in lines)]
