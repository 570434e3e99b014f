"""The front as a plot in a terminal: accuracy against size, with what people look for marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from search.cli.scatter import Axis, Mark, scatter
from search.front.study_front import FrontPoint, StudyFront
from search.units import format_accuracy, format_size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

HEIGHT = 14
"""Lines of the plot below a table: with its head and the prompt it fits on 24."""


def front_plot(
    values: Iterable[tuple[float, float, float]],
    *,
    width: int,
    height: int,
    baseline: tuple[float, float, float] | None = None,
    knee: tuple[float, float, float] | None = None,
    ascii_only: bool = False,
) -> list[Text]:
    """Return a front as lines; none where there is no room or no point.

    Args:
        values: Accuracy, size and latency of each point.
        width: Columns.
        height: Lines.
        baseline: Of the configuration made by hand; marked B.
        knee: Of the best compromise; marked K.
        ascii_only: Whether the terminal has no braille.
    """
    marks = [
        Mark(point[1], point[0], letter, style)
        for point, letter, style in (
            (knee, "K", "bold green"),
            (baseline, "B", "bold yellow"),
        )
        if point is not None
    ]
    return scatter(
        [(size_bytes, accuracy) for accuracy, size_bytes, _ in values],
        Axis("size", format_size, log=True),
        Axis("", format_accuracy, spread=0.05, most=1.0),
        width=width,
        height=height,
        marks=marks,
        ascii_only=ascii_only,
    )


def print_front_plot(
    console: Console, front: StudyFront, points: Sequence[FrontPoint], height: int = HEIGHT
) -> None:
    """Print points of a front as a plot, with the baseline and the best compromise marked."""
    if not points:
        return
    baseline = front.baseline.values if front.baseline else None
    # Letters are only for what the picture is about.
    knee = front.pick("knee")
    lines = front_plot(
        [point.values for point in points],
        width=console.width,
        height=height,
        baseline=baseline,
        knee=knee.values if knee in points else None,
        ascii_only=is_ascii(console),
    )
    for line in lines:
        console.print(line, no_wrap=True)
    legend = ["K best compromise"] if knee in points else []
    legend += ["B baseline"] if baseline else []
    if lines and legend:
        first = front.metric.replace("_", " ")
        console.print(f"{first} against size: {', '.join(legend)}", style="dim")


def is_ascii(console: Console) -> bool:
    """Whether a console cannot show braille."""
    return not console.encoding.lower().replace("-", "").startswith("utf")
