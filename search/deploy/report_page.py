"""``report.html``: what a retrained model measures, as one page that needs nothing else.

All of it comes from ``metrics.json`` and the pictures that the retraining looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search.deploy.charts import Band, Line, line_chart, strip_chart
from search.deploy.metrics_table import (
    describe_models,
    format_loss,
    format_percent,
    model_rows,
    nouns_of,
    own_metric_rows,
    ram_cells,
    remarks,
    seed_rows,
)
from search.report.templating import render, source
from search.units import format_accuracy, format_latency, format_size
from spaces.data.accuracy_context import wilson_interval
from spaces.data.samples import sample_kind

MAX_MATRIX = 25
"""Confusion matrices of more classes are drawn without numbers."""

MAX_PAIRS = 12
"""Confused pairs of classes that are listed."""

BLUE, ORANGE, GREY = "var(--accent)", "var(--mark)", "var(--soft)"
"""Colours of the page's style, which has others in the dark."""


def retrain_page(metrics: Mapping[str, Any], pictures: Sequence[Mapping[str, str | None]]) -> str:
    """Return the page as HTML.

    Args:
        metrics: What ``metrics.json`` holds.
        pictures: ``picture`` and ``heatmap``, PNG files in base64, of each of the images in
            ``grad_cam``.
    """
    shows = sample_kind(metrics.get("kind")).is_picture
    where = f"{metrics['data']}, {metrics['test']['images']:,} test {nouns_of(metrics)}"
    if metrics["study"] is not None:
        where = f"trial {metrics['trial']} of study {metrics['study']} · {where}"
    return render(
        "retrained.html",
        style=source("base.css") + source("retrained.css"),
        title=f"{metrics['task']}: retrained",
        where=where,
        nouns=nouns_of(metrics),
        remarks=remarks(metrics),
        models=_models(metrics),
        promised=_promised(metrics),
        curves=_curves(metrics),
        confusions=_confusions(metrics),
        classes=_classes(metrics),
        looked=_looked(metrics, pictures) if shows else None,
        seeds=_seeds(metrics),
        made=_made(metrics),
    )


def _models(metrics: Mapping[str, Any]) -> dict[str, Any]:
    head = ["", "accuracy", "95 %", "loss", "macro F1", "weighted F1", "sparsity", "file", "gzip"]
    rows = []
    for row in model_rows(metrics):
        is_plain = "macro" in row
        rows.append(
            [
                row["label"],
                format_percent(row["accuracy"]),
                _interval(row["accuracy"], metrics["test"]["images"]),
                format_loss(row["loss"]),
                f"{row['macro']['f1']:.4f}" if is_plain else "",
                f"{row['weighted']['f1']:.4f}" if is_plain else "",
                format_accuracy(row["sparsity"]) if is_plain else "",
                format_size(row["tflite_bytes"]) if is_plain else "",
                format_size(row["gzip_bytes"]) if is_plain else "",
                _latency(row.get("latency_ms")) if is_plain else "",
            ]
        )
    return {
        "head": [*head, f"latency, {metrics['latency']['device']}"],
        "rows": rows,
        "notes": describe_models(metrics),
    }


