"""Opening a study: runs that disagree with it, other drivers, half-made ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.deploy.export import export_config
from search.front.read import load_front
from search.run.driver import Driver
from search.storage import attributes
from search.storage.database import open_storage
from search.storage.settings import RunSettings
from search.study.create_or_resume import open_study, study_for_run
from spaces.errors import ExportError, StudyError
from spaces.space.search_space import SearchSpace
from tests.search_tests import analytic
from tests.search_tests.study.asked import SETTINGS, ask, task_of
from workers.messages.executor import InlineExecutor


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


class TestRefusals:
    @pytest.fixture(autouse=True)
    def existing(self, storage: InMemoryStorage) -> None:
        open_study(storage, SETTINGS)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"task": analytic.task_info(name="other")}, "task analytic; .* task other"),
            (
                {"task": analytic.task_info(data_fingerprint="f" * 16, data_name="photos")},
                "data formulas .0123456789abcdef.; .* data photos .ffff",
            ),
            ({"task": analytic.task_info(epochs=9)}, "epochs 5; .* epochs 9"),
            ({"device": "cortex-m4"}, "device host; .* device cortex-m4"),
            ({"size_metric": "tflite"}, "size gzip; .* size tflite"),
            ({"seed": 2}, "seed 1; .* seed 2"),
        ],
    )
    def test_a_run_that_disagrees(
        self, storage: InMemoryStorage, changes: Mapping[str, Any], says: str
    ) -> None:
        with pytest.raises(StudyError, match=f"'analytic'.*{says}.*--study NEW_NAME"):
            open_study(storage, replace(SETTINGS, **changes))

    def test_no_seed_means_the_study_s_own(self, storage: InMemoryStorage) -> None:
        assert open_study(storage, replace(SETTINGS, seed=None)).settings.seed == 1
        new = replace(SETTINGS, name="new", seed=None)
        assert open_study(storage, new).settings.seed == 0

    def test_another_sampler_is_fine(self, storage: InMemoryStorage) -> None:
        study = open_study(storage, replace(SETTINGS, sampler="nsga2"))
        assert study.settings.sampler == "nsga2"
        stored = optuna.load_study(storage=storage, study_name="analytic").user_attrs
        assert stored[attributes.SAMPLER] == "nsga2"

    def test_a_parameter_with_another_range(self, storage: InMemoryStorage) -> None:
        parameters = tuple(
            replace(p, high=0.9) if p.name == "dropout" else p
            for p in SETTINGS.task.space.parameters
        )
        task = analytic.task_info(SearchSpace(parameters))
        with pytest.raises(StudyError, match="'dropout'.*--study NEW_NAME"):
            open_study(storage, replace(SETTINGS, task=task))

    def test_a_study_of_somebody_else(self, storage: InMemoryStorage) -> None:
        plain = optuna.create_study(
            storage=storage, study_name="plain", directions=["maximize", "minimize", "minimize"]
        )
        plain.add_trial(optuna.trial.create_trial(values=[1.0, 2.0, 3.0]))
        with pytest.raises(StudyError, match="'plain' was not made by `search run`"):
            open_study(storage, replace(SETTINGS, name="plain"))


def test_a_driver_killed_while_it_created_the_study(
    storage: InMemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone on with at any step, and has all that a study has."""
    n_left = 0
    write = InMemoryStorage.set_study_user_attr

    def killed(self: InMemoryStorage, study_id: int, key: str, value: Any) -> None:
        nonlocal n_left
        n_left -= 1
        if n_left < 0:
            raise KeyboardInterrupt
        write(self, study_id, key, value)

    monkeypatch.setattr(InMemoryStorage, "set_study_user_attr", killed)
    for _ in range(5):
        n_left = 1  # Each driver dies at its second write.
        with pytest.raises(KeyboardInterrupt):
            open_study(storage, SETTINGS)
    n_left = 100
    open_study(storage, SETTINGS)
    plain = optuna.load_study(storage=storage, study_name="analytic")
    assert plain.metric_names == ["accuracy", "size_bytes", "latency_ms"]
    assert task_of(plain.user_attrs) == SETTINGS.task


def test_trials_that_somebody_else_adds_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    with study_for_run(path, SETTINGS) as study:
        ask(study)
        other = open_storage(path)
        theirs = other.create_new_trial(other.get_study_id_from_name("analytic"))
        asked = ask(study)
        assert asked.number == 2
        study.tell(asked.number, analytic.make_result(study.request(asked.number)))
    with study_for_run(path, SETTINGS) as study:
        assert (study.n_interrupted, study.outcomes["complete"]) == (1, 1)
        assert other.get_trial(theirs).state == TrialState.RUNNING
    front = load_front("analytic", path)
    assert front.n_foreign == 1
    assert 1 not in {point.trial for point in front.points}
    with pytest.raises(ExportError, match="this program did not make it"):
        export_config("analytic", path, trial=1)


def test_two_drivers(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    with study_for_run(path, SETTINGS):
        with pytest.raises(StudyError, match="'analytic' is being run by another driver"):
            with study_for_run(path, SETTINGS):
                pass
        with study_for_run(path, replace(SETTINGS, name="another")):
            pass


@pytest.mark.slow
def test_postgresql(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # Where the files of a database elsewhere go.
    settings = replace(SETTINGS, name="a study on PostgreSQL")
    for n_trials in (3, 5):
        with study_for_run(postgres_url, settings) as study:
            executor = InlineExecutor(analytic.make_result)
            Driver(study, executor, analytic.make_config, RunSettings(n_trials)).run()
            assert study.n_done == n_trials
    plain = optuna.load_study(storage=postgres_url, study_name=settings.name)
    assert {t.number for t in plain.best_trials} == set(study.front.keys)
