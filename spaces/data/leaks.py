"""What makes accuracies of a folder doubtful: copies across splits, and in two classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spaces.data.class_folders import FoundFile
from spaces.data.copies import Pair
from spaces.data.listing import readable
from spaces.wording import counted, some

N_NAMED = 3

_ORDER = {"train": 0, "val": 1, "test": 2}


def describe_leaks(
    path: Path,
    files: Sequence[FoundFile],
    groups: Sequence[str],
    pairs: Sequence[Pair],
    members: Mapping[str, npt.NDArray[np.int64]],
) -> tuple[str, ...]:
    """Return a sentence on each kind of leak that there is, with counts and some names.

    Args:
        path: The folder.
        files: Pictures.
        groups: Group of each.
        pairs: Pictures that show the same.
        members: Pictures of each split.
    """
    split = {int(number): name for name, numbers in members.items() for number in numbers}
    copies: dict[int, int] = {}
    for pair in pairs:
        first, second = sorted(pair, key=lambda number: _ORDER[split[number]])
        if split[first] != split[second]:
            copies.setdefault(second, first)
    twofold = [(a, b) for a, b in pairs if files[a].class_name != files[b].class_name]
    across: dict[str, set[str]] = {}
    for number, group in enumerate(groups):
        if group.startswith("group "):
            across.setdefault(group, set()).add(split[number])
    n_across = sum(len(found) > 1 for found in across.values())
    lines = []
    if copies:
        shown = _pairs(path, files, list(copies.items()))
        lines.append(
            f"{counted(len(copies), 'picture')} of val and test {_verb(len(copies))} also in "
            f"another split (equal, saved anew, mirrored or darker): {shown}. Accuracies are "
            "too good by them: remove them, or draw splits with --group-by."
        )
    if twofold:
        n = len({number for pair in twofold for number in pair})
        shown = _pairs(path, files, twofold)
        lines.append(
            f"{counted(n, 'picture')} contradict each other, the same one in two classes: "
            f"{shown}. Remove the wrong ones."
        )
    if n_across:
        lines.append(
            f"{counted(n_across, 'group')} of pictures {_verb(n_across)} in more than one of the "
            "given splits: accuracies are too good by them."
        )
    return tuple(lines)


def _pairs(path: Path, files: Sequence[FoundFile], pairs: Sequence[tuple[int, int]]) -> str:
    named = [f"{_name(path, files[a])} = {_name(path, files[b])}" for a, b in pairs]
    return some(named, N_NAMED)


def _name(path: Path, file: FoundFile) -> str:
    return readable(os.path.relpath(file.path, path))


def _verb(n: int) -> str:
    return "is" if n == 1 else "are"
