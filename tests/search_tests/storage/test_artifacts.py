from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, download_artifact
from optuna.storages import RDBStorage

from search.run.driver import Driver
from search.run.events import Silent
from search.storage import attributes
from search.storage.artifacts import HISTORY_FILE, MODEL_FILE, ArtifactKeeper
from search.storage.database import open_storage
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study, study_for_run
from spaces.errors import StorageError
from tests.search_tests import analytic
from tests.search_tests.artifact_files import files_of
from workers.messages.executor import InlineExecutor
from workers.messages.result import Limits, TrialResult

SETTINGS = StudySettings("analytic", analytic.task_info(), sampler="random", seed=1)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[RDBStorage]:
    opened = open_storage(tmp_path / "studies.db")
    yield opened
    opened.engine.dispose()


def run(storage: RDBStorage, folder: Path, n_trials: int, name: str = "analytic") -> None:
    settings = replace(SETTINGS, name=name)
    study = open_study(storage, settings, ArtifactKeeper(folder, name))
    executor = InlineExecutor(analytic.make_result)
    Driver(study, executor, analytic.make_config, RunSettings(n_trials)).run()


def test_the_dashboard_finds_the_model_of_every_point_on_the_front(
    storage: RDBStorage, tmp_path: Path
) -> None:
    folder = tmp_path / "artifacts"
    run(storage, folder, 15)
    study = optuna.load_study(storage=storage, study_name="analytic")
    front = {trial.number for trial in study.best_trials}
    store = FileSystemArtifactStore(folder)
    for trial in study.trials:
        files = files_of(storage, trial)
        assert (MODEL_FILE in files) == (trial.number in front)
        if MODEL_FILE in files:
            target = tmp_path / "downloaded"
            download_artifact(
                artifact_store=store, artifact_id=files[MODEL_FILE], file_path=str(target)
            )
            config_hash = trial.user_attrs[attributes.CONFIG_HASH]
            assert target.read_bytes() == f"model of {config_hash}".encode()
            target.unlink()


def test_the_history_of_every_training_is_kept(storage: RDBStorage, tmp_path: Path) -> None:
    run(storage, tmp_path / "artifacts", 5)
    for trial in optuna.load_study(storage=storage, study_name="analytic").trials:
        files = files_of(storage, trial)
        assert (HISTORY_FILE in files) == (attributes.DERIVED_FROM not in trial.user_attrs)
        if HISTORY_FILE in files:
            history = json.loads((tmp_path / "artifacts" / files[HISTORY_FILE]).read_text())
            assert history["val_accuracy"] == pytest.approx(
                trial.user_attrs[attributes.CURVE], abs=1e-6
            )


def test_the_history_of_a_training_that_failed_is_kept_too(
    storage: RDBStorage, tmp_path: Path
) -> None:
    folder = tmp_path / "artifacts"
    study = open_study(storage, SETTINGS, ArtifactKeeper(folder, "analytic"))
    asked = study.ask(analytic.make_config)
    assert asked is not None
    history = {"loss": (1.0, float("nan"))}
    study.tell(asked.number, TrialResult(asked.config, "failed", "loss is NaN", history=history))
    open_study(storage, SETTINGS, ArtifactKeeper(folder, "analytic"))
    [trial] = optuna.load_study(storage=storage, study_name="analytic").trials
    artifact_id = files_of(storage, trial)[HISTORY_FILE]
    assert (folder / artifact_id).exists()


