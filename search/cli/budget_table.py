"""The best accuracy within so many kilobytes, as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search.cli.front_table import METRIC_NAMES, front_header, why_empty
from search.front.budgets import BudgetRow, budget_rows
from search.front.finalists import Finalist
from search.front.read import StudyFront
from search.tables import plain_table
from search.units import format_accuracy, format_latency, format_size
from workers.messages.result import Limits

if TYPE_CHECKING:
    from rich.console import Console


def print_budgets(console: Console, front: StudyFront, finalists: Sequence[Finalist] = ()) -> None:
    """Print the best model within each budget.

    Args:
        console: Where to print; 80 columns are enough.
        front: The front.
        finalists: Those of its points that were trained again, with their test accuracies.
    """
    for line in front_header(front):
        console.print(line, markup=False)
    if not front.points:
        for line in why_empty(front):
            console.print(line, markup=False)
        return
    rows = budget_rows(front, finalists)
    has_test = any(row.test is not None for row in rows)
    table = plain_table()
    table.add_column("within", justify="right", no_wrap=True)
    counts = () if front.metric == "accuracy" else (METRIC_NAMES[front.metric],)
    for name in ("accuracy", "95 %", *counts, *(("test",) if has_test else ()), "size", "latency"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("scheme", no_wrap=True)
    table.add_column("trial", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            _within(row, front.limits), *_cells(row, shows_score=bool(counts), shows_test=has_test)
        )
    console.print(table)
    if kept := _in_words(front.limits):
        console.print(f"All keep the study's limits: {kept}.", markup=False)
    best = rows[-1].point
    if best is not None:
        console.print(front.accuracy_context.line(best.accuracy), markup=False)
    told = "The best of many are flattered."
    if has_test:
        told += " Test: the mean of trainings from other seeds."
    else:
        told += f" On test: search finalists {front.study}"
    console.print(told, markup=False)


def _within(row: BudgetRow, limits: Limits) -> str:
    if row.max_bytes is not None:
        return f"{row.max_bytes // 1_000} kB"
    return "limits" if _in_words(limits) else "any size"


def _cells(row: BudgetRow, *, shows_score: bool, shows_test: bool) -> list[str]:
    point = row.point
    if point is None or row.accuracy_low is None or row.accuracy_high is None:
        return ["none"]
    return [
        format_accuracy(point.accuracy),
        f"{100 * row.accuracy_low:.1f} to {100 * row.accuracy_high:.1f}",
        *([format_accuracy(point.values[0])] if shows_score else []),
        *([format_accuracy(row.test.value) if row.test else ""] if shows_test else []),
        format_size(point.size_bytes),
        format_latency(point.latency_ms),
        point.quantization + (" mixed" if point.is_mixed else ""),
        str(point.trial),
    ]


def _in_words(limits: Limits) -> str:
    """Return limits as options of ``search run``; empty without any."""
    options = (
        ("--max-size", limits.max_size_bytes, format_size),
        ("--max-latency", limits.max_latency_ms, format_latency),
        ("--min-accuracy", limits.min_accuracy, format_accuracy),
        ("--max-ram", limits.max_ram_bytes, format_size),
    )
    return ", ".join(f"{name} {show(value)}" for name, value, show in options if value is not None)
