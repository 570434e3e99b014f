"""Which files belong together: frames of one scene, one patient, augmented copies of a picture.

Files of one group never go to different splits: a model would be judged on what it has seen.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path

from spaces.data.class_folders import FoundFile
from spaces.data.listing import readable
from spaces.errors import DataError

_ROBOFLOW = re.compile(r"(.+)\.rf\.[0-9A-Za-z]{16,}\.\w+$")
"""How Roboflow names the copies it makes of a picture: ``dog_jpg.rf.<hash>.jpg``."""


def canonical_group_by(group_by: str) -> str:
    """Return what is stored of it: the path of a CSV file means the same from everywhere."""
    return str(Path(group_by).absolute()) if group_by.lower().endswith(".csv") else group_by


def groups_by_name(files: Sequence[FoundFile]) -> list[str | None]:
    """Return the picture that a file is an augmented copy of, as far as its name says so."""
    found = [_ROBOFLOW.match(file.name) for file in files]
    return [None if match is None else match[1] for match in found]


def groups_asked_for(
    group_by: str, root: Path, files: Sequence[FoundFile]
) -> tuple[list[str | None], tuple[str, ...]]:
    """Return the group of every file, and what a person should know.

    Args:
        group_by: A regular expression with a group, that is looked for in a file's path below
            its class folder; or a pattern such as ``*_*.jpg``, whose first star stands for the
            group; or a CSV file with a file (its name, or its path below ``root``) and its group
            in each row.
        root: The folder with all files.
        files: Files.

    Returns:
        Groups; None for a file without one, which is then a group of its own.

    Raises:
        DataError: If it is none of these, or says nothing of any file.
    """
    if group_by.lower().endswith(".csv"):
        return _by_table(Path(group_by), root, files)
    pattern = _pattern(group_by)
    found = [pattern.search(readable(file.name)) for file in files]
    groups = [
        None if match is None else "\0".join(part or "" for part in match.groups())
        for match in found
    ]
    n_alone = groups.count(None)
    if n_alone == len(files):
        example = readable(files[0].name) if files else "none"
        raise DataError(
            f"--group-by {group_by} must match names of pictures, but matches none of "
            f"{len(files)}, such as {example}. Compare them, or name a CSV of file,group."
        )
    return groups, _notes(groups, f"by {group_by}")


def _pattern(group_by: str) -> re.Pattern[str]:
    if "(" in group_by:
        try:
            pattern = re.compile(group_by)
        except re.error as error:
            raise DataError(
                f"--group-by must be a regular expression with a group, but {group_by} is none: "
                f"{error}."
            ) from None
        if pattern.groups:
            return pattern
    elif "*" in group_by:
        first, *rest = group_by.split("*")
        tail = ".*".join(map(_glob_part, rest))
        return re.compile(rf"(?:^|/){_glob_part(first)}([^/]*){tail}$")
    raise DataError(
        "--group-by must be a regular expression with a group, such as '^(.*)_', or a pattern "
        "whose first star is the group, such as '*_*.jpg', or a .csv file of file,group, but got "
        f"{group_by!r}."
    )


def _glob_part(text: str) -> str:
    return re.escape(text).replace(r"\?", ".")


def _by_table(
    path: Path, root: Path, files: Sequence[FoundFile]
) -> tuple[list[str | None], tuple[str, ...]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except OSError as error:
        raise DataError(f"--group-by {path} cannot be read: {error.strerror or error}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"--group-by {path} must be a CSV of file,group: {error}.") from None
    for number, row in enumerate(rows, start=1):
        if len(row) < 2:
            raise DataError(
                f"--group-by {path} must have two columns, file and group, but row {number} is "
                f"{row[0]!r}."
            )
    table = {readable(row[0]).replace("\\", "/").removeprefix("./"): row[1] for row in rows}
    paths = [readable(os.path.relpath(file.path, root)).replace(os.sep, "/") for file in files]
    groups = [
        table.get(name, table.get(name.rpartition("/")[2], table.get(readable(file.name))))
        for name, file in zip(paths, files, strict=True)
    ]
    if all(group is None for group in groups):
        example = paths[0] if paths else "none"
        raise DataError(
            f"--group-by {path} must name pictures below {root}, such as {example}, but names "
            f"none of them; its first row is {','.join(rows[0]) if rows else 'missing'!r}."
        )
    return groups, _notes(groups, f"by {path.name}")


def _notes(groups: Sequence[str | None], how: str) -> tuple[str, ...]:
    n_alone = groups.count(None)
    n_groups = len(set(groups) - {None})
    text = f"{len(groups) - n_alone:,} pictures are {n_groups:,} groups {how}"
    if n_alone:
        text += f"; {n_alone:,} without a group stand alone"
    return (f"{text}. No group is split.",)
