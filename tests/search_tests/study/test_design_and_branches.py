"""Branches go before what is left of the start design, and none of it is lost by that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from optuna.storages import InMemoryStorage

from search.run.driver import Driver
from search.sampling.branching import MIN_NEW
from search.sampling.initial_design import start_design
from search.storage import attributes
from search.storage.settings import RunSettings
from search.storage.weights import WeightKeeper
from search.study.create_or_resume import open_study
from tests.search_tests import analytic
from tests.search_tests.study.asked import SETTINGS, trials_of
from workers.messages.executor import InlineExecutor

N_START = 10


@pytest.mark.parametrize("ends", [(40,), (MIN_NEW + 2, 40), (MIN_NEW + 1, MIN_NEW + 3, 40)])
def test_the_rest_of_the_design_follows(ends: tuple[int, ...]) -> None:
    """Also in a run that goes on with a study which had branches amid its design."""
    storage, weights = InMemoryStorage(), WeightKeeper()
    settings = replace(SETTINGS, n_start=N_START)
    for n_trials in ends:
        study = open_study(storage, settings, weights=weights)
        executor = InlineExecutor(analytic.make_result)
        Driver(study, executor, analytic.make_config, RunSettings(n_trials)).run()
    asked = [t for t in trials_of(storage) if attributes.DERIVED_FROM not in t.user_attrs]
    branches = [t.number for t in asked if attributes.BRANCHED_FROM in t.user_attrs]
    new = [t for t in asked if attributes.BRANCHED_FROM not in t.user_attrs]
    design = start_design(settings.task.space, N_START, settings.seed or 0)
    assert [t.params for t in new[:N_START]] == design
    assert min(branches) < new[N_START - 1].number
