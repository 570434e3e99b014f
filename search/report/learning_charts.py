"""Charts of what a search learned, as Vega-Lite specifications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search.front.study_front import StudyFront
from search.report.costs import Cost
from search.report.endings import Spent
from search.report.importance import Importances
from search.report.models import Model
from search.report.pareto_chart import PERCENT_LABEL, SIZE_LABEL, axis_titles, slider_params
from search.report.progress import Step

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
MAX_PARAMETERS = 12


def progress_chart(steps: Sequence[Step]) -> dict[str, Any]:
    """Return the hypervolume over the minutes in which trials ran."""
    rows = [
        {"minutes": s.seconds / 60, "hypervolume": s.hypervolume, "trial": s.trial} for s in steps
    ]
    return _chart(
        "Hypervolume against the time in which trials ran.",
        rows,
        {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        {
            "x": _quantity("minutes", "minutes in which trials ran"),
            "y": _quantity("hypervolume", "hypervolume of the front"),
        },
    )


def importance_chart(found: Importances) -> dict[str, Any]:
    """Return how much each parameter decides over each objective."""
    names = found.parameters[:MAX_PARAMETERS]
    rows = [
        {"parameter": r.parameter, "objective": r.objective, "share": r.share}
        for r in found.rows
        if r.parameter in names
    ]
    return _chart(
        "How much each parameter decides over each objective.",
        rows,
        {"type": "bar"},
        {
            "y": {"field": "parameter", "type": "nominal", "sort": names, "axis": {"title": None}},
            "yOffset": {"field": "objective", "type": "nominal"},
            "x": {
                **_quantity("share", "share of what decides"),
                "axis": {"title": "share of what decides", "labelExpr": PERCENT_LABEL},
            },
            "color": {"field": "objective", "type": "nominal", "legend": {"title": None}},
        },
        height=40 + 36 * len(names),
    )


def cost_chart(costs: Sequence[Cost], front: StudyFront, title: str) -> dict[str, Any]:
    """Return the best accuracy of each kind of models by size."""
    rows = [
        {
            "kind": cost.name,
            "size": model.point.size_bytes,
            "accuracy": model.score,
            "trial": model.point.trial,
        }
        for cost in costs
        for model in cost.best
    ]
    titles = axis_titles(front)
    names = [cost.name for cost in costs]
    return _chart(
        f"Best accuracy within a size, a line for each {title}.",
        rows,
        {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "point": {"size": 30}},
        {
            "x": {
                **_quantity("size", titles["size"]),
                "scale": {"type": "log", "nice": False, "padding": 10},
                "axis": {"title": titles["size"], "labelExpr": SIZE_LABEL},
            },
            "y": {
                **_quantity("accuracy", titles["accuracy"]),
                "scale": {"zero": False},
                "axis": {"title": f"best {titles['accuracy']}", "labelExpr": PERCENT_LABEL},
            },
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": names},
                "legend": {"title": title},
            },
        },
        height=300,
    )


def seconds_chart(spent: Sequence[Spent]) -> dict[str, Any]:
    """Return the seconds of each stage, by how trials ended."""
    stages = list(dict.fromkeys(one.stage for one in spent))
    rows = [{"stage": s.stage, "trials": s.outcome, "seconds": s.seconds} for s in spent]
    return _chart(
        "Seconds of workers by stage and by how trials ended.",
        rows,
        {"type": "bar"},
        {
            "y": {"field": "stage", "type": "nominal", "sort": stages, "axis": {"title": None}},
            "x": _quantity("seconds", "seconds of workers"),
            "color": {"field": "trials", "type": "nominal", "legend": {"title": "trials"}},
        },
        height=40 + 28 * len(stages),
    )


def parallel_chart(
    models: Sequence[Model], names: Sequence[str], front: StudyFront
) -> dict[str, Any]:
    """Return parallel coordinates: parameters, then objectives, each scaled to its ranks' range.

    Args:
        models: Those to draw, the front last.
        names: Parameters to show.
        front: For names of objectives.
    """
    axes = [*names, "size", "latency", "accuracy"]
    columns = {name: [m.point.params.get(name) for m in models] for name in names}
    columns["size"] = [m.point.size_bytes for m in models]
    columns["latency"] = [m.point.latency_ms for m in models]
    columns["accuracy"] = [m.score for m in models]
    places = {name: _places(columns[name]) for name in axes}
    rows = [
        {
            "trial": model.point.trial,
            "front": model.is_on_front,
            "accuracy": model.score,
            "size": model.point.size_bytes,
            "latency": model.point.latency_ms,
            "ram": model.point.ram_bytes,
            "axis": name,
            "place": places[name][index],
            "is": str(columns[name][index]),
        }
        for index, model in enumerate(models)
        for name in axes
        if places[name][index] is not None
    ]
    opacity = {
        "condition": [
            {"test": "datum.trial === selected", "value": 1},
            {"test": "datum.front", "value": 0.5},
        ],
        "value": 0.1,
    }
    width = {"condition": {"test": "datum.trial === selected", "value": 4}, "value": 1.2}
    spec = _chart(
        "Parallel coordinates: a line for each model across its parameters and objectives.",
        rows,
        {"type": "line", "aria": False},
        {
            "x": {
                "field": "axis",
                "type": "nominal",
                "sort": axes,
                "axis": {"title": None, "labelAngle": -30, "domain": False, "grid": True},
                "scale": {"padding": 0.1},
            },
            "y": {
                "field": "place",
                "type": "quantitative",
                "scale": {"domain": [0, 1]},
                "axis": {
                    "title": "lowest to highest",
                    "values": [0, 1],
                    "labelExpr": "datum.value ? 'highest' : 'lowest'",
                    "grid": False,
                },
            },
            "detail": {"field": "trial"},
            "color": {
                "field": "accuracy",
                "type": "quantitative",
                "legend": {
                    "title": axis_titles(front)["accuracy"],
                    "labelExpr": PERCENT_LABEL,
                },
            },
            "opacity": opacity,
            "strokeWidth": width,
        },
        height=320,
    )
    spec["params"] = [{"name": "selected", "value": None}, *slider_params()]
    return spec


def _places(values: Sequence[Any]) -> list[float | None]:
    """Return where values lie from lowest to highest, by rank: no outlier squeezes the others."""
    known = sorted({value for value in values if value is not None}, key=_order)
    step = 1 / (len(known) - 1) if len(known) > 1 else 0.0
    rank = {value: index * step if step else 0.5 for index, value in enumerate(known)}
    return [None if value is None else rank[value] for value in values]


def _order(value: Any) -> tuple[bool, Any]:
    is_text = isinstance(value, str)
    return is_text, value if is_text else float(value)


def _quantity(field: str, title: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "axis": {"title": title}}


def _chart(
    description: str,
    rows: Sequence[dict[str, Any]],
    mark: dict[str, Any],
    encoding: dict[str, Any],
    height: int = 240,
) -> dict[str, Any]:
    return {
        "$schema": SCHEMA,
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": list(rows)},
        "mark": {"tooltip": True, **mark},
        "encoding": encoding,
    }
