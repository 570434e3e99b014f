"""What asking, telling, going on, `search front` and `search report` cost as a study grows.

python -m benchmarks.scale                        # 100, 1,000 and 10,000 trials
python -m benchmarks.scale --sizes 100 1000       # less
python -m benchmarks.scale --write                # into RESULTS.md
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import RESULTS, write_section
from search.front.read import find_study, load_front, reading
from search.report.page import gather, report_page
from search.storage.settings import StudySettings
from search.study.create_or_resume import study_for_run
from search.study.open_study import OpenStudy
from tests.search_tests import analytic

TITLE = "## Cost as a study grows"
NAME = "analytic"
N_TIMED = 50
"""The last so many trials before each size are timed; their median counts."""


@dataclass(frozen=True)
class Costs:
    """What a study of one size costs.

    Attributes:
        n_trials: Trials in the database, derived ones too.
        ask_ms: Median of asking for a trial and writing it.
        tell_ms: Median of telling a trial with its derived ones.
        resume_s: Opening the study for a run.
        front_s: ``load_front``.
        report_s: The page of ``search report``.
        memory_mb: Peak of this process so far.
    """

    n_trials: int
    ask_ms: float
    tell_ms: float
    resume_s: float
    front_s: float
    report_s: float
    memory_mb: float


def grow(storage: Path, settings: StudySettings, size: int) -> Costs:
    """Grow a study to a size, and return what it then costs."""
    began = time.perf_counter()
    with study_for_run(storage, settings) as study:
        resume_s = time.perf_counter() - began
        times: list[tuple[float, float]] = []
        while study.n_points < size or not times:
            times.append(_one_trial(study))
    began = time.perf_counter()
    with study_for_run(storage, settings):
        resume_s = time.perf_counter() - began
    asks, tells = zip(*times[-N_TIMED:], strict=True)
    return Costs(
        size,
        1e3 * statistics.median(asks),
        1e3 * statistics.median(tells),
        resume_s,
        _seconds(lambda: load_front(NAME, storage)),
        _seconds(lambda: _report(storage)),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    )


def _one_trial(study: OpenStudy) -> tuple[float, float]:
    began = time.perf_counter()
    asked = study.ask(lambda params: analytic.make_config(params, 1))
    asked_at = time.perf_counter()
    assert asked is not None
    result = analytic.make_result(study.request(asked.number))
    evaluated_at = time.perf_counter()
    study.tell(asked.number, result)
    return asked_at - began, time.perf_counter() - evaluated_at


def _report(storage: Path) -> None:
    with reading(storage) as opened:
        record = find_study(opened, NAME)
    report_page(gather(record))


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def table(found: list[Costs]) -> str:
    """Return the costs as a table."""
    lines = [
        "| trials | ask, ms | tell, ms | resume, s | front, s | report, s | memory, MB |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.n_trials:,} | {one.ask_ms:.1f} | {one.tell_ms:.1f} | {one.resume_s:.2f} | "
        f"{one.front_s:.2f} | {one.report_s:.2f} | {one.memory_mb:,.0f} |"
        for one in found
    ]
    return "\n".join(lines)


def main() -> None:
    """Grow a study, and print or write what it costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    args = parser.parse_args()
    settings = StudySettings(NAME, analytic.task_info(), sampler=args.sampler, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder) / "studies.db"
        found = []
        grow(storage, settings, 1)
        _report(storage)  # What it imports is not what is measured.
        for size in sorted(args.sizes):
            found.append(grow(storage, settings, size))
            print(table(found[-1:]).splitlines()[-1], flush=True)
    section = f"""{TITLE}

`python -m benchmarks.scale`: a task of formulas on SQLite, {args.sampler} sampler, gate, race and
branches on; trials count with those derived from them. Ask and tell are medians of the last
{N_TIMED} trainings before each size, with their commits; memory is the peak of one process that
did all of it.

{table(found)}
"""
    print(section)
    if args.write:
        write_section(TITLE, section)


if __name__ == "__main__":
    main()
