"""Files of a study in a bucket of S3, on a server of this machine."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.artifacts import Boto3ArtifactStore

from search import load_front
from search.report.model_files import read_model_files
from search.storage import artifact_places, attributes
from search.storage.artifact_places import check_place, place_of
from search.study.manage import StudyShelf
from spaces.errors import ConfigError, StorageError, StudyError
from tests.search_tests.storage.buckets import (
    BUCKET,
    keys,
    named,
    run,
    study_record,
)


def test_all_files_are_in_the_bucket(database: Path, client: Any) -> None:
    assert not list((database.parent / "artifacts").glob("*-*"))
    front = load_front("analytic", database).points
    record = study_record("analytic", database)
    files = read_model_files(record, database, [point.trial for point in front])
    assert not files.missing and len(files.by_trial) == len(front)
    # Plain Optuna finds them, where it looks below the prefix.
    store = Boto3ArtifactStore(BUCKET)
    by_id = {trial._trial_id: trial for trial in record.trials}
    n_models = 0
    for key, meta in record.system_attrs.items():
        link = attributes.linked_artifact(key)
        if link is None or meta in (None, "null"):
            continue
        trial_id, artifact_id = link
        content = store.open_reader(f"a/b/{artifact_id}").read()
        sha256 = by_id[trial_id].user_attrs[attributes.TFLITE_SHA256]
        assert hashlib.sha256(content).hexdigest() == sha256
        n_models += 1
    assert n_models == len(front)


def test_a_run_goes_on_where_the_files_are(database: Path, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="a/b/somebody-elses", Body=b"")
    prefix = keys(client)[0].partition("-")[0]
    client.put_object(Bucket=BUCKET, Key=f"{prefix}-left-behind", Body=b"")
    before = named(database)
    run(database, 12, None)
    # Nothing of the study's is missing, and nothing is left that it does not name.
    assert set(keys(client)) == named(database) | {"a/b/somebody-elses"}
    assert named(database) != before
    assert not list((database.parent / "artifacts").glob("*-*"))
    with pytest.raises(StudyError, match=f"lie s3://{BUCKET}/a/b, but this run asks for s3://oth"):
        run(database, 14, "s3://other")


def test_a_study_in_a_bucket_is_copied_and_deleted_with_its_files(
    database: Path, client: Any
) -> None:
    n_files = len(keys(client))
    with StudyShelf(database) as shelf:
        assert shelf.contents("analytic").n_files >= n_files
        shelf.copy("analytic", "copy")
        assert len(keys(client)) == 2 * n_files
        shelf.delete("analytic")
        assert len(keys(client)) == n_files
        record = study_record("copy", database)
        front = [point.trial for point in load_front("copy", database).points]
        assert not read_model_files(record, database, front).missing
        shelf.delete("copy")
    assert keys(client) == []


def test_the_dashboard_reads_from_all_places(database: Path, client: Any) -> None:
    from search.pages.dashboard import _dashboard_app

    run(database, 3, None, study="beside")
    app = _dashboard_app(database)
    storage = optuna.storages.RDBStorage(f"sqlite:///{database}")
    for study in storage.get_all_studies():
        record = study_record(study.study_name, database)
        trial = load_front(study.study_name, database).points[0].trial
        trial_id = next(one._trial_id for one in record.trials if one.number == trial)
        [artifact] = [
            found[1]
            for key in record.system_attrs
            if (found := attributes.linked_artifact(key)) and found[0] == trial_id
        ]
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": f"/artifacts/{study._study_id}/{trial_id}/{artifact}",
        }
        told: list[Any] = []
        body = b"".join(app(environ, lambda *words, told=told: told.extend(words)))
        assert told[0].startswith("200") and body.startswith(b"model of ")
    storage.engine.dispose()


def test_the_address_of_a_server_is_a_url(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "somebody:hidden@10.0.0.9:9000")
    artifact_places._bucket.cache_clear()
    with pytest.raises(ConfigError, match="begins with http://.*10.0.0.9:9000") as raised:
        place_of("sqlite:///studies.db", {attributes.ARTIFACTS: f"s3://{BUCKET}"})
    assert "hidden" not in str(raised.value)


def test_no_secret_of_a_url_is_shown(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for url in ("s3://somebody:hidden@bucket", "s3://bucket/folder?secret_key=hidden"):
        with pytest.raises(ConfigError) as refused:
            check_place(url)
        texts.append(str(refused.value))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://somebody:hidden@127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    artifact_places._bucket.cache_clear()
    place = place_of("sqlite:///studies.db", {attributes.ARTIFACTS: f"s3://{BUCKET}"})
    with pytest.raises(StorageError) as unreachable:
        place.sizes("")
    for text in (*texts, str(unreachable.value)):
        assert "hidden" not in text and "***" in text


@pytest.mark.parametrize("url", ["artifacts/", "s3://", "s3://A_B", "gs://bucket", "s3:/bucket"])
def test_what_is_no_bucket(url: str) -> None:
    with pytest.raises(ConfigError, match="s3://BUCKET"):
        check_place(url)


@pytest.mark.parametrize(
    ("url", "written"), [("s3://abc/", "s3://abc"), ("s3://abc/d/e//", "s3://abc/d/e")]
)
def test_places_are_written_in_one_way(url: str, written: str) -> None:
    assert check_place(url) == written


def test_without_boto3_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    artifact_places._bucket.cache_clear()
    with pytest.raises(ConfigError, match=r"pip install 'litefront\[s3\]'"):
        place_of("sqlite:///studies.db", {attributes.ARTIFACTS: f"s3://{BUCKET}"})
