"""What a terminal shows while a search runs: as much as fits, from 80x24 up.

From the top: how far it is, how the trials stand, the best accuracies within some sizes, the
front as a plot, what each worker is at, and what happened last. The plot takes what room is left;
on a low terminal it is the first to go, then the workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search.cli.front_plot import front_plot
from search.front.budgets import BUDGETS_BYTES, best_within
from search.run.events import RunProgress, UnderWay
from search.run.wording import front, states, times, trials
from search.units import format_accuracy, format_duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

MAX_PLOT = 24
"""Lines of the plot at most: higher ones show no more."""

MIN_PLOT = 6
"""Lines below which a plot shows nothing."""

MIN_BAR = 70
"""Columns below which there is no room for a bar."""

MAX_WORKERS = 8
"""Workers that are shown one by one."""


def live_view(
    progress: RunProgress,
    since_s: float,
    *,
    width: int,
    height: int,
    ascii_only: bool = False,
) -> RenderableType:
    """Return what a terminal of a size shows of a run.

    Args:
        progress: Where the run is.
        since_s: Seconds since that was so.
        width: Columns.
        height: Lines that there are.
        ascii_only: Whether the terminal shows no braille.
    """
    from rich.console import Group

    head, last = _head(progress, since_s, width), _last(progress)
    lines: list[Text] = [_states(progress), _front(progress)]
    left = height - 1 - len(lines) - len(last) - 1  # The head, and a line for the cursor.
    budgets = _budgets(progress, width)
    workers = _workers(progress.under_way, since_s)
    if left >= len(budgets):
        lines += budgets
        left -= len(budgets)
    workers = workers if left >= len(workers) else []
    left -= len(workers)
    plot: list[Text] = []
    if left >= MIN_PLOT:
        plot = front_plot(
            progress.values,
            width=width,
            height=min(left, MAX_PLOT),
            ascii_only=ascii_only,
        )
    return Group(head, *lines, *plot, *workers, *last)


def compact_view(progress: RunProgress) -> RenderableType:
    """Return what stays on the terminal when a run is over."""
    from rich.console import Group

    return Group(_head(progress, 0.0), _states(progress), _front(progress), *_last(progress))


def _head(progress: RunProgress, since_s: float, width: int = 80) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    if width < MIN_BAR:
        text = f"{progress.study_name}  {trials(progress)}  {times(progress, since_s)}"
        return _line(text, "bold")
    head = Table.grid(padding=(0, 2))
    # Room for all that stands beside it on 80 columns.
    bar = ProgressBar(total=max(progress.n_target, 1), completed=progress.n_done, width=20)
    name = Text(progress.study_name, "bold", overflow="ellipsis", no_wrap=True)
    head.add_row(name, bar, trials(progress), times(progress, since_s))
    return head


def _line(text: str, style: str = "") -> Text:
    """Return a line that is cut where the terminal ends: two would move all below."""
    from rich.text import Text

    return Text(text, style, overflow="ellipsis", no_wrap=True)


def _states(progress: RunProgress) -> Text:
    return _line(states(progress))


def _front(progress: RunProgress) -> Text:
    return _line(front(progress))


def _last(progress: RunProgress) -> list[Text]:
    return [_line(progress.last, "dim")] if progress.last else []


def _budgets(progress: RunProgress, width: int) -> list[Text]:
    """Return the best accuracy within some sizes as two lines; none as long as there is none."""
    if not progress.values:
        return []
    best = best_within(progress.values, BUDGETS_BYTES)
    cells = [
        (f"{budget // 1000} kB", format_accuracy(accuracy))
        for budget, index in zip(BUDGETS_BYTES, best, strict=True)
        if index is not None
        for accuracy in [progress.values[index][0]]
    ]
    if not cells:
        return []
    names = ("within", "best")
    n_shown = max(1, (width - 8) // 9)
    above = "".join(f"{size:>9}" for size, _ in cells[:n_shown])
    below = "".join(f"{accuracy:>9}" for _, accuracy in cells[:n_shown])
    return [_line(f"{names[0]:<8}{above}", "dim"), _line(f"{names[1]:<8}{below}")]


def _workers(under_way: Sequence[UnderWay], since_s: float) -> list[Text]:
    """Return a line for each worker, and one for what waits."""
    lines = []
    busy = [trial for trial in under_way if trial.seconds is not None]
    for trial in busy[:MAX_WORKERS]:
        assert trial.seconds is not None
        origin = "" if trial.parent is None else f", branch of trial {trial.parent}"
        took = format_duration(trial.seconds + since_s)
        lines.append(_line(f"  {took:>7}  trial {trial.number}: {trial.what}{origin}"))
    if len(busy) > MAX_WORKERS:
        lines.append(_line(f"  and {len(busy) - MAX_WORKERS} more workers", "dim"))
    return lines
