"""Which weights a study keeps, for branches to start from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from optuna.storages import InMemoryStorage

from search.storage.settings import StudySettings
from search.storage.weights import WeightKeeper
from search.study.create_or_resume import open_study
from tests.search_tests import analytic
from tests.search_tests.study.asked import SETTINGS, ask
from workers.messages.result import EvaluateRequest


@pytest.mark.parametrize("n_opened", [1, 2], ids=["told", "read again"])
def test_branches_start_from_what_the_front_owes_most(n_opened: int) -> None:
    """Not from what has most points there: a worse network may have one of every scheme."""
    accurate = {"n_blocks": 2, "filters_1": 64, "filters_2": 64, "dropout": 0.2}
    worse = {"n_blocks": 2, "filters_1": 8, "filters_2": 56, "dropout": 0.5}
    storage, weights = InMemoryStorage(), WeightKeeper(max_count=1)
    usual = {**analytic.analytic_space().defaults(), "quantization": "int8"}
    points = [{**usual, **values} for values in (accurate, worse)]
    settings: StudySettings = replace(SETTINGS, enqueued=tuple(points), n_start=0)
    study = open_study(storage, settings, weights=weights)
    study.fail(ask(study).number, "What is enqueued comes after the first point of the design.")
    numbers = []
    for index in range(2):
        asked = ask(study)
        numbers.append(asked.number)
        result = analytic.make_result(EvaluateRequest(asked.config, keep_weights=True))
        if index == 0:
            result = replace(result, siblings=())
        study.tell(asked.number, result)
        if n_opened == 2:
            study = open_study(storage, settings, weights=weights)
    assert len([key for key in study.front.keys if key >= numbers[1]]) > 1
    assert weights.numbers == (numbers[0],)
