"""A plot of points in a terminal: braille dots, letters on top, axes with units.

Why not a library: plotext, the best known, keeps one figure for the whole process, colours by
escape codes of its own (so that ``NO_COLOR`` and rich's live display do not reach it) and labels
logarithmic axes with bare numbers; uniplot and drawille have no logarithmic axes or no axes at
all. What is needed here, a scatter of some dozens of points, is a hundred lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character: four rows of two dots."""

MIN_WIDTH, MIN_HEIGHT = 24, 5
"""Below that, axes leave no room for points."""


@dataclass(frozen=True)
class Axis:
    """What lies along one side of a plot.

    Attributes:
        title: What it is.
        form: Writes a value with its unit.
        log: Whether equal steps are equal ratios.
        spread: What is shown on either side where all values are the same.
        most: Beyond it nothing can lie.
    """

    title: str
    form: Callable[[float], str]
    log: bool = False
    spread: float = 0.5
    most: float = math.inf

    def place(self, value: float) -> float:
        """Return where a value lies, in steps that are equal on the axis."""
        return math.log10(max(value, 1e-12)) if self.log else value

    def value(self, place: float) -> float:
        """Return the value at a place."""
        return 10**place if self.log else place


@dataclass(frozen=True)
class Mark:
    """A point with a letter in place of a dot.

    Attributes:
        x: Where it lies.
        y: Where it lies.
        letter: One character.
        style: Of rich.
    """

    x: float
    y: float
    letter: str
    style: str = "bold"


@dataclass(frozen=True)
class _Scale:
    """Places of an axis on a number of cells."""

    low: float
    high: float
    n: int

    def cell(self, place: float) -> int:
        share = (place - self.low) / (self.high - self.low)
        return min(self.n - 1, max(0, round(share * (self.n - 1))))

    def place(self, cell: int) -> float:
        return self.low + (self.high - self.low) * cell / max(1, self.n - 1)


def scatter(
    points: Sequence[tuple[float, float]],
    x: Axis,
    y: Axis,
    *,
    width: int,
    height: int,
    marks: Iterable[Mark] = (),
    ascii_only: bool = False,
) -> list[Text]:
    """Return a plot as lines; none where it has no room, or nothing to show.

    Args:
        points: Points drawn as dots.
        x: What lies along the bottom.
        y: What goes up.
        width: Columns in all.
        height: Lines in all.
        marks: Points drawn as letters, over the dots; of two in one place the first counts.
        ascii_only: Whether the terminal has no braille: then every point is a ``*``.
    """
    from rich.text import Text

    letters = list(marks)
    all_points = [*points, *((mark.x, mark.y) for mark in letters)]
    if not all_points or width < MIN_WIDTH or height < MIN_HEIGHT:
        return []
    n_rows = height - 2  # Labels of the bottom axis, and the line above them.
    y_low, y_high = _range(y, [y.place(b) for _, b in all_points])
    rows = _Scale(y_low, y_high, n_rows)
    labels = _row_labels(y, rows)
    margin = max(map(len, labels))
    n_columns = width - margin - 2
    x_low, x_high = _range(x, [x.place(a) for a, _ in all_points])
    columns = _Scale(x_low, x_high, n_columns)
    cells = _dots(points, x, y, columns, rows, ascii_only)
    for mark in reversed(letters):
        cells[rows.cell(y.place(mark.y)), columns.cell(x.place(mark.x))] = mark.letter, mark.style
    lines = []
    corner, bar, dash, tick = "+|-+" if ascii_only else "└│─┬"
    for index in range(n_rows):
        row = n_rows - 1 - index  # From the top down.
        line = Text(f"{labels[row]:>{margin}} ", "dim").append(bar, "dim")
        for column in range(n_columns):
            line.append(*cells.get((row, column), (" ", "")))
        line.rstrip()
        lines.append(line)
    ticks, below = _column_labels(x, columns)
    bottom = "".join(tick if column in ticks else dash for column in range(n_columns))
    lines.append(Text(f"{y.title[:margin]:>{margin}} {corner}{bottom}", "dim"))
    lines.append(Text(" " * (margin + 2) + below, "dim"))
    return lines


def _range(axis: Axis, places: Sequence[float]) -> tuple[float, float]:
    """Return a range in which equal places lie in the middle, or where nothing is beyond them."""
    low, high = min(places), max(places)
    if high - low < 1e-9:
        return low - axis.spread, max(high, min(high + axis.spread, axis.most))
    return low, high


def _dots(
    points: Iterable[tuple[float, float]],
    x: Axis,
    y: Axis,
    columns: _Scale,
    rows: _Scale,
    ascii_only: bool,
) -> dict[tuple[int, int], tuple[str, str]]:
    """Return the characters of points by row, from below, and column."""
    fine_columns = _Scale(columns.low, columns.high, columns.n * 2)
    fine_rows = _Scale(rows.low, rows.high, rows.n * 4)
    bits: dict[tuple[int, int], int] = {}
    for a, b in points:
        if ascii_only:
            bits[rows.cell(y.place(b)), columns.cell(x.place(a))] = 0
            continue
        column, row = fine_columns.cell(x.place(a)), fine_rows.cell(y.place(b))
        at = row // 4, column // 2
        bits[at] = bits.get(at, 0) | _DOTS[3 - row % 4][column % 2]
    return {at: ("*" if ascii_only else chr(_BRAILLE + bit), "cyan") for at, bit in bits.items()}


def _row_labels(axis: Axis, rows: _Scale) -> list[str]:
    """Return a label for some rows, from below; the others are empty."""
    step = max(1, (rows.n - 1) // max(1, min(4, rows.n // 2)))
    top = rows.n - 1
    # Two labels on neighbouring rows read as one.
    labelled = {top, *(row for row in range(0, top, step) if top - row > step // 2)}
    return [
        axis.form(axis.value(rows.place(row))) if row in labelled else "" for row in range(rows.n)
    ]


def _column_labels(axis: Axis, columns: _Scale) -> tuple[set[int], str]:
    """Return columns with a tick, and the line of their labels with the axis' title at its end."""
    title = f" {axis.title}"
    wanted = max(2, min(6, columns.n // 16))
    room = columns.n - len(title)
    ticks: set[int] = set()
    line = ""
    for number in range(wanted):
        column = round(number * (columns.n - 1) / (wanted - 1)) if wanted > 1 else 0
        label = axis.form(axis.value(columns.place(column)))
        start = max(0, column - len(label) // 2)
        if (line and start < len(line) + 2) or start + len(label) > room:
            continue
        ticks.add(column)
        line = f"{line:<{start}}{label}"
    return ticks, f"{line:<{max(room, len(line))}}{title}"
