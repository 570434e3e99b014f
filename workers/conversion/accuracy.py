"""Accuracy of a converted model: what the file that ships labels rightly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spaces.config.metrics import class_scores
from spaces.data.dataset import Split
from workers.conversion.runtime import BATCH_SIZE, Array, load, outputs


def tflite_accuracy(
    tflite: bytes,
    split: Split,
    batch_size: int = BATCH_SIZE,
    threads: int = 1,
    *,
    pause: Callable[[], None] | None = None,
) -> float:
    """Return the fraction of images that a ``.tflite`` model labels rightly, run by LiteRT.

    An output that is not finite is a wrong answer, and not a free vote for the first class.

    Args:
        tflite: A converted model with one output a class.
        split: Images and labels.
        batch_size: Images an invocation.
        threads: Of the interpreter.
        pause: Called before every invocation; it may take its time.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    return tflite_class_scores(tflite, split, batch_size, threads, pause=pause)["accuracy"]


def tflite_class_scores(
    tflite: bytes,
    split: Split,
    batch_size: int = BATCH_SIZE,
    threads: int = 1,
    *,
    pause: Callable[[], None] | None = None,
) -> dict[str, float]:
    """Return accuracy, balanced accuracy and macro F1 of a ``.tflite`` model, run by LiteRT.

    Arguments and errors are those of :func:`tflite_accuracy`.
    """
    found = outputs(tflite, split.images, batch_size, threads, pause=pause)
    predicted = found.argmax(axis=1)
    if np.issubdtype(found.dtype, np.floating):
        predicted = np.where(np.isfinite(found).all(axis=1), predicted, -1)
    return class_scores(predicted, split.labels)


def tflite_scores(tflite: bytes, images: Array) -> tuple[Array, float]:
    """Return what a ``.tflite`` model answers, as real numbers, run by LiteRT.

    Args:
        tflite: A converted model with one output a class.
        images: As in a data set.

    Returns:
        Scores ``[n, classes]``, and the step between two of them that an integer output can tell
        apart; 0 for floats.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    found = outputs(tflite, images)
    if np.issubdtype(found.dtype, np.floating):
        return found, 0.0
    scale, zero_point = load(tflite).get_output_details()[0]["quantization"]
    return (found.astype(np.float64) - zero_point) * scale, float(scale)
