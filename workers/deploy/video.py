"""Frames of a video file or a camera, and an annotated copy of them, through OpenCV.

OpenCV is optional: only what is in this module needs it.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from functools import lru_cache
from math import ceil, isfinite
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spaces.errors import ConfigError, DataError
from workers.conversion.runtime import quiet_stderr

if TYPE_CHECKING:
    from PIL import Image

VIDEO_EXTENSIONS = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .flv .ogv .3gp .ts .mts".split()
)

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
"""What OpenCV's own build can write, by the extension of the file."""

_COUNTED = frozenset((".mp4", ".m4v", ".mov", ".3gp", ".avi"))
"""Files that list their frames; others say how long they are, of which OpenCV makes a number."""

CAMERA_FPS = 30.0
"""Frames a second of a copy where camera or file do not tell."""

MIN_FONT_PX = 8
MAX_FONT_PX = 48

Pixels = npt.NDArray[np.uint8]


class Frame(NamedTuple):
    """One frame.

    Attributes:
        number: From 0.
        time_s: Since the video's beginning, or since the camera was opened.
        pixels: ``[height, width, 3]``, blue first, as OpenCV has them.
    """

    number: int
    time_s: float
    pixels: Pixels

    def image(self) -> Image.Image:
        """Return it in RGB."""
        from PIL import Image

        return Image.fromarray(np.ascontiguousarray(self.pixels[..., ::-1]))


def check_opencv() -> None:
    """Raise ``ConfigError`` with the command that installs OpenCV if it is missing."""
    if importlib.util.find_spec("cv2") is None:
        raise ConfigError(
            "Videos and cameras need OpenCV. Install it: pip install 'litefront[video]'"
        )


class VideoSource:
    """A video file or a camera that is open; a context manager.

    Args:
        source: A file, or the number of a camera.

    Attributes:
        fps: Frames a second.
        n_frames: How many the file says it has; None if it does not, or for a camera.
        n_grabbed: How many came so far.
        n_broken: How many of these could not be decoded.

    Raises:
        ConfigError: If OpenCV is missing.
        DataError: If it cannot be opened; for a file, the text says why in a few words.
    """

    def __init__(self, source: Path | int) -> None:
        check_opencv()
        self.source = source
        self._capture = _open_capture(source)
        if not self._capture.isOpened():
            raise DataError(_why_closed(source))
        import cv2

        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if isfinite(fps) and 0 < fps <= 1000 else CAMERA_FPS
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        is_known = isinstance(source, Path) and isfinite(count) and count > 0
        self.n_frames = int(count) if is_known else None
        self.n_grabbed = 0
        self.n_broken = 0

    def __enter__(self) -> VideoSource:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._capture.release()

    def frames(self, every: int = 1, *, skipped_too: bool = False) -> Iterator[Frame]:
        """Yield frames 0, ``every``, twice ``every`` and so on, to the end.

        Args:
            every: Step between frames.
            skipped_too: Yield all those between as well.
        """
        is_camera = isinstance(self.source, int)
        start_s = time.monotonic()
        number = 0
        while self._grab():
            if skipped_too or number % every == 0:
                is_whole, pixels = self._capture.retrieve()
                time_s = time.monotonic() - start_s if is_camera else self._time_s(number)
                if is_whole:
                    yield Frame(number, time_s, _three_channels(pixels))
                else:
                    self.n_broken += 1
            number += 1
            self.n_grabbed = number

    def what_is_missing(self) -> str:
        """Return what of a file could not be read, in a few words; empty for nothing."""
        parts = []
        if self.n_frames is not None and isinstance(self.source, Path):
            is_counted = self.source.suffix.lower() in _COUNTED
            slack = 1 if is_counted else max(2, round(0.05 * self.n_frames))
            if self.n_grabbed < self.n_frames - slack:
                parts.append(f"it ends after {self.n_grabbed:,} of its {self.n_frames:,} frames")
        if self.n_broken:
            frames = "frame" if self.n_broken == 1 else "frames"
            parts.append(f"{self.n_broken:,} {frames} cannot be decoded")
        return ", and ".join(parts) + (": the file is cut or damaged" if parts else "")

    def _time_s(self, number: int) -> float:
        import cv2

        position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        # Phones film with a varying rate, so the file's word counts; not every format has one.
        has_position = isfinite(position_ms) and position_ms > 0
        return float(position_ms) / 1000 if has_position else number / self.fps

    def _grab(self) -> bool:
        with quiet_stderr():
            return bool(self._capture.grab())