def test_files_of_points_that_left_the_front_are_gone(storage: RDBStorage, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    for n_trials in (5, 10, 30):
        run(storage, folder, n_trials)
        study = optuna.load_study(storage=storage, study_name="analytic")
        named = {id_ for trial in study.trials for id_ in files_of(storage, trial).values()}
        assert {path.name for path in folder.iterdir() if path.is_file()} == named
        # Of equal points only the first is on our front.
        front = {tuple(trial.values) for trial in study.best_trials}
        assert len(named) == len(front) + n_trials


def test_limits_that_change_take_points_off_the_front(storage: RDBStorage, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    run(storage, folder, 10)
    settings = replace(SETTINGS, limits=Limits(max_latency_ms=0.2))
    study = open_study(storage, settings, ArtifactKeeper(folder, "analytic"))
    assert 0 < len(study.front)
    assert study.front.values[:, 2].max() <= 0.2
    plain = optuna.load_study(storage=storage, study_name="analytic")
    with_model = {t.number for t in plain.trials if MODEL_FILE in files_of(storage, t)}
    assert with_model <= set(study.front.keys)


def test_two_studies_share_a_folder(storage: RDBStorage, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    run(storage, folder, 3, "one")
    run(storage, folder, 3, "two")
    before = sorted(folder.iterdir())
    assert ArtifactKeeper(folder, "three").sweep([]) == 0
    assert sorted(folder.iterdir()) == before
    n_of_one = ArtifactKeeper(folder, "one").sweep([])
    assert 0 < n_of_one < len(before)
    assert len(list(folder.iterdir())) == len(before) - n_of_one


def test_ids_are_what_the_dashboard_takes(tmp_path: Path) -> None:
    artifact_id, _ = ArtifactKeeper(tmp_path, "Studie mit Ü/Schrägstrich").write(MODEL_FILE, b"x")
    assert set(artifact_id) <= set("0123456789abcdef-")


def test_removing_twice(tmp_path: Path) -> None:
    keeper = ArtifactKeeper(tmp_path, "study")
    artifact_id, _ = keeper.write(MODEL_FILE, b"x")
    keeper.remove([artifact_id])
    keeper.remove([artifact_id])
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_files(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="Artifacts cannot be written.*same command again"):
        ArtifactKeeper(tmp_path / "artifacts", "study").write(MODEL_FILE, b"x")


def test_databases_in_one_folder_leave_each_other_s_files_alone(tmp_path: Path) -> None:
    """A study of the same name in another database has the same store, and other files."""
    for name in ("first.db", "second.db", "first.db"):
        with study_for_run(tmp_path / name, SETTINGS) as study:
            executor = InlineExecutor(analytic.make_result)
            settings = RunSettings(study.n_done + 4)
            Driver(study, executor, analytic.make_config, settings).run()
    for name in ("first.db", "second.db"):
        opened = open_storage(tmp_path / name)
        trials = optuna.load_study(storage=opened, study_name="analytic").trials
        ids = [i for trial in trials for i in files_of(opened, trial).values()]
        assert ids
        assert all((tmp_path / "artifacts" / i).is_file() for i in ids)


def test_models_that_are_damaged_are_named_no_more(storage: RDBStorage, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    run(storage, folder, 15)

    def models() -> dict[int, str]:
        found = {trial.number: files_of(storage, trial) for trial in study.trials}
        return {
            number: files[MODEL_FILE] for number, files in found.items() if MODEL_FILE in files
        }

    study = optuna.load_study(storage=storage, study_name="analytic")
    before = models()
    gone, damaged, *rest = before
    gone_file, content = folder / before[gone], (folder / before[gone]).read_bytes()
    gone_file.unlink()
    path = folder / before[damaged]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    values = [trial.values for trial in study.trials]

    opened = open_study(storage, SETTINGS, ArtifactKeeper(folder, "analytic"))
    assert (opened.n_damaged_models, opened.n_absent_models) == (1, 1)
    assert set(models()) == {gone, *rest} and rest
    assert not path.exists()
    assert [trial.values for trial in study.trials] == values
    gone_file.write_bytes(content)  # It was somewhere else.
    opened = open_study(storage, SETTINGS, ArtifactKeeper(folder, "analytic"))
    assert (opened.n_damaged_models, opened.n_absent_models) == (0, 0)
    assert gone_file.exists() and models()[gone] == before[gone]


@pytest.mark.parametrize("n_starts", [1, 2, 3])
def test_models_that_stayed_behind_are_still_named_and_found_later(
    storage: RDBStorage, tmp_path: Path, n_starts: int
) -> None:
    """A database goes on without the folder beside it, and loses nothing of it by that: not by
    further starts either, when models lie there of the points that were found meanwhile."""
    folder, aside = tmp_path / "artifacts", tmp_path / "aside"
    run(storage, folder, 15)
    folder.rename(aside)

    for n in range(n_starts):
        opened = open_study(storage, SETTINGS, ArtifactKeeper(folder, "analytic"))
        front = set(opened.front.keys)
        assert opened.n_absent_models > 0 and opened.n_damaged_models == 0
        if n == 0:
            assert opened.n_absent_models == len(front)
        said: list[str] = []

        class Told(Silent):
            def message(self, text: str, said: list[str] = said) -> None:
                """Keep it."""
                said.append(text)

        executor = InlineExecutor(analytic.make_result)
        settings = RunSettings(15 + 24 * (n + 1))
        Driver(opened, executor, analytic.make_config, settings, Told()).run()
        (line,) = [text for text in said if "artifacts/" in text]
        assert "once they are back" in line
        assert set(opened.front.keys) - front  # Whose models lie in a new folder.

    for path in aside.iterdir():  # Copied back, into what has come since.
        path.rename(folder / path.name)
    opened = open_study(storage, SETTINGS, ArtifactKeeper(folder, "analytic"))
    assert (opened.n_absent_models, opened.n_damaged_models) == (0, 0)
    study = optuna.load_study(storage=storage, study_name="analytic")
    for number in opened.front.keys:
        assert (folder / files_of(storage, study.trials[number])[MODEL_FILE]).exists()
