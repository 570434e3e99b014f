"""Where a trial under way keeps how its training stands: while somebody may go on, no longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState, create_trial

from search.front.trials import load_trials
from search.storage import attributes
from search.storage.settings import StudySettings
from search.study.create_or_resume import study_for_run
from search.study.history import read_past
from search.study.manage import StudyShelf
from search.study.open_study import OpenStudy
from tests.search_tests import analytic
from workers.messages.result import EvaluateRequest, Limits

SETTINGS = StudySettings("analytic", analytic.task_info(), sampler="random", seed=3)


@contextmanager
def opened(folder: Path) -> Iterator[OpenStudy]:
    with study_for_run(folder / "studies.db", SETTINGS) as study:
        yield study


def begun(study: OpenStudy) -> tuple[int, EvaluateRequest, Path]:
    """Start a trial, and write something as its worker would."""
    asked = study.ask(analytic.make_config)
    assert asked is not None
    request = study.request(asked.number)
    assert request.checkpoint is not None
    folder = Path(request.checkpoint.path)
    folder.mkdir(parents=True)
    (folder / "training.json").write_text("{}")
    return asked.number, request, folder


def test_a_killed_trial_is_tried_again_where_it_stood(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        number, request, folder = begun(study)
    # The driver was killed: the trial is still running in the database.
    with opened(tmp_path) as study:
        again = study.ask(analytic.make_config)
        assert again is not None
        assert again.config == request.config
        assert study.request(again.number).checkpoint == request.checkpoint
        assert (folder / "training.json").exists()
        study.interrupt("Ctrl-C")
        assert (folder / "training.json").exists()
    with opened(tmp_path) as study:
        third = study.ask(analytic.make_config)
        assert third is not None
        study.tell(third.number, analytic.make_result(study.request(third.number)))
        assert not folder.exists()


def test_a_checkpoint_tells_the_code_of_one_s_own(tmp_path: Path) -> None:
    """Where that has changed, the worker looks for one of today's code, and finds none."""
    code = {
        name: replace(SETTINGS.task, code={"task": {"mine.py": name}})
        for name in ("before", "after")
    }
    checkpoints = []
    for name in ("before", "after", "before"):
        settings = replace(SETTINGS, task=code[name], accept_code=True)
        with study_for_run(tmp_path / "studies.db", settings) as study:
            asked = study.ask(analytic.make_config)
            assert asked is not None
            checkpoints.append(study.request(asked.number).checkpoint)
    first, other, again = checkpoints
    assert first is not None and other is not None
    assert first == again and first.code != other.code
    assert first.path == other.path  # It is the same trial that is tried again.


def test_what_an_attempt_was_spared_is_stored(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        number, request, _ = begun(study)
        result = replace(analytic.make_result(request), epochs_spared=3)
        study.tell(number, result)
    (found,) = [t for t in load_trials("analytic", tmp_path / "studies.db").trials if not t.number]
    assert found.stored["epochs_spared"] == 3


def test_one_that_failed_keeps_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        number, _, folder = begun(study)
        study.fail(number, "It hung.")
        assert not folder.exists()


@pytest.mark.parametrize("name", ["", ".new"])
def test_what_nobody_goes_on_with_is_swept(tmp_path: Path, name: str) -> None:
    with opened(tmp_path) as study:
        number, request, folder = begun(study)
        study.tell(number, analytic.make_result(request))
    # A worker that outlived its driver wrote once more.
    left = folder.with_name(folder.name + name)
    left.mkdir()
    (left / "variables.npz").touch()
    with opened(tmp_path):
        assert not left.exists()


def test_other_studies_checkpoints_stay(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        _, _, folder = begun(study)
    other = replace(SETTINGS, name="other")
    with study_for_run(tmp_path / "studies.db", other):
        assert folder.exists()
    with StudyShelf(tmp_path / "studies.db") as shelf:
        shelf.delete("other")
        assert folder.exists()


def test_a_deleted_study_s_go_with_it(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        _, _, folder = begun(study)
    with StudyShelf(tmp_path / "studies.db") as shelf:
        assert shelf.contents("analytic").n_files == 1
        shelf.delete("analytic")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "is_over", "is_over_for_all"),
    [
        ("running", False, False),
        ("interrupted", False, False),
        ("complete", True, True),
        ("failed", True, True),
        ("of none of the trials", True, False),  # Another driver may have just begun with it.
    ],
)
def test_nobody_goes_on_with_what_has_ended(
    name: str, is_over: bool, is_over_for_all: bool
) -> None:
    states = {
        "running": TrialState.RUNNING,
        "interrupted": TrialState.FAIL,
        "complete": TrialState.COMPLETE,
        "failed": TrialState.FAIL,
    }
    trials = []
    for number, (outcome, state) in enumerate(states.items()):
        is_complete = state is TrialState.COMPLETE
        user_attrs = {attributes.CONFIG_HASH: outcome}
        if state is not TrialState.RUNNING:
            user_attrs[attributes.OUTCOME] = outcome
        values = [0.9, 1000.0, 1.0] if is_complete else None
        trial = create_trial(state=state, values=values, user_attrs=user_attrs)
        trial.number = number
        trials.append(trial)
    past = read_past(trials, Limits())
    assert past.is_over(name, is_shared=False) == is_over
    assert past.is_over(name, is_shared=True) == is_over_for_all
