"""Write docs/commands.md: what every command says of itself with --help.

Usage: python scripts/command_reference.py          writes the page
       python scripts/command_reference.py --check  exit code 1 if it is out of date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from search.cli.main import cli

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
WIDTH = 80
HEAD = """# Commands

What each command says with `--help`; `make docs` writes this page anew.
"""


def commands(command: click.Command, name: str = "search") -> Iterator[tuple[str, str]]:
    """Yield the name and the help of a command and of all below it, the command itself first."""
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    yield name, command.get_help(context)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from commands(found, f"{name} {child}")


def page() -> str:
    """Return the text of the page."""
    parts = [f"## {name}\n\n```text\n{text.rstrip()}\n```\n" for name, text in commands(cli)]
    return "\n".join([HEAD, *parts])


def main() -> int:
    """Write the page, or check it."""
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print("docs/commands.md is not what the commands say: run `make docs`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
