"""A task may come to begin with another of its choices: studies of before go on as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest
from optuna.storages import InMemoryStorage

from search.storage.settings import StudySettings
from search.study.create_or_resume import open_study
from spaces.errors import StudyError
from spaces.space.search_space import Parameter, SearchSpace
from tests.search_tests import analytic
from tests.search_tests.study.asked import SETTINGS, ask, evaluate, trials_of


def settings(choices: tuple[str, ...]) -> StudySettings:
    head = Parameter("head", "categorical", choices=choices)
    space = SearchSpace((*analytic.analytic_space().parameters, head))
    return replace(SETTINGS, task=analytic.task_info(space))


def test_a_study_keeps_the_order_that_it_was_begun_with() -> None:
    storage = InMemoryStorage()
    for choices in (("flat", "average"), ("average", "flat")):
        study = open_study(storage, settings(choices))
        for _ in range(6):
            asked = ask(study)
            study.tell(asked.number, evaluate(asked.config))
    orders = {trial.distributions["head"].choices for trial in trials_of(storage)}  # type: ignore[attr-defined]
    assert orders == {("flat", "average")}


@pytest.mark.parametrize("choices", [("flat",), ("flat", "none"), ("flat", "average", "none")])
def test_other_choices_are_another_study(choices: tuple[str, ...]) -> None:
    storage = InMemoryStorage()
    open_study(storage, settings(("flat", "average")))
    with pytest.raises(StudyError, match="another range of parameter 'head'"):
        open_study(storage, settings(choices))
