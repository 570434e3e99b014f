"""Where text goes: data to stdout, progress and hints to stderr, colour to terminals only.

``NO_COLOR`` and ``TERM=dumb`` are honoured by rich itself.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

MAX_WIDTH = 100
"""Wider lines are hard to read; tables are made for 80."""


def open_closed_streams() -> None:
    """Give stdin, stdout and stderr to the null device where whoever started us closed them.

    Otherwise the next file that is opened, such as the database, has the number of stderr, and
    whatever a library complains of is written into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def stdout_console() -> Console:
    """Return a console for tables on stdout."""
    return _console(stderr=False)


def stderr_console() -> Console:
    """Return a console for progress and hints on stderr."""
    return _console(stderr=True)


def print_json(data: Any) -> None:
    """Write plain data to stdout as JSON that people can read too."""
    import json

    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def hint(text: str = "") -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"{text}\n")


def _console(*, stderr: bool) -> Console:
    from rich.console import Console as RichConsole
    from rich.console import ConsoleDimensions

    class Console(RichConsole):
        @property
        def size(self) -> ConsoleDimensions:
            """Size of the terminal, also after somebody resized it; no wider than is readable."""
            found = super().size
            return ConsoleDimensions(min(found.width, MAX_WIDTH), found.height)

        @size.setter
        def size(self, new_size: tuple[int, int]) -> None:
            self._width, self._height = new_size

        def on_broken_pipe(self) -> None:
            """Leave a closed pipe to the command line, which ends with 0; rich exits with 1."""
            raise  # The BrokenPipeError that rich is handling.

    # Only what is styled on purpose has colour; names of studies and classes are text, even if
    # they look like markup or emoji.
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)
