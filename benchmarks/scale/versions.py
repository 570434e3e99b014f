"""What two versions of this program take for the same study, in processor time, by turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHILD = """
import json, sys, tempfile, time
from pathlib import Path

from search.front.read import find_study, reading
from search.report.page import gather, report_page
from search.storage.settings import StudySettings
from search.study.create_or_resume import study_for_run
from tests.search_tests import analytic

settings = StudySettings("analytic", analytic.task_info(), sampler="random", seed=1)

def one_trial(study):
    began = time.process_time()
    asked = study.ask(lambda params: analytic.make_config(params, 1))
    taken = time.process_time() - began
    result = analytic.make_result(study.request(asked.number))
    began = time.process_time()
    study.tell(asked.number, result)
    return taken + time.process_time() - began

def report(storage):
    with reading(storage) as opened:
        record = find_study(opened, "analytic")
    report_page(gather(record))

def of(call, *args):
    began = time.process_time()
    call(*args)
    return time.process_time() - began

def opened(storage):
    with study_for_run(storage, settings):
        pass

with tempfile.TemporaryDirectory() as folder:
    small, storage = Path(folder) / "small.db", Path(folder) / "studies.db"
    with study_for_run(small, settings) as study:
        one_trial(study)
    report(small)  # What it imports is not what is measured.
    trials = []
    with study_for_run(storage, settings) as study:
        while study.n_points < int(sys.argv[1]):
            trials.append(one_trial(study))
    found = {
        "a training asked and told, ms": 1e3 * sum(trials) / len(trials),
        "opening, s": of(opened, storage),
        "report, s": of(report, storage),
    }
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Turns:
    """What both versions took, a round each; by what they did.

    Attributes:
        n_trials: Trials of the study, derived ones too.
        old: Of the older version.
        new: Of the newer one, in the same rounds.
    """

    n_trials: int
    old: Sequence[Mapping[str, float]]
    new: Sequence[Mapping[str, float]]


def by_turns(old: Path, new: Path, n_trials: int, n_rounds: int) -> Turns:
    """Measure two versions, each by a fresh process a round, the old one first.

    Args:
        old: Its checkout; its dependencies are those of this process.
        new: The other one.
        n_trials: After which a study is opened, and its report written.
        n_rounds: How many times.
    """
    found = [(_measured(old, n_trials), _measured(new, n_trials)) for _ in range(n_rounds)]
    return Turns(n_trials, [before for before, _ in found], [after for _, after in found])


def _measured(checkout: Path, n_trials: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(n_trials)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def version_of(checkout: Path) -> str:
    """Return the commit of a checkout."""
    words = ["git", "-C", str(checkout), "rev-parse", "--short=7", "HEAD"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return f"commit {done.stdout.strip()}"


def versions_table(found: Sequence[Turns]) -> str:
    """Return medians of both sides and of their ratio, with the least and the largest."""
    lines = ["| trials | | old | new | new / old |", "| ---: | --- | ---: | ---: | ---: |"]
    for turns in found:
        for name in turns.old[0]:
            before, after = ([one[name] for one in side] for side in (turns.old, turns.new))
            ratios = [b / a for a, b in zip(before, after, strict=True)]
            lines.append(
                f"| {turns.n_trials:,} | {name} | {statistics.median(before):.2f} | "
                f"{statistics.median(after):.2f} | {statistics.median(ratios):.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f}) |"
            )
    return "\n".join(lines)
