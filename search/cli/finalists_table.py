"""A study's finalists as people and programs read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from search.front.finalists import Finalist, Lead, Mean, leads
from search.tables import plain_table
from search.units import format_accuracy, format_size
from spaces.wording import counted, one_line

if TYPE_CHECKING:
    from rich.console import Console


def print_finalists(console: Console, finalists: Sequence[Finalist]) -> None:
    """Print what trainings from other seeds gave, the smallest model first; nothing for none."""
    if not finalists:
        return
    n_test, n_val = finalists[0].n_test, finalists[0].n_val
    console.print(
        f"Finalists, trained again from other seeds (mean ± standard deviation; {n_val:,} "
        f"validation and {n_test:,} test images):"
    )
    table = plain_table()
    for name in ("trial", "promised", "validation", "test", "size", "seeds", "lead"):
        table.add_column(name, justify="right", no_wrap=True)
    found = leads(finalists)
    for one, ahead in zip(finalists, found, strict=True):
        table.add_row(
            str(one.trial),
            format_accuracy(one.promised),
            _mean(one.validation),
            _mean(one.test),
            format_size(one.size_bytes),
            str(len(one.good)),
            "" if ahead is None else f"{100 * ahead.value:+.1f} over {ahead.over}",
        )
    console.print(table)
    for line in (*_leads(finalists, found), *_luck(finalists), *_failures(finalists)):
        console.print(line)


def finalist_rows(finalists: Sequence[Finalist]) -> list[dict[str, Any]]:
    """Return finalists as plain data for JSON; without the answers to single images."""
    return [
        {
            "trial": one.trial,
            "epochs": one.epochs,
            "patience": one.patience,
            "promised": one.promised,
            "validation": _mean_row(one.validation),
            "test": _mean_row(one.test),
            "luck": one.luck,
            "lead": None if ahead is None else {**asdict(ahead), "is_real": ahead.is_real},
            "runs": [
                {name: value for name, value in run.to_dict().items() if name != "hits"}
                for run in one.runs
            ],
        }
        for one, ahead in zip(finalists, leads(finalists), strict=True)
    ]


def _mean(mean: Mean | None) -> str:
    if mean is None:
        return "no model"
    if mean.deviation is None:
        return format_accuracy(mean.value)
    return f"{100 * mean.value:.1f} ± {100 * mean.deviation:.1f} %"


def _mean_row(mean: Mean | None) -> dict[str, float | int | None] | None:
    return None if mean is None else {**asdict(mean), "error": mean.error}


def _leads(finalists: Sequence[Finalist], found: Sequence[Lead | None]) -> list[str]:
    """Say which leads are real: more accuracy for more bytes, and no luck."""
    pairs = [(one, ahead) for one, ahead in zip(finalists, found, strict=True) if ahead]
    known = [(one, ahead) for one, ahead in pairs if ahead.error is not None]
    real = [f"{one.trial} over {ahead.over}" for one, ahead in known if ahead.is_real]
    lines = []
    if known:
        names = f"real (95 %): {', '.join(real)}" if real else "none is real (95 %)"
        lines.append(f"Leads in accuracy over the best smaller one: {names}.")
    if len(known) < len(pairs):
        lines.append("Two seeds or more are needed to tell a lead from luck.")
    return lines


def _luck(finalists: Sequence[Finalist]) -> list[str]:
    """Say which accuracies of the search were luck."""
    return [
        f"Luck: trial {one.trial} measured {format_accuracy(one.promised)} in the search; other "
        f"seeds give {format_accuracy(one.validation.value)} on the same images."
        for one in finalists
        if one.luck is not None and one.validation is not None
    ]


def _failures(finalists: Sequence[Finalist]) -> list[str]:
    lines = []
    for one in finalists:
        failed = [run for run in one.runs if run.reason]
        if failed:
            n_failed = counted(len(failed), "training")
            lines.append(
                f"Trial {one.trial}: {n_failed} gave no model: {one_line(failed[0].reason)}"
            )
    return lines