def _interval(accuracy: float | None, n_images: int | None) -> str:
    """Return the 95 % interval (Wilson) of an accuracy; nothing where it, or of how many, is not
    known."""
    if accuracy is None or not n_images:
        return ""
    low, high = wilson_interval(accuracy, n_images)
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _latency(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else format_latency(milliseconds)


def _promised(metrics: Mapping[str, Any]) -> list[list[str]]:
    promised, measured = metrics["promised"], metrics["measured"]
    n_val = measured.get("images")
    rows = []
    for name, key, form in (
        ("accuracy, validation", "accuracy", format_percent),
        (f"size ({metrics['size_metric']})", "size_bytes", format_size),
        (f"latency, {metrics['latency']['device']}", "latency_ms", format_latency),
    ):
        cells = [name]
        for figures in (promised, measured):
            # A promise was made on the same pictures, or there is none.
            is_share = key == "accuracy" and key in figures
            cells.append(form(figures[key]) if key in figures else "")
            cells.append(_interval(figures[key], n_val) if is_share else "")
        rows.append(cells)
    others = [["RAM of an inference", *ram_cells(metrics)], *own_metric_rows(metrics)]
    return rows + [[name, given, "", found, ""] for name, given, found in others]


def _curves(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    history, best = metrics["curves"]["history"], metrics["curves"]["best_epoch"]
    if not history["loss"]:
        return None
    is_judged = "val_loss" in history  # Not where these pictures were learned from.
    twin = (metrics["models"]["float"] or {}).get("history")
    bands, done = [], 0.0
    for phase in metrics["curves"]["phases"]:
        if "pruning" in phase:
            start, end = phase["pruning"]
            bands.append(Band("pruning", done + start, done + end))
        elif phase["name"] == "quantization-aware":
            bands.append(Band("quantization-aware", done, done + phase["epochs"]))
        done += phase["epochs"]
    charts = []
    for title, key, form in (
        ("Accuracy", "accuracy", lambda value: f"{100 * value:.4g} %"),
        ("Loss", "loss", lambda value: f"{value:.4g}"),
    ):
        lines = [Line("training", history[key], BLUE)]
        if is_judged:
            lines.append(Line("validation", history[f"val_{key}"], ORANGE))
        if twin:
            name = "validation, float model" if is_judged else "training, float model"
            values = twin[f"val_{key}"] if is_judged else twin[key]
            lines.append(Line(name, values, GREY, is_dashed=True))
        charts.append(line_chart(title, lines, form, best_epoch=best, bands=bands))
    legend = [(line.name, line.colour) for line in lines]
    kept = _kept(metrics["curves"]["phases"])
    if best is None:
        said = "The curves are of pictures that were learned from: they do not tell its worth. "
        return {"charts": charts, "legend": legend, "says": said + kept}
    value = history["val_accuracy"][best - 1]
    interval = _interval(value, metrics["measured"].get("images"))
    said = f"Best validation accuracy: {format_percent(value)}"
    said += f" ({interval}, 95 %), in epoch {best}. " if interval else f", in epoch {best}. "
    return {
        "charts": charts,
        "legend": legend,
        "says": said + kept,
    }


def _kept(phases: Sequence[Mapping[str, Any]]) -> str:
    """Say which epoch's weights went on, and which were deployed."""
    done, texts = 0, []
    for phase in phases:
        kept = done + phase["kept"]
        done += phase["epochs"]
        if phase is phases[-1]:
            texts.append(f"Deployed are the weights of epoch {kept}.")
        elif kept != done:
            texts.append(f"What followed epoch {done} began with the weights of epoch {kept}.")
    return " ".join(texts)


def _confusions(metrics: Mapping[str, Any]) -> dict[str, Any]:
    models = metrics["models"]
    names = [row["name"] for row in models["deployed"]["per_class"]]
    return {
        "deployed": _confusion(models["deployed"]["confusion"], names),
        "pairs": _confused_pairs(models["deployed"]["confusion"], names),
        "others": [
            (key, _confusion(models[key]["confusion"], names))
            for key in ("pruned", "float")
            if models[key] is not None
        ],
    }


def _confusion(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> dict[str, Any]:
    rows = []
    for number, (name, row) in enumerate(zip(names, matrix, strict=True)):
        total = max(sum(row), 1)
        cells = [
            {
                "count": count,
                # Small shares of mistakes are what one looks for: their square root is shown.
                "shade": round((count / total) ** 0.5, 3),
                "is_right": column == number,
                "says": f"{name} called {names[column]}: {count:,}",
            }
            for column, count in enumerate(row)
        ]
        rows.append({"name": name, "cells": cells})
    return {"is_bare": len(names) > MAX_MATRIX, "names": names, "rows": rows}


def _confused_pairs(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> list[str]:
    found = [
        (count, row, column)
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    return [f"{names[r]} called {names[c]} {n:,} times" for n, r, c in found[:MAX_PAIRS]]


def _classes(metrics: Mapping[str, Any]) -> dict[str, Any]:
    models = {key: row for key, row in metrics["models"].items() if row is not None}

    def scores(key: str, values: Mapping[str, float], n: int | None) -> dict[str, str | None]:
        found: dict[str, str | None] = {
            name: f"{values[name]:.3f}" for name in ("precision", "recall", "f1")
        }
        # Recall is the accuracy within a class, of few pictures often.
        found["interval"] = _interval(values["recall"], n) if key == "deployed" else None
        return found

    rows = []
    for number, one in enumerate(models["deployed"]["per_class"]):
        n = one["images"]
        found = [scores(key, row["per_class"][number], n) for key, row in models.items()]
        rows.append({"name": one["name"], "n": f"{n:,}", "scores": found, "is_mean": False})
    for name in ("macro", "weighted"):
        found = [scores(key, row[name], None) for key, row in models.items()]
        rows.append({"name": f"{name} mean", "n": "", "scores": found, "is_mean": True})
    return {"models": list(models), "rows": rows}


def _looked(
    metrics: Mapping[str, Any], pictures: Sequence[Mapping[str, str | None]]
) -> dict[str, Any]:
    found = metrics["grad_cam"]
    names = [row["name"] for row in metrics["models"]["deployed"]["per_class"]]
    figures = []
    for row, files in zip(found["images"], pictures, strict=True):
        is_right = row["label"] == row["predicted"]
        says = f"{names[row['predicted']]} ({100 * row['confidence']:.0f} %)"
        shown = (("picture", "test image"), ("heatmap", "where it looked"))
        figures.append(
            {
                "images": [(what, files[key]) for key, what in shown if files[key] is not None],
                "verdict": "right" if is_right else "wrong",
                "says": says if is_right else f"{says}, is {names[row['label']]}",
                "index": row["index"],
            }
        )
    if found["layer"] is None:
        return {"says": found["note"], "figures": figures}
    said = (
        f"Grad-CAM at layer {found['layer']} of the Keras model before quantization, for the "
        f"class that the deployed model answered: yellow spoke for it. "
    )
    is_wrong = any(row["label"] != row["predicted"] for row in found["images"])
    said += (
        "Wrong answers first, the surest of them at the start."
        if is_wrong
        else "None of its answers was wrong."
    )
    return {"says": said, "figures": figures}


def _seeds(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    found = metrics["seeds"]
    if found is None:
        return None
    n_test, n_val = metrics["test"]["images"], metrics["measured"].get("images")
    rows = []
    trainings = {f"{found['own_seed']} (its own)": (metrics["test"], metrics["measured"])}
    for run in found["runs"]:
        if "reason" not in run:
            trainings[str(run["seed"])] = (run, {"accuracy": run.get("val_accuracy")})
    for label, test, val, *others in seed_rows(metrics):
        intervals = ["", ""]
        if label in trainings:
            on_test, on_val = (split.get("accuracy") for split in trainings[label])
            intervals = [_interval(on_test, n_test), _interval(on_val, n_val)]
        rows.append([label, test, intervals[0], val, intervals[1], *others])
    values = [run["accuracy"] for run in found["runs"] if "reason" not in run]
    chart = ""
    if values:
        mean, std = found["accuracy"]["mean"], found["accuracy"]["std"]
        own = metrics["test"]["accuracy"]
        chart = strip_chart(values, own, mean, std, lambda value: f"{100 * value:.4g} %")
    size = f"size ({metrics['size_metric']})"
    head = ["seed", "accuracy, test", "95 %", "validation", "95 %", size, "latency"]
    return {"head": head, "rows": rows, "chart": chart}


def _made(metrics: Mapping[str, Any]) -> list[list[str]]:
    config = metrics["config"]
    return [
        *([name, str(value)] for name, value in config["hyperparameters"].items()),
        *([name, str(value)] for name, value in config["training"].items()),
        *([f"pruning {name}", str(value)] for name, value in config["pruning"].items()),
        ["quantization", config["quantization"]],
        ["seed", str(config["seed"])],
        ["threads", str(config["threads"])],
        *([name, str(version)] for name, version in metrics["versions"].items()),
    ]
