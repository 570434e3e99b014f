"""A study keeps which code of one's own its trials were made with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from search.storage import attributes
from search.storage.code_history import code_of_trial
from search.storage.settings import StudySettings
from search.study.create_or_resume import open_study
from spaces.errors import StudyError
from tests.search_tests import analytic
from workers.messages.result import EvaluateRequest

Code = Mapping[str, Mapping[str, str]]

OLD = {"task": {"net.py": "1", "parts.py": "2"}}
EDITED = {"task": {"net.py": "9", "parts.py": "2"}}
DEVICE = {**OLD, "device": {"board.py": "3"}}


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


def run(storage: InMemoryStorage, code: Code, *, accept: bool = False, n: int = 1) -> list[Any]:
    """Open the study as a run does, and tell ``n`` trials."""
    settings = StudySettings(
        "analytic", analytic.task_info(code=code), accept_code=accept, fan_out=False, n_start=1
    )
    study = open_study(storage, settings)
    for _ in range(n):
        asked = study.ask(analytic.make_config)
        assert asked is not None
        request = EvaluateRequest(asked.config, fan_out=False)
        study.tell(asked.number, analytic.make_result(request))
    study_id = storage.get_study_id_from_name("analytic")
    return list(storage.get_study_user_attrs(study_id).get(attributes.CODE, []))


def test_code_that_stays_is_stored_once(storage: InMemoryStorage) -> None:
    assert run(storage, OLD) == run(storage, OLD) == [{"since_trial": 0, "files": OLD}]


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [
        (OLD, EDITED, "net.py"),
        (OLD, {"task": {"net.py": "1"}}, "parts.py"),
        (OLD, {"task": {**OLD["task"], "more.py": "4"}}, "more.py"),
        (DEVICE, {**OLD, "device": {"board.py": "4"}}, "board.py (of the device)"),
        (DEVICE, {**EDITED, "device": {"board.py": "4"}}, "board.py (of the device), net.py"),
    ],
)
def test_changed_code_is_refused_by_name_with_the_way_on(
    storage: InMemoryStorage, before: Code, now: Code, named: str
) -> None:
    stored = run(storage, before)
    with pytest.raises(StudyError, match=re.escape(named)) as caught:
        run(storage, now)
    assert "--study NEW_NAME" in str(caught.value) and "--accept-code" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert run(storage, before) == stored


def test_accepted_code_counts_from_the_next_trial(storage: InMemoryStorage) -> None:
    run(storage, OLD, n=2)
    stored = run(storage, EDITED, accept=True, n=2)
    assert stored == [{"since_trial": 0, "files": OLD}, {"since_trial": 2, "files": EDITED}]
    assert run(storage, EDITED, n=0) == stored
    assert [code_of_trial(stored, number) for number in (1, 2)] == [OLD, EDITED]


def test_a_study_without_trials_takes_what_comes(storage: InMemoryStorage) -> None:
    run(storage, OLD, n=0)
    assert run(storage, EDITED) == [{"since_trial": 0, "files": EDITED}]


def test_a_study_older_than_this_goes_on_and_is_told_apart(storage: InMemoryStorage) -> None:
    assert run(storage, {}, n=2) == []
    stored = run(storage, OLD)
    assert stored == [{"since_trial": 2, "files": OLD}]
    assert code_of_trial(stored, 1) == {} and code_of_trial(stored, 2) == OLD


def test_code_of_the_name_of_our_own_task_is_another_task(storage: InMemoryStorage) -> None:
    built_in = StudySettings("fruit", analytic.task_info(name="fruit", ref="fruit"))
    open_study(storage, built_in)
    own = StudySettings("fruit", analytic.task_info(name="fruit", ref="/x/net.py:TASK"))
    with pytest.raises(StudyError, match=r"fruit \(built in\).*fruit of /x/net.py:TASK"):
        open_study(storage, own)
