"""A study's report: what is gathered for it, and the page."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from shlex import join
from typing import TYPE_CHECKING, Any

from search import __version__
from search.front.budgets import BudgetRow, budget_rows
from search.front.read import front_of
from search.front.study_front import StudyFront
from search.report import learning_charts
from search.report.choosing import knee_sentences
from search.report.costs import Cost, scheme_costs, sparsity_costs
from search.report.endings import Ending, Spent, count_outcomes, endings, seconds_spent
from search.report.importance import Importances, importances
from search.report.models import (
    Model,
    best_so_far,
    complete_trials,
    measured_models,
    model_row,
    shown_models,
)
from search.report.pareto_chart import Axis, axis_titles, pareto_chart
from search.report.progress import Step, hypervolume_steps, seconds_to
from search.report.templating import finite, render, source
from search.units import format_accuracy, format_duration, format_latency, format_size
from spaces.errors import StudyError

if TYPE_CHECKING:
    from search.storage.reader import StudyRecord

MAX_LINES = 250
"""Lines of the parallel coordinates: more are a carpet."""

N_AXES = 6
"""Parameters among the parallel coordinates, the weightiest ones."""


@dataclass(frozen=True)
class StudyReport:
    """What is told of a study.

    Attributes:
        front: Its front.
        models: All measured models, those on the front last.
        rows: Those that a page holds, as plain data.
        named: Rows with a ``label``: the knee and the baseline.
        steps: How the hypervolume grew.
        importances: What parameters decide; None with too few trainings.
        schemes: What quantization schemes cost.
        sparsities: What pruning costs; empty where nothing was pruned.
        spent: Where the seconds went.
        endings: Why trials have no model.
        outcomes: How many trials ended in which way.
    """

    front: StudyFront
    models: Sequence[Model]
    rows: Sequence[Mapping[str, Any]]
    named: Sequence[Mapping[str, Any]]
    steps: Sequence[Step]
    importances: Importances | None
    schemes: Sequence[Cost]
    sparsities: Sequence[Cost]
    spent: Sequence[Spent]
    endings: Sequence[Ending]
    outcomes: Mapping[str, int]


def gather(study: StudyRecord) -> StudyReport:
    """Return what there is to tell of a study.

    Raises:
        StudyError: If none of its trials has ended.
    """
    front = front_of(study)
    outcomes = count_outcomes(study.own_trials)
    if not set(outcomes) - {"running"}:
        raise StudyError(
            f"Study {front.study!r} has no trial yet that ended, so there is nothing to report. "
            f"Go on with it: search run --study {front.study}"
        )
    complete = complete_trials(study)
    models = measured_models(study, front)
    rows = _rows(models, front)
    return StudyReport(
        front=front,
        models=models,
        rows=rows,
        named=_named(rows, front),
        steps=hypervolume_steps(complete, front.limits, front.reference),
        importances=importances(complete),
        schemes=scheme_costs(models),
        sparsities=sparsity_costs(models),
        spent=seconds_spent(study.own_trials),
        endings=endings(study.own_trials),
        outcomes=outcomes,
    )


def _rows(models: Sequence[Model], front: StudyFront) -> list[dict[str, Any]]:
    on_front = [model for model in models if model.is_on_front]
    best = {axis: {m.point.trial for m in best_so_far(on_front, axis)} for axis in AXES}
    least = front.reference.error_floor
    rows = []
    for model in shown_models(models):
        row = model_row(model)
        for axis in AXES:
            row[f"best_{axis}"] = model.point.trial in best[axis]
        # A logarithm has no place for no error at all.
        row["error"] = max(1 - model.score, least)
        low, high = model.interval or (None, None)
        row["error_low"] = None if low is None else max(1 - low, least)
        row["error_high"] = None if high is None else max(1 - high, least)
        rows.append(row)
    return rows


AXES: tuple[Axis, ...] = ("size", "latency")


def _named(rows: Sequence[Mapping[str, Any]], front: StudyFront) -> list[dict[str, Any]]:
    knee = front.pick("knee").trial if front.points else None
    return [
        {**row, "label": "baseline" if row["baseline"] else "knee"}
        for row in rows
        if row["baseline"] or row["trial"] == knee
    ]


@functools.cache
def _vega() -> str:
    """Return Vega, Vega-Lite and the interpreter that lets them do without ``eval``."""
    import vl_convert

    bundle = str(vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;"))
    assert "</script" not in bundle
    return bundle


def report_page(
    report: StudyReport, models: Mapping[int, str] | None = None, storage: str | None = None
) -> str:
    """Return the page.

    Args:
        report: What was gathered.
        models: ``.tflite`` files by trial, in base64; None for a page without.
        storage: Names the database in commands; None where it need not be named.
    """
    front = report.front
    at = [] if storage is None else ["--storage", storage]
    data = {
        "models": report.rows,
        "specs": _specs(report),
        "export": join(["search", "export", front.study, *at, "-o", "best.json", "--trial"]),
        "files": {} if models is None else models,
        "study": front.study,
        "knee": front.pick("knee").trial if front.points else None,
    }
    return render(
        "report.html",
        scripts=[_vega(), source("theme.js"), source("report.js")],
        style=source("base.css") + source("report.css"),
        version=__version__,
        front=front,
        titles=axis_titles(front),
        data=finite(data),
        facts=_facts(report),
        why_empty=_why_empty(front),
        knee=knee_sentences(front) if front.points else "",
        budgets=[_budget(row) for row in budget_rows(front)] if front.points else [],
        baseline=front.baseline,
        importances=report.importances,
        has_models=models is not None,
        schemes=report.schemes,
        sparsities=report.sparsities,
        progress=_progress(report.steps),
        endings=[asdict(one) for one in report.endings],
        spent=report.spent,
        n_hidden=len(report.models) - len(report.rows),
        accuracy=format_accuracy,
        size=format_size,
        latency=format_latency,
        duration=format_duration,
    )


def _specs(report: StudyReport) -> dict[str, Any]:
    """Return the charts; those of the Pareto view get their models from the page's data."""
    specs: dict[str, Any] = {}
    if not report.models:
        return {"seconds": learning_charts.seconds_chart(report.spent)} if report.spent else {}
    for axis in AXES:
        for log_error in (False, True):
            spec = pareto_chart(
                [],
                report.front,
                axis,
                log_error=log_error,
                named=report.named,
            )
            spec["data"] = {"name": "models"}
            specs[axis + ("_log" if log_error else "")] = spec
    if report.steps:
        specs["progress"] = learning_charts.progress_chart(report.steps)
    names: list[str] = []
    if report.importances is not None:
        specs["importance"] = learning_charts.importance_chart(report.importances)
        names = report.importances.parameters[:N_AXES]
    drawn = shown_models(report.models, MAX_LINES)[-MAX_LINES:]
    specs["parallel"] = learning_charts.parallel_chart(
        drawn, names or _varied(drawn)[:N_AXES], report.front
    )
    specs["schemes"] = learning_charts.cost_chart(report.schemes, report.front, "scheme")
    if report.sparsities:
        specs["sparsities"] = learning_charts.cost_chart(
            report.sparsities, report.front, "sparsity"
        )
    if report.spent:
        specs["seconds"] = learning_charts.seconds_chart(report.spent)
    return specs


