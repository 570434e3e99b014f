"""A study's front as people read it: table and summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from search.front.baseline import smallest_as_accurate
from search.front.picks import PICK_RULES, PickRule
from search.front.read import FrontPoint, StudyFront
from search.tables import plain_table
from search.units import format_accuracy, format_latency, format_size
from spaces.config.metrics import is_uneven
from spaces.data.class_counts import describe_classes
from spaces.wording import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MAX_ROWS = 25
"""Rows of a table unless all are asked for."""

PICK_NAMES: dict[PickRule, str] = {
    "accuracy": "best accuracy",
    "knee": "best compromise",
    "size": "smallest",
    "latency": "fastest",
}


def print_front(
    console: Console,
    front: StudyFront,
    points: Sequence[FrontPoint] | None = None,
    *,
    show_all: bool = False,
) -> None:
    """Print the front as a table, the smallest model first.

    Args:
        console: Where to print; 80 columns are enough.
        front: The study and its front.
        points: Those of its points that are wanted, in the order wanted; None for all.
        show_all: Print every point, not a readable selection.
    """
    for line in front_header(front):
        console.print(line, markup=False)
    if not front.points:
        for line in why_empty(front):
            console.print(line, markup=False)
        _print_scheme_failures(console, front)
        return
    chosen = front.points if points is None else tuple(points)
    if not chosen:
        console.print("None of its points is so. Without --where, all are shown.", markup=False)
        return
    points = chosen if show_all else _selection(front, chosen)
    console.print(_points_table(points, metric=front.metric))
    if len(points) < len(chosen):
        n_more = len(chosen) - len(points)
        verb = "lies" if n_more == 1 else "lie"
        console.print(
            f"{counted(n_more, 'more point')} {verb} between these; --all shows every one."
        )
    for line in _footnotes(front, points):
        console.print(line, markup=False)
    for line in baseline_lines(front):
        console.print(line, markup=False)
    for line in describe_classes(front.class_names, front.class_counts, front.ignored):
        console.print(line, markup=False)
    _print_scheme_failures(console, front)
    for note in (
        *front.leaks,
        *front.model_notes,
    ):  # Other notes on the data were printed when it was read.
        console.print(f"Note: {note}", markup=False)
    trials = (f"{name} {front.pick(rule).trial}" for rule, name in PICK_NAMES.items())
    console.print(f"Trials: {', '.join(trials)}", markup=False)


def why_empty(front: StudyFront) -> list[str]:
    """Return why there is no point."""
    if front.n_points:
        measured = counted(front.n_points, "model")
        first = f"No point yet: none of {measured} measured keeps the limits."
    elif front.why_no_model:
        first = f"No point yet: no trial is complete. Most failed so: {front.why_no_model}"
    elif front.broken_limits:
        first = "No point yet: no network that was looked at keeps the limits."
    else:
        first = "No point yet: no trial is complete."
    return [first, *(f"{broken}." for broken in front.broken_limits)]


def print_summary(console: Console, front: StudyFront) -> None:
    """Print the points that people ask for first: best, knee, smallest, fastest."""
    for line in front_header(front):
        console.print(line, markup=False)
    if not front.points:
        for line in why_empty(front):
            console.print(line, markup=False)
        _print_scheme_failures(console, front)
        return
    chosen = {rule: front.pick(rule) for rule in PICK_NAMES}
    points = list(dict.fromkeys(point.trial for point in chosen.values()))
    labels = [
        ", ".join(PICK_NAMES[rule] for rule, point in chosen.items() if point.trial == trial)
        for trial in points
    ]
    by_trial = {point.trial: point for point in chosen.values()}
    shown = [by_trial[trial] for trial in points]
    console.print(_points_table(shown, labels, metric=front.metric))
    for line in _footnotes(front, shown):
        console.print(line, markup=False)
    for line in baseline_lines(front):
        console.print(line, markup=False)
    _print_scheme_failures(console, front)


def _print_scheme_failures(console: Console, front: StudyFront) -> None:
    for failure in front.scheme_failures:
        console.print(f"Note: {failure}", markup=False)


def _times(factor: float) -> str:
    """Return a factor in three digits, without an exponent."""
    digits = max(0, 2 - math.floor(math.log10(factor)))
    return f"{float(f'{factor:.3g}'):,.{digits}f} times"


def _than(before: float, now: float) -> str:
    """Return how a size compares with one before it: a factor above 1, whichever way."""
    if f"{before:.3g}" == f"{now:.3g}":
        return "as large"
    return f"{_times(before / now)} smaller" if now < before else f"{_times(now / before)} larger"


def baseline_lines(front: StudyFront) -> list[str]:
    """Return how the baseline did, and which point of the front stands for it now."""
    baseline = front.baseline
    if baseline is None:
        return []
    if baseline.values is None:
        return [f"Baseline: trial {baseline.trial}, {baseline.reason or 'not done yet'}"]
    accuracy, size_bytes, latency_ms = baseline.values
    lines = [
        f"Baseline: trial {baseline.trial}, {format_accuracy(accuracy)}, "
        f"{format_size(size_bytes)}, {format_latency(latency_ms)}"
    ]
    index = smallest_as_accurate(baseline, [point.values for point in front.points])
    if index is not None:
        point = front.points[index]
        lines.append(
            f"No less accurate: trial {point.trial}, {format_accuracy(point.accuracy)}, "
            f"{format_size(point.size_bytes)}, {_than(size_bytes, point.size_bytes)}"
        )
    return lines


def data_line(data_name: str, generated: bool) -> str:
    """Return what the accuracies were measured on; says so if no camera took the pictures."""
    if generated and "generated" not in data_name:
        return f"{data_name} (generated pictures)"
    return data_name


def front_header(front: StudyFront) -> list[str]:
    """Return what a front is of, and what its numbers are."""
    data = data_line(front.data_name, front.generated)
    counts = "Accuracy" if front.metric == "accuracy" else f"What counts, {front.metric}"
    size = SIZE_NAMES.get(front.size_metric, front.size_metric)
    return [
        f"Study {front.study}: {counted(front.n_trials, 'trial')}, "
        f"{counted(front.n_points, 'model')}, "
        f"{len(front.points):,} on the front, hypervolume {front.hypervolume:.4f}",
        _what_counts(front),
        *(
            [f"Left out: {counted(front.n_foreign, 'trial')} that `search` did not make."]
            if front.n_foreign
            else []
        ),
        f"Data: {data}{PHOTOS_DIFFER if front.generated else ''}",
        f"{counts}: validation split; size: {size}; latency: {front.device}",
    ]


def _what_counts(front: StudyFront) -> str:
    """Return what the hypervolume measures, in one sentence."""
    least = format_accuracy(front.reference.min_accuracy)
    if front.reference.least_error is None:
        return f"Hypervolume: from {least} up, by plain errors (begun with an earlier version)."
    return f"Hypervolume: from {least} up, halving error, size or latency counts the same."


PHOTOS_DIFFER = "; on photos, expect other accuracies"

METRIC_NAMES = {"balanced_accuracy": "balanced", "macro_f1": "macro F1"}

SIZE_NAMES = {
    "gzip": "gzip-compressed .tflite",
    "tflite": ".tflite as it is",
    "flash": "flash of the device",
}


def _selection(front: StudyFront, points: Sequence[FrontPoint]) -> list[FrontPoint]:
    """Return points spread evenly over their order, those that rules pick among them."""
    if len(points) <= MAX_ROWS:
        return list(points)
    picked = [front.pick(rule) for rule in PICK_RULES]
    kept = {points.index(point) for point in picked if point in points}
    n_even = MAX_ROWS - len(kept)
    step = (len(points) - 1) / (n_even - 1)
    kept |= {round(number * step) for number in range(n_even)}
    return [points[index] for index in sorted(kept)]


def _footnotes(front: StudyFront, points: Sequence[FrontPoint]) -> list[str]:
    """Return what the figures of a table cannot tell apart, a line each."""
    best = max(point.accuracy for point in points)
    lines = []
    if any(not point.is_distinguishable for point in points):
        lines.append("~ faster than a point no worse in accuracy and size, but within the noise.")
    if any(point.same_accuracy_as is not None for point in points):
        lines.append(
            "~ more accurate than a smaller point, no slower, but within one standard error."
        )
    lines.append(front.accuracy_context.line(best))
    if is_uneven(front.class_counts.get("val", ())) or front.metric != "accuracy":
        scored = [point for point in points if point.class_scores]
        if scored:
            lead = max(scored, key=lambda point: point.values[0])
            found = lead.class_scores
            lines.append(
                f"Classes are uneven: trial {lead.trial} has balanced accuracy "
                f"{format_accuracy(found['balanced_accuracy'])}, macro F1 "
                f"{format_accuracy(found['macro_f1'])}, accuracy "
                f"{format_accuracy(found['accuracy'])}."
            )
    mixed = [point.float_operations or {} for point in points if point.is_mixed]
    if mixed:
        lines.append(
            f"mixed: integers but for {', '.join(dict.fromkeys(n for m in mixed for n in m))}, "
            f"which run in floats: not for integer-only devices."
        )
    return lines


def _points_table(
    points: Sequence[FrontPoint],
    labels: list[str] | None = None,
    *,
    metric: str = "accuracy",
) -> Table:
    table = plain_table()
    if labels is not None:
        table.add_column("", overflow="fold")
    counts = () if metric == "accuracy" else (METRIC_NAMES[metric],)
    for name in ("trial", "accuracy", *counts, "size", "latency"):
        table.add_column(name, justify="right", no_wrap=True)
    has_ram = any(point.ram_bytes is not None for point in points)
    if has_ram:
        table.add_column("RAM", justify="right", no_wrap=True)
    table.add_column("scheme", no_wrap=True)
    table.add_column("sparsity", justify="right", no_wrap=True)
    if labels is None:
        table.add_column("params", justify="right", no_wrap=True)
        table.add_column("from", justify="right", no_wrap=True)
    for index, point in enumerate(points):
        cells = [
            str(point.trial),
            ("" if point.same_accuracy_as is None else "~") + format_accuracy(point.accuracy),
            format_size(point.size_bytes),
            ("" if point.is_distinguishable else "~") + format_latency(point.latency_ms),
            point.quantization + (" mixed" if point.is_mixed else ""),
            "" if point.sparsity is None else f"{100 * point.sparsity:.0f} %",
        ]
        if has_ram:
            cells.insert(4, "" if point.ram_bytes is None else format_size(point.ram_bytes))
        if counts:
            cells.insert(2, format_accuracy(point.values[0]))
        if labels is None:
            cells.append("" if point.n_params is None else f"{point.n_params:,}")
            cells.append("" if point.derived_from is None else str(point.derived_from))
        else:
            cells.insert(0, labels[index])
        table.add_row(*cells)
    return table
