"""What a study of a growing number of trials costs, measured."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.scale.figures import Costs
from search.front.read import find_study, load_front, reading
from search.report.page import gather, report_page
from search.storage.settings import StudySettings
from search.study.create_or_resume import study_for_run
from search.study.open_study import OpenStudy
from tests.search_tests import analytic

NAME = "analytic"

N_TIMED = 200
"""The last so many trainings before each size are timed; their medians count."""


def growing(storage: str, settings: StudySettings, sizes: Iterable[int]) -> Iterator[Costs]:
    """Grow one study from size to size, and give what it costs at each.

    This process asks and tells all trials, as the driver of a long run does. Between them the
    study is opened, its front read and its report written in fresh processes, one each.

    Args:
        storage: Database, empty.
        settings: Of the study.
        sizes: Trials, derived ones too, ascending.
    """
    with tempfile.TemporaryDirectory() as folder:
        small = str(Path(folder) / "small.db")  # For imports, which are not what is measured.
        with study_for_run(small, settings) as study:
            _one_trial(study)
        for size in sizes:
            times: list[tuple[float, float]] = []
            with study_for_run(storage, settings, share=True) as study:
                while study.n_points < size or not times:
                    times.append(_one_trial(study))
                n_points = study.n_points
            del study
            asks, tells = zip(*times[-N_TIMED:], strict=True)
            resume_s, resume_mb = _apart(_resume, small, storage, settings)
            front_s, front_mb = _apart(_front, small, storage, settings)
            report_s, report_mb = _apart(_report, small, storage, settings)
            yield Costs(
                n_trials=n_points,
                ask_ms=1e3 * statistics.median(asks),
                tell_ms=1e3 * statistics.median(tells),
                memory_mb=peak_mb(),
                resume_s=resume_s,
                resume_mb=resume_mb,
                front_s=front_s,
                front_mb=front_mb,
                report_s=report_s,
                report_mb=report_mb,
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


def peak_mb() -> float:
    """Return the most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


_Call = Callable[[str, StudySettings], None]


def _apart(call: _Call, small: str, storage: str, settings: StudySettings) -> tuple[float, float]:
    """Call in a fresh process; return the seconds that it took, imports left out, and its peak."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_timed, (call, small, storage, settings))


def _timed(call: _Call, small: str, storage: str, settings: StudySettings) -> tuple[float, float]:
    call(small, settings)
    began = time.perf_counter()
    call(storage, settings)
    return time.perf_counter() - began, peak_mb()


def _resume(storage: str, settings: StudySettings) -> None:
    with study_for_run(storage, settings, share=True):
        pass


def _front(storage: str, _settings: StudySettings) -> None:
    load_front(NAME, storage)


def _report(storage: str, _settings: StudySettings) -> None:
    with reading(storage) as opened:
        record = find_study(opened, NAME)
    report_page(gather(record))
