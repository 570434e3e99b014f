"""The command ``search front``."""

from __future__ import annotations

import click

from search.cli.base import Command, examples
from search.cli.console import print_json, stdout_console
from search.cli.options import STUDY, csv_option, json_option, storage_option, where_option


@click.command(
    cls=Command,
    epilog=examples(
        "search front fruit",
        "search front fruit --where 'size<20KB and accuracy>=90%'",
        "search front fruit --sort accuracy --all",
        "search front fruit --budgets",
        "search front fruit --csv",
    ),
)
@click.argument("study", metavar="STUDY", type=STUDY)
@storage_option
@click.option("--all", "show_all", is_flag=True, help="Every point, however many there are.")
@click.option(
    "--budgets", is_flag=True, help="The best accuracy within 2, 4, 8, ... 128 kB, as a table."
)
@click.option(
    "--sort",
    "sort",
    metavar="NAME",
    help="Order by size, accuracy, latency, ram, params, sparsity, trial, scheme or a parameter; "
    "of objectives the best first.",
    show_default="size",
)
@where_option
@click.option(
    "--plot/--no-plot",
    "with_plot",
    default=None,
    help="Draw the front below the table.",
    show_default="on a terminal",
)
@json_option
@csv_option
def front(
    study: str,
    storage: str,
    show_all: bool,
    budgets: bool,
    sort: str | None,
    where: str | None,
    with_plot: bool | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show the Pareto front, the smallest model first."""
    if as_json and as_csv:
        raise click.UsageError("Only one of --json and --csv can be given, but got both.")
    others = {"--csv": as_csv, "--all": show_all, "--where": where, "--sort": sort}
    if budgets and (given := [name for name, value in others.items() if value]):
        other = given[0]
        raise click.UsageError(
            f"Only one of --budgets and {other} can be given, but got both; --json has everything."
        )
    from search.cli.budget_table import print_budgets
    from search.cli.finalists_table import finalist_rows, print_finalists
    from search.cli.front_data import front_to_csv, front_to_dict
    from search.cli.front_plot import print_front_plot
    from search.cli.front_table import print_front
    from search.front.finalists import load_finalists
    from search.front.read import load_front
    from search.front.selection import points_where, sorted_points

    found = load_front(study, storage)
    if budgets and not as_json:
        print_budgets(stdout_console(), found, load_finalists(study, storage))
        return
    points = sorted_points(points_where(found.points, where), sort)
    if as_json:
        again = load_finalists(study, storage)
        rows = finalist_rows(again)
        print_json({**front_to_dict(found, points, again), "finalists": rows})
    elif as_csv:
        click.echo(front_to_csv(found, points), nl=False)
    else:
        console = stdout_console()
        print_front(console, found, points, show_all=show_all)
        print_finalists(console, load_finalists(study, storage))
        if console.is_terminal if with_plot is None else with_plot:
            print_front_plot(console, found, points)
