"""Whole studies deleted, renamed and copied, with the files that belong to them."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from pathlib import Path

import pytest

from search.front.read import load_front, load_fronts
from search.front.trials import load_trials
from search.storage.database import open_storage
from search.storage.locks import study_lock
from search.study.manage import StudyShelf
from spaces.errors import SearchError, StorageError, StudyError
from tests.search_tests.analytic_studies import run_analytic


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    path = tmp_path / "studies.db"
    run_analytic(path, "one", 6)
    run_analytic(path, "two", 3, seed=5)
    return path


def files(folder: Path) -> set[Path]:
    return {path for path in (folder / "artifacts").rglob("*") if path.is_file()}


def rows(path: Path) -> dict[str, int]:
    """Return how many rows every table has."""
    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in names.fetchall()
        }


def names(storage: Path) -> set[str]:
    return {front.study for front in load_fronts(storage)}


def front_of(name: str, storage: Path) -> dict[str, object]:
    found = asdict(load_front(name, storage))
    del found["study"]
    return found


def test_delete_takes_all_of_one_study_and_nothing_of_another(storage: Path) -> None:
    with_both = files(storage.parent)
    before = front_of("two", storage)
    with StudyShelf(storage) as shelf:
        held = shelf.contents("one")
        assert held.n_trials == len(load_trials("one", storage).trials)
        shelf.delete("one")
    left = files(storage.parent)
    assert len(with_both) - len(left) == held.n_files > 0
    assert any("weights" in path.parts for path in with_both - left)
    assert names(storage) == {"two"}
    assert front_of("two", storage) == before
    with StudyShelf(storage) as shelf:
        shelf.delete("two")
    assert files(storage.parent) == set()
    assert {name for name, n in rows(storage).items() if n} <= {"version_info", "alembic_version"}


@pytest.mark.parametrize("what", ["delete", "rename", "rename to", "copy", "copy to"])
def test_nothing_happens_while_a_driver_runs_it(storage: Path, what: str) -> None:
    database = open_storage(storage)
    is_new = what.endswith("to")
    with study_lock(f"sqlite:///{storage}", database.engine, "new" if is_new else "one"):
        before = rows(storage), files(storage.parent)
        with StudyShelf(storage) as shelf, pytest.raises(StudyError, match="by another driver"):
            if what == "delete":
                shelf.delete("one")
            elif what.startswith("rename"):
                shelf.rename("one", "new")
            else:
                shelf.copy("one", "new")
        assert (rows(storage), files(storage.parent)) == before
    database.engine.dispose()


def test_a_renamed_study_is_the_same_and_goes_on(storage: Path) -> None:
    before = front_of("one", storage)
    kept = files(storage.parent)
    with StudyShelf(storage) as shelf:
        shelf.rename("one", "fruit of spring")
    assert names(storage) == {"fruit of spring", "two"}
    assert front_of("fruit of spring", storage) == before
    assert run_analytic(storage, "fruit of spring", 9).progress.n_done == 9
    assert kept & files(storage.parent)
    assert not list(storage.parent.glob(".*.lock"))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_copy_is_whole_and_goes_on_by_itself(
    storage: Path, tmp_path: Path, elsewhere: bool
) -> None:
    target = storage
    if elsewhere:
        (tmp_path / "archive").mkdir()
        target = tmp_path / "archive" / "studies.db"
    before = front_of("one", storage)
    owned = files(storage.parent)
    with StudyShelf(storage) as shelf:
        shelf.copy("one", "again", target if elsewhere else None)
        held = shelf.contents("one")
    with StudyShelf(target) as shelf:
        assert shelf.contents("again").n_files == held.n_files
        assert shelf.contents("again").n_bytes == held.n_bytes
    assert front_of("again", target) == before
    originals = load_trials("one", storage).trials
    for ours, theirs in zip(originals, load_trials("again", target).trials, strict=True):
        assert ours == theirs
    run_analytic(target, "again", 12)
    assert load_front("again", target).n_trials == 12
    # What the copy learned and let go of is its own.
    assert front_of("one", storage) == before
    assert owned <= files(storage.parent)


def test_a_copy_offers_its_own_files_on_its_own_trials(storage: Path) -> None:
    from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta
    from optuna.storages import RDBStorage

    with StudyShelf(storage) as shelf:
        shelf.copy("one", "again")
    opened = RDBStorage(f"sqlite:///{storage}")
    store = FileSystemArtifactStore(storage.parent / "artifacts")
    contents: dict[str, list[list[tuple[str, bytes]]]] = {}
    for name in ("one", "again"):
        study_id = opened.get_study_id_from_name(name)
        contents[name] = []
        for trial in opened.get_all_trials(study_id):
            metas = get_all_artifact_meta(trial, storage=opened)
            found = []
            for meta in metas:
                with store.open_reader(meta.artifact_id) as reader:
                    found.append((meta.filename, reader.read()))
            contents[name].append(sorted(found))
    assert contents["one"] == contents["again"]
    assert any(contents["one"])


def test_a_copy_that_fails_leaves_nothing(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(storage), files(storage.parent)

    def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr("search.study.manage.RowRecorder.write", fail)
    with StudyShelf(storage) as shelf, pytest.raises(StorageError):
        shelf.copy("one", "again")
    assert (rows(storage), files(storage.parent)) == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("one", "two", "There is a study 'two' already"),
        ("one", "one", "There is a study 'one' already"),
        ("one", " ", "1 to 200 characters"),
        ("one", "x" * 201, "1 to 200 characters"),
        ("on", "three", "Did you mean 'one'?"),
    ],
)
def test_names_must_be_there_and_be_free(storage: Path, old: str, new: str, message: str) -> None:
    with StudyShelf(storage) as shelf:
        for change in (shelf.rename, shelf.copy):
            with pytest.raises(SearchError) as raised:
                change(old, new)
            assert message in str(raised.value)
    assert names(storage) == {"one", "two"}


def test_a_study_of_others_is_left_alone(storage: Path) -> None:
    import optuna

    optuna.create_study(storage=f"sqlite:///{storage}", study_name="theirs").add_trial(
        optuna.trial.create_trial(value=1.0)
    )
    with StudyShelf(storage) as shelf:
        for change in (shelf.delete, shelf.contents):
            with pytest.raises(StudyError, match="not made by `search run`"):
                change("theirs")


def test_there_must_be_a_database(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="There is no database"):
        StudyShelf(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []
