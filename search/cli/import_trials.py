"""The command ``search import``."""

from __future__ import annotations

import click

from search.cli.base import Command, examples
from search.cli.console import hint
from search.cli.options import STUDY, Count, storage_option
from spaces.wording import counted


@click.command(
    "import",
    cls=Command,
    epilog=examples(
        "search import fruit good.csv",
        "search import fruit my_tuner/fruit_project",
        "search import fruit sqlite:///optuna.db --from fruit-2024 --best 5",
        "search import fruit measured.csv --history",
    ),
)
@click.argument("study", metavar="STUDY", type=STUDY)
@click.argument("source", metavar="SOURCE")
@click.option("--from", "from_study", metavar="NAME", help="Study of an Optuna database.")
@click.option(
    "--history",
    is_flag=True,
    help="They were measured: take accuracy, size_bytes and latency_ms as they are.",
)
@click.option(
    "--best",
    type=Count(),
    metavar="N",
    help="Take the best N of an earlier search.",
    show_default="10; all with --history",
)
@storage_option
def import_trials(
    study: str,
    source: str,
    from_study: str | None,
    history: bool,
    best: int | None,
    storage: str,
) -> None:
    """Take earlier work into a study.

    SOURCE is a CSV with a column for each parameter (others have their defaults), JSON as
    `search export` writes it, a KerasTuner project folder, or an Optuna database. What fits is
    tried first by the next run; `search run TASK --enqueue SOURCE` begins a study so.

    With --history nothing is trained: points measured elsewhere, with all parameters and
    objectives, are what the sampler learns from, and may stand on the front, marked as
    imported.
    """
    from search.run.imported import import_trials as import_found

    fitted = import_found(
        study, source, storage, from_study=from_study, history=history, best=best
    )
    for note in fitted.notes:
        hint(note)
    number = counted(len(fitted.points), "configuration")
    if history:
        hint(f"{number} imported as history. Look: search trials {study}")
    else:
        hint(f"{number} will be tried first. Go on: search run --study {study} --more 50")
