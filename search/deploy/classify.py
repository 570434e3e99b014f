"""What a deployed model sees in pictures, folders, videos and cameras, one after the other.

The model itself is ``workers.deploy.classifier``, frames come from ``workers.deploy.video``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.deploy.inputs import FoundSource, Source, find_sources
from search.units import format_accuracy
from spaces.data.request import Progress, no_progress
from spaces.errors import ConfigError, DataError
from workers.conversion.runtime import BATCH_SIZE
from workers.deploy.classifier import Classifier, load_classifier
from workers.deploy.signal_classifier import (
    load_signal_classifier,
    read_signals,
    takes_signals,
)
from workers.deploy.video import (
    CODECS,
    Frame,
    VideoCopy,
    VideoSource,
    annotate,
    check_opencv,
)

CHUNK = 8 * BATCH_SIZE
"""Pictures decoded ahead, so that threads are busy and memory stays small in any folder."""


@dataclass(frozen=True)
class Prediction:
    """What the model sees in one picture or frame.

    Attributes:
        source: The file as it was named, or ``camera 0``.
        top: Labels and probabilities, the most probable first; empty if it could not be read.
        label: The first of these; None if it is less probable than asked for, or was not read.
        frame: Number of the frame from 0; None for a picture.
        time_s: Of the frame, since the video's beginning; None for a picture.
        error: Why it could not be read, in a few words; empty if it could. A video that is cut
            has this last, and a folder where files in it are none that are read.
        n_skipped: How many files the error is about.
    """

    source: str
    top: tuple[tuple[str, float], ...] = ()
    label: str | None = None
    frame: int | None = None
    time_s: float | None = None
    error: str = ""
    n_skipped: int = 1

    @property
    def probability(self) -> float | None:
        """Probability of the most probable class, in [0, 1]; None if it could not be read."""
        return self.top[0][1] if self.top else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``--json`` prints it."""
        return {
            "source": self.source,
            "frame": self.frame,
            "time_s": None if self.time_s is None else round(self.time_s, 3),
            "label": self.label,
            "probability": None if self.probability is None else round(self.probability, 6),
            "top": [{"label": name, "probability": round(p, 6)} for name, p in self.top],
        }


def classify(
    model: str | Path | Classifier,
    *paths: str | Path | int,
    top: int = 1,
    min_probability: float = 0.0,
    every: int = 1,
    output: str | Path | None = None,
    force: bool = False,
    progress: Progress = no_progress,
) -> Generator[Prediction, None, None]:
    """Label pictures and videos with a model that ``search retrain`` deployed.

    Everything named is looked up before this returns; the work is done as one iterates. What
    cannot be read comes out with its ``error``, and the rest goes on.

    Args:
        model: The ``.tflite``, its folder, or what ``workers.deploy.classifier.load_classifier``
        gave.
        paths: Pictures; folders, of which all pictures are taken, sorted; videos; numbers of
            cameras (also as text, where no file is called so). Cameras end with ``close()`` of
            the iterator.
        top: How many classes to tell for each, at least 1.
        min_probability: Below it there is no ``label``, in [0, 1].
        every: Look at each frame of a video whose number this divides, from 0 on.
        output: Annotated copy of the one video or camera among ``paths``; .mp4 or .avi.
        force: Overwrite ``output``.
        progress: Called after every batch.

    Raises:
        ModelError: If the model cannot be used.
        DataError: If there is no such file or camera, or no picture in a folder.
        ConfigError: If arguments do not fit, or OpenCV is missing for a video.
    """
    for name, number in (("top", top), ("every", every)):
        if number < 1:
            raise ConfigError(f"`1 <= {name}` must hold, but got ({name}={number}).")
    if not 0 <= min_probability <= 1:
        raise ConfigError(
            "`0 <= min_probability <= 1` must hold, but got "
            f"(min_probability={min_probability:g})."
        )
    if not isinstance(model, Classifier) and takes_signals(Path(model)):
        return _classify_signals(Path(model), paths, top, min_probability)
    classifier = model if isinstance(model, Classifier) else load_classifier(Path(model))
    if not paths:
        raise ConfigError("At least one picture, folder, video or camera must be named.")
    found = [item for path in paths for item in find_sources(path)]
    videos = [item.source for item in found if item.is_video]
    if videos:
        check_opencv()
    copy = None if output is None else Path(output)
    if copy is not None:
        _check_output(copy, videos, force)
    look = _Look(classifier, top, min_probability)
    return _classify(look, found, every, copy, progress)


def _classify_signals(
    model: Path, paths: Sequence[str | Path | int], top: int, min_probability: float
) -> Generator[Prediction, None, None]:
    """Label the samples of files of readings, each with its number as ``frame``."""
    classifier = load_signal_classifier(model)
    if not paths:
        raise ConfigError("At least one file of samples must be named.")
    files = [Path(str(path)) for path in paths]
    found = [(file, classifier.probabilities(read_signals(file), str(file))) for file in files]

    def predictions() -> Generator[Prediction, None, None]:
        for file, rows in found:
            for number, row in enumerate(rows):
                best, label, error = _best(classifier.labels, row, top, min_probability)
                yield Prediction(str(file), best, label, frame=number, error=error)

    return predictions()


def _best(
    labels: Sequence[str], row: npt.NDArray[np.float64], top: int, min_probability: float
) -> tuple[tuple[tuple[str, float], ...], str | None, str]:
    """Return the most probable classes, the first if it is probable enough, and an error."""
    if not np.isfinite(row).all():
        return (), None, "the model computes no finite numbers for it"
    best = np.argsort(-row, kind="stable")[:top]
    found = tuple((labels[index], float(row[index])) for index in best)
    return found, found[0][0] if found[0][1] >= min_probability else None, ""


