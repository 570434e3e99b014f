"""Drawn splits: exact shares of every class, whole groups, and few moves when files are added."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.data.drawn_splits import Members, draw_by_group, draw_by_name, val_fraction_of
from spaces.errors import DataError

SPLITS = ("test", "val")


def split_of(members: Members) -> dict[int, str]:
    """Return the split of every file."""
    return {number: split for split, numbers in members.items() for number in numbers}


def test_24_and_24_give_4_and_4() -> None:
    classes = ["a"] * 24 + ["b"] * 24
    members = draw_by_group(classes, [f"picture {n}" for n in range(48)], SPLITS)
    for split in SPLITS:
        assert Counter(classes[number] for number in members[split]) == {"a": 4, "b": 4}


@given(
    counts=st.lists(st.integers(3, 80), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    to_split_off=st.sampled_from([SPLITS, ("test",), ("val",), ()]),
    val_fraction=st.sampled_from([0.15, 0.34, 0.4]),
)
def test_shares_are_exact(
    counts: list[int], seed: int, to_split_off: tuple[str, ...], val_fraction: float
) -> None:
    classes = [str(label) for label, count in enumerate(counts) for _ in range(count)]
    names = [f"{n}" for n in range(len(classes))]
    members = draw_by_group(classes, names, to_split_off, seed, val_fraction)
    assert sorted(split_of(members)) == list(range(len(classes)))
    for split in to_split_off:
        drawn = Counter(classes[number] for number in members[split])
        fraction = val_fraction if split == "val" else 0.15
        assert [drawn[str(n)] for n in range(len(counts))] == [
            max(1, round(count * fraction)) for count in counts
        ]


@pytest.mark.parametrize(
    ("n", "drawn", "n_val"),
    [
        (440, SPLITS, 150),  # 40 % of the 374 that are no test pictures.
        (440, ("val",), 176),
        (753, SPLITS, 256),  # As many as it takes.
        (1_200, SPLITS, 256),
        (1_707, SPLITS, 256),
        (2_000, SPLITS, 300),  # 15 %, as of any larger number.
        (2_000, ("val",), 300),
        (1_000, ("val",), 256),
    ],
)
def test_of_few_pictures_validation_takes_more(n: int, drawn: tuple[str, ...], n_val: int) -> None:
    assert round(n * val_fraction_of(n, drawn, "sized")) == n_val
    for rule in ("stratified", "by_name"):
        assert val_fraction_of(n, drawn, rule) == 0.15


@given(
    count=st.integers(3, 120),
    added=st.integers(1, 40),
    salt=st.integers(0, 10**6),
)
def test_what_is_added_moves_at_most_three_each(count: int, added: int, salt: int) -> None:
    names = [f"{salt} {n}" for n in range(count + added)]
    before = split_of(draw_by_group(["a"] * count, names[:count], SPLITS))
    after = split_of(draw_by_group(["b"] * (count + added), names, SPLITS))  # Renamed too.
    assert sum(after[number] != split for number, split in before.items()) <= 3 * added


def test_few_move_when_a_tenth_is_added() -> None:
    names = [f"{n}.jpg" for n in range(1100)]
    before = split_of(draw_by_group(["a"] * 1000, names[:1000], SPLITS))
    after = split_of(draw_by_group(["a"] * 1100, names, SPLITS))
    assert sum(after[number] != split for number, split in before.items()) <= 50


@given(
    groups=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=12, max_size=60),
    seed=st.integers(0, 99),
)
def test_no_group_is_split_and_shares_are_near(groups: list[tuple[int, int]], seed: int) -> None:
    groups += [(label, 1) for label in range(3) for _ in range(3)]  # Enough of every class.
    classes = [str(label) for label, size in groups for _ in range(size)]
    names = [f"{number}" for number, (_, size) in enumerate(groups) for _ in range(size)]
    members = draw_by_group(classes, names, SPLITS, seed)
    split = split_of(members)
    homes: dict[str, set[str]] = {}
    for number, name in enumerate(names):
        homes.setdefault(name, set()).add(split[number])
    assert all(len(found) == 1 for found in homes.values())
    n_of = Counter(classes)
    for one in SPLITS:
        drawn = Counter(classes[number] for number in members[one])
        for name, n in n_of.items():
            assert drawn[name] >= 1
            assert abs(drawn[name] - max(1, round(0.15 * n))) <= 6


def test_a_patient_in_two_classes_stays_whole() -> None:
    classes = ["healthy", "ill"] * 40
    patients = [f"patient {number // 4}" for number in range(80)]
    split = split_of(draw_by_group(classes, patients, SPLITS))
    assert all(len({split[4 * p + n] for n in range(4)}) == 1 for p in range(20))
    assert Counter(split.values())["test"] == 12


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(DataError, match="at least 3 groups.*but has: a 2"):
        draw_by_group(["a"] * 9, ["x"] * 5 + ["y"] * 4, SPLITS)


def test_earlier_rule_is_as_it_was() -> None:
    names = [f"{number}.png" for number in range(24)]
    members = draw_by_name(["a"] * 24 + ["b"] * 24, names * 2, SPLITS)
    # What the version before stratified splits drew; old studies and exports depend on it.
    assert members["val"] == [1, 5, 6, 22, 27, 28, 41]
    assert members["test"] == [4, 9, 24, 30, 34, 35, 36, 39, 44, 46]
