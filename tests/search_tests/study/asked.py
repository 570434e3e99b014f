"""An analytic study that is asked and told by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.storages import InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial

from search.storage import attributes
from search.storage.settings import StudySettings
from search.study.messages import Asked
from search.study.open_study import OpenStudy
from spaces.config.documents import from_plain
from spaces.config.trial import TrialConfig
from tests.search_tests import analytic
from workers.messages.result import EvaluateRequest, Limits, TaskInfo, TrialResult

SETTINGS = StudySettings("analytic", analytic.task_info(), sampler="random", seed=1)


def task_of(user_attrs: Mapping[str, Any]) -> TaskInfo:
    """The task that a study says it has."""
    space = user_attrs[attributes.SEARCH_SPACE]
    task = {**user_attrs[attributes.TASK], "space": {"parameters": space}}
    return from_plain(TaskInfo, task, "task")


def ask(study: OpenStudy) -> Asked:
    asked = study.ask(analytic.make_config)
    assert asked is not None
    return asked


def evaluate(config: TrialConfig, limits: Limits = Limits()) -> TrialResult:  # noqa: B008
    return analytic.make_result(EvaluateRequest(config, limits))


def trials_of(storage: InMemoryStorage | RDBStorage, name: str = "analytic") -> list[FrozenTrial]:
    return storage.get_all_trials(storage.get_study_id_from_name(name))
