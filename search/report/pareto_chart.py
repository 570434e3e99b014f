"""The Pareto view as a Vega-Lite specification: accuracy against size, or against latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from search.front.study_front import StudyFront

Axis = Literal["size", "latency"]

SIZE_TITLES = {
    "gzip": "size of the gzip-compressed .tflite",
    "tflite": "size of the .tflite",
    "flash": "flash",
}
METRIC_TITLES = {
    "accuracy": "validation accuracy",
    "balanced_accuracy": "balanced validation accuracy",
    "macro_f1": "macro F1, validation",
}
ORIGINS = ("own", "derived", "branched")
SHAPES = ("circle", "diamond", "triangle-up")

_IS_ROUND = (
    "indexof([1, 2, 5], round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))) < 0"
    " ? '' : "
)
"""Ticks of a logarithmic axis are labelled at 1, 2, 5, 10, ..."""

SIZE_LABEL = (
    f"{_IS_ROUND}datum.value >= 1e6 ? format(datum.value / 1e6, '~g') + ' MB' : "
    "datum.value >= 1e3 ? format(datum.value / 1e3, '~g') + ' kB' : datum.value + ' B'"
)
LATENCY_LABEL = f"{_IS_ROUND}format(datum.value, '~g') + ' ms'"
PERCENT_LABEL = "format(100 * datum.value, '.4~g') + ' %'"
ERROR_LABEL = "format(100 * (1 - datum.value), '.4~g') + ' %'"

RING = "#e8552d"
"""Of what is selected: seen on white and on black."""

SELECTED = "datum.trial === selected"


def axis_titles(front: StudyFront) -> dict[str, str]:
    """Return what the axes of a study's charts are called."""
    return {
        "size": SIZE_TITLES.get(front.size_metric, front.size_metric),
        "latency": f"latency, {front.device}",
        "accuracy": METRIC_TITLES.get(front.metric, front.metric),
    }


