"""``search completion SHELL``, and what a shell is told: tasks, studies, devices.

What is looked up answers at once and says nothing on stderr: a completion that fails completes
nothing, and the command itself says later what is wrong.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from search.cli.base import Command, examples
from search.storage.attributes import DEFAULT_STORAGE

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_SEARCH_COMPLETE"
"""Environment variable by which a shell asks the program; click's name for it."""


@click.command(
    cls=Command,
    epilog=examples("search completion bash", "search completion fish"),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands and names.

    Options, tasks, devices, and the studies of the database are completed, once this is run:

    \b
      bash   eval "$(search completion bash)"       in ~/.bashrc
      zsh    eval "$(search completion zsh)"        in ~/.zshrc
      fish   search completion fish | source        in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(context.find_root().command, {}, "search", VARIABLE)
    click.echo(made.source())


def study_items(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of studies in the database that the command line names so far."""
    from search.cli.options import STORAGE_VARIABLE

    storage = context.params.get("storage") or os.environ.get(STORAGE_VARIABLE, DEFAULT_STORAGE)
    try:
        names = _study_names(str(storage))
    except Exception:  # Whatever it is: nothing to complete.
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _study_names(storage: str) -> list[str]:
    """Return the names of studies; of a SQLite file by Python alone, as a key was just pressed."""
    path = storage.removeprefix("sqlite:///")
    if "://" not in path:
        # One that may only read would leave a log behind.
        uri = f"{Path(path).absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=1)) as connection:
            rows = connection.execute("SELECT study_name FROM studies ORDER BY study_id")
            return [name for (name,) in rows]
    from search.storage.database import open_for_reading
    from search.storage.reader import study_names

    with open_for_reading(storage) as opened:
        return study_names(opened)


def known_items(kind: str, incomplete: str) -> list[CompletionItem]:
    """Return the built-in tasks or devices, and files of one's own where a path is begun."""
    if kind == "task":
        from spaces.tasks.registry import builtin_tasks

        named = {name: task.description for name, task in builtin_tasks().items()}
    else:
        from workers.devices.registry import device_names

        named = dict.fromkeys(device_names(), "")
    found = [
        CompletionItem(name, help=text or None)
        for name, text in named.items()
        if name.startswith(incomplete)
    ]
    # A file may be meant as well: one ends in .py.
    return found or [CompletionItem(incomplete, type="file")]
