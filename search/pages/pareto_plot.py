"""The front of a study as plotly's JSON, which the dashboard draws; no plotly is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from search.front.study_front import StudyFront
from search.report.models import Model, describe, shown_models

AXES = (("size", 1, "x", "y"), ("latency", 2, "x2", "y2"))


def pareto_plot(front: StudyFront, models: Sequence[Model]) -> str:
    """Return accuracy against size and against latency, both along logarithmic axes.

    Args:
        front: Of the study.
        models: All that were measured.
    """
    kinds: list[tuple[str, dict[str, Any], list[Model]]] = [
        ("breaks a limit", {"symbol": "x", "color": "#b42318", "size": 6, "opacity": 0.5}, []),
        ("beaten in everything", {"symbol": "circle", "color": "#8a919c", "size": 5}, []),
        ("on the front", {"symbol": "circle", "color": "#1d5fb8", "size": 8}, []),
        ("baseline", {"symbol": "star", "color": "#c2410c", "size": 12}, []),
    ]
    kinds[1][1]["opacity"] = 0.35
    for model in shown_models(models):
        if model.is_baseline:
            kinds[3][2].append(model)
        if not model.keeps_limits:
            kinds[0][2].append(model)
        elif not model.is_baseline or model.is_on_front:
            kinds[2 if model.is_on_front else 1][2].append(model)
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "legendgroup": name,
            "showlegend": x == "x",
            "xaxis": x,
            "yaxis": y,
            "x": [model.point.values[column] for model in shown],
            "y": [model.score for model in shown],
            "text": [_says(model) for model in shown],
            "hoverinfo": "text",
            "marker": marker,
        }
        for _, column, x, y in AXES
        for name, marker, shown in kinds
        if shown
    ]
    limits = front.limits
    lines = [
        _limit(x, y, value)
        for (_, _, x, y), value in zip(
            AXES, (limits.max_size_bytes, limits.max_latency_ms), strict=True
        )
        if value is not None
    ]
    metric = front.metric.replace("_", " ")
    layout = {
        "title": {"text": f"{front.study}: {metric} against size and latency"},
        "hovermode": "closest",
        "xaxis": _log_axis(f"size ({front.size_metric}), bytes", [0, 0.46]),
        "xaxis2": _log_axis(f"latency on {front.device}, ms", [0.54, 1]) | {"anchor": "y2"},
        "yaxis": {"title": {"text": metric}, "tickformat": ".0%"},
        "yaxis2": {"anchor": "x2", "matches": "y", "tickformat": ".0%"},
        "legend": {"orientation": "h", "y": -0.25},
        "shapes": lines,
    }
    return json.dumps({"data": traces, "layout": layout})


def _log_axis(title: str, domain: list[float]) -> dict[str, Any]:
    return {"type": "log", "title": {"text": title}, "domain": domain}


def _limit(x: str, y: str, value: float) -> dict[str, Any]:
    line = {"color": "#b42318", "dash": "dash", "width": 1}
    at = {"xref": x, "yref": f"{y} domain", "x0": value, "x1": value, "y0": 0, "y1": 1}
    return {"type": "line", **at, "line": line}


def _says(model: Model) -> str:
    # Plotly takes these texts as its own small HTML.
    origin = {"own": "", "derived": ", same training as", "branched": ", branch of"}[model.origin]
    point = model.point
    source = point.branched_from if point.derived_from is None else point.derived_from
    lineage = f"{origin} trial {source}" if origin else ""
    return (describe(point) + lineage).replace("&", "&amp;").replace("<", "&lt;")
