"""Where the files of trials lie: a folder beside the database, or a bucket of S3.

Both are Optuna's own artifact stores, with what those lack: the names of all files, and one line
in place of a traceback. A study is in one place for good, which is stored with it; the files of a
database may be in several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from optuna.artifacts import FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound

from search.storage.attributes import ARTIFACTS
from search.storage.urls import artifacts_dir, masked, remember_secrets, scrubbed
from spaces.errors import ConfigError, StorageError

_S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^?]*?))?/*")


class ArtifactPlace(Protocol):
    """Files by their names, as Optuna's artifact stores have them.

    Everything raises ``StorageError`` where the place cannot be reached, or is not there at all;
    that a file is not there is no error, but for ``open_reader``.
    """

    @property
    def where(self) -> str:
        """What it is called in messages."""

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file; raises Optuna's ``ArtifactNotFound``."""

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write a file."""

    def remove(self, artifact_id: str) -> None:
        """Remove a file."""

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Return the names of all files that begin so, and their bytes."""


class FolderPlace:
    """A folder, made when the first file comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = FileSystemArtifactStore(folder)

    @property
    def where(self) -> str:
        """What it is called in messages."""
        return f"the folder {str(self._folder)!r}"

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file."""
        try:
            return self._store.open_reader(artifact_id)
        except OSError as error:
            raise StorageError(
                f"Artifacts in {self.where} cannot be read: {error.strerror or error}."
            ) from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write a file."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._store.write(artifact_id, content_body)
        except OSError as error:
            raise _cannot_write(str(self._folder), error.strerror or str(error)) from error

    def remove(self, artifact_id: str) -> None:
        """Remove a file."""
        try:
            self._store.remove(artifact_id)
        except ArtifactNotFound:
            pass

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Return the names of all files that begin so, and their bytes."""
        found = self._folder.glob(prefix + "*")
        return {path.name: path.stat().st_size for path in found if path.is_file()}


class S3Place:
    """A bucket, or what lies below a prefix of it.

    Who may use it is for boto3 to find out: the environment, its own files, or the machine's
    role; ``AWS_ENDPOINT_URL`` names a server that is not Amazon's.

    Args:
        url: ``s3://bucket`` or ``s3://bucket/prefix``.

    Raises:
        ConfigError: If it is none, the server's address is none, or boto3 is not installed.
    """

    def __init__(self, url: str) -> None:
        bucket, self._prefix = _taken_apart(url)
        self._where = masked(url)
        try:
            import boto3
            from optuna.artifacts import Boto3ArtifactStore
        except ImportError as error:
            raise ConfigError(
                f"Artifacts in {self._where} need boto3. Install it: pip install 'litefront[s3]'"
            ) from error
        with self._errors("used"):
            try:
                self._client: Any = boto3.client("s3")
            except ValueError as error:
                raise _no_address(error) from error
        remember_secrets(str(self._client.meta.endpoint_url))
        self._bucket = bucket
        self._store = Boto3ArtifactStore(bucket, self._client)

    @property
    def where(self) -> str:
        """What it is called in messages."""
        return self._where

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file; what is read is in memory, whole or not at all.

        A bucket that is not there, or a server that knows nothing of buckets, says 404 as well:
        of a file that is gone nobody may be told then.
        """
        from botocore.exceptions import ClientError

        with self._errors("read"):
            try:
                found = self._client.get_object(
                    Bucket=self._bucket, Key=self._prefix + artifact_id
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                    raise ArtifactNotFound(artifact_id) from error
                raise
            return BytesIO(found["Body"].read())

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write a file."""
        with self._errors("written"):
            self._store.write(self._prefix + artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Remove a file."""
        with self._errors("removed"):
            self._store.remove(self._prefix + artifact_id)

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Return the names of all files that begin so, and their bytes."""
        sizes: dict[str, int] = {}
        with self._errors("listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for one in page.get("Contents", ()):
                    sizes[one["Key"].removeprefix(self._prefix)] = int(one["Size"])
        return sizes

    @contextmanager
    def _errors(self, done: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            said = scrubbed(str(error))
            if done == "written":
                raise _cannot_write(self._where, said) from error
            raise StorageError(f"Artifacts in {self._where} cannot be {done}: {said}") from error


class SeveralPlaces:
    """Places one after another: a file is read where it is found; the first takes what is new."""

    def __init__(self, places: Sequence[ArtifactPlace]) -> None:
        self._places = places

    @property
    def where(self) -> str:
        """What they are called in messages."""
        return " or ".join(place.where for place in self._places)

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file where it is found; one place that cannot be reached hides no other."""
        unreachable: StorageError | None = None
        for place in self._places:
            try:
                return place.open_reader(artifact_id)
            except ArtifactNotFound:
                continue
            except StorageError as error:
                unreachable = unreachable or error
        raise unreachable or ArtifactNotFound(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write a file to the first place."""
        self._places[0].write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Remove a file from wherever it is."""
        for place in self._places:
            place.remove(artifact_id)

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Return the names of all files that begin so, and their bytes."""
        return {name: size for one in self._places for name, size in one.sizes(prefix).items()}


def check_place(url: str) -> str:
    """Return where artifacts are to lie, written in one way.

    Raises:
        ConfigError: If it is no bucket.
    """
    bucket, prefix = _taken_apart(url)
    return f"s3://{bucket}/{prefix}".rstrip("/")


def place_of(storage_url: str, user_attrs: Mapping[str, Any]) -> ArtifactPlace:
    """Return where the files of a study lie.

    Args:
        storage_url: SQLAlchemy URL of its database.
        user_attrs: Of the study.

    Raises:
        ConfigError: If boto3 is needed and not installed.
    """
    return _place(storage_url, user_attrs.get(ARTIFACTS))


def read_file(place: ArtifactPlace, artifact_id: str) -> bytes | None:
    """Return a file by its id; None if it is gone.

    Raises:
        StorageError: If the place cannot be reached.
    """
    try:
        with place.open_reader(artifact_id) as reader:
            return reader.read()
    except ArtifactNotFound:
        return None


def _place(storage_url: str, bucket_url: str | None) -> ArtifactPlace:
    return FolderPlace(artifacts_dir(storage_url)) if bucket_url is None else _bucket(bucket_url)


@cache
def _bucket(url: str) -> S3Place:
    return S3Place(url)  # A client of boto3 takes a quarter of a second to make.


def _taken_apart(url: str) -> tuple[str, str]:
    """Return bucket and prefix; the latter ends with a slash, or is empty."""
    found = _S3.fullmatch(url)
    if found is None:
        raise ConfigError(
            f"Artifacts lie in a bucket, s3://BUCKET or s3://BUCKET/FOLDER and nothing more, or "
            f"beside the database where none is named; but got {masked(url)!r}."
        )
    prefix = found["prefix"] or ""
    return found["bucket"], f"{prefix}/" if prefix else ""


def _no_address(error: ValueError) -> ConfigError:
    """Say what boto3 means by an invalid endpoint, which it names."""
    got = str(error).partition(": ")[2] or str(error)
    shown = masked(got) if "://" in got else masked(f"s3://{got}").removeprefix("s3://")
    return ConfigError(
        f"The address of an S3 server begins with http:// or https://, such as "
        f"AWS_ENDPOINT_URL=http://10.0.0.9:9000, but got {shown!r}."
    )


def _cannot_write(where: str, why: str) -> StorageError:
    return StorageError(
        f"Artifacts cannot be written to {where!r}: {why}. Everything told so far is kept; run "
        f"the same command again to go on."
    )
