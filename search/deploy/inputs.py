"""Which pictures, videos and cameras a person means by a path."""

from __future__ import annotations

import re
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from spaces.data.listing import list_files
from spaces.data.pictures import HEAD_BYTES, is_picture
from spaces.errors import ConfigError, DataError
from workers.deploy.video import VIDEO_EXTENSIONS

Source = Path | int
"""A picture, a video, or the number of a camera."""


@dataclass(frozen=True)
class FoundSource:
    """A file or camera that a path stands for.

    Attributes:
        source: It.
        is_video: Whether it gives frames, as cameras do too.
        skipped: Of a folder, what in it is not looked at, in words; empty for what is.
        n_skipped: How many files that are.
    """

    source: Source
    is_video: bool
    skipped: str = ""
    n_skipped: int = 0


def find_sources(path: str | Path | int) -> list[FoundSource]:
    """Return what a path stands for: itself, a folder's pictures, or a camera.

    Args:
        path: A picture, a folder, a video, or the number of a camera; as text that is a number
            where no file is called so.

    Raises:
        DataError: If there is no such file, or no picture in a folder.
    """
    if isinstance(path, int):
        if path < 0:
            raise ConfigError(f"`0 <= camera` must hold, but got (camera={path}).")
        return [FoundSource(path, True)]
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", str(path)):
        raise DataError(
            f"Pictures and videos must be files on this machine, but got the address {path}. "
            "Download it, and name the file."
        )
    file = Path(path)
    try:
        mode = file.stat().st_mode
    except OSError as error:
        if str(path).isascii() and str(path).isdigit():
            return [FoundSource(int(str(path)), True)]
        if not isinstance(error, FileNotFoundError):
            raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
        raise DataError(
            f"No such file or folder: {file}. Name pictures, folders, videos, or the number of "
            "a camera."
        ) from None
    if stat.S_ISDIR(mode):
        return _find_in_folder(file)
    if not stat.S_ISREG(mode):
        raise DataError(
            f"{file} must be a picture, a folder or a video, but is none. For a camera, give its "
            "number, such as 0."
        )
    return [FoundSource(file, _is_video(file))]


def _find_in_folder(folder: Path) -> list[FoundSource]:
    pictures: list[Path] = []
    others: list[Path] = []
    for path in list_files(folder):
        (pictures if _is_picture_file(path) else others).append(path)
    left_out = _describe(others)
    if not pictures:
        raise DataError(
            f"{folder} must hold pictures, in it or in folders below, but has "
            f"{left_out or 'none'}. Videos are named one by one."
        )
    found = [FoundSource(path, False) for path in pictures]
    if others:
        skipped = f"{left_out}: only pictures of a folder are read, videos are named one by one"
        found.append(FoundSource(folder, False, skipped, len(others)))
    return found


def _describe(files: list[Path]) -> str:
    """Return how many files of which kinds there are, in words."""
    videos = sum(path.suffix.lower() in VIDEO_EXTENSIONS for path in files)
    kinds = Counter(
        path.suffix.lower() or "without extension"
        for path in files
        if path.suffix.lower() not in VIDEO_EXTENSIONS
    )
    parts = [f"{videos:,} {'video' if videos == 1 else 'videos'}"] if videos else []
    parts += [f"{count:,} {kind}" for kind, count in kinds.most_common(5)]
    rest = sum(kinds.values()) - sum(count for _, count in kinds.most_common(5))
    return ", ".join([*parts, *([f"{rest:,} of other kinds"] if rest else [])])


def _is_picture_file(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False  # A pipe named x.jpg would never end.
    except OSError:  # A link to nowhere: named as broken if it is called a picture.
        return is_picture(path.name, b"")
    return is_picture(path.name, _head(path))


def _is_video(path: Path) -> bool:
    """Tell a video from a picture; what is neither is tried as a picture, and told so."""
    head = _head(path)
    if is_picture(path.name, head):
        return False
    return (
        path.suffix.lower() in VIDEO_EXTENSIONS
        or head[4:8] == b"ftyp"
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or head[:4] == b"\x1a\x45\xdf\xa3"  # Matroska and WebM.
    )


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""
