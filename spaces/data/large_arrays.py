"""Arrays that are made once and may be larger than memory: large ones lie on disk meanwhile.

A large array is a map of a file that has no name any more: its pages leave memory when there is
need, and the file goes with the array, however the process ends. Room for it is reserved before
anything is written, as a full disk behind a map ends the process.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

IN_MEMORY_BYTES = 256 * 2**20
"""Arrays up to this size are plain ones."""

_PART_BYTES = 16 * 2**20

T = TypeVar("T", bound=np.generic)


def large_array(
    shape: tuple[int, ...], dtype: npt.DTypeLike, folder: Path
) -> npt.NDArray[np.generic]:
    """Return an array to be filled, in memory if it is small and on disk if it is not.

    Where the disk has no room for it, or the folder cannot be written, it is in memory all the
    same: whether that holds it, shows.

    Args:
        shape: Of the array.
        dtype: Of its elements.
        folder: Where its file lies for a moment; made when it is not there.
    """
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if n_bytes <= IN_MEMORY_BYTES:
        return np.empty(shape, dtype)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file.fileno(), n_bytes)
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
    except OSError:
        return np.empty(shape, dtype)


def _reserve(descriptor: int, n_bytes: int) -> None:
    """Have room on disk for all of a new file: where that cannot be asked for (macOS, and some
    file systems), zeros are written.

    Raises:
        OSError: If there is none.
    """
    fallocate = getattr(os, "posix_fallocate", None)
    if fallocate is not None:
        try:
            fallocate(descriptor, 0, n_bytes)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
    zeros = memoryview(bytes(min(n_bytes, _PART_BYTES)))
    done = 0
    while done < n_bytes:  # What is written may be less than what was given.
        done += os.write(descriptor, zeros[: n_bytes - done])


def rows_at_once(array: npt.NDArray[np.generic], dtype: npt.DTypeLike | None = None) -> int:
    """Return how many rows of an array are worked on at a time, so that few lie in memory.

    Args:
        array: ``[n, ...]``.
        dtype: What its elements become meanwhile; None for what they are.
    """
    item = array.dtype if dtype is None else np.dtype(dtype)
    row_bytes = int(np.prod(array.shape[1:], dtype=np.int64)) * item.itemsize
    return max(1, _PART_BYTES // max(1, row_bytes))


def taken(
    array: npt.NDArray[T], rows: Sequence[int] | npt.NDArray[np.integer], folder: Path
) -> npt.NDArray[T]:
    """Return some rows of an array, in the order asked for, as ``array[rows]`` does.

    Args:
        array: ``[n, ...]``.
        rows: Numbers of rows.
        folder: See :func:`large_array`.
    """
    numbers = np.asarray(rows, np.int64)
    found = large_array((len(numbers), *array.shape[1:]), array.dtype, folder)
    step = rows_at_once(array)
    for start in range(0, len(numbers), step):
        found[start : start + step] = array[numbers[start : start + step]]
    return found  # type: ignore[return-value]


def joined(first: npt.NDArray[T], second: npt.NDArray[T], folder: Path) -> npt.NDArray[T]:
    """Return the rows of two arrays, as ``np.concatenate`` does.

    Args:
        first: ``[n, ...]``.
        second: ``[m, ...]``.
        folder: See :func:`large_array`.
    """
    shape = (len(first) + len(second), *first.shape[1:])
    found = large_array(shape, np.result_type(first, second), folder)
    np.concatenate([first, second], out=found)
    return found  # type: ignore[return-value]