def pareto_chart(
    rows: Sequence[Mapping[str, Any]],
    front: StudyFront,
    axis: Axis,
    *,
    log_error: bool = False,
    selected: int | None = None,
    named: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the chart of one axis; the data stands in it under the name ``models``.

    Args:
        rows: Models as ``search.report.models.model_row`` gives them.
        front: The front, for its limits and names.
        axis: What lies along x; colour shows the other.
        log_error: Whether a halved error takes the same way at 80 % as at 98 %.
        selected: Trial with a ring around it.
        named: Rows that have a ``label`` drawn beside them.
    """
    other: Axis = "latency" if axis == "size" else "size"
    titles = axis_titles(front)
    labels = {"size": SIZE_LABEL, "latency": LATENCY_LABEL}
    y_field = "error" if log_error else "accuracy"
    x = {
        "field": axis,
        "type": "quantitative",
        "scale": {"type": "log", "nice": False, "padding": 16},
        "axis": {"title": titles[axis], "labelExpr": labels[axis], "labelOverlap": "greedy"},
    }
    y: dict[str, Any] = {
        "field": y_field,
        "type": "quantitative",
        "scale": {"type": "log", "reverse": True, "nice": False, "padding": 12}
        if log_error
        else {"zero": False, "nice": True},
        "axis": {
            "title": titles["accuracy"],
            "labelExpr": ERROR_LABEL if log_error else PERCENT_LABEL,
        },
    }
    if log_error:
        y["axis"]["values"] = [
            0.9,
            0.8,
            0.7,
            0.5,
            0.3,
            0.2,
            0.1,
            0.05,
            0.02,
            0.01,
            5e-3,
            2e-3,
            1e-3,
        ]
    colour = {
        "field": other,
        "type": "quantitative",
        "scale": {"type": "log"},
        "legend": {"title": titles[other], "labelExpr": labels[other]},
    }
    shape = {
        "field": "origin",
        "type": "nominal",
        "scale": {"domain": list(ORIGINS), "range": list(SHAPES)},
        "legend": {"title": "weights"},
    }
    says = {"field": "says"}
    silent = {"aria": False, "tooltip": None}
    bars: dict[str, Any] = {"opacity": 0.35, "strokeWidth": 1.2, **silent}
    low, high = ("error_low", "error_high") if log_error else ("low", "high")
    layers: list[dict[str, Any]] = [
        *_limits(front, axis, y_field),
        {
            "transform": [{"filter": f"datum.front && isValid(datum.{low})"}],
            "mark": {"type": "rule", **bars},
            "encoding": {"x": x, "y": {**y, "field": low}, "y2": {"field": high}},
        },
        {
            "transform": [{"filter": f"datum.front && datum.best_{axis}"}],
            "mark": {"type": "line", "interpolate": "step-after", "opacity": 0.5, **silent},
            "encoding": {"x": x, "y": y, "order": {"field": axis}},
        },
        {
            "transform": [{"filter": "!datum.front && !datum.baseline"}],
            "mark": {"type": "point", "filled": True, "size": 34, "aria": False, "tooltip": True},
            "encoding": {"x": x, "y": y, "color": colour, "shape": shape, "opacity": _faded(0.35)},
        },
        {
            "transform": [{"filter": "datum.front || datum.baseline"}],
            "mark": {
                "type": "point",
                "filled": True,
                "size": 90,
                "strokeWidth": 0.8,
                "tooltip": True,
            },
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "shape": shape,
                "opacity": _faded(1),
                "description": says,
            },
        },
        {
            "transform": [{"filter": SELECTED}],
            "mark": {
                "type": "point",
                "filled": False,
                "size": 330,
                "strokeWidth": 3,
                "stroke": RING,
            },
            "encoding": {"x": x, "y": y, "description": says},
        },
    ]
    if axis == "latency":
        layers.insert(
            len(_limits(front, axis, y_field)),
            {
                "transform": [{"filter": "datum.front && isValid(datum.latency_low)"}],
                "mark": {"type": "rule", **bars},
                "encoding": {
                    "x": {**x, "field": "latency_low"},
                    "x2": {"field": "latency_high"},
                    "y": y,
                },
            },
        )
    if named:
        layers.append(
            {
                "data": {"name": "named", "values": list(named)},
                "mark": {"type": "text", "dy": -13, "fontWeight": "bold", **silent},
                "encoding": {"x": x, "y": y, "text": {"field": "label"}},
            }
        )
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": f"{titles['accuracy']} against {titles[axis]}, one mark for each model.",
        "width": "container",
        "height": 380,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"name": "models", "values": list(rows)},
        "params": [{"name": "selected", "value": selected}, *slider_params()],
        "layer": layers,
    }


def slider_params() -> list[dict[str, Any]]:
    """Return the parameters by which a page fades what its sliders leave out."""
    names = ("max_size", "max_latency", "max_ram", "min_accuracy")
    return [{"name": name, "value": None} for name in names]


STAYS = (
    "(!isValid(max_size) || datum.size <= max_size)"
    " && (!isValid(max_latency) || datum.latency <= max_latency)"
    " && (!isValid(max_ram) || (isValid(datum.ram) && datum.ram <= max_ram))"
    " && (!isValid(min_accuracy) || datum.accuracy >= min_accuracy)"
)


def _faded(opacity: float) -> dict[str, Any]:
    return {"condition": {"test": STAYS, "value": opacity}, "value": 0.07}


def _limits(front: StudyFront, axis: Axis, y_field: str) -> list[dict[str, Any]]:
    """Return the study's limits as lines across the chart."""
    limits = front.limits
    along = {"size": limits.max_size_bytes, "latency": limits.max_latency_ms}[axis]
    lines = []
    mark = {"type": "rule", "strokeDash": [6, 4], "style": "limit", "tooltip": None}
    if along is not None:
        said = {"value": f"the study's limit on {axis}"}
        lines.append({"mark": mark, "encoding": {"x": {"datum": along}, "description": said}})
    if limits.min_accuracy:
        level = 1 - limits.min_accuracy if y_field == "error" else limits.min_accuracy
        said = {"value": "the study's least accuracy"}
        lines.append({"mark": mark, "encoding": {"y": {"datum": level}, "description": said}})
    return lines
