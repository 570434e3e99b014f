"""Which split each picture of a folder is in, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spaces.data.copies import Pair, joined
from spaces.data.dataset import SPLIT_NAMES
from spaces.data.drawn_splits import (
    SPLIT_OFF_FRACTION,
    draw_by_group,
    draw_by_name,
    val_fraction_of,
)
from spaces.data.groups import groups_asked_for, groups_by_name
from spaces.data.listing import readable
from spaces.data.picture_checks import Pictures
from spaces.data.request import DataRequest
from spaces.data.splits import why_so_many
from spaces.errors import DataError

MAX_JOINED = 20
"""Pictures that look alike and are still taken for copies of one."""

SplitMembers = Mapping[str, npt.NDArray[np.int64]]
"""For each split, indices of its pictures, ascending."""


def picture_groups(
    path: Path, pictures: Pictures, request: DataRequest
) -> tuple[list[str], tuple[str, ...]]:
    """Return the group of every picture: as asked for, as names say, or by its bytes.

    Args:
        path: The folder.
        pictures: Files with a hash of their bytes.
        request: Holds what was asked for.

    Returns:
        Names of groups, and what a person should know.
    """
    files = [file for file, _ in pictures]
    if request.group_by is not None:
        groups, notes = groups_asked_for(request.group_by, path, files)
    else:
        groups, notes = groups_by_name(files), ()
        if n_named := len(files) - groups.count(None):
            n_originals = len(set(groups) - {None})
            notes = (
                f"{n_named:,} pictures are augmented copies of {n_originals:,} by their names "
                "(.rf.): those of one are never split.",
            )
    # By content, and so equal for equal pictures, whatever they are called.
    return [
        digest if group is None else f"group {group}"
        for group, (_, digest) in zip(groups, pictures, strict=True)
    ], notes


def assign_splits(
    pictures: Pictures,
    groups: Sequence[str],
    copies: Sequence[Pair],
    given: Sequence[str],
    seed: int,
    request: DataRequest,
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the indices of each split's pictures.

    Args:
        pictures: Files with a hash of their bytes.
        groups: As :func:`picture_groups` returns them.
        copies: Pairs of pictures that show the same: these stay together where that is possible.
        given: Splits that have folders of their own.
        seed: Chooses what is split off.
        request: Holds the rule.

    Raises:
        DataError: If groups that were asked for leave a class without a split.
    """
    to_draw = [n for n, (file, _) in enumerate(pictures) if file.split in ("", "train")]
    classes = [pictures[number][0].class_name for number in to_draw]
    missing = [split for split in ("test", "val") if split not in given]
    if request.split_rule == "by_name":
        names = [readable(pictures[number][0].name) for number in to_draw]
        drawn = draw_by_name(classes, names, missing, seed)
    else:
        share = val_fraction_of(len(to_draw), missing, request.split_rule)
        ways = [joined(groups, copies, MAX_JOINED), groups]
        if request.group_by is None:
            # Nobody asked for groups: where copies of too few pictures are all there is, what is
            # said of leaks says it.
            ways.append([f"{number}" for number in range(len(pictures))])
        for way in ways:
            try:
                groups_of_way = [way[number] for number in to_draw]
                drawn = draw_by_group(classes, groups_of_way, missing, seed, share)
                break
            except DataError:
                if way is ways[-1]:
                    raise
    members = {split: [to_draw[number] for number in drawn[split]] for split in SPLIT_NAMES}
    for number, (file, _) in enumerate(pictures):
        if file.split not in ("", "train"):
            members[file.split].append(number)
    return {split: np.array(sorted(numbers), np.int64) for split, numbers in members.items()}


def split_note(given: Sequence[str], members: SplitMembers, rule: str) -> tuple[str, ...]:
    """Say which splits were drawn, and where validation has more than usual, why."""
    missing = [split for split in ("val", "test") if split not in given]
    if not missing:
        return ()
    parts = " and ".join(f"{len(members[split])} as {split} split" for split in missing)
    source = "training pictures" if given else "pictures"
    note = f"Of the {source} some were set aside, the same share of every class: {parts}."
    if "val" in missing:
        drawn_from = ("train", *missing)
        n = sum(len(members[split]) for split in drawn_from)
        note += why_so_many(val_fraction_of(n, missing, rule), SPLIT_OFF_FRACTION)
    return (note,)
