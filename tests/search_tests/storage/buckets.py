"""Studies with their files in a bucket of S3, on the server of ``conftest.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.front.read import find_study, reading
from search.run.driver import Driver
from search.run.options import RunOptions
from search.run.preparation import study_settings
from search.storage.reader import StudyRecord
from search.storage.settings import RunSettings
from search.study.create_or_resume import study_for_run
from search.study.linked_files import named_files
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor

BUCKET = "studies"


def keys(client: Any) -> list[str]:
    return [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def study_record(name: str, database: Path) -> StudyRecord:
    with reading(database) as opened:
        return find_study(opened, name)


def named(database: Path, study: str = "analytic") -> set[str]:
    """Return the keys of all files that a study names."""
    return {f"a/b/{one}" for one in named_files(study_record(study, database))}


def empty(client: Any) -> dict[str, bytes]:
    """Remove all files from the bucket; return them."""
    found = {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys(client)}
    for key in found:
        client.delete_object(Bucket=BUCKET, Key=key)
    return found


def make_bucket(client: Any) -> None:
    where = {"LocationConstraint": "eu-central-1"}
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)


def fill(client: Any, files: dict[str, bytes]) -> None:
    for key, content in files.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=content)


def run(database: Path, n_trials: int, artifacts: str | None, study: str = "analytic") -> None:
    options = RunOptions(artifacts=artifacts, sampler="random", seed=1, study=study)
    settings = study_settings(options, analytic.task_info())
    with study_for_run(database, settings) as opened:
        executor = InlineExecutor(analytic.make_result)
        Driver(opened, executor, analytic.make_config, RunSettings(n_trials)).run()
