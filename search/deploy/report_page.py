"""``report.html``: what a retrained model measures, as one page that needs nothing else.

All of it comes from ``metrics.json`` and the pictures that the retraining looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
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
    config = metrics["config"]
    shows = sample_kind(metrics.get("kind")).is_picture
    title = f"{metrics['task']}: retrained"
    where = f"{metrics['data']}, {metrics['test']['images']:,} test {nouns_of(metrics)}"
    if metrics["study"] is not None:
        where = f"trial {metrics['trial']} of study {metrics['study']} · {where}"
    body = [
        f"<h1>{escape(title)}</h1><p class=sub>{escape(where)}</p>",
        *(f"<p class=note>{escape(text)}</p>" for text in remarks(metrics)),
        _section("Float, pruned and deployed", _models(metrics)),
        _section("Promised and measured", _promised(metrics)),
        _section("Training", _curves(metrics)),
        _section("Confusion matrix", _confusions(metrics)),
        _section("Classes", _classes(metrics)),
        *([_section("What it looked at", _grad_cam(metrics, pictures))] if shows else []),
        _section("Other seeds", _seeds(metrics)),
        _section("How it was made", _made(config, metrics)),
    ]
    return render(
        "retrained.html",
        style=source("base.css") + source("retrained.css"),
        title=title,
        body="".join(body),
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]], strong: int = -1) -> str:
    """Return a table of texts, one of whose rows may be in bold."""
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(
        f"<tr{' class=strong' if number == strong else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return (
        f"<div class=scroll><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{lines}</tbody></table></div>"
    )


def _models(metrics: Mapping[str, Any]) -> str:
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
    table = _grid([*head, f"latency, {metrics['latency']['device']}"], rows, len(rows) - 1)
    notes = "".join(f"<p class=note>{escape(text)}</p>" for text in describe_models(metrics))
    return table + notes


def _interval(accuracy: float, n_images: int) -> str:
    """Return the 95 % interval (Wilson) of an accuracy."""
    low, high = wilson_interval(accuracy, n_images)
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _latency(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else format_latency(milliseconds)


def _promised(metrics: Mapping[str, Any]) -> str:
    promised, measured = metrics["promised"], metrics["measured"]
    rows = []
    for name, key, form in (
        ("accuracy, validation", "accuracy", format_percent),
        (f"size ({metrics['size_metric']})", "size_bytes", format_size),
        (f"latency, {metrics['latency']['device']}", "latency_ms", format_latency),
    ):
        rows.append([name, form(promised[key]) if key in promised else "", form(measured[key])])
    rows.append(["RAM of an inference", *ram_cells(metrics)])
    rows += own_metric_rows(metrics)
    return _grid(["", "promised by the trial", "measured"], rows)


def _curves(metrics: Mapping[str, Any]) -> str:
    history, best = metrics["curves"]["history"], metrics["curves"]["best_epoch"]
    if best is None:
        return "<p class=note>No epochs: trained weights were only quantized.</p>"
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
        lines = [
            Line("training", history[key], BLUE),
            Line("validation", history[f"val_{key}"], ORANGE),
        ]
        if twin:
            lines.append(Line("validation, float model", twin[f"val_{key}"], GREY, is_dashed=True))
        charts.append(line_chart(title, lines, form, best_epoch=best, bands=bands))
    legend = [("training", BLUE), ("validation", ORANGE)]
    legend += [("validation, float model", GREY)] if twin else []
    keys = "".join(f'<span><i style="color:{c}"></i>{escape(n)}</span>' for n, c in legend)
    value = history["val_accuracy"][best - 1]
    said = f"Best validation accuracy: {format_percent(value)}, in epoch {best}. "
    return (
        f"<div class=charts>{''.join(charts)}</div><p class=legend>{keys}</p>"
        f"<p class=note>{said}{_kept(metrics['curves']['phases'])}</p>"
    )


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


def _confusions(metrics: Mapping[str, Any]) -> str:
    names = [row["name"] for row in metrics["models"]["deployed"]["per_class"]]
    parts = [
        f"<p class=note>A row for each true class: what its {nouns_of(metrics)} were called.</p>"
    ]
    parts.append(_confusion(metrics["models"]["deployed"]["confusion"], names))
    pairs = _confused_pairs(metrics["models"]["deployed"]["confusion"], names)
    if pairs:
        parts.append(f"<p>Most often confused: {escape('; '.join(pairs))}.</p>")
    for key in ("pruned", "float"):
        row = metrics["models"][key]
        if row is not None:
            matrix = _confusion(row["confusion"], names)
            parts.append(f"<details><summary>The {key} model's</summary>{matrix}</details>")
    return "".join(parts)


def _confusion(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    is_bare = len(names) > MAX_MATRIX
    lines = []
    if not is_bare:
        heads = "".join(f"<th>{escape(name)}</th>" for name in names)
        lines.append(f"<tr><th></th>{heads}</tr>")
    for number, (name, row) in enumerate(zip(names, matrix, strict=True)):
        total = max(sum(row), 1)
        cells = []
        for column, count in enumerate(row):
            # Small shares of mistakes are what one looks for: their square root is shown.
            shade = round((count / total) ** 0.5, 3) if count else 0
            colour = "37,99,168" if column == number else "194,65,12"
            text = "" if is_bare or not count else f"{count:,}"
            light = ";color:#fff" if shade > 0.75 else ""
            says = f"{name} called {names[column]}: {count:,}"
            cells.append(
                f'<td style="background:rgba({colour},{shade}){light}" title="{escape(says)}">'
                f"{text}</td>"
            )
        label = "" if is_bare else escape(name)
        lines.append(f"<tr><th>{label}</th>{''.join(cells)}</tr>")
    kind = "matrix bare" if is_bare else "matrix"
    return f'<div class=scroll><table class="{kind}">{"".join(lines)}</table></div>'


def _confused_pairs(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> list[str]:
    found = [
        (count, row, column)
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    return [f"{names[r]} called {names[c]} {n:,} times" for n, r, c in found[:MAX_PAIRS]]


def _classes(metrics: Mapping[str, Any]) -> str:
    models = [(key, row) for key, row in metrics["models"].items() if row is not None]
    groups = "".join(f"<th colspan=3 class=group>{key}</th>" for key, _ in models)
    heads = "<th class=group>precision</th><th>recall</th><th>F1</th>" * len(models)

    def cells(values: Mapping[str, float]) -> str:
        return (
            f"<td class=group>{values['precision']:.3f}</td><td>{values['recall']:.3f}</td>"
            f"<td>{values['f1']:.3f}</td>"
        )

    lines = []
    for number, one in enumerate(metrics["models"]["deployed"]["per_class"]):
        values = "".join(cells(row["per_class"][number]) for _, row in models)
        lines.append(f"<tr><td>{escape(one['name'])}</td><td>{one['images']:,}</td>{values}</tr>")
    for name in ("macro", "weighted"):
        values = "".join(cells(row[name]) for _, row in models)
        lines.append(f"<tr class=strong><td>{name} mean</td><td></td>{values}</tr>")
    return (
        f"<div class=scroll><table><thead><tr><th></th><th></th>{groups}</tr>"
        f"<tr><th>class</th><th>{nouns_of(metrics)}</th>{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _grad_cam(metrics: Mapping[str, Any], pictures: Sequence[Mapping[str, str | None]]) -> str:
    found = metrics["grad_cam"]
    names = [row["name"] for row in metrics["models"]["deployed"]["per_class"]]
    figures = []
    for row, files in zip(found["images"], pictures, strict=True):
        is_right = row["label"] == row["predicted"]
        images = "".join(
            f'<img alt="{what}" src="data:image/png;base64,{files[key]}">'
            for key, what in (("picture", "test image"), ("heatmap", "where it looked"))
            if files[key] is not None
        )
        verdict = "right" if is_right else "wrong"
        says = f"{names[row['predicted']]} ({100 * row['confidence']:.0f} %)"
        truth = "" if is_right else f", is {names[row['label']]}"
        figures.append(
            f"<figure>{images}<figcaption><span class={verdict}>{verdict}</span>: "
            f"{escape(says + truth)}<br><span class=note>test image {row['index']}</span>"
            f"</figcaption></figure>"
        )
    if found["layer"] is None:
        said = found["note"]
    else:
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
    shown = f"<div class=cams>{''.join(figures)}</div>" if figures else ""
    return f"<p class=note>{escape(said)}</p>{shown}"


def _seeds(metrics: Mapping[str, Any]) -> str:
    found = metrics["seeds"]
    if found is None:
        return ""
    head = ["seed", "accuracy, test", "validation", f"size ({metrics['size_metric']})", "latency"]
    rows = seed_rows(metrics)
    values = [run["accuracy"] for run in found["runs"] if "reason" not in run]
    chart = ""
    if values:
        mean, std = found["accuracy"]["mean"], found["accuracy"]["std"]
        own = metrics["test"]["accuracy"]
        drawn = strip_chart(values, own, mean, std, lambda value: f"{100 * value:.4g} %")
        chart = f"<div class=charts><div>{drawn}</div></div>"
    return (
        f"{_grid(head, rows)}{chart}<p class=note>The same configuration from other seeds. Mean "
        f"and deviation are theirs alone: the search chose its own seed's model (the circle) for "
        f"what it measured. Accuracies are on the test split.</p>"
    )


def _made(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    training, pruning = config["training"], config["pruning"]
    rows = [
        *([name, str(value)] for name, value in config["hyperparameters"].items()),
        *([name, str(value)] for name, value in training.items()),
        *([f"pruning {name}", str(value)] for name, value in pruning.items()),
        ["quantization", config["quantization"]],
        ["seed", str(config["seed"])],
        ["threads", str(config["threads"])],
        *([name, str(version)] for name, version in metrics["versions"].items()),
    ]
    return (
        f"<details><summary>Configuration and versions</summary>{_grid(['', ''], rows)}</details>"
    )