@dataclass(frozen=True)
class _Look:
    """Turns a batch of prepared images into predictions."""

    classifier: Classifier
    top: int
    min_probability: float

    def at(
        self, images: Sequence[npt.NDArray[np.uint8]]
    ) -> Iterator[tuple[tuple[tuple[str, float], ...], str | None, str]]:
        """Yield ``top``, ``label`` and ``error`` of each image."""
        if not images:
            return
        labels = self.classifier.labels
        for row in self.classifier.probabilities(np.stack(images)):
            yield _best(labels, row, self.top, self.min_probability)


def _classify(
    look: _Look,
    found: Sequence[FoundSource],
    every: int,
    output: Path | None,
    progress: Progress,
) -> Generator[Prediction, None, None]:
    n_done = 0
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for is_video, group in groupby(found, key=lambda item: item.is_video):
            items = list(group)
            sources = [item.source for item in items]
            if is_video:
                for source in sources:
                    yield from _classify_video(look, source, every, output, progress)
                n_done += len(sources)
                continue
            pictures = [
                item.source for item in items if isinstance(item.source, Path) and not item.skipped
            ]
            for item in items:
                if item.skipped:
                    yield Prediction(
                        _name(item.source), error=item.skipped, n_skipped=item.n_skipped
                    )
            for start in range(0, len(pictures), CHUNK):
                chunk = pictures[start : start + CHUNK]
                yield from _classify_pictures(look, chunk, pool)
                n_done += len(chunk)
                progress("classifying", n_done, len(found))


def _classify_pictures(
    look: _Look, paths: Sequence[Path], pool: ThreadPoolExecutor
) -> Iterator[Prediction]:
    def read(path: Path) -> npt.NDArray[np.uint8] | str:
        try:
            with open(path, "rb") as file:
                return look.classifier.read(file)
        except OSError as error:
            return str(error.strerror or error)
        except ValueError as error:
            return str(error)

    with warnings.catch_warnings():
        # Pillow warns about what it then reads well enough, as when it read for training.
        warnings.simplefilter("ignore")
        pictures = list(pool.map(read, paths))
    looks = look.at([picture for picture in pictures if not isinstance(picture, str)])
    for path, picture in zip(paths, pictures, strict=True):
        if isinstance(picture, str):
            yield Prediction(_name(path), error=picture)
        else:
            top, label, error = next(looks)
            yield Prediction(_name(path), top, label, error=error)


def _classify_video(
    look: _Look, source: Source, every: int, output: Path | None, progress: Progress
) -> Iterator[Prediction]:
    try:
        video = VideoSource(source)
    except DataError as error:
        if isinstance(source, int):
            raise
        yield Prediction(_name(source), error=str(error))
        return
    # A camera's frame is told at once. In a copy, frames wait as they are, which takes memory.
    size = 1 if isinstance(source, int) else BATCH_SIZE
    copying = nullcontext() if output is None else VideoCopy(output, video.fps)
    n_seen = 0
    with video, copying as copy:
        frames = video.frames(every, skipped_too=copy is not None)
        caption = ("", "")
        while chunk := list(islice(frames, size)):
            chosen = [frame for frame in chunk if frame.number % every == 0]
            looks = look.at([look.classifier.fit(frame.image()) for frame in chosen])
            for frame in chunk:
                prediction = None
                if frame.number % every == 0:
                    prediction = _of_frame(source, frame, *next(looks))
                    caption = _caption(prediction)
                if copy is not None:
                    copy.write(annotate(frame.pixels, *caption))
                if prediction is not None:
                    yield prediction
            n_seen = chunk[-1].number + 1
            if video.n_frames is not None:
                progress(f"frames of {_name(source)}", n_seen, max(n_seen, video.n_frames))
    if n_seen == 0:
        yield Prediction(_name(source), error="no frame can be read from it")
    elif missing := video.what_is_missing():
        yield Prediction(_name(source), error=missing)


def _of_frame(
    source: Source,
    frame: Frame,
    top: tuple[tuple[str, float], ...],
    label: str | None,
    error: str,
) -> Prediction:
    return Prediction(_name(source), top, label, frame.number, frame.time_s, error)


def _caption(prediction: Prediction) -> tuple[str, str]:
    if prediction.probability is None:
        return "?", ""
    return prediction.label or "?", format_accuracy(prediction.probability)


def _check_output(output: Path, videos: Sequence[Source], force: bool) -> None:
    """Refuse a copy that cannot be made, before a long video is watched."""
    if len(videos) != 1:
        raise ConfigError(
            "An annotated copy is made of one video or camera, but "
            f"{len(videos) or 'none'} {'is' if not videos else 'are'} named beside {output}."
        )
    if output.suffix.lower() not in CODECS:
        raise ConfigError(
            f"The annotated copy must be called {', '.join(CODECS)}, but got {output.name}."
        )
    if not output.parent.is_dir():
        raise ConfigError(f"No such folder: {output.parent}. Make it, or name another.")
    if not output.exists():
        return
    (source,) = videos
    if isinstance(source, Path) and output.samefile(source):
        raise ConfigError(f"{output} is the video itself. Give its copy another name.")
    if output.is_dir():
        raise ConfigError(f"{output} is a folder. Give the copy another name.")
    if not force:
        raise ConfigError(f"{output} is there already. Give another name, or --force.")


def _name(source: Source) -> str:
    if isinstance(source, int):
        return f"camera {source}"
    return os.fsencode(source).decode("utf-8", "replace")
