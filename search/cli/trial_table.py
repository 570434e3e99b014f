"""Trials as people and programs read them: the list of a study, and all of one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from search.front.trials import StudyTrials, TrialSummary
from search.report.trial_sections import export_line, or_empty, trial_sections, trial_title
from search.storage import attributes
from search.tables import plain_table
from search.units import format_accuracy, format_latency, format_size
from spaces.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = (
    "trial",
    "outcome",
    "reason",
    "accuracy",
    "size_bytes",
    "latency_ms",
    "ram_bytes",
    "quantization",
    "sparsity",
    "n_params",
    "on_front",
    "baseline",
    "derived_from",
    "branched_from",
    "retry_of",
    "seconds",
    "started",
    "ended",
)
"""Columns of JSON and CSV before the parameters; only ever added to."""

_INDENT = 20
"""Where reasons begin: below the figures of trials that have some."""


def trials_to_dict(found: StudyTrials, trials: Iterable[TrialSummary]) -> dict[str, Any]:
    """Return trials as plain data for JSON."""
    return {
        "study": found.study,
        "device": found.device,
        "size_metric": found.size_metric,
        "metric": found.metric,
        "n_foreign": found.n_foreign,
        "trials": [_row(trial) | {"params": dict(trial.params)} for trial in trials],
    }


def trials_to_csv(trials: Sequence[TrialSummary]) -> str:
    """Return trials as CSV, a column for each parameter that any trial has."""
    names = sorted({name for trial in trials for name in trial.params})
    text = io.StringIO()
    columns = [*COLUMNS, *(f"params_{name}" for name in names)]
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for trial in trials:
        params = {f"params_{name}": value for name, value in trial.params.items()}
        writer.writerow(_row(trial) | params)
    return text.getvalue()


def trial_to_dict(found: StudyTrials, trial: TrialSummary) -> dict[str, Any]:
    """Return all of one trial as plain data for JSON."""
    return {
        "study": found.study,
        "device": found.device,
        "size_metric": found.size_metric,
        "metric": found.metric,
        **_row(trial),
        "params": dict(trial.params),
        "lineage": [one.number for one in found.lineage(trial.number)],
        "derived": [one.number for one in found.derived_from(trial.number)],
        "branches": [one.number for one in found.branches_of(trial.number)],
        "stored": dict(trial.stored),
    }


def _row(trial: TrialSummary) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "outcome": trial.outcome,
        "reason": trial.reason,
        "accuracy": trial.accuracy,
        "size_bytes": trial.size_bytes,
        "latency_ms": trial.latency_ms,
        "ram_bytes": trial.ram_bytes,
        "quantization": trial.quantization,
        "sparsity": trial.sparsity,
        "n_params": trial.n_params,
        "on_front": trial.is_on_front,
        "baseline": trial.is_baseline,
        "derived_from": trial.derived_from,
        "branched_from": trial.branched_from,
        "retry_of": trial.retry_of,
        "seconds": round(sum(trial.seconds.values()), 4) if trial.seconds else None,
        "started": None if trial.started is None else trial.started.isoformat(timespec="seconds"),
        "ended": None if trial.ended is None else trial.ended.isoformat(timespec="seconds"),
    }


def print_trials(console: Console, found: StudyTrials, trials: Sequence[TrialSummary]) -> None:
    """Print one line for each trial, and the reason of those that have no model.

    Args:
        console: Where to print; 80 columns are enough.
        found: The study.
        trials: Those of its trials that are shown.
    """
    from rich.padding import Padding
    from rich.text import Text

    head = f"{'trial':>6}  {'ended':10}  {'accuracy':>8}  {'size':>8}  {'latency':>9}  "
    console.print(Text(f"{head}{'scheme':13}  from", "bold"), no_wrap=True, overflow="ellipsis")
    for trial in trials:
        if trial.has_model:
            line = (
                f"{trial.number:>6}  {'front' if trial.is_on_front else trial.outcome:10}  "
                f"{or_empty(trial.accuracy, format_accuracy):>8}  "
                f"{or_empty(trial.size_bytes, format_size):>8}  "
                f"{or_empty(trial.latency_ms, format_latency):>9}  "
                f"{trial.quantization:13}  {_origin(trial)}"
            )
            style = "" if trial.is_on_front else "dim"
            console.print(Text(line.rstrip(), style), no_wrap=True, overflow="ellipsis")
            continue
        about = trial.reason or ("not done yet" if trial.outcome == "running" else "no reason")
        if origin := _origin(trial):
            about += f" ({origin})"
        grid = plain_table()
        grid.show_header = False
        grid.padding = (0, 0)
        grid.add_column(width=_INDENT, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(f"{trial.number:>6}  {trial.outcome:10}", Text(about))
        console.print(Padding(grid, (0, 0)))
    console.print(summary_line(found, trials), markup=False)


def summary_line(found: StudyTrials, trials: Sequence[TrialSummary]) -> str:
    """Return how many trials there are, by how they ended; derived ones apart."""
    own = [trial.outcome for trial in trials if trial.derived_from is None]
    counts = [f"{own.count(outcome):,} {outcome}" for outcome in dict.fromkeys(own)]
    text = f"{counted(len(own), 'trial')}: {', '.join(counts)}" if own else "No trial of its own"
    n_derived = len(trials) - len(own)
    if n_derived:
        text += f"; {counted(n_derived, 'model')} derived from them"
    if found.n_foreign:
        text += f"; left out: {counted(found.n_foreign, 'trial')} that `search` did not make"
    return f"{text}."


def print_trial(console: Console, found: StudyTrials, trial: TrialSummary) -> None:
    """Print all of one trial: how it ended, figures, configuration, lineage, ledger."""
    console.print(trial_title(found, trial), style="bold", markup=False)
    if trial.reason:
        console.print(f"Why: {trial.reason}", markup=False)
    for title, rows in trial_sections(found, trial):
        _section(console, title, rows)
    if trial.has_model:
        console.print()
        console.print(f"Take it: {export_line(found, trial)}", markup=False)


def _section(console: Console, title: str, rows: Sequence[tuple[str, str]]) -> None:
    from rich.text import Text

    table = plain_table()
    table.show_header = False
    table.add_column(style="dim", no_wrap=True, min_width=20)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(Text(name), Text(text))
    console.print()
    console.print(title, style="bold", markup=False)
    console.print(table)


def _origin(trial: TrialSummary) -> str:
    if trial.derived_from is not None:
        return str(trial.derived_from)
    if trial.branched_from is not None:
        return f"branch of {trial.branched_from}"
    if trial.retry_of is not None:
        return f"again, {trial.retry_of}"
    if attributes.ORIGIN in trial.stored:
        return "elsewhere"
    return "baseline" if trial.is_baseline else ""
