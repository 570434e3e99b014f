"""A deployed model for sensor readings, and the files that readings come in.

As :mod:`workers.deploy.classifier` it needs the folder that ``search retrain`` writes and LiteRT,
and nothing of training. Readings are standardized as they were for training, by what
``metrics.json`` says.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.data.damage import READ_ERRORS, reason_of
from spaces.data.samples import SIGNAL, Standardization, as_signals, sample_kind
from spaces.errors import DataError, ModelError
from workers.conversion.accuracy import scores_by_class, tflite_scores
from workers.deploy.classifier import LABELS_NAME, METRICS_NAME, MODEL_NAME
from workers.deploy.evaluation import probabilities

SUFFIXES = (".npz", ".npy", ".csv")
"""Files of readings: of an ``.npz`` the array ``x``, ``x_test`` or the only one; of a ``.csv`` a
sample a line."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class SignalClassifier:
    """A model that is ready to label readings.

    Attributes:
        labels: One name a class, in the order of the model's outputs.
        input_shape: Height, width, channels.
        standardization: What is done to readings first; None for nothing.
        tflite: The model.
        are_logits: Whether it gives logits.
    """

    labels: tuple[str, ...]
    input_shape: tuple[int, int, int]
    standardization: Standardization | None
    tflite: bytes
    are_logits: bool

    def probabilities(self, samples: Array, name: str) -> npt.NDArray[np.float64]:
        """Return ``[n, classes]``: what the model gives each class, in [0, 1].

        Args:
            samples: As :func:`spaces.data.samples.as_signals` takes them.
            name: What they are called in an error.

        Raises:
            DataError: If they are of another shape than the model's, or no finite numbers.
            ConversionError: If a kernel fails.
        """
        found = as_signals(samples, name)
        if found.shape[1:] != self.input_shape:
            raise DataError(
                f"{name} must hold samples of {_plain(self.input_shape)}, as the model takes, but "
                f"got {_plain(found.shape[1:])}."
            )
        if self.standardization is not None:
            found = self.standardization(found)
        scores, _ = tflite_scores(self.tflite, found, are_logits=self.are_logits)
        by_class = scores_by_class(np.asarray(scores, np.float64), are_logits=self.are_logits)
        return np.asarray(probabilities(by_class, are_logits=self.are_logits), np.float64)


def takes_signals(path: Path) -> bool:
    """Whether what lies beside a model says that it takes readings and no pictures."""
    folder = path if path.is_dir() else path.parent
    try:
        metrics = json.loads((folder / METRICS_NAME).read_text())
        return sample_kind(metrics["input"].get("kind")) is SIGNAL
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def load_signal_classifier(path: Path) -> SignalClassifier:
    """Load a model of which :func:`takes_signals` is true.

    Raises:
        ModelError: If something of the folder is missing.
    """
    folder = path if path.is_dir() else path.parent
    try:
        metrics = json.loads((folder / METRICS_NAME).read_text())
        labels = (folder / LABELS_NAME).read_text(encoding="utf-8").splitlines()
        tflite = (path / MODEL_NAME if path.is_dir() else path).read_bytes()
        stated, given = metrics["input"], metrics["output"]
        height, width, channels = stated["shape"]
        scaling = stated.get("standardization")
        return SignalClassifier(
            tuple(label for label in labels if label),
            (int(height), int(width), int(channels)),
            None
            if scaling is None
            else Standardization(tuple(scaling["mean"]), tuple(scaling["deviation"])),
            tflite,
            given["values"] == "logits",
        )
    except OSError as error:
        raise ModelError(f"{error.filename} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / METRICS_NAME} must say what the model takes, as `search retrain` writes "
            f"it, but cannot be understood ({type(error).__name__}: {error})."
        ) from error


def read_signals(path: Path) -> Array:
    """Return the readings of a file, a sample a row.

    Raises:
        DataError: If it is no file of readings, or cannot be read.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"Readings come in {', '.join(SUFFIXES)}, but got {path.name}. This model takes no "
            f"pictures."
        )
    try:
        if path.suffix.lower() == ".csv":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Of no data, which is said below.
                found = np.loadtxt(path, delimiter=",", ndmin=2)
            if not found.size:
                raise ValueError("there is not one number in it")
            return found
        with open(path, "rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            names = list(loaded)
            chosen = next((n for n in ("x", "x_test") if n in names), None)
            if chosen is None and len(names) == 1:
                chosen = names[0]
            if chosen is None:
                raise ValueError(f"x or x_test is needed; found: {', '.join(names)}")
            return np.asarray(loaded[chosen])
    except READ_ERRORS as error:
        raise DataError(f"{path} cannot be read: {reason_of(error)}.") from error


def _plain(shape: tuple[int, ...]) -> str:
    """Return a shape as people have it: without the sides that are always 1."""
    return str(list(shape[next((i for i, size in enumerate(shape) if size > 1), 2) :]))
