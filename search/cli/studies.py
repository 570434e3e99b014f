"""The commands about whole studies: ``list``, ``compare``, ``rename``, ``copy``, ``delete``."""

from __future__ import annotations

import sys

import click

from search.cli.base import Command, examples
from search.cli.console import hint, print_json, stdout_console
from search.cli.options import STUDY, json_option, storage_option
from search.units import format_size
from spaces.wording import counted, one_line


@click.command(
    "list", cls=Command, epilog=examples("search list", "search list --storage other.db --json")
)
@storage_option
@json_option
def list_studies(storage: str, as_json: bool) -> None:
    """List the studies in the database, the last active first."""
    from search.cli.front_data import study_to_dict
    from search.cli.study_table import print_studies
    from search.front.read import load_fronts

    fronts = load_fronts(storage)
    if as_json:
        print_json([study_to_dict(front) for front in fronts])
    elif fronts:
        print_studies(stdout_console(), fronts)
    else:
        hint("No study yet. Start one: search run fruit --trials 100")


@click.command(
    cls=Command,
    epilog=examples("search compare fruit fruit-nsga2", "search compare before after --json"),
)
@click.argument("study_a", metavar="A", type=STUDY)
@click.argument("study_b", metavar="B", type=STUDY)
@storage_option
@json_option
def compare(study_a: str, study_b: str, storage: str, as_json: bool) -> None:
    """Compare the fronts of two studies.

    Hypervolumes are measured from one reference point. A point dominates another if it is
    nowhere worse and somewhere better; what noise cannot tell apart is not left out.
    """
    from search.cli.study_table import comparison_to_dict, print_comparison
    from search.front.compare import compare_fronts
    from search.front.read import load_front

    found = compare_fronts(load_front(study_a, storage), load_front(study_b, storage))
    if as_json:
        print_json(comparison_to_dict(found))
    else:
        print_comparison(stdout_console(), found)


@click.command(cls=Command, epilog=examples("search rename fruit fruit-first-photos"))
@click.argument("study", metavar="STUDY", type=STUDY)
@click.argument("new_name", metavar="NEW_NAME")
@storage_option
def rename(study: str, new_name: str, storage: str) -> None:
    """Give a study another name."""
    from search.study.manage import StudyShelf

    with StudyShelf(storage) as shelf:
        shelf.rename(study, new_name)
    hint(f"{study} is called {new_name} now.")


@click.command(
    cls=Command,
    epilog=examples(
        "search copy fruit fruit-wider", "search copy fruit fruit --to ../archive/studies.db"
    ),
)
@click.argument("study", metavar="STUDY", type=STUDY)
@click.argument("new_name", metavar="NEW_NAME")
@click.option("--to", metavar="URL", help="Database to copy it to.", show_default="the same")
@storage_option
def copy(study: str, new_name: str, to: str | None, storage: str) -> None:
    """Copy a study with its files; the copy goes on by itself."""
    from search.study.manage import StudyShelf

    with StudyShelf(storage) as shelf:
        shelf.copy(study, new_name, to)
    hint(f"Copied {study} to {new_name}.")


@click.command(cls=Command, epilog=examples("search delete fruit", "search delete fruit --yes"))
@click.argument("study", metavar="STUDY", type=STUDY)
@click.option("--yes", is_flag=True, help="Do not ask.")
@storage_option
def delete(study: str, yes: bool, storage: str) -> None:
    """Delete a study with its models and kept weights.

    There is no way back. A study that is being run is refused.
    """
    from search.study.manage import StudyShelf

    with StudyShelf(storage) as shelf:
        held = shelf.contents(study)
        what = (
            f"{counted(held.n_trials, 'trial')} and {counted(held.n_files, 'file')} "
            f"({format_size(held.n_bytes)})"
        )
        if held.out_of_reach:
            what += f"; its files in the bucket stay there: {one_line(held.out_of_reach)}"
        if not yes:
            if not is_asked():
                raise click.UsageError(
                    f"Study {study!r} has {what}, and nobody is there to be asked: add --yes."
                )
            if not click.confirm(f"Delete study {study!r}, {what.rstrip('.')}?", err=True):
                hint("Nothing was deleted.")
                sys.exit(1)
        left = shelf.delete(study)
    if left and not held.out_of_reach:
        what += f"; of its files in the bucket some stay there: {one_line(left)}"
    hint(f"Deleted study {study}: {what.rstrip('.')}.")


def is_asked() -> bool:
    """Whether somebody is there to answer a question."""
    return sys.stdin.isatty()
