"""Decoded data sets on disk: one ``.npy`` file an array, mapped by every process that reads them.

An entry is a directory, written whole beside its place and then renamed, so that a reader never
sees half of one. Two processes that make the same entry do not wait for each other: the second
finds the first one's and drops its own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.data.cache_entries import META_NAME, cache_limit, hold, trim
from spaces.data.damage import READ_ERRORS, array_checksum, reason_of, text_checksum
from spaces.data.dataset import SPLIT_NAMES, Dataset, Split
from spaces.data.samples import Standardization
from spaces.errors import DataError

FORMAT_VERSION = 2  # 2: checksums. Entries of others are made anew.
ABANDONED_AFTER_S = 24 * 3600


def default_cache_dir() -> Path:
    """Return where decoded data is kept unless a run says otherwise.

    That is ``$SEARCH_CACHE_DIR``, else ``litefront`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """
    if own := os.environ.get("SEARCH_CACHE_DIR"):
        return Path(own).expanduser().absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # The XDG standard wants relative paths ignored.
        base = Path.home() / ".cache"
    return base / "litefront"


def content_key(*parts: str) -> str:
    """Return 32 hex digits that change when any of ``parts`` does."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()[:32]


def cached_dataset(key: str, cache_dir: Path, make: Callable[[], Dataset]) -> Dataset:
    """Open the data set kept under ``key``, or make it and keep it.

    What was not used for longest then makes room for it (``$SEARCH_CACHE_GB``).

    Args:
        key: What the content depends on, as :func:`content_key` returns it.
        cache_dir: Folder shared by all studies; made when it is not there.
        make: Makes the data set; called when the cache has none, or a damaged one.

    Returns:
        The data set, memory-mapped. Where the cache cannot be written it is the one in memory,
        and its notes say so.
    """
    directory = cache_dir / "datasets" / key
    try:
        return open_dataset(directory, verify=True)
    except DataError:
        pass  # not there yet, or damaged: make it
    limit = cache_limit()  # Wrong ones are told before minutes of work.
    dataset = make()
    try:
        save_dataset(dataset, directory)
        trim(cache_dir, limit)
        return open_dataset(directory)
    except DataError as error:
        note = f"Not kept for the next run: {error}"
        return dataclasses.replace(dataset, notes=(*dataset.notes, note))


def save_dataset(dataset: Dataset, directory: Path) -> None:
    """Write a data set so that :func:`open_dataset` can map it; all of it or nothing.

    A sound entry of the same content is left alone, anything else in its place is replaced. The
    fingerprint that is kept is that of the arrays, whatever the data set says.

    Raises:
        DataError: If it cannot be written (no space left, no permission).
    """
    dataset = dataset.with_true_fingerprint()
    temporary = directory.with_name(f".{directory.name}.{uuid.uuid4().hex}.tmp")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(directory.parent)
        temporary.mkdir()
        _write_arrays(dataset, temporary)
        _publish(temporary, directory, dataset.fingerprint)
        hold(directory)
    except (OSError, ValueError) as error:
        # `tofile` reports a full disk without an errno: its text is then all there is.
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"Decoded images must fit on disk, but {directory} cannot be written: {reason}. "
            "Free some space there, or set SEARCH_CACHE_DIR to another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def open_dataset(directory: Path, *, verify: bool = False) -> Dataset:
    """Map what :func:`save_dataset` wrote. Arrays are read-only views of the files.

    Args:
        directory: The entry.
        verify: Whether all bytes are read and compared with the checksums that were written. A
            run does so once; its other processes map what was found sound.

    Raises:
        DataError: If there is none, or it is damaged.
    """
    try:
        meta = json.loads((directory / META_NAME).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT_VERSION:
            raise ValueError(f"format {meta['format']}")
        if meta.pop("checksum") != text_checksum(meta):
            raise ValueError(f"{META_NAME} is not as it was written")
        train, val, test = (
            Split(
                images=_map(directory, f"{name}_images", meta, verify),
                labels=_map(directory, f"{name}_labels", meta, verify),
            )
            for name in SPLIT_NAMES
        )
        hold(directory)
        return Dataset(
            name=meta["name"],
            train=train,
            val=val,
            test=test,
            class_names=tuple(meta["class_names"]),
            fingerprint=meta["fingerprint"],
            generated=meta["generated"],
            notes=tuple(meta["notes"]),
            ignored=dict(meta.get("ignored", {})),
            scales={kind: (low, high) for kind, (low, high) in meta.get("scales", {}).items()},
            group_by=meta.get("group_by"),
            kind=meta.get("kind", "image"),
            standardization=_standardization(meta.get("standardization")),
            leaks=tuple(meta.get("leaks", ())),
        )
    except READ_ERRORS as error:
        raise DataError(
            f"{directory} must hold a data set that this version wrote, but it does not "
            f"({reason_of(error)}). If it is part of the cache, delete it and run again."
        ) from error


def stored_directory(dataset: Dataset) -> Path | None:
    """Return the directory a data set was opened from, if that holds exactly what it holds.

    A task may have taken a part of the arrays (a slice of a map is a map of the same file) or
    renamed something; opening the directory would undo that, so the answer is then None.
    """
    file = mapped_file(dataset.train.images)
    if file is None:
        return None
    directory = file.parent
    try:
        stored = open_dataset(directory)
    except DataError:
        return None
    for name in SPLIT_NAMES:
        for kind in ("images", "labels"):
            if _extent(dataset, name, kind) != _extent(stored, name, kind):
                return None
    stripped = [
        # Files that were ignored are no part of the data.
        dataclasses.replace(
            one, train=stored.train, val=stored.val, test=stored.test, ignored=stored.ignored
        )
        for one in (dataset, stored)
    ]
    return directory if stripped[0] == stripped[1] else None


def mapped_file(array: npt.NDArray[Any]) -> Path | None:
    """Return the file that an array is a view of, if it is a view of a mapped one."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap):
            return None if owner.filename is None else Path(owner.filename)
        owner = owner.base
    return None


def _extent(dataset: Dataset, split: str, kind: str) -> tuple[object, ...]:
    """Return which bytes of which file an array shows."""
    array = getattr(getattr(dataset, split), kind)
    return (mapped_file(array), array.shape, array.strides, array.dtype.str)


def _write_arrays(dataset: Dataset, directory: Path) -> None:
    arrays: dict[str, dict[str, Any]] = {}
    for name in SPLIT_NAMES:
        split: Split = getattr(dataset, name)
        for kind, array in (("images", split.images), ("labels", split.labels)):
            contiguous = np.ascontiguousarray(array)
            arrays[f"{name}_{kind}"] = {
                "shape": list(contiguous.shape),
                "dtype": contiguous.dtype.str,
                "checksum": array_checksum(contiguous),
            }
            with open(directory / f"{name}_{kind}.npy", "wb") as file:
                np.save(file, contiguous, allow_pickle=False)
                _sync(file.fileno())
    meta = {
        "format": FORMAT_VERSION,
        "name": dataset.name,
        "class_names": list(dataset.class_names),
        "fingerprint": dataset.fingerprint,
        "generated": dataset.generated,
        "notes": list(dataset.notes),
        "ignored": dict(dataset.ignored),
        "scales": dict(dataset.scales),
        "group_by": dataset.group_by,
        "kind": dataset.kind,
        "standardization": None
        if dataset.standardization is None
        else dataclasses.asdict(dataset.standardization),
        "leaks": list(dataset.leaks),
        "arrays": arrays,
    }
    # As JSON gives it back: tuples are lists then.
    meta["checksum"] = text_checksum(json.loads(json.dumps(meta)))
    with open(directory / META_NAME, "w", encoding="utf-8") as file:
        json.dump(meta, file, indent=1)
        file.flush()
        _sync(file.fileno())


def _sync(file_descriptor: int) -> None:
    """Have the bytes on disk before the rename: after a power cut, a file of the right size full
    of zeros would pass for pictures."""
    os.fsync(file_descriptor)


def _publish(temporary: Path, directory: Path, fingerprint: str) -> None:
    """Rename into place; whoever came first with the same content wins."""
    for _ in range(10):
        try:
            temporary.rename(directory)
            return
        except OSError:
            if not directory.exists():
                raise
        try:
            if open_dataset(directory, verify=True).fingerprint == fingerprint:
                return
        except DataError:
            pass
        # Damaged, or of other content: aside with it. Those who mapped it keep their pages.
        aside = directory.with_name(f".{directory.name}.{uuid.uuid4().hex}.tmp")
        try:
            directory.rename(aside)
        except FileNotFoundError:
            continue  # another process was faster
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink()
    raise OSError("other processes keep replacing it")


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes left behind; a young one may still be written."""
    for path in abandoned(parent):
        shutil.rmtree(path, ignore_errors=True)


def abandoned(parent: Path) -> list[Path]:
    """Return what killed processes left half-written in a folder of entries."""
    found = []
    for path in parent.glob(".*.tmp"):
        try:
            if path.stat().st_mtime < time.time() - ABANDONED_AFTER_S:
                found.append(path)
        except OSError:
            pass  # its owner removed it meanwhile
    return found


def _map(directory: Path, name: str, meta: dict[str, Any], verify: bool) -> npt.NDArray[Any]:
    expected = meta["arrays"][name]
    array: npt.NDArray[Any] = np.load(directory / f"{name}.npy", mmap_mode="r")
    if list(array.shape) != expected["shape"] or array.dtype.str != expected["dtype"]:
        raise ValueError(f"{name}.npy is not the array it was")
    if verify and array_checksum(array) != expected["checksum"]:
        raise ValueError(f"{name}.npy is not as it was written")
    # A plain view: pickle, and so Ray, shares the memory of plain arrays with all workers, but
    # copies an `np.memmap` into each.
    return np.asarray(array)


def _standardization(stored: Mapping[str, Sequence[float]] | None) -> Standardization | None:
    if stored is None:
        return None
    return Standardization(tuple(stored["mean"]), tuple(stored["deviation"]))
