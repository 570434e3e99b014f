"""Runs of a driver on an analytic study, and what they told."""

from __future__ import annotations

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial

from search.run.driver import Driver
from search.run.events import RunProgress
from search.run.report import RunReport
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from tests.search_tests import analytic
from workers.messages.executor import Executor
from workers.messages.result import EvaluateRequest, TrialResult

SETTINGS = StudySettings("analytic", analytic.task_info(), sampler="random", seed=1)


class Recording:
    """Keeps all that a run tells."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.updates: list[RunProgress] = []
        self.messages: list[str] = []

    def start(self, progress: RunProgress) -> None:
        self.calls.append("start")

    def update(self, progress: RunProgress) -> None:
        self.calls.append("update")
        self.updates.append(progress)

    def message(self, text: str) -> None:
        assert "finish" not in self.calls
        self.messages.append(text)

    def finish(self, progress: RunProgress) -> None:
        self.calls.append("finish")


def drive(
    storage: InMemoryStorage,
    executor: Executor,
    settings: RunSettings,
    observer: Recording | None = None,
    **options: object,
) -> RunReport:
    study = open_study(storage, SETTINGS)
    driver = Driver(study, executor, analytic.make_config, settings, observer, **options)  # type: ignore[arg-type]
    return driver.run()


def trials_of(storage: InMemoryStorage) -> list[FrozenTrial]:
    return storage.get_all_trials(storage.get_study_id_from_name("analytic"))


def failing(request: EvaluateRequest) -> TrialResult:
    return TrialResult(request.config, "failed", reason="OSError: no picture")
