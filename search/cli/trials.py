"""The commands ``search trials`` and ``search show``."""

from __future__ import annotations

import click

from search.cli.base import Command, examples
from search.cli.console import print_json, stdout_console
from search.cli.options import STUDY, Count, csv_option, json_option, storage_option, where_option


@click.command(
    cls=Command,
    epilog=examples(
        "search trials fruit",
        "search trials fruit --where 'outcome=failed'",
        "search trials fruit --csv",
    ),
)
@click.argument("study", metavar="STUDY", type=STUDY)
@where_option
@storage_option
@json_option
@csv_option
def trials(study: str, where: str | None, storage: str, as_json: bool, as_csv: bool) -> None:
    """List every trial, with reasons where there is no model.

    Those that the limits refused (infeasible), the race stopped, and that failed say why.
    JSON and CSV have the parameters, too; without a model, sizes and latencies are foreseen.
    """
    if as_json and as_csv:
        raise click.UsageError("Only one of --json and --csv can be given, but got both.")
    from search.cli.trial_table import print_trials, trials_to_csv, trials_to_dict
    from search.front.selection import trials_where
    from search.front.trials import load_trials

    found = load_trials(study, storage)
    chosen = trials_where(found.trials, where)
    if as_json:
        print_json(trials_to_dict(found, chosen))
    elif as_csv:
        click.echo(trials_to_csv(chosen), nl=False)
    else:
        print_trials(stdout_console(), found, chosen)


@click.command(cls=Command, epilog=examples("search show fruit 42", "search show fruit 42 --json"))
@click.argument("study", metavar="STUDY", type=STUDY)
@click.argument("trial", metavar="TRIAL", type=Count(0))
@storage_option
@json_option
def show(study: str, trial: int, storage: str, as_json: bool) -> None:
    """Show all of one trial.

    Its configuration, figures and sizes, where it came from and what came of it, how it was
    trained, and how it ended.
    """
    from search.cli.trial_table import print_trial, trial_to_dict
    from search.front.trials import load_trials

    found = load_trials(study, storage)
    chosen = found.trial(trial)
    if as_json:
        print_json(trial_to_dict(found, chosen))
    else:
        print_trial(stdout_console(), found, chosen)
