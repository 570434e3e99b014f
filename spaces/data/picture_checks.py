"""Whether the pictures of a folder suffice, and what is said of those that cannot be read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from spaces.data.class_counts import describe_ignored
from spaces.data.class_folders import FoundFile, FoundFolder, kind_of_file
from spaces.data.listing import readable
from spaces.data.pictures import MEGAPIXELS_VARIABLE
from spaces.errors import DataError

MIN_PICTURES = 3  # One a split.
MAX_BROKEN_FRACTION = 0.05

Pictures = Sequence[tuple[FoundFile, str]]
"""Files with a hash of their bytes."""


def check_counts(
    path: Path,
    found: FoundFolder,
    pictures: Sequence[FoundFile],
    others: Sequence[FoundFile],
    reasons: Mapping[tuple[str, str], str] | None = None,
) -> None:
    """Refuse classes of too few pictures, and say what they hold instead.

    Args:
        path: The folder.
        found: Its classes and splits.
        pictures: Those that can be read.
        others: Files that are no pictures.
        reasons: Why pictures of a class of a split are broken.

    Raises:
        DataError: If a class has too few.
    """
    counts = Counter((file.split, file.class_name) for file in pictures)
    if not counts:
        held = Counter(kind_of_file(file.name) for file in others)
        instead = f"; they hold {describe_ignored(held)}" if held else ""
        raise DataError(
            f"{path} must hold pictures in its class folders, but none are there{instead}."
        )
    for split in found.splits or ("",):
        needed = MIN_PICTURES if split in ("", "train") else 1
        scarce = [name for name in found.class_names if counts[split, name] < needed]
        if scarce:
            said = [_scarce(split, name, counts, others, reasons or {}) for name in scarce[:5]]
            where = f"{path / split}" if split else f"{path}"
            raise DataError(
                f"{where} must hold at least {needed} readable picture{'s' * (needed > 1)} of "
                f"every class, but has: {', '.join(said)}. {_way_out(said)}"
            )


def _scarce(
    split: str,
    class_name: str,
    counts: Mapping[tuple[str, str], int],
    others: Sequence[FoundFile],
    reasons: Mapping[tuple[str, str], str],
) -> str:
    text = f"{class_name} {counts[split, class_name]}"
    held = Counter(
        kind_of_file(file.name)
        for file in others
        if (file.split, file.class_name) == (split, class_name)
    )
    if held:
        text += f" (and {describe_ignored(held)})"
    elif not counts[split, class_name]:
        text += " (empty)"
    if reason := reasons.get((split, class_name)):
        text += f" (others cannot be read: {reason})"
    return text


def _way_out(said: Sequence[str]) -> str:
    if any("(and" in text for text in said):
        return (
            "A folder of other files is no class: remove it; what other programs wrote, save as "
            "JPEG or PNG."
        )
    return "Add pictures, or remove the class."


def check_broken(path: Path, pictures: Pictures, broken: dict[int, str]) -> None:
    """Refuse a folder of which too much is broken."""
    if len(broken) > MAX_BROKEN_FRACTION * len(pictures):
        raise DataError(
            f"At most {MAX_BROKEN_FRACTION:.0%} of the pictures may be broken, but "
            f"{len(broken)} of {len(pictures)} are: {_name_broken(path, pictures, broken)}. "
            f"{_repair(list(broken.values()))}"
        )


def _repair(reasons: Sequence[str]) -> str:
    """Return the way out of what most of them suffer from."""
    ((usual, count),) = Counter(reasons).most_common(1)
    if "pip install" in usual and count > len(reasons) / 2:
        return "They may be sound; install what reads them, or save them as JPEG."
    if MEGAPIXELS_VARIABLE in usual:
        return "Make them smaller, or raise the limit."
    return "Repair or remove them."


def reasons_by_class(
    pictures: Pictures, broken: dict[int, str]
) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield for each class of a split why pictures of it are broken."""
    for number, reason in broken.items():
        file = pictures[number][0]
        yield (file.split, file.class_name), reason


def broken_note(path: Path, pictures: Pictures, broken: dict[int, str]) -> tuple[str, ...]:
    """Return a note that names broken pictures; none without any."""
    if not broken:
        return ()
    were = (
        "picture that cannot be read was"
        if len(broken) == 1
        else ("pictures that cannot be read were")
    )
    return (f"{len(broken)} {were} left out: {_name_broken(path, pictures, broken)}.",)


def _name_broken(path: Path, pictures: Pictures, broken: dict[int, str]) -> str:
    named = [
        f"{readable(os.path.relpath(pictures[number][0].path, path))} ({reason})"
        for number, reason in list(broken.items())[:3]
    ]
    return ", ".join(named) + (", ..." if len(broken) > 3 else "")
