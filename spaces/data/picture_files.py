"""Files of class folders become arrays: which are pictures, read in parallel, and what failed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from spaces.data.class_folders import FoundFile
from spaces.data.file_reading import hash_file, leads_nowhere, read_whole, refuse_unreadable
from spaces.data.pictures import HEAD_BYTES, is_picture, read_picture
from spaces.data.request import Progress

T = TypeVar("T")
R = TypeVar("R")


def inspect_files(
    path: Path, files: Sequence[FoundFile], progress: Progress
) -> tuple[list[tuple[FoundFile, str]], list[FoundFile]]:
    """Return pictures with a hash of their bytes, and files that are no pictures.

    Raises:
        DataError: If the disk does not give a file.
    """
    pictures: list[tuple[FoundFile, str]] = []
    others: list[FoundFile] = []
    failures: list[tuple[Path, OSError]] = []
    results = _in_threads(
        _inspect_file, files, lambda n: progress("checking images", n, len(files))
    )
    for file, result in zip(files, results, strict=True):
        if isinstance(result, OSError):
            failures.append((file.path, result))
        elif result is None:
            others.append(file)
        else:
            pictures.append((file, result))
    refuse_unreadable(path, failures, len(files))
    return pictures, others


def _inspect_file(file: FoundFile) -> str | OSError | None:
    """Return the hash of a picture, None for another file, or why the disk does not give it."""
    try:
        return hash_file(file.path, HEAD_BYTES, lambda head: is_picture(file.name, head))
    except OSError as error:
        if leads_nowhere(file.path, error):
            return "leads nowhere" if is_picture(file.name, b"") else None
        return error


def decode_pictures(
    path: Path, files: Sequence[FoundFile], size: int, progress: Progress
) -> tuple[npt.NDArray[np.uint8], dict[int, str]]:
    """Return the images that could be decoded, and the reasons of those that could not.

    Args:
        path: The folder, for messages.
        files: Pictures.
        size: Height and width of the images, in pixels.
        progress: Told how many are read.

    Returns:
        ``[n, size, size, 3]`` uint8 without those that are broken, and reasons by number.

    Raises:
        DataError: If the disk does not give a file.
    """
    images = np.empty((len(files), size, size, 3), np.uint8)
    broken: dict[int, str] = {}
    failures: list[tuple[Path, OSError]] = []

    def decode(file: FoundFile) -> npt.NDArray[np.uint8] | str | OSError:
        try:
            return read_picture(BytesIO(read_whole(file.path)), size)
        except OSError as error:
            return "the link leads nowhere" if leads_nowhere(file.path, error) else error
        except MemoryError:
            return OSError("there is not enough memory for it")
        except ValueError as error:
            return str(error)

    n_whole = 0
    with warnings.catch_warnings():
        # Pillow and its decoders warn about what they then read well enough.
        warnings.simplefilter("ignore")
        for number, result in enumerate(
            _in_threads(decode, files, lambda n: progress("reading images", n, len(files)))
        ):
            if isinstance(result, OSError):
                failures.append((files[number].path, result))
            elif isinstance(result, str):
                broken[number] = result
            else:
                images[n_whole] = result
                n_whole += 1
    refuse_unreadable(path, failures, len(files))
    return images[:n_whole], broken


def _in_threads(
    function: Callable[[T], R], items: Sequence[T], report: Callable[[int], None]
) -> Iterator[R]:
    """Map in order, with a report every hundredth of the way."""
    step = max(1, len(items) // 100)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for number, result in enumerate(pool.map(function, items), start=1):
            yield result
            if number % step == 0 or number == len(items):
                report(number)
