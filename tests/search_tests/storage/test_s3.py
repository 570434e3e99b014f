"""Files of a study in a bucket of S3, on a server of this machine."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import optuna
import pytest
from moto.server import ThreadedMotoServer
from optuna.artifacts import Boto3ArtifactStore

from search import load_front
from search.front.read import find_study, reading
from search.report.model_files import read_model_files
from search.run.driver import Driver
from search.run.options import RunOptions
from search.run.run_study import study_settings
from search.storage import artifact_places, attributes
from search.storage.artifact_places import check_place, place_of
from search.storage.reader import StudyRecord
from search.storage.settings import RunSettings
from search.study.create_or_resume import study_for_run
from search.study.manage import StudyShelf
from spaces.errors import ConfigError, StorageError, StudyError
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor

BUCKET = "studies"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a server that speaks S3."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # A line for every request.
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def client(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of it, as boto3 makes one from the environment; the bucket is empty."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    artifact_places._bucket.cache_clear()
    made = boto3.client("s3")
    where = {"LocationConstraint": "eu-central-1"}
    made.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    yield made
    for key in keys(made):
        made.delete_object(Bucket=BUCKET, Key=key)
    made.delete_bucket(Bucket=BUCKET)
    artifact_places._bucket.cache_clear()


def keys(client: Any) -> list[str]:
    return [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def study_record(name: str, database: Path) -> StudyRecord:
    with reading(database) as opened:
        return find_study(opened, name)


def run(database: Path, n_trials: int, artifacts: str | None, study: str = "analytic") -> None:
    options = RunOptions(artifacts=artifacts, sampler="random", seed=1, study=study)
    settings = study_settings(options, analytic.task_info())
    with study_for_run(database, settings) as opened:
        executor = InlineExecutor(analytic.make_result)
        Driver(opened, executor, analytic.make_config, RunSettings(n_trials)).run()


@pytest.fixture
def database(tmp_path: Path, client: Any) -> Path:
    """Of a study with its files in the bucket."""
    path = tmp_path / "studies.db"
    run(path, 8, f"s3://{BUCKET}/a/b/")
    return path


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
    n_before = len(keys(client))
    run(database, 12, None)
    after = keys(client)
    assert len(after) > n_before - 1
    assert "a/b/somebody-elses" in after and f"{prefix}-left-behind" not in after
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
    with pytest.raises(StorageError, match="cannot be read: Could not connect"):
        run(database, 12, None)


def test_a_bucket_that_is_not_there_is_told_before_anything_is_trained(
    tmp_path: Path, client: Any
) -> None:
    with pytest.raises(StorageError, match="NoSuchBucket"):
        run(tmp_path / "studies.db", 3, "s3://not-there")


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
