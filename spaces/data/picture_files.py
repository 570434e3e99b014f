"""Files of class folders become arrays: which are pictures, read in parallel, and what failed."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from spaces.data.class_folders import FoundFile
from spaces.data.file_reading import hash_file, leads_nowhere, read_whole, refuse_unreadable
from spaces.data.large_arrays import large_array, taken
from spaces.data.listing import readable
from spaces.data.pictures import HEAD_BYTES, Decoded, decode_picture, is_picture
from spaces.data.pixel_values import FULL_SCALE, Scales, Values, describe_scale, usual_scales
from spaces.data.request import Progress
from spaces.errors import ConfigError

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


@dataclass(frozen=True)
class DecodedPictures:
    """Pictures that were read.

    Attributes:
        images: ``[n, size, size, 3]`` uint8 without those that are broken.
        broken: Why a picture is, by its number among the files.
        scales: What became 0 and 255 of pixels with more than 8 bits.
        notes: How pixels were understood, where that is not plain.
    """

    images: npt.NDArray[np.uint8]
    broken: dict[int, str]
    scales: Scales
    notes: tuple[str, ...]


def decode_pictures(
    path: Path, files: Sequence[FoundFile], size: int, progress: Progress, scratch: Path
) -> DecodedPictures:
    """Read pictures.

    Args:
        path: The folder, for messages.
        files: Pictures.
        size: Height and width of the images, in pixels.
        progress: Told how many are read.
        scratch: Folder for what is larger than memory.

    Raises:
        DataError: If the disk does not give a file.
    """
    images = cast(
        "npt.NDArray[np.uint8]", large_array((len(files), size, size, 3), np.uint8, scratch)
    )
    broken: dict[int, str] = {}
    values: dict[int, Values] = {}
    clear: list[int] = []

    def read(numbers: Sequence[int], scales: Scales, report: Callable[[int], None]) -> None:
        failures: list[tuple[Path, OSError]] = []
        results = _in_threads(lambda n: _decode(files[n], size, scales), numbers, report)
        for number, result in zip(numbers, results, strict=True):
            if isinstance(result, OSError):
                failures.append((files[number].path, result))
            elif isinstance(result, str):
                broken[number] = result
            else:
                images[number] = result.image
                if result.values is not None:
                    values[number] = result.values
                if result.is_clear and scales is FULL_SCALE:
                    clear.append(number)
        refuse_unreadable(path, failures, len(files))

    with warnings.catch_warnings():
        # Pillow and its decoders warn about what they then read well enough.
        warnings.simplefilter("ignore")
        all_numbers = range(len(files))
        read(all_numbers, FULL_SCALE, lambda n: progress("reading images", n, len(files)))
        # Only now is known what the pictures have in common.
        scales = usual_scales(list(values.values()))
        again = [n for n, v in values.items() if scales[v.kind] != FULL_SCALE[v.kind]]
        read(again, scales, lambda n: progress("reading values", n, len(again)))
    kept = np.array([number not in broken for number in range(len(files))], bool)
    notes = (*_wide_notes(list(values.values()), scales), *_clear_note(path, files, clear))
    if not kept.all():
        images = taken(images, np.flatnonzero(kept), scratch)
    return DecodedPictures(images, broken, scales, notes)


def _decode(file: FoundFile, size: int, scales: Scales) -> Decoded | str | OSError:
    """Return a picture, or why it is broken, or why the disk does not give it."""
    try:
        data = BytesIO(read_whole(file.path))
    except OSError as error:
        return "the link leads nowhere" if leads_nowhere(file.path, error) else error
    try:
        return decode_picture(data, size, scales, file.name)
    except MemoryError:
        return OSError(errno.ENOMEM, "not enough memory to decode it")
    except ConfigError:
        raise
    except ValueError as error:
        return str(error)


def _wide_notes(values: Sequence[Values], scales: Scales) -> list[str]:
    notes = []
    for kind, scale in scales.items():
        own = [v for v in values if v.kind == kind]
        low, high = min(v.low for v in own), max(v.high for v in own)
        have = "picture has" if len(own) == 1 else "pictures have"
        notes.append(
            f"{len(own):,} {have} more than 8 bits a channel, with {kind} from {low:g} to "
            f"{high:g}: read as {describe_scale(kind, scale)}."
        )
    return notes


def _clear_note(path: Path, files: Sequence[FoundFile], clear: Sequence[int]) -> list[str]:
    if not clear:
        return []
    are = "picture is" if len(clear) == 1 else "pictures are"
    example = readable(os.path.relpath(files[clear[0]].path, path))
    return [
        f"{len(clear):,} {are} transparent everywhere (such as {example}): colours are read as if "
        "they were not."
    ]


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
