"""What a data set must be before anything is trained on it: types, labels, names of classes."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.errors import DataError

_PART = 1 << 22
"""Numbers looked at in one go: an array may be mapped, and larger than memory."""


def check_class_names(name: str, class_names: Sequence[str]) -> None:
    """Check that names are different lines of text.

    They become lines of ``labels.txt``, cells of tables and words on a terminal, all of which
    would be ruined at the end of a training.

    Raises:
        DataError: If one is not; it says which.
    """
    if isinstance(class_names, str) or not all(isinstance(one, str) for one in class_names):
        raise DataError(
            f"Data set {name!r}: class_names must be strings, one a class, but got "
            f"{class_names!r:.100}."
        )
    for one in class_names:
        if not one.strip():
            raise DataError(
                f"Data set {name!r}: a class needs a name, but got {one!r}. Give it one."
            )
        if any(_breaks_lines(sign) for sign in one):
            raise DataError(
                f"Data set {name!r}: the name of a class is one line of text, without control "
                f"characters, but got {ascii(one)}. Rename it."
            )
    if len(set(class_names)) < len(class_names):
        twice = sorted({one for one in class_names if list(class_names).count(one) > 1})
        raise DataError(
            f"Data set {name!r}: classes must have different names, but got twice: "
            f"{', '.join(twice[:6])}."
        )


def _breaks_lines(sign: str) -> bool:
    # Control characters, line and paragraph separators, halves of characters (file names that
    # are no text), and marks that turn the direction of what follows.
    turns = "\u202a\u202b\u202d\u202e"
    return unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs") or sign in turns


def check_labels(name: str, split: str, labels: Any, class_names: Sequence[str]) -> None:
    """Check that labels are indices of classes, ``[n]``.

    Raises:
        DataError: With the rule, what arrived, and the fix.
    """
    rule = f"Data set {name!r}: labels of split {split!r} must be class indices, [n] integers"
    if not isinstance(labels, np.ndarray):
        raise DataError(f"{rule}, but got {type(labels).__name__}. Give a numpy.ndarray.")
    got = f"{labels.dtype} of shape {labels.shape}"
    if labels.ndim == 2 and labels.shape[1] == len(class_names) > 1:
        raise DataError(f"{rule}, but got {got}. Turn one-hot rows with labels.argmax(axis=1).")
    if labels.ndim == 2 and labels.shape[1] == 1:
        raise DataError(f"{rule}, but got {got}. Flatten them with labels[:, 0].")
    if labels.ndim != 1:
        raise DataError(f"{rule}, but got {got}.")
    if labels.dtype.kind not in "iu":
        raise DataError(f"{rule}, but got {got}. Turn them with labels.astype('int64').")
    if len(labels) and (labels.min() < 0 or labels.max() >= len(class_names)):
        raise DataError(
            f"Data set {name!r}: labels must be 0 to {len(class_names) - 1}, one for each of the "
            f"class_names, but those of split {split!r} are {labels.min()} to {labels.max()}."
        )


def check_values(name: str, split: str, images: Any) -> None:
    """Check that samples are uint8, or finite float32.

    Raises:
        DataError: With the rule, what arrived, and the fix.
    """
    rule = f"Data set {name!r}: images of split {split!r} must be uint8 or float32"
    if not isinstance(images, np.ndarray):
        raise DataError(f"{rule} arrays, but got {type(images).__name__}. Give a numpy.ndarray.")
    if images.dtype == np.uint8:
        return
    if images.dtype != np.float32:
        raise DataError(
            f"{rule}, but got {images.dtype}. Turn them with images.astype('float32')."
        )
    if not all_finite(images):
        raise DataError(
            f"Data set {name!r}: images must be finite numbers, but split {split!r} has NaN or "
            f"infinite ones. Leave those images out, or fill them."
        )


def all_finite(array: npt.NDArray[Any]) -> bool:
    """Whether floats hold neither NaN nor infinity."""
    step = max(1, _PART * len(array) // max(1, array.size))
    return all(
        bool(np.isfinite(array[start : start + step]).all())
        for start in range(0, len(array), step)
    )
