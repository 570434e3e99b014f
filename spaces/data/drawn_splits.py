"""Splits that are drawn from a folder of files: stratified, and nearly the same ones tomorrow.

Three rules. ``sized`` is the one of today: of every class the exact share, in whole groups (a
scene, a patient, copies of one picture), in the order of a hash. What is added shifts the ends
of the shares, so that of ``n`` pictures added to a class at most ``3 n`` others change splits,
and hardly one for two that are added. Of few pictures, validation takes a larger share
(:func:`spaces.data.splits.validation_share`), which shrinks as pictures are added. The two rules
of earlier studies are kept so that these can go on: ``stratified`` is the same with 15 % whatever
there is; ``by_name`` lets a hash of every file's name decide on its own, and shares are what
chance makes of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from spaces.data.cache import content_key
from spaces.data.dataset import SPLIT_NAMES
from spaces.data.splits import validation_share
from spaces.errors import DataError

SPLIT_OFF_FRACTION = 0.15

SPLIT_RULES = ("sized", "stratified", "by_name")

Members = dict[str, list[int]]
"""For each split, indices of its files, ascending."""


def draw_by_group(
    classes: Sequence[str],
    groups: Sequence[str],
    to_split_off: Sequence[str],
    seed: int = 0,
    val_fraction: float = SPLIT_OFF_FRACTION,
) -> Members:
    """Draw splits by class, without splitting a group.

    Args:
        classes: Class of each file.
        groups: Group of each file: files of one are never split. Its name is what is hashed,
            and should be what stays when files are added, moved or renamed.
        to_split_off: Splits to draw, of ``test`` and ``val``; the rest is ``train``.
        seed: Chooses which ones.
        val_fraction: Share of every class that goes to ``val``.

    Returns:
        The members of all three splits. Of single files each class gives exactly its share (of
        ``test`` 15 %), rounded and at least one; of groups as near to it as their sizes allow.

    Raises:
        DataError: If a class has fewer groups than there are splits.
    """
    left = _Groups(classes, groups)
    _check_enough(left.n_left, len(to_split_off) + 1)
    fractions = {"val": val_fraction}
    counts = sorted(Counter(classes).items())
    order = sorted(set(groups), key=lambda group: content_key("split", str(seed), group))
    members: Members = {split: [] for split in SPLIT_NAMES}
    for rank, split in enumerate(to_split_off):
        n_after = len(to_split_off) - rank  # Splits that are still to have a group.
        fraction = fractions.get(split, SPLIT_OFF_FRACTION)
        quota = {name: max(1, round(n * fraction)) for name, n in counts}
        missing = Counter(quota)
        for group in order:
            if left.can_go(group, n_after) and left.brings_nearer(group, missing):
                members[split] += left.take(group, missing)
        for name in quota:
            if missing[name] == quota[name]:  # Every group of the class was too large.
                fitting = [
                    group
                    for group in order
                    if left.sizes[group][name] and left.can_go(group, n_after)
                ]
                if not fitting:
                    raise _no_room(name, split)
                least = min(fitting, key=lambda group: left.sizes[group].total())
                members[split] += left.take(least, missing)
    members["train"] += left.rest()
    return {split: sorted(numbers) for split, numbers in members.items()}


class _Groups:
    """The groups that are in no split yet."""

    def __init__(self, classes: Sequence[str], groups: Sequence[str]) -> None:
        self._files: dict[str, list[int]] = defaultdict(list)
        self.sizes: dict[str, Counter[str]] = defaultdict(Counter)
        for number, (class_name, group) in enumerate(zip(classes, groups, strict=True)):
            self._files[group].append(number)
            self.sizes[group][class_name] += 1
        self.n_left = Counter(name for sizes in self.sizes.values() for name in sizes)

    def can_go(self, group: str, n_after: int) -> bool:
        """Whether it is here, and leaves every class ``n_after`` groups."""
        return group in self._files and all(
            self.n_left[name] > n_after for name in self.sizes[group]
        )

    def brings_nearer(self, group: str, missing: Counter[str]) -> bool:
        """Whether a split that misses so many files of each class comes nearer to its share."""
        sizes = self.sizes[group].items()
        return sum(abs(missing[name] - n) - abs(missing[name]) for name, n in sizes) < 0

    def take(self, group: str, missing: Counter[str]) -> list[int]:
        """Take a group out; count what is not missing any more."""
        self.n_left.subtract(self.sizes[group].keys())
        missing.subtract(self.sizes[group])
        return self._files.pop(group)

    def rest(self) -> list[int]:
        """Return the files of all groups that are left."""
        return [number for numbers in self._files.values() for number in numbers]


def val_fraction_of(n: int, to_split_off: Sequence[str], rule: str) -> float:
    """Return which share of all files goes to ``val`` by a rule.

    Args:
        n: Files that are drawn from.
        to_split_off: Splits to draw.
        rule: One of :data:`SPLIT_RULES`.
    """
    if rule != "sized":
        return SPLIT_OFF_FRACTION
    left = 1 - SPLIT_OFF_FRACTION if "test" in to_split_off else 1.0
    return left * validation_share(round(n * left), SPLIT_OFF_FRACTION / left)


def draw_by_name(
    classes: Sequence[str], names: Sequence[str], to_split_off: Sequence[str], seed: int = 0
) -> Members:
    """Draw splits as studies of earlier versions did; arguments as in :func:`draw_by_group`.

    Args:
        classes: Class of each file.
        names: Name of each file below its class folder.
        to_split_off: Splits to draw.
        seed: Chooses which ones.
    """
    members: Members = {split: [] for split in SPLIT_NAMES}
    by_class: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(classes):
        by_class[name].append(number)
    for class_name, numbers in by_class.items():
        positions = {number: _position(class_name, names[number], seed) for number in numbers}
        ordered = sorted(numbers, key=lambda number: positions[number])
        start = 0
        for rank, split in enumerate(to_split_off, start=1):
            end = sum(position < rank * SPLIT_OFF_FRACTION for position in positions.values())
            # One at least for this split, and for each one after it.
            end = min(max(end, start + 1), len(ordered) - (len(to_split_off) - rank) - 1)
            members[split] += ordered[start:end]
            start = end
        members["train"] += ordered[start:]
    return {split: sorted(numbers) for split, numbers in members.items()}


def _position(class_name: str, name: str, seed: int) -> float:
    """Return a number in [0, 1) that depends on the file's class and name alone."""
    key = content_key("split", str(seed), class_name, name)
    return int(key[:13], 16) / 16**13


def _check_enough(n_groups: Counter[str], n_splits: int) -> None:
    scarce = [f"{name} {n}" for name, n in sorted(n_groups.items()) if n < n_splits]
    if scarce:
        raise DataError(
            f"Every class must have at least {n_splits} groups, one a split, since a group is "
            f"never split, but has: {', '.join(scarce[:5])}. Group by less, or give train/, val/ "
            "and test/ folders."
        )


def _no_room(class_name: str, split: str) -> DataError:
    return DataError(
        f"Every class must be in every split, but no group of {class_name!r} can go to {split} "
        "without taking another class's last one. Group by less, or give train/, val/ and test/ "
        "folders."
    )
