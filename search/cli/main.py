"""The command line: parses, calls one function, prints.

Heavy modules are imported inside the commands, so that ``search --help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from search import __version__
from search.cli.base import CommandGroup, examples, interrupted_code
from search.cli.cache import cache
from search.cli.classify import classify
from search.cli.completion import completion
from search.cli.console import hint, print_json, stderr_console, stdout_console
from search.cli.doctor import doctor
from search.cli.export import export
from search.cli.finalists import finalists
from search.cli.front import front
from search.cli.import_trials import import_trials
from search.cli.options import (
    PATH,
    TASK,
    declared_options,
    given_options,
    json_option,
    typed_options,
)
from search.cli.pages import dashboard, demo
from search.cli.report import report
from search.cli.retrain import retrain
from search.cli.studies import compare, copy, delete, list_studies, rename
from search.cli.trials import show, trials
from search.run.options import RunOptions


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


cli.add_command(dashboard)
cli.add_command(demo)


cli.add_command(export)


cli.add_command(finalists)


cli.add_command(report)


cli.add_command(retrain)


cli.add_command(classify)


cli.add_command(import_trials)
cli.add_command(rename)
cli.add_command(copy)
cli.add_command(delete)
cli.add_command(doctor)
cli.add_command(cache)
cli.add_command(completion)


def main() -> None:
    """Run the command line and exit."""
    from workers.processes.import_path import import_path

    sys.path[:] = import_path()
    cli.main(prog_name="search")