class VideoCopy:
    """Writes a video beside its final name, and moves it there when it is whole.

    A context manager. An interrupted copy is kept: all frames up to there are in it.

    Args:
        path: The video to write; its extension, one of :data:`CODECS`, says in which format.
        fps: Frames a second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        # The format goes by the extension, so that stays the last part of the name.
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._fps = fps
        self._writer: Any = None
        self._shape: tuple[int, ...] = ()

    def __enter__(self) -> VideoCopy:
        """Return itself; the file is made with the first frame, whose size it needs."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, or remove it if something went wrong."""
        if self._writer is None:
            return
        self._writer.release()
        if kind is None or issubclass(kind, (KeyboardInterrupt, GeneratorExit)):
            os.replace(self._partial, self._path)
        else:
            self._partial.unlink(missing_ok=True)

    def write(self, pixels: Pixels) -> None:
        """Append a frame.

        Raises:
            DataError: If the file cannot be written.
        """
        import cv2

        if self._writer is None:
            self._shape = pixels.shape
            height, width = pixels.shape[:2]
            code = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
            with quiet_stderr():
                self._writer = cv2.VideoWriter(
                    str(self._partial), code, self._fps, (width, height)
                )
            if not self._writer.isOpened():
                raise DataError(
                    f"{self._path} cannot be written. Name an .mp4 or .avi in a folder that "
                    "exists and can be written to."
                )
        if pixels.shape != self._shape:  # OpenCV would leave such a frame out, silently.
            pixels = np.asarray(cv2.resize(pixels, self._shape[1::-1]), np.uint8)
        self._writer.write(pixels)


def annotate(pixels: Pixels, label: str, figure: str) -> Pixels:
    """Return a frame with a line of text in its upper left corner, on a dark strip.

    Args:
        pixels: As in :class:`Frame`.
        label: Set smaller, and then cut, where the frame is too narrow for it.
        figure: Follows the label, and is never cut.
    """
    letters = _letters(label, figure, *pixels.shape[:2])
    height, width = letters.shape[:2]
    annotated: Pixels = pixels.copy()
    under = annotated[:height, :width].astype(np.float32) * np.float32(0.3)
    annotated[:height, :width] = under * (1 - letters) + 255 * letters
    return annotated


@lru_cache(maxsize=64)  # Most frames say what the one before them said.
def _letters(label: str, figure: str, height: int, width: int) -> npt.NDArray[np.float32]:
    """Return how white each pixel of the strip is, in [0, 1]: ``[rows, columns, 1]``."""
    from PIL import Image, ImageDraw, ImageFont

    text = f"{label} {figure}".strip()
    font_px = max(MIN_FONT_PX, min(height // 16, MAX_FONT_PX))
    while True:
        # OpenCV's own fonts know ASCII only, and names of classes are anything.
        font = ImageFont.load_default(font_px)
        left, top, right, bottom = font.getbbox(text)
        pad = max(2, font_px // 4)
        if right - left + 2 * pad <= width:
            break
        if font_px > MIN_FONT_PX:
            font_px -= 1
        elif label:
            label = label[:-1]
            text = f"{label}\N{HORIZONTAL ELLIPSIS} {figure}"
        else:
            break
    size = (min(width, ceil(right - left) + 2 * pad), min(height, ceil(bottom - top) + 2 * pad))
    strip = Image.new("L", size, 0)
    ImageDraw.Draw(strip).text((pad - left, pad - top), text, fill=255, font=font)
    letters: npt.NDArray[np.float32] = np.array(strip, np.float32)[..., np.newaxis]
    letters /= np.float32(255)
    return letters


def _open_capture(source: Path | int) -> Any:
    # FFmpeg tells of every odd byte; what cannot be read is said in our words.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    with quiet_stderr():
        return cv2.VideoCapture(source if isinstance(source, int) else str(source))


def _why_closed(source: Path | int) -> str:
    if isinstance(source, int):
        return (
            f"Camera {source} cannot be opened. Check that it is plugged in, that no other "
            "program uses it and that you may read it (/dev/video* on Linux)."
        )
    return "no video that OpenCV can read"


def _three_channels(pixels: Any) -> Pixels:
    import cv2

    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    three: Pixels = np.asarray(pixels[..., :3], np.uint8)
    return three
