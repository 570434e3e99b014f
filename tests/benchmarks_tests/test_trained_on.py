"""What training on changed is read out of a study as it was."""

from __future__ import annotations

import math

import pytest
from optuna.storages import InMemoryStorage

from benchmarks.replay.trained_on import TrainedOn, table, table_by_left, trained_on
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
    assert {1, 2, 4} <= found.keys(), "In whole trainings: each lasts as long as all before."
    assert 5 not in found.keys()
    one = found[1][0]
    assert one.exponent == pytest.approx(-math.log2(one.errors_left))
    assert 0 < one.errors_left < 1
    assert one.left_to_learn == 1.0, "This task tells no accuracies on training pictures."
    rows = table({"s": found}).splitlines()
    assert rows[2].startswith(f"| s | 2. | {len(found[1])} | ")
    assert len(rows) == 2 + len(found)


def test_a_table_by_what_was_left_to_learn() -> None:
    found = {
        1: [TrainedOn(0.9, 0.1, 0.0), TrainedOn(0.8, 0.3, 0.1)],
        2: [TrainedOn(0.7, 0.5, 1.0)],
    }
    rows = table_by_left([found, {1: [TrainedOn(0.9, 0.2, 0.04)]}]).splitlines()
    assert rows[2].startswith("| 0 to 0.05 | 2 | 0.15 |")
    assert rows[3:] == [
        "| 0.05 to 0.2 | 1 | 0.30 | 0.30 to 0.30 |",
        "| 0.95 to 1 | 1 | 0.50 | 0.50 to 0.50 |",
    ]
