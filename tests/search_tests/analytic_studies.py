"""Studies of the analytic task in a database, run by the driver as any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.run.driver import Driver
from search.run.events import Observer
from search.run.report import RunReport
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import study_for_run
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor
from workers.messages.result import EvaluateRequest, TaskInfo, TrialResult

BASELINE = {"n_blocks": 3, "filters_1": 64, "filters_2": 48, "learning_rate": 3e-3}


def run_analytic(
    storage: str | Path,
    name: str = "analytic",
    n_trials: int = 12,
    *,
    fail_every: int = 0,
    task: TaskInfo | None = None,
    observer: Observer | None = None,
    **settings: Any,
) -> RunReport:
    """Run a study to its end, in about a tenth of a second for ten trials.

    Args:
        storage: Its database.
        name: Of the study.
        n_trials: Its target.
        fail_every: Every so many trainings fail; 0 for none.
        task: What is searched; the analytic task with a baseline by default.
        observer: Watches the run.
        **settings: Other fields of ``StudySettings``.
    """
    info = task or analytic.task_info(baseline=BASELINE, baseline_note="by hand")
    n_evaluated = 0

    def evaluate(request: EvaluateRequest) -> TrialResult:
        nonlocal n_evaluated
        n_evaluated += 1
        if fail_every and n_evaluated % fail_every == 0:
            return TrialResult(request.config, "failed", f"its loss is NaN at {n_evaluated}")
        return analytic.make_result(request)

    wanted = StudySettings(name, info, **{"sampler": "random", **settings})
    with study_for_run(storage, wanted) as study:
        seed = study.settings.seed or 0
        driver = Driver(
            study,
            InlineExecutor(evaluate),
            lambda params: analytic.make_config(params, seed),
            RunSettings(n_trials),
            observer,
        )
        return driver.run()
