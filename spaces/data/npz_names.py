"""What the arrays of an ``.npz`` are: known under one name, found under those that people give."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from spaces.data.dataset import SPLIT_NAMES
from spaces.errors import DataError

KNOWN_NAMES = (*(f"{kind}_{split}" for split in SPLIT_NAMES for kind in "xy"), "class_names")

_SPLITS = {
    **dict.fromkeys(("train", "training", "tr", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "te"), "test"),
}
_KINDS = {
    **dict.fromkeys(("x", "image", "images", "img", "imgs", "data", "features", "inputs"), "x"),
    **dict.fromkeys(("y", "label", "labels", "target", "targets", "lbl", "lbls"), "y"),
}
_CLASS_NAMES = ("classnames", "labelnames", "targetnames", "categories")


def names_of_arrays(
    found: Sequence[str], path: Path, label_set: str, notes: list[str]
) -> dict[str, str]:
    """Return the name in the file of each known array that is there.

    Args:
        found: Names in the file.
        path: The file.
        label_set: Which of several sets of labels counts.
        notes: Gets what was taken for what, and what is not used.

    Raises:
        DataError: If something is missing, or there twice.
    """
    names: dict[str, str] = {}
    if label_set and "y_train" not in found:
        for split in SPLIT_NAMES:
            if (of_set := f"y_{split}_{label_set}") in found:
                names[f"y_{split}"] = of_set
        if (of_set := f"{label_set}_label_names") in found:
            names["class_names"] = of_set
    unused = []
    taken = []
    for one in found:
        known = one if one in KNOWN_NAMES else _known_as(one)
        if one in names.values():
            continue
        if known is None:
            unused.append(one)
        elif known in names:
            raise DataError(
                f"{path} must hold each array once, but {names[known]} and {one} both are "
                f"{known}. Leave one out."
            )
        else:
            names[known] = one
            if known != one:
                taken.append(f"{one} as {known}")
    _check(names, found, path)
    if taken:
        notes.append(f"Arrays of {path.name} were taken by their names: {', '.join(taken)}.")
    if unused and not label_set:
        notes.append(f"Not used of {path.name}: {_some(unused)}.")
    return names


def _known_as(name: str) -> str | None:
    """Return what an array's name means; None for nothing known."""
    # `XTrain`, `trainX`, `x_train`, `x-train`, `xtrain`
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=^[A-Z])(?=[A-Z])", "_", name)
    words = [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    joined = "".join(words)
    if joined in _CLASS_NAMES:
        return "class_names"
    if len(words) == 1:
        if joined in _KINDS:  # All of it, of which the splits are drawn.
            return f"{_KINDS[joined]}_train"
        for kind in ("x", "y"):
            for split, known in _SPLITS.items():
                if joined in (kind + split, split + kind):
                    return f"{kind}_{known}"
    if len(words) == 2:
        for kind, split in (words, reversed(words)):
            if kind in _KINDS and split in _SPLITS:
                return f"{_KINDS[kind]}_{_SPLITS[split]}"
    return None


def _check(names: dict[str, str], found: Sequence[str], path: Path) -> None:
    needed = ["x_train", "y_train"]
    for split in ("val", "test"):
        pair = [f"x_{split}", f"y_{split}"]
        needed += pair if any(key in names for key in pair) else []
    missing = [key for key in needed if key not in names]
    if not missing:
        return
    near = difflib.get_close_matches(missing[0], [n for n in found if n not in names.values()], 1)
    guess = f" Is {near[0]} meant?" if near else ""
    if found and all(re.fullmatch(r"arr_\d+", name) for name in found):
        guess = " Arrays that are saved without names do not say what they are."
    raise DataError(
        f"{path} must hold x_train and y_train, and x_ and y_ of each further split, but "
        f"{', '.join(missing)} is missing; found: {', '.join(found[:12]) or 'nothing'}.{guess} "
        "Save it with numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)."
    )


def _some(names: Sequence[str], limit: int = 6) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"
