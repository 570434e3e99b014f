"""Weights that trainings start from are part of a study, of its configurations and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from search.deploy.export import check_export, export_config
from search.run.making import ConfigMaker, make_config_of
from search.run.options import RunOptions
from search.run.resumed import asked_for
from search.storage.database import open_storage
from search.storage.settings import StudySettings
from search.study.create_or_resume import open_study, study_for_run
from spaces.errors import StudyError
from spaces.space.search_space import SearchSpace
from spaces.space.training_parameters import start_parameters
from tests.search_tests import analytic
from workers.messages.result import TrialResult

SHA = "ab" * 32


def settings(sha256: str = SHA) -> StudySettings:
    space = SearchSpace((*analytic.analytic_space().parameters, *start_parameters()))
    info = analytic.task_info(space, settled={"weights": sha256}, weights_path="/kept/mine.h5")
    return StudySettings("analytic", info, seed=1, sampler="random", fan_out=False)


def test_configurations_and_exports_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    storage = open_storage(path)
    study = open_study(storage, settings())
    asked = study.ask(ConfigMaker(settings().task, 1))
    assert asked is not None
    training = asked.config.training
    assert training.weights == SHA
    assert (training.frozen_share, training.fine_tuning_factor) == (0.3, 0.3)  # The defaults.
    assert "frozen_share" not in asked.config.hyperparameter_dict
    # The formulas know nothing of weights.
    point = replace(analytic.make_point(asked.config), config=asked.config)
    study.tell(asked.number, TrialResult(asked.config, "complete", point=point))
    study_id = storage.get_study_id_from_name("analytic")
    params = storage.get_all_trials(study_id)[0].params
    assert make_config_of(storage.get_study_user_attrs(study_id))(params) == asked.config
    storage.remove_session()
    storage.engine.dispose()
    content = check_export(export_config("analytic", path))
    assert content["weights_path"] == "/kept/mine.h5"
    assert content["config"]["training"]["weights"] == SHA


def test_other_weights_are_another_study(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    with study_for_run(path, settings()):
        pass
    with pytest.raises(StudyError, match=r"weights of abababababab.*; this run asks for weights"):
        with study_for_run(path, settings("cd" * 32)):
            pass
    plain = replace(settings(), task=analytic.task_info())
    with pytest.raises(StudyError, match="this run asks for weights at random"):
        with study_for_run(path, plain):
            pass
    with study_for_run(path, settings()):
        pass


def test_a_run_that_goes_on_finds_the_file_from_another_folder() -> None:
    asked = asked_for(RunOptions(weights="mine.h5"))
    assert asked == {"weights": str(Path("mine.h5").absolute())}
