"""Which pictures, videos and cameras a person means by a path."""

from __future__ import annotations

import stat
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
    """

    source: Source
    is_video: bool


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
    found = [path for path in list_files(folder) if _is_picture_file(path)]
    if not found:
        raise DataError(
            f"{folder} must hold pictures, in it or in folders below, but has none. Videos are "
            "named one by one."
        )
    return [FoundSource(path, False) for path in found]


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