def _varied(models: Sequence[Model]) -> list[str]:
    names = dict.fromkeys(name for model in models for name in model.point.params)
    return [n for n in names if len({model.point.params.get(n) for model in models} - {None}) > 1]


def _facts(report: StudyReport) -> list[tuple[str, str]]:
    front = report.front
    counts = ", ".join(f"{n:,} {outcome}" for outcome, n in report.outcomes.items())
    facts = [
        ("trials", counts),
        ("models", f"{front.n_points:,} measured, {len(front.points):,} on the front"),
        ("hypervolume", f"{front.hypervolume:.4f}"),
        ("data", front.data_name),
        ("device", front.device),
    ]
    limits = front.limits
    kept = [
        ("size", limits.max_size_bytes, format_size, "≤"),
        ("latency", limits.max_latency_ms, format_latency, "≤"),
        ("RAM", limits.max_ram_bytes, format_size, "≤"),
        ("accuracy", limits.min_accuracy, format_accuracy, "≥"),
    ]
    said = [f"{name} {sign} {form(value)}" for name, value, form, sign in kept if value]
    return [*facts, ("limits", ", ".join(said) or "none")]


def _why_empty(front: StudyFront) -> list[str]:
    if front.points:
        return []
    first = "No point yet: no model that was measured keeps the limits."
    if not front.n_points:
        first = "No point yet: no trial gave a model."
    why = [f"Most failed so: {front.why_no_model}"] if front.why_no_model else []
    return [first, *why, *(f"{broken}." for broken in front.broken_limits)]


def _progress(steps: Sequence[Step]) -> str:
    until = seconds_to(steps, 0.95)
    if until is None:
        return ""
    return (
        f"It reached {steps[-1].hypervolume:.4f} in {format_duration(steps[-1].seconds)} in which "
        f"trials ran, and 95 % of that after {format_duration(until)}."
    )


def _budget(row: BudgetRow) -> dict[str, Any]:
    point = row.point
    return {
        "budget": "the study's limits" if row.max_bytes is None else format_size(row.max_bytes),
        "trial": None if point is None else point.trial,
        "accuracy": "none" if point is None else format_accuracy(point.accuracy),
        "interval": ""
        if row.accuracy_low is None or row.accuracy_high is None
        else f"{format_accuracy(row.accuracy_low)} to {format_accuracy(row.accuracy_high)}",
        "size": "" if point is None else format_size(point.size_bytes),
        "latency": "" if point is None else format_latency(point.latency_ms),
        "scheme": "" if point is None else point.quantization,
    }
