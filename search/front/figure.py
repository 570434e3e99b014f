"""A front as a matplotlib figure; imported only where one is asked for.

Matplotlib and not plotly: people who plot in notebooks have it, its figures go into papers as they
are, and ``optuna.visualization.matplotlib`` gives the same kind. The interactive view is the
report's.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from search.front.study_front import FrontPoint, StudyFront
from search.units import format_latency, format_size
from spaces.errors import ConfigError


class NotebookFigure(Figure):
    """A figure that a notebook shows once, whether or not pyplot was ever imported.

    One of pyplot would be shown at the end of its cell, and a second time as the cell's value.
    """

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=110)
        return content.getvalue()


@dataclass(frozen=True)
class _Side:
    """An objective along an axis, or as a colour."""

    title: str
    value: Callable[[FrontPoint], float]
    form: Callable[[float], str]
    limit: float | None
    column: int


def front_figure(front: StudyFront, x: str = "size") -> Figure:
    """Return a front as a figure: see :meth:`StudyFront.plot`.

    Raises:
        ConfigError: If ``x`` is neither ``size`` nor ``latency``.
    """
    limits = front.limits
    sides = {
        "size": _Side("size", lambda p: p.size_bytes, format_size, limits.max_size_bytes, 1),
        "latency": _Side(
            f"latency on {front.device}",
            lambda p: p.latency_ms,
            format_latency,
            limits.max_latency_ms,
            2,
        ),
    }
    if x not in sides:
        raise ConfigError(f"`x in (size, latency)` must hold, but got {x!r}.")
    along, other = sides[x], sides["latency" if x == "size" else "size"]
    figure = NotebookFigure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    data = front.data_name
    if front.generated and "generated" not in data:
        data += " (generated pictures)"
    axes.set_title(f"{front.study}: {data}", fontsize=10)
    axes.set_xlabel(along.title)
    axes.set_ylabel(front.metric.replace("_", " "))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.grid(alpha=0.3)
    if front.points:
        _draw_points(figure, axes, front, along, other)
    _draw_marks(axes, front, along)
    if front.points or front.baseline:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(_ticks(front, along))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: along.form(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    return figure


def _draw_points(
    figure: Figure, axes: Axes, front: StudyFront, along: _Side, other: _Side
) -> None:
    places = [along.value(point) for point in front.points]
    scores = [point.values[0] for point in front.points]
    if front.metric == "accuracy":  # Intervals of other metrics are not known.
        bounds = [front.accuracy_context.interval(score) for score in scores]
        below = [score - low for score, (low, _) in zip(scores, bounds, strict=True)]
        above = [high - score for score, (_, high) in zip(scores, bounds, strict=True)]
        axes.errorbar(
            places, scores, yerr=(below, above), fmt="none", ecolor="0.8", elinewidth=1, zorder=1
        )
    drawn = axes.scatter(
        places,
        scores,
        c=[other.value(point) for point in front.points],
        norm=LogNorm(),
        cmap="viridis",
        zorder=2,
    )
    bar = figure.colorbar(drawn, ax=axes, label=other.title)
    bar.ax.yaxis.set_major_locator(_ticks(front, other))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: other.form(value)))
    bar.ax.yaxis.set_minor_formatter(NullFormatter())


def _ticks(front: StudyFront, side: _Side) -> LogLocator:
    """Return ticks at 1, 2 and 5 where they have room, else at powers of ten."""
    values = [side.value(point) for point in front.points] or [1.0]
    is_wide = math.log10(max(values) / max(min(values), 1e-9)) > 3
    return LogLocator(subs=(1.0,) if is_wide else (1.0, 2.0, 5.0))


def _draw_marks(axes: Axes, front: StudyFront, along: _Side) -> None:
    has_label = False
    if front.points:
        knee = front.pick("knee")
        axes.scatter(
            [along.value(knee)],
            [knee.values[0]],
            s=160,
            facecolors="none",
            edgecolors="tab:red",
            linewidths=1.5,
            zorder=3,
            label=f"best compromise (trial {knee.trial})",
        )
        has_label = True
    if front.baseline is not None and front.baseline.values is not None:
        values = front.baseline.values
        axes.scatter(
            [values[along.column]],
            [values[0]],
            marker="*",
            s=140,
            color="tab:orange",
            zorder=3,
            label="baseline",
        )
        has_label = True
    for limit, draw in (
        (along.limit, axes.axvline),
        (front.limits.min_accuracy, axes.axhline),
    ):
        if limit is not None:
            draw(limit, color="0.5", linestyle="--", linewidth=1)
    if has_label:
        axes.legend(loc="lower right", fontsize=8)
