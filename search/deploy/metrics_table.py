"""What a retrained model measures beside what was promised, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search.tables import plain_table
from search.units import format_accuracy, format_latency, format_size
from spaces.data.accuracy_context import AccuracyContext
from spaces.data.samples import sample_kind

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LEARNED_FROM = "learned from"
"""What stands for figures on validation, where its pictures were trained on."""

SPREAD_NAMES = ("accuracy", "val_accuracy", "size_bytes", "latency_ms")


def own_metric_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Return name, promise and measurement of what the model's ``compile`` names."""
    promised, measured = (metrics[when].get("metrics") or {} for when in ("promised", "measured"))
    return [
        [
            f"{name}, validation",
            f"{promised[name]:.4f}" if name in promised else "",
            f"{value:.4f}",
        ]
        for name, value in measured.items()
    ]


def ram_cells(metrics: Mapping[str, Any]) -> tuple[str, str]:
    """Return the RAM of an inference, promised and measured; a dash where nobody told it."""
    before = (metrics["promised"].get("ledger") or {}).get("arena_bytes")
    now = metrics["measured"].get("ram_bytes")
    return (
        "" if before is None else format_size(before),
        "-" if now is None else format_size(now),
    )


def print_metrics(console: Console, metrics: Mapping[str, Any]) -> None:
    """Print what ``metrics.json`` holds, in a few lines.

    Args:
        console: Where to print.
        metrics: What ``search.deploy.retrain.retrain`` returned.
    """
    table = _figures("", "promised", "measured")
    promised, measured = metrics["promised"], metrics["measured"]
    for name, key, form in (
        ("accuracy, validation", "accuracy", format_accuracy),
        ("size", "size_bytes", format_size),
        ("latency", "latency_ms", format_latency),
    ):
        before = form(promised[key]) if key in promised else ""
        table.add_row(name, before, form(measured[key]) if key in measured else LEARNED_FROM)
    table.add_row("RAM", *ram_cells(metrics))
    for key, name in (("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro F1")):
        before, now = (one.get("class_scores", {}).get(key) for one in (promised, measured))
        if before is not None and now is not None:
            table.add_row(f"{name}, validation", format_accuracy(before), format_accuracy(now))
    for cells in own_metric_rows(metrics):
        table.add_row(*cells)
    console.print(table)
    console.print()
    images = f"{metrics['test']['images']:,} test {nouns_of(metrics)}"
    table = _figures(images, "accuracy", "loss", "macro F1", "file", "gzip", "latency")
    for row in model_rows(metrics):
        cells = [format_percent(row["accuracy"]), format_loss(row["loss"])]
        if "macro" in row:
            latency_ms = row["latency_ms"]
            cells += [f"{row['macro']['f1']:.4f}", format_size(row["tflite_bytes"])]
            cells += [format_size(row["gzip_bytes"])]
            cells += ["-" if latency_ms is None else format_latency(latency_ms)]
        table.add_row(row["label"], *cells)
    console.print(table)
    for text in describe_models(metrics):
        console.print(text, markup=False)
    if metrics["seeds"] is not None:
        console.print()
        table = _figures("seed", "accuracy, test", "validation", "size", "latency")
        for cells in seed_rows(metrics):
            table.add_row(*cells)
        console.print(table)
        for run in metrics["seeds"]["runs"]:
            if "reason" in run:
                console.print(f"Seed {run['seed']} gave no model: {run['reason']}")
    for text in remarks(metrics):
        console.print(text)


