"""The command ``search retrain``."""

from __future__ import annotations

from pathlib import Path

import click

from search.cli.base import Command, examples
from search.cli.console import hint, print_json, stderr_console, stdout_console
from search.cli.options import PATH, Count, json_option


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
@click.option("--epochs", type=Count(), show_default="the trial's", help="Epochs of training.")
@click.option(
    "--patience",
    type=Count(),
    show_default="train to the end",
    help="End after so many epochs that are no better, with the best weights.",
)
@click.option("--data", type=PATH, show_default="the trial's", help="Data to train on.")
@click.option(
    "--seeds",
    type=Count(0),
    default=0,
    help="Train it from so many other seeds too, and report how much is luck.",
)
@click.option(
    "--no-float",
    is_flag=True,
    help="Do not train it without pruning too, to compare with: half the time.",
)
@click.option(
    "--tta",
    is_flag=True,
    help="Test-time augmentation: measure float models on shifted pictures too.",
)
@click.option("--task", help="The task, where it is code of your own: a file runs none unasked.")
@click.option("--device", help="The device, where it is code of your own.")
@click.option("--force", is_flag=True, help="Overwrite the files of an earlier retraining.")
@json_option
def retrain(
    export_file: Path,
    output: Path,
    epochs: int | None,
    patience: int | None,
    data: Path | None,
    seeds: int,
    no_float: bool,
    tta: bool,
    task: str | None,
    device: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Train an exported configuration in full.

    It is measured on the test split, beside the same network without pruning and without
    quantization. Writes model.tflite, model.keras, labels.txt, metrics.json and report.html,
    and model_compiled.tflite if the device has a compiler.
    """
    from search.cli.progress import make_display
    from search.deploy.metrics_table import print_metrics
    from search.deploy.retrain import retrain as retrain_export

    display = make_display(stderr_console())
    try:
        metrics = retrain_export(
            export_file,
            output,
            epochs=epochs,
            patience=patience,
            data=data,
            seeds=seeds,
            float_model=not no_float,
            tta=tta,
            task=task,
            device=device,
            force=force,
            progress=display.prepare,
        )
    finally:
        display.close()
    if as_json:
        print_json(metrics)
    else:
        print_metrics(stdout_console(), metrics)
    compiled = metrics.get("compiled_file")
    names = ["model.tflite", "model.keras", "labels.txt", *([compiled] if compiled else [])]
    hint(f"Wrote {', '.join(names)}, metrics.json and report.html to {output}")
