"""What training on changed is read out of a study as it was."""

from __future__ import annotations

import math

import pytest
from optuna.storages import InMemoryStorage

from benchmarks.replay.trained_on import table, trained_on
from search.run.driver import Driver
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor


def test_branches_are_counted_by_how_long_they_had_been_trained() -> None:
    storage = InMemoryStorage()
    settings = StudySettings("s", analytic.task_info(), sampler="random", seed=3, race=False)
    study = open_study(storage, settings)
    executor = InlineExecutor(analytic.make_result)
    Driver(study, executor, analytic.make_config, RunSettings(60)).run()
    found = trained_on(storage.get_all_trials(storage.get_study_id_from_name("s")))
    assert {1, 2} <= found.keys()
    left, exponent = found[1][0]
    assert exponent == pytest.approx(-math.log2(left))
    assert 0 < left < 1
    rows = table({"s": found}).splitlines()
    assert rows[2].startswith(f"| s | 2. | {len(found[1])} | ")
    assert len(rows) == 2 + len(found)