def model_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each model that was compared, with a ``label``.

    One with test-time augmentation has accuracy and loss only.
    """
    labels = {
        "float": "float",
        "pruned": "pruned, float32",
        "deployed": f"deployed, {metrics['config']['quantization']}",
    }
    rows: list[dict[str, Any]] = []
    for key, label in labels.items():
        row = metrics["models"][key]
        if row is None:
            continue
        rows.append({"label": label, **row})
        if "tta" in row:
            rows.append({"label": f"{key} + augmented *", **row["tta"]})
    return rows


def describe_models(metrics: Mapping[str, Any]) -> list[str]:
    """Return what has to be said of the models' table, a sentence or two each."""
    models = metrics["models"]
    texts = [_context(metrics).line(models["deployed"]["accuracy"])]
    if models["float"] is not None and models["pruned"] is not None:
        texts.append("float: the same network, seed and epochs, trained without pruning.")
    texts += metrics["notes"]
    for row in models.values():
        if row is not None and "tta" in row:
            views = row["tta"]["views"]
            texts.append(
                f"* test-time augmentation: the mean answer to {len(views)} views "
                f"({', '.join(views)}), so {len(views)} inferences an image. Not what is deployed."
            )
            break
    n_lost = models["deployed"]["unanswered"]
    if n_lost:
        nouns = nouns_of(metrics)
        texts.append(f"The deployed model gave no finite answer to {n_lost:,} test {nouns}.")
    return texts


def _context(metrics: Mapping[str, Any]) -> AccuracyContext:
    """Return what accuracies on the test split have to be read against."""
    classes = metrics["models"]["deployed"].get("per_class", [])
    return AccuracyContext.of_counts(
        "test",
        [one["name"] for one in classes],
        [one["images"] for one in classes],
        metrics["test"]["images"],
        nouns_of(metrics),
    )


def nouns_of(metrics: Mapping[str, Any]) -> str:
    """Return what the samples of a retraining are called."""
    return sample_kind(metrics.get("kind")).nouns


def seed_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of each seed, and of mean and spread over the others than its own."""
    found, measured = metrics["seeds"], metrics["measured"]
    rows = [
        [
            f"{found['own_seed']} (its own)",
            format_percent(metrics["test"]["accuracy"]),
            format_percent(measured["accuracy"]) if "accuracy" in measured else LEARNED_FROM,
            format_size(measured["size_bytes"]),
            format_latency(measured["latency_ms"]),
        ]
    ]
    forms = dict(
        zip(
            SPREAD_NAMES,
            (format_percent, format_percent, format_size, format_latency),
            strict=True,
        )
    )
    for run in found["runs"]:
        if "reason" in run:
            rows.append([str(run["seed"]), "failed", "", "", ""])
            continue
        cells = [form(run[name]) if name in run else "" for name, form in forms.items()]
        rows.append([str(run["seed"]), *cells])
    if SPREAD_NAMES[0] not in found:
        return rows
    known = {name: form for name, form in forms.items() if name in found}
    for key, label in (("mean", "mean of the others"), ("std", "standard deviation")):
        if None not in [found[name][key] for name in known]:
            cells = [
                form(found[name][key]) if name in known else "" for name, form in forms.items()
            ]
            rows.append([label, *cells])
    ranges = [
        form(found[name]["max"] - found[name]["min"]) if name in known else ""
        for name, form in forms.items()
    ]
    rows.append(["highest - lowest", *ranges])
    return rows


def remarks(metrics: Mapping[str, Any]) -> list[str]:
    """Return what has to be said of a retraining as a whole, a sentence each."""
    texts = []
    if metrics["latency"]["device"] != "host":
        texts.append(f"Latencies are those of {metrics['latency']['device']}.")
    if metrics["measured"].get("ram_bytes") is None and metrics.get("micro"):
        texts.append(f"RAM is not known: {metrics['micro']['why_unknown']}".rstrip(".") + ".")
    elif metrics["latency"]["device"] in ("host", "micro"):
        texts.append("RAM is the arena of tflite-micro.")
    if metrics["generated_pictures"]:
        texts.append("The pictures are generated: on photos, expect other accuracies.")
    if not metrics["same_data"]:
        texts.append("Trained on other data than the trial: nothing was promised for it.")
    if metrics.get("with_validation"):
        texts.append("Trained on validation pictures too: only the test split tells its worth.")
    if metrics["identical_to_trial"]:
        texts.append("model.tflite is the trial's, byte for byte.")
    return texts


def format_percent(fraction: float) -> str:
    """Return a fraction as a percentage with two decimals: 10,000 images tell them apart."""
    return f"{100 * fraction:.2f} %"


def format_loss(loss: float | None) -> str:
    """Return a loss with three decimals; of answers that are not finite there is none."""
    return "none" if loss is None else f"{loss:.3f}"


def _figures(first: str, *others: str) -> Table:
    table = plain_table()
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
