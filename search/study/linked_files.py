"""The files that a study names, and whether they are where it says: looked at before any write."""

from __future__ import annotations

from search.storage import attributes
from search.storage.artifact_places import ArtifactPlace
from search.storage.artifacts import artifacts_of
from search.storage.reader import StudyRecord
from spaces.errors import StorageError
from spaces.wording import counted


def linked_files(record: StudyRecord) -> dict[int, list[str]]:
    """Return the ids of the files that a study links, by the numbers of its trials."""
    numbers = {trial._trial_id: trial.number for trial in record.trials}
    files: dict[int, list[str]] = {}
    for key, meta in record.system_attrs.items():
        link = attributes.linked_artifact(key)
        if link is not None and meta not in (None, "null") and link[0] in numbers:
            files.setdefault(numbers[link[0]], []).append(link[1])
    return files


def named_files(record: StudyRecord) -> set[str]:
    """Return the ids of all files that a study names: models and histories."""
    ids = {one for of in linked_files(record).values() for one in of}
    return ids | {one for trial in record.trials for one in artifacts_of(trial.system_attrs)}


def sizes_of(ids: set[str], place: ArtifactPlace) -> dict[str, int]:
    """Return the bytes of those files that are in a place.

    Raises:
        StorageError: If it cannot be reached.
    """
    found: dict[str, int] = {}
    for prefix in {one.partition("-")[0] for one in ids}:
        found.update(place.sizes(prefix))
    return {one: size for one, size in found.items() if one in ids}


def check_bucket(record: StudyRecord | None, place: ArtifactPlace) -> None:
    """Refuse a bucket that cannot be the one that a study was begun in.

    A bucket of the same name on another server, or of another account, answers as the right one
    does. A study that went on there would let go of all its models as lost.

    Args:
        record: The study; None for one that is to be made.
        place: Where its files should lie.

    Raises:
        StorageError: If it cannot be reached, or none of the files that the study names is there.
    """
    place.sizes("-")  # Nothing is called so: it is about the answer.
    named = set() if record is None else named_files(record)
    if record is not None and named and not sizes_of(named, place):
        raise StorageError(
            f"None of the {counted(len(named), 'file')} of study {record.name!r} is in "
            f"{place.where}: see whether AWS_ENDPOINT_URL and your account are those that it was "
            f"begun with. If they are gone for good, `search copy {record.name} NEW_NAME` makes a "
            f"study that goes on without them."
        )
