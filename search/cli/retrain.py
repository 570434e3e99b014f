"""The command ``search retrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from search.cli.base import Command, examples
from search.cli.console import hint, print_json, stderr_console, stdout_console
from search.cli.options import PATH, declared_options, json_option
from search.deploy.options import RetrainOptions


@click.command(
    cls=Command,
    epilog=examples(
        "search retrain best.json -o deploy",
        "search retrain best.json -o deploy --epochs 60 --patience 8",
        "search retrain best.json -o deploy --seeds 3 --tta",
    ),
)
@click.argument("export_file", metavar="FILE", type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="Folder for what is deployed.")
@declared_options(RetrainOptions)
@json_option
def retrain(export_file: Path, output: Path, as_json: bool, **given: Any) -> None:
    """Train an exported configuration in full.

    It is measured on the test split, beside the same network without pruning and without
    quantization. Writes model.tflite, model.keras, metrics.json and report.html, the firmware's
    C sources with preprocessing and a reference in Python, MODEL_CARD.md and SHA256SUMS,
    model_float.tflite (before quantization), model_compiled.tflite if the device has a compiler,
    and model.onnx if it is asked for.
    """
    from search.cli.progress import make_display
    from search.deploy.metrics_table import print_metrics
    from search.deploy.retrain import retrain as retrain_export

    display = make_display(stderr_console())
    try:
        metrics = retrain_export(export_file, output, progress=display.prepare, **given)
    finally:
        display.close()
    if as_json:
        print_json(metrics)
    else:
        print_metrics(stdout_console(), metrics)
    compiled = metrics.get("compiled_file")
    names = ["model.tflite", "model.keras", *([compiled] if compiled else [])]
    names += ["model.onnx"] if metrics.get("onnx") else []
    hint(f"Wrote {', '.join(names)}, report.html and what firmware needs to {output}")
    hint(f"Begin with {output / 'MODEL_CARD.md'}")
