"""The commands that open a page in the browser: ``search dashboard`` and ``search demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from search.cli.base import Command, examples
from search.cli.console import hint
from search.cli.options import PATH, Count, storage_option

if TYPE_CHECKING:
    from search.pages.local_server import LocalServer

port_option = click.option(
    "--port", type=Count(0), default=8080, help="Port, or the next free one; 0 for any."
)
open_option = click.option(
    "--open/--no-open", "open_browser", default=True, help="Open it in a browser."
)


@click.command(
    cls=Command, epilog=examples("search dashboard", "search dashboard --port 9000 --no-open")
)
@storage_option
@port_option
@open_option
def dashboard(storage: str, port: int, open_browser: bool) -> None:
    """Open optuna-dashboard on the database.

    It has no login, so it listens on the loopback address and answers to localhost only.
    """
    from search.pages.dashboard import Dashboard

    _serve(Dashboard(storage, port=port), open_browser)


@click.command(
    cls=Command, epilog=examples("search demo deploy", "search demo deploy --port 9000 --no-open")
)
@click.argument("model", metavar="DIR", type=PATH)
@port_option
@open_option
def demo(model: Path, port: int, open_browser: bool) -> None:
    """Show a retrained model at work in the browser.

    DIR is the folder that `search retrain` wrote. Hold something before the camera, or drop
    pictures or a video: it is named and counted. The page is served on this machine only, and
    nothing leaves it.
    """
    from search.pages.demo import Demo

    _serve(Demo(model, port=port), open_browser)


def _serve(server: LocalServer, open_browser: bool) -> None:
    from search.pages.local_server import has_browser

    click.echo(server.url)
    hint("Ctrl-C ends it.")
    if open_browser and has_browser():
        click.launch(server.url)
    try:
        server.serve()
    except KeyboardInterrupt:
        hint()
