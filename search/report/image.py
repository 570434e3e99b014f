"""The Pareto view as a picture, for papers and READMEs: no browser is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from search.report.page import StudyReport
from search.report.pareto_chart import pareto_chart
from search.report.templating import finite
from spaces.errors import ConfigError

WIDTH, HEIGHT = 640, 400
SCALE = 2.0
"""Pixels of a PNG for each of the chart's: sharp in print."""

CONFIG = {
    "font": "DejaVu Sans, Helvetica, Arial, sans-serif",
    "axis": {"titleFontWeight": "normal", "gridOpacity": 0.5},
    "legend": {
        "titleFontWeight": "normal",
        "symbolFillColor": "#666",
        "symbolStrokeColor": "#666",
    },
    "point": {"stroke": "white"},
    "range": {"ramp": {"scheme": "viridis", "extent": [0, 0.88]}},
    "style": {"limit": {"stroke": "#c2410c"}},
}

FORMATS = (".svg", ".png")


def check_format(suffix: str) -> None:
    """Check the ending of a picture's name.

    Raises:
        ConfigError: If it is neither of ``FORMATS``.
    """
    if suffix.lower() not in FORMATS:
        raise ConfigError(
            f"A picture's name must end in {' or '.join(FORMATS)}, but got {suffix or 'none'!r}."
        )


def front_image(report: StudyReport, suffix: str) -> bytes:
    """Return a study's front, accuracy against size, as a file's content.

    Args:
        report: What was gathered of the study.
        suffix: One of ``FORMATS``.

    Raises:
        ConfigError: If the study has no point yet, or there is no such format.
    """
    import vl_convert

    check_format(suffix)
    if not report.front.points:
        raise ConfigError(
            f"Study {report.front.study!r} has no point yet, so there is no front to draw."
        )
    spec = json.dumps(finite(image_spec(report)), allow_nan=False)
    if suffix.lower() == ".svg":
        return str(vl_convert.vegalite_to_svg(spec)).encode()
    return bytes(vl_convert.vegalite_to_png(spec, scale=SCALE))


def image_spec(report: StudyReport) -> Mapping[str, Any]:
    """Return the picture's specification."""
    front = report.front
    drawn = " (generated pictures)" if front.generated else ""
    spec = pareto_chart(report.rows, front, "size", named=report.named)
    return {
        **spec,
        "title": f"Pareto front of {front.study}{drawn}",
        "width": WIDTH,
        "height": HEIGHT,
        "background": "white",
        "config": CONFIG,
    }
