"""Small charts as SVG, to stand in a page that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from search.report.templating import fragment

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 30, 38
"""Margins for the labels of axes and the title."""

MAX_DOTS = 60
"""Longer lines are drawn without a dot for each value."""


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: Said in the legend.
        values: One for each epoch, from the first.
        colour: Of CSS.
        is_dashed: Whether it is drawn thin and dashed: something to compare with.
    """

    name: str
    values: Sequence[float]
    colour: str
    is_dashed: bool = False


@dataclass(frozen=True)
class Band:
    """Epochs in which something went on, from and to as numbers where epoch 1 begins at 0."""

    name: str
    start: float
    end: float


class _Axes:
    """Where values lie in the picture."""

    def __init__(self, n_epochs: int, low: float, high: float) -> None:
        self.n_epochs = n_epochs
        self.ticks = nice_ticks(low, high)
        self.low, self.high = min(low, self.ticks[0]), max(high, self.ticks[-1])

    def x(self, epoch: float) -> float:
        """Return the place of an epoch's end; that of the first value is 1."""
        share = (epoch - 1) / max(self.n_epochs - 1, 1)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def line_chart(
    title: str,
    lines: Sequence[Line],
    form: Callable[[float], str],
    *,
    best_epoch: int | None = None,
    bands: Sequence[Band] = (),
    style: str = "",
) -> str:
    """Return a chart of values by epoch; without any, an empty text.

    Args:
        title: Stands above it.
        lines: What is drawn.
        form: Turns a value of the axis into text.
        best_epoch: Marked with a line of its own, counted from 1.
        bands: Shaded.
        style: CSS of a picture that stands alone; on a page it is the page's.
    """
    values = [v for line in lines for v in line.values if math.isfinite(v)]
    if not values:
        return ""
    axes = _Axes(max(len(line.values) for line in lines), min(values), max(values))
    return fragment(
        "line_chart.svg",
        title=title,
        style=style,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        bands=[_band(band, axes) for band in bands],
        ticks=[(axes.y(tick), form(tick)) for tick in axes.ticks],
        epochs=[(axes.x(epoch), epoch) for epoch in _epoch_ticks(axes.n_epochs)],
        best=None if best_epoch is None else _best(best_epoch, axes),
        lines=[_drawn(line, axes, form) for line in lines],
    )


def strip_chart(
    values: Sequence[float], own: float, mean: float, std: float | None, form: Callable[..., str]
) -> str:
    """Return values as dots on one axis, with their mean, one deviation around it, and ``own``."""
    shown = [*values, own, mean - (std or 0), mean + (std or 0)]
    ticks = nice_ticks(min(shown), max(shown))
    low, high = min(*shown, *ticks), max(*shown, *ticks)

    def x(value: float) -> float:
        return LEFT + (value - low) / ((high - low) or 1) * (WIDTH - 2 * LEFT)

    spread = None
    if std:
        spread = {"x": x(mean - std), "width": x(mean + std) - x(mean - std)}
    return fragment(
        "strip_chart.svg",
        width=WIDTH,
        spread=spread,
        ticks=[(x(tick), form(tick)) for tick in ticks],
        mean=x(mean),
        dots=[(x(value), form(value)) for value in values],
        own=(x(own), form(own)),
    )


def nice_ticks(low: float, high: float, n: int = 5) -> list[float]:
    """Return about ``n`` round numbers that span an interval.

    Args:
        low: Lowest value to show.
        high: Highest value to show; no lower.
        n: How many steps are wanted.
    """
    largest = max(abs(low), abs(high))
    if high - low <= max(1e-9 * largest, 1e-200):
        pad = 0.05 * largest if largest > 1e-100 else 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / n
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(scale * f for f in (1, 2, 2.5, 5, 10) if scale * f >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _epoch_ticks(n_epochs: int) -> list[int]:
    step = max(1, math.ceil(n_epochs / 10))
    return [epoch for epoch in range(1, n_epochs + 1) if epoch == 1 or epoch % step == 0]


def _band(band: Band, axes: _Axes) -> dict[str, Any]:
    x, x_end = axes.x(band.start + 0.5), axes.x(band.end + 0.5)
    is_late = x > WIDTH * 0.7
    return {
        "name": band.name,
        "x": x,
        "width": max(x_end - x, 1),
        "x_text": x_end - 3 if is_late else x + 3,
        "anchor": "end" if is_late else "start",
    }


def _best(epoch: int, axes: _Axes) -> dict[str, Any]:
    x = axes.x(epoch)
    is_late = x > WIDTH * 0.7
    shift, anchor = (-4, "end") if is_late else (4, "start")
    return {"epoch": epoch, "x": x, "x_text": x + shift, "anchor": anchor}


def _drawn(line: Line, axes: _Axes, form: Callable[[float], str]) -> dict[str, Any]:
    dots = [
        {"x": axes.x(epoch), "y": axes.y(value), "epoch": epoch, "text": form(value)}
        for epoch, value in enumerate(line.values, 1)
        if math.isfinite(value)
    ]
    return {
        "name": line.name,
        "colour": line.colour,
        "is_dashed": line.is_dashed,
        "dots": dots,
        "has_dots": len(dots) <= MAX_DOTS,
    }
