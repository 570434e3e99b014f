"""Plots in a terminal: points lie where they belong, and nothing is wider than it may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.cli.front_plot import front_plot
from search.cli.scatter import Axis, Mark, scatter
from search.units import format_size

X, Y = Axis("size", format_size, log=True), Axis("", lambda value: f"{value:.1f}")


def drawn(
    points: list[tuple[float, float]], width: int = 60, height: int = 12, **options: Any
) -> list[str]:
    return [line.plain for line in scatter(points, X, Y, width=width, height=height, **options)]


def test_corners_lie_in_the_corners() -> None:
    lines = drawn([(1e3, 0.0), (1e6, 1.0)], ascii_only=True)
    assert lines[0].startswith("1.0 |") and lines[0].rstrip().endswith("*")
    assert lines[0].index("*") == 59
    assert lines[-3].startswith("0.0 |*")
    assert lines[-1].split()[0:2] == ["1.00", "kB"] and lines[-1].endswith(" size")


def test_no_axis_goes_beyond_all_right() -> None:
    lines = [
        line.plain for line in front_plot([(1.0, 2e3, 0.1), (1.0, 3e3, 0.1)], width=60, height=12)
    ]
    assert lines[0].startswith("100.0 %") and lines[0].rstrip()[-1] > "\u2800"
    assert not [line for line in lines if line.lstrip()[:3] in ("105", "125", "150")]


@pytest.mark.parametrize("height", range(7, 30))
def test_labels_keep_apart_as_evenly_as_they_can(height: int) -> None:
    lines = drawn([(1e3, 0.0), (1e6, 1.0)], height=height)[:-2]
    rows = [number for number, line in enumerate(lines) if line[0] != " "]
    gaps = [after - before for before, after in zip(rows, rows[1:], strict=False)]
    assert rows[0] == 0 and min(gaps) > max(gaps[1:]) // 2


def test_equal_ratios_are_equal_steps() -> None:
    lines = drawn([(1e3, 0.0), (1e4, 0.5), (1e5, 1.0)], width=50, height=13, ascii_only=True)
    columns = sorted(line.index("*") for line in lines if "*" in line)
    assert columns[1] - columns[0] == pytest.approx(columns[2] - columns[1], abs=1)


def test_braille_has_eight_places_in_a_character() -> None:
    (dots,) = {c for line in drawn([(1e3, 0.5)]) for c in line if "\u2800" < c <= "\u28ff"}
    assert bin(ord(dots) - 0x2800).count("1") == 1
    many = [(10 ** (3 + i / 500), i / 1000) for i in range(1000)]
    assert len(set("".join(drawn(many)))) > 10


def test_letters_are_above_dots_and_the_first_counts() -> None:
    lines = drawn([(1e3, 1.0), (1e4, 2.0)], marks=[Mark(1e4, 2.0, "K"), Mark(1e4, 2.0, "B")])
    text = "".join(lines)
    assert "K" in text.replace("kB", "") and "B" not in text.replace("kB", "")


@given(
    st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 1)), max_size=30),
    st.integers(1, 130),
    st.integers(1, 40),
    st.booleans(),
)
def test_it_fits_whatever_is_drawn(
    points: list[tuple[float, float]], width: int, height: int, ascii_only: bool
) -> None:
    lines = drawn(points, width, height, ascii_only=ascii_only)
    assert len(lines) in (0, height)
    assert all(len(line) <= width for line in lines)
    if ascii_only:
        assert all(line.isascii() for line in lines)


def test_one_point_and_none() -> None:
    assert drawn([]) == []
    assert any("*" in line for line in drawn([(5e3, 0.5)], ascii_only=True))
    assert front_plot([], width=80, height=14) == []
