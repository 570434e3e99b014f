"""What a retrained model measures beside what was promised, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search.units import format_accuracy, format_latency, format_size

if TYPE_CHECKING:
    from rich.console import Console


def print_metrics(console: Console, metrics: Mapping[str, Any]) -> None:
    """Print what ``metrics.json`` holds, in a few lines.

    Args:
        console: Where to print.
        metrics: What ``search.retrain.retrain`` returned.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("")
    for name in ("promised", "measured"):
        table.add_column(name, justify="right", no_wrap=True)
    promised, measured = metrics["promised"], metrics["measured"]
    for name, key, form in (
        ("accuracy, validation", "accuracy", format_accuracy),
        ("size", "size_bytes", format_size),
        ("latency", "latency_ms", format_latency),
    ):
        before = form(promised[key]) if key in promised else ""
        table.add_row(name, before, form(measured[key]))
    test = metrics["test"]
    table.add_row(
        f"accuracy, test ({test['images']:,} images)", "", format_accuracy(test["accuracy"])
    )
    table.add_row("the same in float32", "", format_accuracy(test["accuracy_float32"]))
    console.print(table)
    if metrics["generated_pictures"]:
        console.print("The pictures are generated: on photos, expect other accuracies.")
    if not metrics["same_data"]:
        console.print("Trained on other data than the trial: nothing was promised for it.")
    if metrics["identical_to_trial"]:
        console.print("model.tflite is the trial's, byte for byte.")
