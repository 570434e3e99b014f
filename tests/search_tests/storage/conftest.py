"""A server that speaks S3, on this machine.

What it takes is imported by those who ask for it: other tests of this room run without boto3.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a server that speaks S3."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # A line for every request.
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def client(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of it, as boto3 makes one from the environment; the bucket is empty."""
    import boto3

    from search.storage import artifact_places
    from tests.search_tests.storage.buckets import BUCKET, keys, make_bucket

    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    artifact_places._bucket.cache_clear()
    made = boto3.client("s3")
    make_bucket(made)
    yield made
    for key in keys(made):
        made.delete_object(Bucket=BUCKET, Key=key)
    made.delete_bucket(Bucket=BUCKET)
    artifact_places._bucket.cache_clear()


@pytest.fixture
def database(tmp_path: Path, client: Any) -> Path:
    """Of a study with its files in the bucket."""
    from tests.search_tests.storage.buckets import BUCKET, run

    path = tmp_path / "studies.db"
    run(path, 8, f"s3://{BUCKET}/a/b/")
    return path
