"""``search classify``: parses, calls :func:`search.deploy.classify.classify`, prints as it
goes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from search.cli.base import Command, examples
from search.cli.console import hint, stderr_console, stdout_console
from search.cli.options import PATH, Count
from search.units import format_accuracy
from spaces.data.request import Progress, no_progress
from spaces.errors import ConfigError, DataError

if TYPE_CHECKING:
    from search.deploy.classify import Prediction

PROGRESS_FROM = 200
"""Pictures or frames from which on progress is shown, where results go to a file."""

MAX_LABEL = 30
"""Columns of labels; longer ones are cut."""


@click.command(
    cls=Command,
    epilog=examples(
        "search classify deploy photo.jpg",
        "search classify deploy photos/ --count",
        "search classify deploy/model.tflite clip.mp4 --every 5 -o seen.mp4",
        "search classify deploy 0 --json",
    ),
)
@click.argument("model", metavar="MODEL", type=PATH)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--top", type=Count(), default=1, help="Classes to tell for each picture.")
@click.option("--count", "with_counts", is_flag=True, help="Count pictures by class at the end.")
@click.option(
    "--min-probability",
    type=click.FloatRange(0, 1),
    metavar="FRACTION",
    default=0.0,
    show_default=False,
    help="What is less probable, such as 0.6, gets the label ?.",
)
@click.option("--every", type=Count(), default=1, help="Look at each Nth frame only.")
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="Copy of the video with the label drawn in: .mp4, .mkv, .mov or .avi.",
)
@click.option("--force", is_flag=True, help="Overwrite that copy.")
@click.option(
    "--scale",
    type=float,
    help="Divide pixels, 0 to 255, by this.",
    show_default="as in training",
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each picture or frame.")
def classify(
    model: Path,
    paths: Sequence[str],
    top: int,
    with_counts: bool,
    min_probability: float,
    every: int,
    output: Path | None,
    force: bool,
    scale: float | None,
    as_json: bool,
) -> None:
    """Label pictures, videos or a camera.

    MODEL is the folder that `search retrain` wrote, or the .tflite in it. PATH is a picture, a
    folder (with all folders below), a video or the number of a camera; the last two need
    OpenCV. Ctrl-C ends a camera.

    JSON comes in lines, each as soon as it is known: source, frame, time_s, label,
    probability, top. With --count the last line is counts, uncertain, skipped.
    """
    from search.cli.progress import make_display
    from search.deploy.classify import classify as classify_paths
    from workers.deploy.classifier import Classifier, load_classifier
    from workers.deploy.signal_classifier import load_signal_classifier, takes_signals

    if scale is not None and not 0 < scale < float("inf"):
        raise ConfigError(f"`scale > 0` must hold, but got (scale={scale:g}).")
    classifier: Classifier | Path
    if takes_signals(model):
        # Readings are neither scaled nor drawn into: the function below reads them itself.
        classifier, labels = model, load_signal_classifier(model).labels
    else:
        classifier = load_classifier(model, scale=scale)
        labels = classifier.labels
        if classifier.note:
            hint(classifier.note)
    # A live display takes over sys.stdout; results go past it.
    report = _Report(sys.stdout, labels, as_json)
    display = make_display(stderr_console())
    predictions = classify_paths(
        classifier,
        *paths,
        top=top,
        min_probability=min_probability,
        every=every,
        output=output,
        force=force,
        # On a terminal the results themselves show how far it is.
        progress=no_progress if sys.stdout.isatty() else _if_long(display.prepare),
    )
    try:
        for prediction in predictions:
            report.add(prediction)
    except KeyboardInterrupt:
        predictions.close()  # Finishes the copy.
        hint()
        if not report.is_camera:
            if output is not None and report.has_read:
                hint(f"Wrote {output} up to here")
            raise
    finally:
        display.close()
    report.close(with_counts)
    if output is not None:
        hint(f"Wrote {output}")


class _Report:
    """Prints each prediction when it comes, and counts.

    Args:
        out: Where to print.
        labels: Names of all classes.
        as_json: Lines of JSON instead of columns.
    """

    def __init__(self, out: TextIO, labels: Sequence[str], as_json: bool) -> None:
        self._out = out
        self._as_json = as_json
        self._labels = labels
        self._label_width = min(MAX_LABEL, max(5, *map(len, labels)))
        self._where_width: int | None = None  # Into a file, names go whole.
        if out.isatty():
            self._where_width = max(20, stdout_console().width - self._label_width - 11)
        self._counts: Counter[str | None] = Counter()
        self._untold: list[str] = []
        self._n_read = 0
        self._n_skipped = 0
        self.is_camera = False

    @property
    def has_read(self) -> bool:
        """Whether anything could be read yet."""
        return self._n_read > 0

    def add(self, prediction: Prediction) -> None:
        """Print one; what could not be read goes to stderr."""
        self.is_camera = prediction.source.startswith("camera ")
        where = _where(prediction)
        if prediction.error:
            self._n_skipped += prediction.n_skipped
            self._untold.append(f"{where}: {prediction.error}")
            if self._n_read:
                self._tell_skipped()
            return
        self._tell_skipped()
        self._n_read += 1
        self._counts[prediction.label] += 1
        if self._as_json:
            self._write_json(prediction.to_dict())
            return
        if self._n_read == 1:
            self._write_columns("label", "", "picture")
        for rank, (label, probability) in enumerate(prediction.top):
            is_unsure = rank == 0 and prediction.label is None
            self._write_columns(
                "?" if is_unsure else label,
                format_accuracy(probability),
                "" if rank else where,
            )

    def close(self, with_counts: bool) -> None:
        """Print what comes last.

        Raises:
            DataError: If nothing could be read.
        """
        if len(self._untold) == 1:
            raise DataError(f"Nothing could be read. {self._untold[0]}.")
        self._tell_skipped()
        if not self._n_read and self._n_skipped:
            raise DataError(f"Nothing could be read: all {self._n_skipped:,} were skipped.")
        if self._n_skipped:
            hint(f"{self._n_skipped:,} skipped, {self._n_read:,} labelled")
        if not with_counts:
            return
        if self._as_json:
            self._write_json(
                {
                    "counts": {label: self._counts[label] for label in self._labels},
                    "uncertain": self._counts[None],
                    "skipped": self._n_skipped,
                }
            )
        else:
            self._write_counts()

    def _write_counts(self) -> None:
        self._out.write("\n")
        self._write_columns("label", "", "count")
        by_count = sorted(dict.fromkeys(self._labels), key=lambda label: -self._counts[label])
        rows = [(label, self._counts[label]) for label in by_count]
        if self._counts[None]:
            rows.append(("?", self._counts[None]))
        for label, count in rows:
            self._write_columns(label, format_accuracy(count / self._n_read), f"{count:,}")

    def _tell_skipped(self) -> None:
        for line in self._untold:
            hint(f"skipped {line}")
        self._untold.clear()

    def _write_json(self, data: dict[str, Any]) -> None:
        self._out.write(json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n")
        self._out.flush()  # Whoever reads a camera from a pipe waits for it.

    def _write_columns(self, label: str, share: str, where: str) -> None:
        width = self._label_width
        shown = label if len(label) <= width else f"{label[: width - 1]}…"
        if self._where_width is not None and len(where) > self._where_width:
            where = f"…{where[1 - self._where_width :]}"
        self._out.write(f"{_printable(shown):{width}} {share:>8}  {_printable(where)}".rstrip())
        self._out.write("\n")
        self._out.flush()


def _where(prediction: Prediction) -> str:
    if prediction.frame is None:
        return prediction.source
    if prediction.time_s is None:
        return f"{prediction.source} sample {prediction.frame}"
    return f"{prediction.source} frame {prediction.frame}, {prediction.time_s:.2f} s"


def _printable(text: str) -> str:
    """Return text that cannot steer a terminal, whatever a file is called."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _if_long(progress: Progress) -> Progress:
    def tell(what: str, done: int, total: int) -> None:
        if total >= PROGRESS_FROM:
            progress(what, done, total)

    return tell
