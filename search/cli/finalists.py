"""The command ``search finalists``."""

from __future__ import annotations

from typing import Any

import click

from search.cli.base import Command, examples
from search.cli.console import hint, print_json, stderr_console, stdout_console
from search.cli.options import STUDY, Count, declared_options, json_option, storage_option
from search.deploy.options import FinalistOptions


@click.command(
    cls=Command,
    epilog=examples(
        "search finalists fruit",
        "search finalists fruit --points 8 --seeds 5",
        "search finalists fruit --trial 42 --trial 57 --epochs 40",
    ),
)
@click.argument("study", metavar="STUDY", type=STUDY)
@click.option(
    "--trial",
    "trials",
    type=Count(0),
    multiple=True,
    help="Train this trial instead of points of the front; may be given several times.",
)
@declared_options(FinalistOptions)
@storage_option
@json_option
def finalists(
    study: str, trials: tuple[int, ...], storage: str, as_json: bool, **given: Any
) -> None:
    """Train the points that matter again, from other seeds.

    A search picks the luckiest of hundreds of measurements. This shows what the picked points
    give from seeds that nobody chose, on the validation and on the test split, and which leads
    are real. It is kept in the study, and `search front` shows it. The same command again
    trains only what is missing.
    """
    from search.cli.finalists_table import finalist_rows, print_finalists
    from search.cli.progress import make_display
    from search.deploy.finalists import train_finalists

    display = make_display(stderr_console())
    try:
        found = train_finalists(study, storage, trials=trials, progress=display.prepare, **given)
    finally:
        display.close()
    if as_json:
        print_json(finalist_rows(found))
        return
    print_finalists(stdout_console(), found)
    tested = {one.test.value: one.trial for one in found if one.test is not None}
    if tested:
        hint(f"Export one: search export {study} -o best.json --trial {tested[max(tested)]}")
