"""Pictures of a trial for its page in the dashboard, drawn when somebody looks.

Nothing is drawn while a study runs, and nothing is kept: what they show stands in the database and
in the history of the training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from search.deploy.charts import Line, line_chart
from search.front.trials import TrialSummary
from search.report.templating import fragment
from search.storage import attributes

STYLE = (
    "svg{background:#fff;font-family:sans-serif}text{fill:#1b1d21}.title{font-size:14px;"
    "font-weight:600}.tick{font-size:11px;fill:#565b64}.end{text-anchor:end}"
    ".middle{text-anchor:middle}.grid{stroke:#d9dce1}.best{stroke:#15713a;stroke-dasharray:5 3}"
)
"""The dashboard shows files: a picture cannot take the page's colours."""

BLUE, ORANGE = "#1d5fb8", "#c2410c"
SIDE, LETTER = 34, 6.5
"""Pixels of a cell, and about those of a letter of a class's name."""


def curves_picture(trial: TrialSummary, history: Mapping[str, Sequence[float]]) -> str | None:
    """Return accuracy by epoch as an SVG; None of a trial that trained nothing.

    Args:
        trial: The trial.
        history: Of its training, by name; empty where its file is gone.
    """
    validation = history.get("val_accuracy") or trial.stored.get(attributes.CURVE) or ()
    if not validation:
        return None
    lines = [Line("training", history["accuracy"], BLUE)] if history.get("accuracy") else []
    lines.append(Line("validation", validation, ORANGE))
    named = "validation" if len(lines) == 1 else "training (blue) and validation"
    best = max(range(len(validation)), key=lambda epoch: validation[epoch]) + 1
    return line_chart(
        f"Accuracy of the float network: {named}",
        lines,
        lambda value: f"{100 * value:.4g} %",
        best_epoch=best,
        style=STYLE,
    )


def confusion_picture(trial: TrialSummary, names: Sequence[str]) -> str | None:
    """Return what each class was called as an SVG; None where it was not recorded.

    Args:
        trial: The trial.
        names: Of the classes.
    """
    matrix: Sequence[Sequence[int]] = trial.stored.get(attributes.CONFUSION) or ()
    if not matrix or len(matrix) != len(names):
        return None
    longest = max(map(len, names)) * LETTER
    left, top = 16 + longest, 40 + 0.6 * longest
    rows = []
    for number, (name, counts) in enumerate(zip(names, matrix, strict=True)):
        total = max(sum(counts), 1)
        cells = [
            {
                "x": left + SIDE * column,
                "count": count,
                "colour": BLUE if column == number else ORANGE,
                # As in the report of a retraining: small shares of mistakes show.
                "shade": round(0.7 * (count / total) ** 0.5, 3),
                "says": f"{name} called {names[column]}: {count:,}",
            }
            for column, count in enumerate(counts)
        ]
        rows.append({"name": name, "y": top + SIDE * number, "cells": cells})
    return fragment(
        "confusion.svg",
        title="Validation: rows are true classes, columns answers",
        style=STYLE,
        width=round(max(left + SIDE * len(names) + 0.8 * longest, 340)),
        height=round(top + SIDE * len(names) + 10),
        left=left,
        top=top,
        side=SIDE,
        columns=[
            {"name": name, "x": left + SIDE * (number + 0.5)} for number, name in enumerate(names)
        ],
        rows=rows,
    )


def parsed_history(content: bytes | None) -> dict[str, list[float]]:
    """Return a ``history.json`` by name; nothing of one that is gone or damaged."""
    try:
        found: Any = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
