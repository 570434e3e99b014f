"""Accuracy of a converted model: what the file that ships labels rightly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from spaces.config.metrics import class_scores
from spaces.data.dataset import Split
from workers.conversion.flatbuffer import gives_probabilities
from workers.conversion.runtime import BATCH_SIZE, Array, dequantized, load, outputs


def tflite_accuracy(
    tflite: bytes,
    split: Split,
    batch_size: int = BATCH_SIZE,
    threads: int = 1,
    *,
    are_logits: bool | None = None,
) -> float:
    """Return the fraction of images that a ``.tflite`` model labels rightly, run by LiteRT.

    An output that is not finite is a wrong answer, and not a free vote for the first class.

    Args:
        tflite: A converted model with one output a class, or one for the second of two.
        split: Images and labels.
        batch_size: Images an invocation.
        threads: Of the interpreter.
        are_logits: Whether a model of one unit gives a logit; None to look at the file.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    found = tflite_class_scores(tflite, split, batch_size, threads, are_logits=are_logits)
    return found["accuracy"]


def tflite_class_scores(
    tflite: bytes,
    split: Split,
    batch_size: int = BATCH_SIZE,
    threads: int = 1,
    *,
    are_logits: bool | None = None,
    pause: Callable[[], None] | None = None,
) -> dict[str, float]:
    """Return accuracy, balanced accuracy and macro F1 of a ``.tflite`` model, run by LiteRT.

    Arguments and errors are those of :func:`tflite_accuracy`, and ``pause``, which is called
    before every invocation, and may take its time.
    """
    predicted = tflite_labels(
        tflite, split, batch_size, threads, are_logits=are_logits, pause=pause
    )
    return class_scores(predicted, split.labels)


def tflite_labels(
    tflite: bytes,
    split: Split,
    batch_size: int = BATCH_SIZE,
    threads: int = 1,
    *,
    are_logits: bool | None = None,
    pause: Callable[[], None] | None = None,
) -> npt.NDArray[np.int64]:
    """Return which class a ``.tflite`` model says each image is; -1 where it has no answer.

    Arguments and errors are those of :func:`tflite_class_scores`.
    """
    found = outputs(tflite, split.images, batch_size, threads, pause=pause)
    if found.shape[1] == 1:
        found, _ = _scores(tflite, found, are_logits)
    predicted: npt.NDArray[np.int64] = found.argmax(axis=1)
    if np.issubdtype(found.dtype, np.floating):
        predicted = np.where(np.isfinite(found).all(axis=1), predicted, -1)
    return predicted


def tflite_scores(
    tflite: bytes, images: Array, *, are_logits: bool | None = None
) -> tuple[Array, float]:
    """Return what a ``.tflite`` model answers, as real numbers, run by LiteRT.

    Args:
        tflite: A converted model with one output a class, or one for the second of two.
        images: As in a data set.
        are_logits: Whether a model of one unit gives a logit; None to look at the file.

    Returns:
        Scores ``[n, classes]`` (see :func:`scores_by_class` for one unit), and the step between
        two of them that an integer output can tell apart; 0 for floats.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    return _scores(tflite, outputs(tflite, images), are_logits)


def tflite_outputs(tflite: bytes, images: Array) -> tuple[Array, float]:
    """Return the same as :func:`tflite_scores`, but one number an image where there is one unit.

    Raises:
        ConversionError: If the runtime cannot run the model.
    """
    return _dequantized(tflite, outputs(tflite, images))


def labels_of(tflite: bytes, found: Array) -> npt.NDArray[np.intp]:
    """Return the class of each row of raw outputs, in the number format of the file."""
    if found.shape[1] == 1:
        found, _ = _scores(tflite, found, None)
    best: npt.NDArray[np.intp] = found.argmax(axis=1)
    return best


def scores_by_class(found: Array, *, are_logits: bool) -> Array:
    """Return one score a class, ``[n, classes]``, of what a model gives.

    One unit stands for the second of two classes. A logit has 0 beside it, a probability what is
    missing to 1: the second class wins above 0, or above 0.5, as in ``binary_accuracy``.
    """
    if found.shape[1] != 1:
        return found
    values = found.astype(np.float64)
    if are_logits:
        return np.concatenate([np.where(np.isfinite(values), 0.0, values), values], axis=1)
    chances = np.clip(values, 0.0, 1.0)
    return np.concatenate([1.0 - chances, chances], axis=1)


def _dequantized(tflite: bytes, found: Array) -> tuple[Array, float]:
    if np.issubdtype(found.dtype, np.floating):
        return found, 0.0
    details = load(tflite).get_output_details()[0]
    return dequantized(found, details), float(details["quantization"][0])


def _scores(tflite: bytes, found: Array, are_logits: bool | None) -> tuple[Array, float]:
    found, step = _dequantized(tflite, found)
    if found.shape[1] == 1 and are_logits is None:
        are_logits = not gives_probabilities(tflite)
    return scores_by_class(found, are_logits=bool(are_logits)), step
