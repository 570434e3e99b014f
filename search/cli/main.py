"""The command line: parses, calls one function, prints.

Heavy modules are imported inside the commands, so that ``search --help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from search import __version__
from search.cli.base import CommandGroup, examples, interrupted_code
from search.cli.classify import classify
from search.cli.completion import completion
from search.cli.console import hint, print_json, stderr_console, stdout_console
from search.cli.finalists import finalists
from search.cli.front import front
from search.cli.import_trials import import_trials
from search.cli.options import (
    PATH,
    STUDY,
    TASK,
    Count,
    declared_options,
    given_options,
    json_option,
    limit_options,
    ram_option,
    storage_option,
    typed_options,
)
from search.cli.retrain import retrain
from search.cli.studies import compare, copy, delete, list_studies, rename
from search.cli.trials import show, trials
from search.run.options import RunOptions
from search.units import format_accuracy, format_latency, format_size

if TYPE_CHECKING:
    from search.front.picks import PickRule

PICKS = ("knee", "accuracy", "size", "latency")


@click.group(
    cls=CommandGroup,
    epilog=examples(
        "search run fruit --trials 100", "search front fruit", "search export fruit -o best.json"
    ),
)
@click.version_option(
    __version__, "-V", "--version", prog_name="search", message="%(prog)s %(version)s"
)
def cli() -> None:
    """Search network, training, pruning and quantization together.

    Every point on the Pareto front is a real .tflite file that was really measured: its
    accuracy, its size and its latency.
    """


@cli.command(
    epilog=examples(
        "search run fruit --trials 100",
        "search run fruit --data photos/ --max-size 100KB --max-latency 5ms",
        "search run my_package.digits:TASK --workers 4 --timeout 30m",
        "search run fruit --more 50",
        "search run --study fruit",
    )
)
@click.argument("task", required=False, metavar="[TASK]", type=TASK)
@declared_options(RunOptions)
@json_option
def run(task: str | None, as_json: bool, **given: Any) -> None:
    """Search a task and keep what is found in a study.

    TASK is a built-in task (`search tasks` lists them), `package.module:NAME` or a .py file.
    The same command again finishes what was stopped; `search run --study NAME` alone goes on
    with a study as it was begun.
    """
    trials, storage = given["trials"], given["storage"]
    if task is None:
        if given["study"] is None:
            raise click.UsageError("Missing argument 'TASK', or --study NAME to go on with.")
        # What was not typed is as it was.
        given = {**given_options(), "study": given["study"], "storage": storage}
    if trials is not None and given.get("more") is not None:
        raise click.UsageError(
            "Only one of --trials and --more can be given: --trials N is what the study shall "
            f"have in the end, --more N is added to it; got --trials {trials} --more "
            f"{given['more']}."
        )
    from search.cli.front_data import front_to_dict
    from search.cli.front_table import print_summary
    from search.cli.next_steps import say_what_next
    from search.cli.progress import make_display
    from search.front.read import load_front
    from search.run.run_study import run_study

    display = make_display(stderr_console())
    try:
        report = run_study(task, observer=display, progress=display.prepare, **given)
    finally:
        display.close()
    found = load_front(report.progress.study_name, storage)
    if as_json:
        print_json(front_to_dict(found))
    else:
        print_summary(stdout_console(), found)
    typed = typed_options(leave_out=("trials", "more", "storage", "as_json"))
    again = ["search", "run", *([] if task is None else [task]), *typed]
    if report.ended_by in ("interrupt", "timeout") and trials is not None:
        again += ["--trials", str(trials)]
    elif report.ended_by == "target":
        again += ["--more", "50"]
    say_what_next(found, storage, again, report.ended_by)
    if report.ended_by == "interrupt":
        sys.exit(interrupted_code(report.signal_number))
    if not found.n_points and found.why_no_model:
        sys.exit(1)  # The trials were run, and gave nothing.


@cli.command(epilog=examples("search tasks", "search tasks fruit", "search tasks --json"))
@click.argument("task", required=False, metavar="[TASK]", type=TASK)
@click.option("--data", type=PATH, help="Data to read TASK with.", show_default="the task's own")
@json_option
def tasks(task: str | None, data: Path | None, as_json: bool) -> None:
    """List what can be searched.

    For each task its data, objectives and parameters. With TASK, all
    that is searched in it: this reads its data and builds its networks.
    """
    from search.cli.task_table import builtin_task_rows, print_task, print_tasks, task_info_row

    if task is None:
        rows = builtin_task_rows()
        if as_json:
            print_json(rows)
            return
        print_tasks(stdout_console(), rows)
        hint("A task of your own: search run package.module:TASK, or search run FILE.py")
        return
    from search.cli.progress import make_display
    from workers.trial.prepare import prepare_task

    display = make_display(stderr_console())
    try:
        info, _ = prepare_task(task, data, progress=display.prepare)
    finally:
        display.close()
    row = task_info_row(info)
    if as_json:
        print_json(row)
    else:
        print_task(stdout_console(), row)


cli.add_command(list_studies)


cli.add_command(front)
cli.add_command(trials)
cli.add_command(show)
cli.add_command(compare)


@cli.command(epilog=examples("search dashboard", "search dashboard --port 9000 --no-open"))
@storage_option
@click.option("--port", type=Count(0), default=8080, help="Port, or the next free one; 0 for any.")
@click.option("--open/--no-open", "open_browser", default=True, help="Open it in a browser.")
def dashboard(storage: str, port: int, open_browser: bool) -> None:
    """Open optuna-dashboard on the database.

    It has no login, so it listens on the loopback address and answers to localhost only.
    """
    from search.dashboard import Dashboard, has_browser

    server = Dashboard(storage, port=port)
    click.echo(server.url)
    hint("Ctrl-C ends it.")
    if open_browser and has_browser():
        click.launch(server.url)
    try:
        server.serve()
    except KeyboardInterrupt:
        hint()


@cli.command(
    epilog=examples(
        "search export fruit -o best.json",
        "search export fruit -o small.json --pick accuracy --max-size 20KB",
        "search export fruit -o - --trial 42",
    )
)
@click.argument("study", metavar="STUDY", type=STUDY)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False),
    help="File to write; - for stdout.",
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
@click.option("--force", is_flag=True, help="Overwrite the file.")
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
    force: bool,
    storage: str,
) -> None:
    """Write one configuration to a file.

    The file holds all that `search retrain` needs, and what was measured.
    """
    from workers.messages.result import Limits

    limits = Limits(max_size, max_latency, min_accuracy, max_ram)
    if trial is not None:
        is_default = context.get_parameter_source("rule") is ParameterSource.DEFAULT
        if not is_default or limits != Limits():
            raise click.UsageError(
                "--trial names one model, so neither --pick nor a limit can be given with it."
            )
    from search.deploy.export import export_config, format_export, write_export

    content = export_config(study, storage, rule=rule, trial=trial, limits=limits)
    if str(output) == "-":
        click.echo(format_export(content), nl=False)
        return
    write_export(content, output, force=force)
    hint(f"{output}: trial {content['trial']}, {_measured(content['measured'])}")
    hint(_worth(content))
    from spaces.tasks.registry import is_builtin
    from workers.devices.registry import is_builtin_device

    words = ["search", "retrain", str(output), "-o", output.stem]
    if not is_builtin(content["task"]):
        words += ["--task", content["task"]]
    if not is_builtin_device(content["device"]):
        words += ["--device", content["device"]]
    hint(f"Train it in full: {join(words)}")


cli.add_command(finalists)


cli.add_command(retrain)


cli.add_command(classify)


cli.add_command(import_trials)
cli.add_command(rename)
cli.add_command(copy)
cli.add_command(delete)
cli.add_command(completion)


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


def main() -> None:
    """Run the command line and exit."""
    from workers.processes.import_path import import_path

    sys.path[:] = import_path()
    cli.main(prog_name="search")
