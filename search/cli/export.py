"""The command ``search export``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from search.cli.base import Command, examples
from search.cli.console import hint, stderr_console
from search.cli.options import STUDY, Count, limit_options, ram_option, storage_option
from search.units import format_accuracy, format_latency, format_size

if TYPE_CHECKING:
    from search.front.picks import PickRule
    from workers.messages.result import Limits

PICKS = ("knee", "accuracy", "size", "latency")


@click.command(
    cls=Command,
    epilog=examples(
        "search export fruit -o best.json",
        "search export fruit -o small.json --pick accuracy --max-size 20KB",
        "search export fruit -o - --trial 42",
        "search export fruit --with-model -o deploy",
    ),
)
@click.argument("study", metavar="STUDY", type=STUDY)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="File to write; - for stdout. With --with-model: the folder.",
)
@click.option(
    "--pick",
    "rule",
    type=click.Choice(PICKS),
    default="knee",
    help="Point of the front: best compromise (no less accurate than the baseline, where one "
    "is as good), or best in one objective.",
)
@click.option("--trial", type=Count(0), help="This trial instead of a pick.")
@limit_options("Only models count that")
@ram_option
@click.option(
    "--with-model",
    is_flag=True,
    help="Write the trial's own model too, with C sources, preprocessing and a model card: the "
    "folder that `search retrain` writes, without training.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@storage_option
@click.pass_context
def export(
    context: click.Context,
    study: str,
    output: Path,
    rule: PickRule,
    trial: int | None,
    max_size: float | None,
    max_latency: float | None,
    min_accuracy: float | None,
    max_ram: float | None,
    with_model: bool,
    force: bool,
    storage: str,
) -> None:
    """Write one configuration to a file.

    The file holds all that `search retrain` needs, and what was measured. --with-model writes a
    folder for firmware instead, of the very model that was measured.
    """
    from workers.messages.result import Limits

    limits = Limits(max_size, max_latency, min_accuracy, max_ram)
    if trial is not None:
        is_default = context.get_parameter_source("rule") is ParameterSource.DEFAULT
        if not is_default or limits != Limits():
            raise click.UsageError(
                "--trial names one model, so neither --pick nor a limit can be given with it."
            )
    write = _write_model if with_model else _write_config
    write(_Wanted(study, storage, rule, trial, limits, output, force))


@dataclass(frozen=True)
class _Wanted:
    """Which model of a study to write, and where."""

    study: str
    storage: str
    rule: PickRule
    trial: int | None
    limits: Limits
    output: Path
    force: bool

    @property
    def choice(self) -> dict[str, Any]:
        """What picks the model, as the functions behind the command take it."""
        return {"rule": self.rule, "trial": self.trial, "limits": self.limits}


def _write_config(wanted: _Wanted) -> None:
    from search.deploy.export import export_config, format_export, write_export

    output, storage = wanted.output, wanted.storage
    if output.is_dir():
        raise click.UsageError(
            f"-o must name a file, but {output} is a folder. --with-model writes into one."
        )
    content = export_config(wanted.study, storage, **wanted.choice)
    if str(output) == "-":
        click.echo(format_export(content), nl=False)
        return
    write_export(content, output, force=wanted.force)
    hint(f"{output}: trial {content['trial']}, {_measured(content['measured'])}")
    hint(_worth(content))
    _say_where_it_runs(content, storage)
    hint(f"Train it in full: {_retrain_command(content, output, output.stem)}")


def _write_model(wanted: _Wanted) -> None:
    from search.cli.progress import make_display
    from search.deploy.export import read_export
    from search.deploy.export_model import export_model

    output, storage = wanted.output, wanted.storage
    if str(output) == "-":
        raise click.UsageError("--with-model writes several files: give a folder with -o.")
    display = make_display(stderr_console())
    try:
        metrics = export_model(
            wanted.study,
            output,
            storage,
            **wanted.choice,
            force=wanted.force,
            progress=display.prepare,
        )
    finally:
        display.close()
    content = read_export(output / "export.json")
    hint(f"{output}: trial {content['trial']}, {_measured(content['measured'])}")
    hint(_worth(content))
    for note in metrics["notes"]:
        hint(note)
    micro = metrics["micro"]
    if micro["arena_bytes"] is not None:
        hint(f"RAM on tflite-micro: {format_size(micro['arena_bytes'])} (its arena, measured)")
    elif not micro["why_not"]:
        hint(f"RAM on tflite-micro is not known: {micro['why_unknown']}")
    elif content["config"]["quantization"] not in micro["why_not"]:
        hint(f"There is no main.cc: {micro['why_not']}.")
    _say_where_it_runs(content, storage)
    hint(f"Begin with {output / 'MODEL_CARD.md'}; try it: python {output / 'predict.py'} FILE")


def _retrain_command(content: Mapping[str, Any], output: Path, folder: str) -> str:
    from spaces.tasks.registry import is_builtin
    from workers.devices.registry import is_builtin_device

    words = ["search", "retrain", str(output), "-o", folder]
    if not is_builtin(content["task"]):
        words += ["--task", content["task"]]
    if not is_builtin_device(content["device"]):
        words += ["--device", content["device"]]
    return join(words)


def _say_where_it_runs(content: Mapping[str, Any], storage: str) -> None:
    """Say if microcontrollers do not run it, and what is like it and runs there."""
    from search.deploy.export_model import micro_refusal

    refusal = micro_refusal(content, storage)
    if refusal is None:
        return
    nearest = refusal.nearest
    if nearest is None:
        hint(f"{refusal.why}, nor does any point of the front.")
        return
    values = {
        "accuracy": nearest.accuracy,
        "size_bytes": nearest.size_bytes,
        "latency_ms": nearest.latency_ms,
    }
    hint(
        f"{refusal.why}. The nearest point that does: --trial {nearest.trial} "
        f"({nearest.quantization}, {_measured(values)})"
    )


def _worth(content: Mapping[str, Any]) -> str:
    """Return what the exported accuracy has to be read against."""
    from spaces.data.accuracy_context import AccuracyContext
    from spaces.data.samples import sample_kind

    data = content["data"]
    context = AccuracyContext.of_counts(
        "validation",
        data["class_names"],
        data.get("class_counts", {}).get("val"),
        data["n_val"],
        sample_kind(data.get("kind")).nouns,
    )
    return context.line(content["measured"]["accuracy"])


def _measured(values: Mapping[str, Any]) -> str:
    return (
        f"{format_accuracy(values['accuracy'])}, {format_size(values['size_bytes'])}, "
        f"{format_latency(values['latency_ms'])}"
    )
