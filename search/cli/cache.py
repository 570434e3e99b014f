"""``search cache``: the decoded data that is kept for the next run."""

from __future__ import annotations

from datetime import datetime

import click

from search.cli.base import Command, examples
from search.cli.console import hint, print_json, stdout_console
from search.cli.options import json_option


@click.command(cls=Command, epilog=examples("search cache", "search cache --clear"))
@click.option("--clear", is_flag=True, help="Remove all that is not in use.")
@json_option
def cache(clear: bool, as_json: bool) -> None:
    """List the decoded data that is kept, or remove it.

    Pictures are decoded once and then mapped by every run. What is removed is decoded again when
    it is needed. SEARCH_CACHE_DIR names the folder, SEARCH_CACHE_GB how much it may hold (20):
    what was not used for longest goes first.
    """
    from search.tables import plain_table
    from search.units import format_size
    from spaces.data.cache import default_cache_dir
    from spaces.data.cache_entries import cache_limit, entries, trim
    from spaces.wording import counted

    folder, limit = default_cache_dir(), cache_limit()
    removed = trim(folder, -1) if clear else []
    held = entries(folder)
    n_bytes = sum(one.n_bytes for one in held)
    if as_json:
        rows = [
            {
                "directory": str(one.directory),
                "name": one.name,
                "bytes": one.n_bytes,
                "used": datetime.fromtimestamp(one.used).astimezone().isoformat("T", "seconds"),
                "in_use": one.in_use,
            }
            for one in reversed(held)
        ]
        print_json({"folder": str(folder), "bytes": n_bytes, "limit": limit, "entries": rows})
        return
    if clear:
        freed = format_size(sum(one.n_bytes for one in removed))
        hint(f"Removed {counted(len(removed), 'data set')}, {freed}.")
    if held:
        table = plain_table()
        for name, justify in (("data", "left"), ("size", "right"), ("used", "left")):
            table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
        for one in reversed(held):
            when = f"{datetime.fromtimestamp(one.used):%Y-%m-%d %H:%M}"
            table.add_row(one.name, format_size(one.n_bytes), when + (" *" if one.in_use else ""))
        stdout_console().print(table)
        if any(one.in_use for one in held):
            hint("* in use, or used minutes ago.")
    hint(f"{folder}: {format_size(n_bytes)} of at most {format_size(limit)}.")
