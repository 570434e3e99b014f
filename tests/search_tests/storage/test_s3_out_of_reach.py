"""Buckets that are gone, are other ones than they were, or cannot be reached: no model is lost."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import optuna
import pytest
from click.testing import CliRunner, Result

import search.run.preparation as preparation
from search import load_front
from search.cli.main import cli
from search.front.read import reading
from search.pages.told_studies import CURVES
from search.run.options import RunOptions
from search.storage import artifact_places, attributes
from search.storage.artifact_places import place_of, read_file
from search.storage.reader import study_names
from search.study.linked_files import linked_files
from search.study.manage import StudyShelf
from spaces.errors import StorageError
from tests.search_tests.storage.buckets import (
    BUCKET,
    empty,
    fill,
    keys,
    make_bucket,
    named,
    run,
    study_record,
)


def test_a_server_that_is_gone_is_one_line(
    database: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    artifact_places._bucket.cache_clear()
    place = place_of("sqlite:///studies.db", {attributes.ARTIFACTS: f"s3://{BUCKET}"})
    with pytest.raises(StorageError, match="cannot be listed: Could not connect") as raised:
        place.sizes("")
    assert "\n" not in str(raised.value)
    with pytest.raises(StorageError, match="Everything told so far is kept"):
        place.write("name", BytesIO(b"content"))
    with pytest.raises(StorageError, match="cannot be listed: Could not connect"):
        run(database, 12, None)


def test_a_bucket_that_is_not_there_is_told_before_anything_is_written(
    tmp_path: Path, client: Any
) -> None:
    path = tmp_path / "studies.db"
    with pytest.raises(StorageError, match="NoSuchBucket"):
        run(path, 3, "s3://not-there")
    with reading(path) as opened:
        assert study_names(opened.engine) == []


def test_a_bucket_that_is_not_there_is_told_before_the_data_is_prepared(
    tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[object] = []
    monkeypatch.setattr(preparation, "prepare_task", lambda *words, **_: prepared.append(words))
    options = RunOptions(artifacts="s3://not-there", storage=tmp_path / "studies.db")
    with pytest.raises(StorageError, match="s3://not-there cannot be listed.*NoSuchBucket"):
        preparation.prepare_run("fruit", options)
    assert not prepared


def test_only_a_key_that_is_not_there_is_a_file_that_is_gone(client: Any) -> None:
    here, nowhere = (
        place_of("sqlite:///studies.db", {attributes.ARTIFACTS: url})
        for url in (f"s3://{BUCKET}", "s3://not-there")
    )
    assert read_file(here, "no-such-file") is None
    with pytest.raises(StorageError, match="s3://not-there cannot be read.*NoSuchBucket"):
        read_file(nowhere, "no-such-file")


@pytest.mark.parametrize("what", ["bucket", "files"])
def test_a_bucket_that_is_another_one_costs_no_model(
    database: Path, client: Any, what: str
) -> None:
    """It is gone, or of the same name and empty, as on another server; then it is back."""
    stored, files = study_record("analytic", database), empty(client)
    if what == "bucket":
        client.delete_bucket(Bucket=BUCKET)
    try:
        for _ in range(2):
            told = "NoSuchBucket" if what == "bucket" else "AWS_ENDPOINT_URL.*search copy analytic"
            with pytest.raises(StorageError, match=told) as raised:
                run(database, 12, None)
            assert "\n" not in str(raised.value)
            assert study_record("analytic", database) == stored
    finally:
        if what == "bucket":
            make_bucket(client)
    fill(client, files)
    run(database, 12, None)
    assert set(keys(client)) == named(database)


def test_a_study_whose_files_are_gone_for_good_is_copied_and_goes_on(
    database: Path, client: Any
) -> None:
    n_trials = len(study_record("analytic", database).trials)
    empty(client)
    with StudyShelf(database) as shelf:
        shelf.copy("analytic", "copy")
    assert named(database, "copy") == set()
    run(database, 12, None, "copy")
    assert len(study_record("copy", database).trials) > n_trials
    assert set(keys(client)) == named(database, "copy") != set()


def test_a_model_that_is_gone_by_itself_stays_named_for_when_it_is_back(
    database: Path, client: Any
) -> None:
    [gone, *_] = linked_files(study_record("analytic", database)).values()
    key = f"a/b/{gone[0]}"
    content = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    client.delete_object(Bucket=BUCKET, Key=key)
    run(database, 8, None)
    assert set(keys(client)) == named(database) - {key}
    assert key in named(database)
    client.put_object(Bucket=BUCKET, Key=key, Body=content)
    run(database, 9, None)
    assert set(keys(client)) == named(database)
    assert key in named(database)


def test_a_study_whose_bucket_is_gone_is_deleted(
    database: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = empty(client)
    client.delete_bucket(Bucket=BUCKET)
    try:
        done = delete(database)
    finally:
        make_bucket(client)
    assert (done.exit_code, names(database)) == (0, [])
    assert done.stderr.count("\n") == 1 and "in the bucket stay there" in done.stderr
    assert f"s3://{BUCKET}/a/b" in done.stderr and "NoSuchBucket" in done.stderr
    assert files


def test_a_study_in_a_bucket_is_deleted_without_boto3(
    database: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(client)
    with monkeypatch.context() as changed:
        changed.setitem(sys.modules, "boto3", None)
        artifact_places._bucket.cache_clear()
        done = delete(database)
    assert (done.exit_code, names(database)) == (0, [])
    assert "in the bucket stay there" in done.stderr and "need boto3" in done.stderr
    assert keys(client) == before


def test_what_cannot_be_removed_from_a_bucket_is_told(
    database: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise StorageError("Artifacts cannot be removed: AccessDenied")

    monkeypatch.setattr(artifact_places.S3Place, "remove", forbidden)
    done = delete(database)
    assert (done.exit_code, names(database)) == (0, [])
    assert "some stay there: Artifacts cannot be removed: AccessDenied." in done.stderr


def delete(database: Path) -> Result:
    command = ["delete", "analytic", "--yes", "--storage", str(database)]
    return CliRunner().invoke(cli, command, prog_name="search")


def names(database: Path) -> list[str]:
    with reading(database) as opened:
        return study_names(opened.engine)


def test_the_dashboard_leaves_attributes_of_others_alone(database: Path, client: Any) -> None:
    from search.pages.dashboard import _dashboard_app

    storage = optuna.storages.RDBStorage(f"sqlite:///{database}")
    for name, value in (("listed", ["s3://a", 1]), ("named", "somewhere"), ("told", {"a": 1})):
        study = optuna.create_study(storage=storage, study_name=name)
        study.set_user_attr(attributes.ARTIFACTS, value)
    storage.engine.dispose()
    _dashboard_app(database)


def test_the_dashboard_shows_what_it_can_without_the_bucket(
    database: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.pages.dashboard import _dashboard_app

    run(database, 3, None, study="beside")
    front = load_front("analytic", database).points
    trial = next(one for one in front if one.trial == front[0].trial)
    record = study_record("analytic", database)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    artifact_places._bucket.cache_clear()
    app = _dashboard_app(database)
    row = next(one._trial_id for one in record.trials if one.number == trial.trial)
    told: list[Any] = []
    path = f"/artifacts/{record.study_id}/{row}/{CURVES}"
    body = b"".join(app({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda *w: told.extend(w)))
    assert told[0].startswith("200") and b"<svg" in body
