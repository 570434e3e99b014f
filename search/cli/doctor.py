"""``search doctor``: whether a run would work here, and what to do where it would not."""

from __future__ import annotations

import sys

import click

from search.cli.base import Command, examples
from search.cli.console import hint, print_json
from search.cli.options import json_option, storage_option

_MARKS = {"ok": "ok  ", "note": "note", "stop": "STOP"}


@click.command(
    cls=Command,
    epilog=examples(
        "search doctor",
        "search doctor --clean",
        "search doctor --address 10.0.0.1:6379",
    ),
)
@storage_option
@click.option("--address", metavar="TEXT", help="Ray cluster to look at (auto: RAY_ADDRESS).")
@click.option("--clean", is_flag=True, help="Remove what killed runs left behind.")
@json_option
def doctor(storage: str, address: str | None, clean: bool, as_json: bool) -> None:
    """Say whether a run would work here, and what to mend.

    Versions, cores, memory, disks and their speed, database, Ray, cache, optional parts, and
    leftovers of killed runs. Exit code 1 where something stops a run.
    """
    from search.doctor.examination import examine
    from search.doctor.services import as_dict

    found = []
    for finding in examine(storage, address, clean=clean):
        found.append(finding)
        if not as_json:
            click.echo(f"{_MARKS[finding.level]}  {finding.topic}: {finding.text}")
            if finding.fix:
                click.echo(f"      {finding.fix}")
    stops = [finding for finding in found if finding.level == "stop"]
    if as_json:
        print_json([as_dict(finding) for finding in found])
    elif stops:
        hint(f"A run would be stopped by: {', '.join(sorted({one.topic for one in stops}))}.")
    if stops:
        sys.exit(1)
