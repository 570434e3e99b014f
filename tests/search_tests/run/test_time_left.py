"""A run whose time is nearly up begins no branch that is expected to take longer."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from search.run.driver import Driver
from search.run.events import RunProgress, Silent
from search.sampling.mirror import Mirror, Proposal
from search.storage import attributes
from search.storage.settings import RunSettings
from search.storage.weights import WeightKeeper
from search.study.create_or_resume import open_study, study_for_run
from search.study.open_study import OpenStudy
from tests.search_tests import analytic
from tests.search_tests.study.asked import SETTINGS, trials_of
from workers.messages.executor import InlineExecutor
from workers.messages.result import EvaluateRequest, TrialResult

EPOCH_S = 10.0


class Clock:
    """Time that passes with the epochs of trials."""

    def __init__(self) -> None:
        self.now = 0.0

    def evaluate(self, request: EvaluateRequest) -> TrialResult:
        seconds = max(1, request.config.training.epochs) * EPOCH_S
        self.now += seconds
        return replace(analytic.make_result(request), seconds={"train": seconds})


@pytest.mark.parametrize(
    ("settings", "ended_by"),
    [
        (RunSettings(10_000, timeout_s=4_000.0), "timeout"),
        (RunSettings(60), "target"),
        (RunSettings(60, trial_timeout_s=200.0), "target"),
    ],
)
def test_a_branch_that_is_begun_ends_with_the_run(settings: RunSettings, ended_by: str) -> None:
    """Training on doubles: the last one would go on for as long as all of the run."""
    clock, storage = Clock(), InMemoryStorage()
    left_when_asked: dict[int, float] = {}

    class Watch(Silent):
        def update(self, progress: RunProgress) -> None:
            n_left = settings.n_trials - progress.n_done
            left_s = clock.now / max(1, progress.n_done) * n_left
            if settings.timeout_s is not None:
                left_s = min(left_s, settings.timeout_s - clock.now)
            if settings.trial_timeout_s is not None:
                left_s = min(left_s, settings.trial_timeout_s)
            for trial in progress.under_way:
                left_when_asked.setdefault(trial.number, left_s)

    study = open_study(storage, SETTINGS, weights=WeightKeeper())
    executor = InlineExecutor(clock.evaluate)
    make_config = analytic.make_config
    driver = Driver(study, executor, make_config, settings, Watch(), clock=lambda: clock.now)
    assert driver.run().ended_by == ended_by
    lasted = {
        trial.number: EPOCH_S * trial.user_attrs[attributes.CONFIG]["training"]["epochs"]
        for trial in trials_of(storage)
        if attributes.BRANCHED_FROM in trial.user_attrs
        and attributes.DERIVED_FROM not in trial.user_attrs
    }
    assert max(lasted.values()) >= 4 * analytic.EPOCHS * EPOCH_S
    first_s = analytic.EPOCHS * EPOCH_S
    assert all(took <= max(first_s, left_when_asked[n]) for n, took in lasted.items())


def epochs_of_branches(study: OpenStudy, seconds_left: float) -> list[int]:
    """Epochs of the branches among the first thirty trials."""
    clock, epochs = Clock(), []
    for _ in range(30):
        asked = study.ask(analytic.make_config, seconds_left=seconds_left)
        assert asked is not None
        epochs += [] if asked.parent is None else [asked.config.training.epochs]
        study.tell(asked.number, clock.evaluate(study.request(asked.number)))
    return epochs


@pytest.mark.parametrize("seconds_left", [math.inf, EPOCH_S / 2])
def test_what_takes_longer_than_is_left_is_not_asked_for(seconds_left: float) -> None:
    """But what takes no longer than a new training, which would be begun in its place."""
    study = open_study(InMemoryStorage(), SETTINGS, weights=WeightKeeper())
    epochs = epochs_of_branches(study, seconds_left)
    assert (max(epochs) > analytic.EPOCHS) == math.isinf(seconds_left)


@pytest.mark.parametrize(
    ("seconds_left", "most"), [(math.inf, 32.0), (10 * analytic.EPOCHS * EPOCH_S, 8.0)]
)
def test_new_trainings_are_judged_by_what_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch, seconds_left: float, most: float
) -> None:
    """To be trained on five times takes 32 times as long as a training, and three times 8."""
    told: list[float] = []
    propose = Mirror.propose

    def watched(mirror: Mirror, *args: Any, **options: Any) -> Proposal:
        told.extend(further.cost for further in options.get("outlook", ()))
        return propose(mirror, *args, **options)

    monkeypatch.setattr(Mirror, "propose", watched)
    study = open_study(InMemoryStorage(), SETTINGS, weights=WeightKeeper())
    clock = Clock()
    for number in range(12):
        asked = study.ask(analytic.make_config, seconds_left=seconds_left if number else math.inf)
        assert asked is not None
        if number == 0:
            told.clear()  # Nobody knows yet how long a training takes.
        study.tell(asked.number, clock.evaluate(study.request(asked.number)))
    assert max(told) == pytest.approx(most)


def test_several_drivers_of_a_study_heed_what_is_left(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seconds_left in (math.inf, EPOCH_S / 2):
        settings = replace(SETTINGS, name=f"left {seconds_left}")
        with study_for_run(postgres_url, settings, share=True) as study:
            epochs = epochs_of_branches(study, seconds_left)
        assert (max(epochs) > analytic.EPOCHS) == math.isinf(seconds_left)
