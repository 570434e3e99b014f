"""Whole studies: deleted with their files, renamed, copied. None of it while a driver runs one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from optuna.storages import RDBStorage

from search.storage import attributes
from search.storage.artifact_places import place_of, read_file
from search.storage.artifacts import ArtifactKeeper, artifacts_of
from search.storage.batches import Batch
from search.storage.database import open_storage, storage_errors
from search.storage.locks import study_lock
from search.storage.optuna_tables import STUDIES
from search.storage.reader import StudyRecord, read_study, study_names
from search.storage.recorder import RowRecorder
from search.storage.transactions import writing
from search.storage.urls import artifacts_dir, storage_url
from search.storage.weights import WeightKeeper
from search.study.create_or_resume import check_ours, create_study
from search.study.linked_files import linked_files, named_files, sizes_of
from spaces.errors import ConfigError, StorageError, StudyError
from spaces.wording import guess

MAX_NAME = 200
"""Characters of a study's name; Optuna's column has 512, and MySQL counts bytes."""


@dataclass(frozen=True)
class StudyContents:
    """What a study holds, before it is deleted.

    Attributes:
        name: Its name.
        n_trials: Trials, derived ones too.
        n_files: Files that belong to them: models, histories, kept weights.
        n_bytes: What those files take.
        out_of_reach: Why those in a bucket are not among them: it cannot be reached.
    """

    name: str
    n_trials: int
    n_files: int
    n_bytes: int
    out_of_reach: str = ""


class StudyShelf:
    """The studies of one database, as things to be taken away, renamed and copied.

    **Who may call it:** anybody; it takes the lock of every study that it changes, so that a study
    which a driver runs is refused.

    Args:
        storage: File name or SQLAlchemy URL of a database that is there.

    Raises:
        StorageError: If it cannot be used.
    """

    def __init__(self, storage: str | Path) -> None:
        self._url = storage_url(storage)
        self._database = open_storage(self._url, must_exist=True)
        self._folder = artifacts_dir(self._url)

    def close(self) -> None:
        """Let go of the database."""
        self._database.remove_session()
        self._database.engine.dispose()

    def __enter__(self) -> StudyShelf:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def contents(self, name: str) -> StudyContents:
        """Return what a study holds.

        Raises:
            StudyError: If there is none, or this program did not make it.
        """
        record = self._record(name)
        files, out_of_reach = self._files_within_reach(record)
        weights = self._weights(record)
        sizes = [] if weights is None else [path.stat().st_size for path in weights.files()]
        sizes += files.values()
        return StudyContents(name, len(record.trials), len(sizes), sum(sizes), out_of_reach)

    def delete(self, name: str) -> str:
        """Delete a study with all that belongs to it.

        Returns:
            Why its files in a bucket stay there: it cannot be reached. Empty if none stay.

        Raises:
            StudyError: If there is none, this program did not make it, or a driver runs it.
        """
        with self._locked(name):
            record = self._record(name)
            files, out_of_reach = self._files_within_reach(record)
            weights = self._weights(record)
            with storage_errors(self._url):
                self._database.delete_study(record.study_id)
            # Named no more: killed from here on, files without a study are left, and nothing else.
            if weights is not None:
                weights.clear()
            try:
                for artifact_id in files:
                    place_of(self._url, record.user_attrs).remove(artifact_id)
            except StorageError as error:
                out_of_reach = str(error)
            return out_of_reach

    def rename(self, name: str, new_name: str) -> None:
        """Give a study another name.

        Raises:
            StudyError: If there is none, this program did not make it, a driver runs it, or
                another one has the new name.
        """
        _check_name(new_name)
        if new_name == name:
            raise _is_taken(new_name)
        with self._locked(name), self._locked(new_name):
            record = self._record(name)
            with storage_errors(self._url), writing(self._database.engine) as connection:
                taken = sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == new_name)
                if connection.scalar(taken) is not None:
                    raise _is_taken(new_name)
                connection.execute(
                    sa.update(STUDIES)
                    .where(STUDIES.c.study_id == record.study_id)
                    .values(study_name=new_name)
                )

    def copy(self, name: str, new_name: str, to: str | Path | None = None) -> None:
        """Copy a study with its files and kept weights; the copy goes on by itself.

        Args:
            name: Of the study.
            new_name: Of the copy.
            to: Database that it is copied to; None for the same one.

        Raises:
            StudyError: If there is none, this program did not make it, a driver runs it, or
                another one has the new name.
            StorageError: If there is no room for it.
        """
        _check_name(new_name)
        is_here = to is None or storage_url(to) == self._url
        if is_here and new_name == name:
            raise _is_taken(new_name)
        with ExitStack() as stack:
            stack.enter_context(self._locked(name))
            record = self._record(name)
            url, database = self._url, self._database
            if to is not None and not is_here:
                url = storage_url(to)
                database = open_storage(url)
                stack.callback(database.engine.dispose)
                stack.callback(database.remove_session)
            stack.enter_context(study_lock(url, database.engine, new_name))
            with storage_errors(url):
                if read_study(database.engine, new_name) is not None:
                    raise _is_taken(new_name)
                self._copy_into(record, database, url, new_name)

    def _copy_into(
        self, record: StudyRecord, database: RDBStorage, url: str, new_name: str
    ) -> None:
        made = create_study(database, new_name)
        identity = uuid.uuid4().hex
        keeper = ArtifactKeeper(place_of(url, record.user_attrs), identity)
        weights = WeightKeeper(artifacts_dir(url), identity)
        try:
            copies = self._copied_files(record, keeper)
            self._copy_weights(record, weights)
            for key, value in record.system_attrs.items():
                if attributes.linked_artifact(key) is None:  # Links are written with the files.
                    database.set_study_system_attr(made.study_id, key, value)
            for trial in record.trials:
                _rename_files(trial.system_attrs, copies)
            links = {
                number: {copies[one][0]: copies[one][1] for one in ids if one in copies}
                for number, ids in linked_files(record).items()
            }
            # The format is what makes it a study of ours: it comes with the trials, or not at all.
            stored = {**record.user_attrs, attributes.IDENTITY: identity}
            recorder = RowRecorder(database.engine, made.study_id, url)
            batch = Batch(created=tuple(record.trials), files=links, study_user_attrs=stored)
            recorder.write(batch)
        except BaseException:
            database.delete_study(made.study_id)
            keeper.sweep(())
            for number in weights.numbers:
                weights.drop(number)
            raise

    def _copied_files(
        self, record: StudyRecord, keeper: ArtifactKeeper
    ) -> dict[str, tuple[str, str]]:
        """Copy the files of a study; return ids and descriptions of the copies by the old ids."""
        source = place_of(self._url, record.user_attrs)
        copies = {}
        for artifact_id, name in _file_names(record).items():
            content = read_file(source, artifact_id)
            if content is not None:
                copies[artifact_id] = keeper.write(name, content)
        return copies

    def _copy_weights(self, record: StudyRecord, weights: WeightKeeper) -> None:
        kept = self._weights(record)
        if kept is None:
            return
        for number in kept.numbers:
            content = kept.get(number)
            if content is not None:
                weights.put(number, content, worth=lambda _: 0.0)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with study_lock(self._url, self._database.engine, name):
            yield

    def _record(self, name: str) -> StudyRecord:
        with storage_errors(self._url):
            record = read_study(self._database.engine, name)
            if record is None:
                names = study_names(self._database.engine)
                known = f" Known studies: {', '.join(sorted(names))}." if names else ""
                raise StudyError(f"There is no study {name!r}.{known}{guess(name, names)}")
        if record.trials and not record.is_ours:
            raise StudyError(
                f"Study {name!r} was not made by `search run`: `optuna` and its dashboard manage "
                f"it."
            )
        check_ours(record)  # What a killed driver left half made may go as well.
        return record

    def _files_within_reach(self, record: StudyRecord) -> tuple[dict[str, int], str]:
        """Return ids and bytes of all files of a study, and why none could be looked for.

        A study goes even where its bucket is gone, or is not for this person to reach.
        """
        try:
            return self._files(record), ""
        except (ConfigError, StorageError) as error:
            return {}, str(error)

    def _files(self, record: StudyRecord) -> dict[str, int]:
        """Return ids and bytes of all files of a study: models and histories."""
        place = place_of(self._url, record.user_attrs)
        files = sizes_of(named_files(record), place)
        if identity := record.user_attrs.get(attributes.IDENTITY):
            files.update(ArtifactKeeper(place, str(identity)).sizes())
        return dict(sorted(files.items()))

    def _weights(self, record: StudyRecord) -> WeightKeeper | None:
        """Return what keeps the study's weights for branches, and its checkpoints."""
        identity = record.user_attrs.get(attributes.IDENTITY)
        return WeightKeeper(self._folder, str(identity)) if identity else None


