"""Small charts as SVG text, to stand in a page that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

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
) -> str:
    """Return a chart of values by epoch; without any, an empty text.

    Args:
        title: Stands above it.
        lines: What is drawn.
        form: Turns a value of the axis into text.
        best_epoch: Marked with a line of its own, counted from 1.
        bands: Shaded.
    """
    values = [v for line in lines for v in line.values if math.isfinite(v)]
    if not values:
        return ""
    axes = _Axes(max(len(line.values) for line in lines), min(values), max(values))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg"><text x="{LEFT}" y="16" class="title">'
        f"{escape(title)}</text>"
    ]
    for band in bands:
        x, x_end = axes.x(band.start + 0.5), axes.x(band.end + 0.5)
        is_late = x > WIDTH * 0.7
        x_text, anchor = (x_end - 3, "end") if is_late else (x + 3, "start")
        parts.append(
            f'<rect x="{x:.1f}" y="{TOP}" width="{max(x_end - x, 1):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}" class="band"><title>{escape(band.name)}</title>'
            f'</rect><text x="{x_text:.1f}" y="{HEIGHT - BOTTOM - 5}" class="tick {anchor}">'
            f"{escape(band.name)}</text>"
        )
    for tick in axes.ticks:
        y = axes.y(tick)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="tick end">{escape(form(tick))}</text>'
        )
    for epoch in _epoch_ticks(axes.n_epochs):
        parts.append(
            f'<text x="{axes.x(epoch):.1f}" y="{HEIGHT - BOTTOM + 15}" class="tick middle">'
            f"{epoch}</text>"
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 6}" class="tick middle">epoch</text>')
    if best_epoch is not None:
        x = axes.x(best_epoch)
        anchor = "end" if x > WIDTH * 0.7 else "start"
        shift = -4 if anchor == "end" else 4
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="best"/>'
            f'<text x="{x + shift:.1f}" y="{TOP + 10}" class="tick {anchor}">'
            f"best: epoch {best_epoch}</text>"
        )
    parts += [_drawn(line, axes, form) for line in lines]
    return "".join([*parts, "</svg>"])


def strip_chart(
    values: Sequence[float], own: float, mean: float, std: float | None, form: Callable[..., str]
) -> str:
    """Return values as dots on one axis, with their mean, one deviation around it, and ``own``."""
    shown = [*values, own, mean - (std or 0), mean + (std or 0)]
    ticks = nice_ticks(min(shown), max(shown))
    low, high = min(*shown, *ticks), max(*shown, *ticks)

    def x(value: float) -> float:
        return LEFT + (value - low) / ((high - low) or 1) * (WIDTH - 2 * LEFT)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} 84" role="img" aria-label="Accuracy by seed" '
        'xmlns="http://www.w3.org/2000/svg">'
    ]
    if std:
        parts.append(
            f'<rect x="{x(mean - std):.1f}" y="14" width="{x(mean + std) - x(mean - std):.1f}" '
            'height="40" class="band"><title>mean ± standard deviation</title></rect>'
        )
    for tick in ticks:
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="14" y2="54" class="grid"/>'
            f'<text x="{x(tick):.1f}" y="72" class="tick middle">{escape(form(tick))}</text>'
        )
    parts.append(f'<line x1="{x(mean):.1f}" x2="{x(mean):.1f}" y1="14" y2="54" class="best"/>')
    for value in values:
        parts.append(
            f'<circle cx="{x(value):.1f}" cy="34" r="5" fill="var(--accent)" fill-opacity="0.75">'
            f"<title>{escape(form(value))}</title></circle>"
        )
    parts.append(
        f'<circle cx="{x(own):.1f}" cy="34" r="6" fill="none" '
        f'stroke="var(--mark)" stroke-width="2">'
        f"<title>own seed: {escape(form(own))}</title></circle></svg>"
    )
    return "".join(parts)


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


def _drawn(line: Line, axes: _Axes, form: Callable[[float], str]) -> str:
    points = [
        (axes.x(epoch), axes.y(value), epoch, value)
        for epoch, value in enumerate(line.values, 1)
        if math.isfinite(value)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in points)
    style = 'stroke-width="1.2" stroke-dasharray="4 3"' if line.is_dashed else 'stroke-width="2"'
    text = f'<polyline points="{path}" fill="none" stroke="{line.colour}" {style}/>'
    if len(points) > MAX_DOTS:
        return text
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{line.colour}"><title>'
        f"{escape(line.name)}, epoch {epoch}: {escape(form(value))}</title></circle>"
        for x, y, epoch, value in points
    )
    return text + dots
