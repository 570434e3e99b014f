"""How what all workers share reaches them on this machine: what lies in the cache by its place.

A data set may be larger than memory, and Ray's store is a part of that. Workers map the entry of
the cache that the driver maps: the pages are the same ones, and leave memory when there is need.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaces.data.cache import open_dataset, stored_directory
from spaces.data.dataset import Dataset
from spaces.errors import DataError


@dataclass(frozen=True)
class StoredDataset:
    """A data set by its place in the cache.

    Attributes:
        directory: The entry. The driver holds it as long as it lives.
        fingerprint: Of its content.
    """

    directory: Path
    fingerprint: str


def sent(payload: Any) -> Any:
    """Return what travels to workers of this machine in place of a payload."""
    if not isinstance(payload, Dataset):
        return payload
    directory = stored_directory(payload)
    return payload if directory is None else StoredDataset(directory, payload.fingerprint)


def received(payload: Any) -> Any:
    """Return the payload that was sent; a data set is mapped, and held until the process ends.

    Raises:
        DataError: If it is not there any more, or is another one.
    """
    if not isinstance(payload, StoredDataset):
        return payload
    dataset = open_dataset(payload.directory)
    if dataset.fingerprint != payload.fingerprint:
        raise DataError(
            f"{payload.directory} must stay as it is while a search runs, but it was "
            f"{payload.fingerprint} and is {dataset.fingerprint}. Run the same once more."
        )
    return dataset