def _file_names(record: StudyRecord) -> dict[str, str]:
    """Return the name that each file of a study is offered under, by its id."""
    links = {
        link[1]: meta
        for key, meta in record.system_attrs.items()
        if (link := attributes.linked_artifact(key)) is not None
    }
    for trial in record.trials:
        for key, meta in trial.system_attrs.items():
            if key.startswith(attributes.ARTIFACT_PREFIX):
                links[key.removeprefix(attributes.ARTIFACT_PREFIX)] = meta
    return {
        artifact_id: json.loads(meta)["filename"]
        for artifact_id, meta in links.items()
        if meta not in (None, "null")
    }


def _rename_files(system_attrs: dict[str, Any], copies: Mapping[str, tuple[str, str]]) -> None:
    """Let a trial name the copies of its files in place of the files."""
    for old in artifacts_of(system_attrs):
        meta = system_attrs.pop(attributes.ARTIFACT_PREFIX + old)
        if old in copies and meta is not None:
            copied, described = copies[old]
            system_attrs[attributes.ARTIFACT_PREFIX + copied] = described


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME:
        raise StudyError(
            f"A study's name has 1 to {MAX_NAME} characters, but got {name[:MAX_NAME]!r}."
        )


def _is_taken(name: str) -> StudyError:
    return StudyError(f"There is a study {name!r} already. Choose another name.")
