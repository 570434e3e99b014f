"""How every command behaves: one line for an error, an exit code, ``--debug``, an example.

Exit codes: 0 done, 1 failed, 2 wrongly used; 128 and the signal's number when stopped by one: 130
by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from search.cli.console import open_closed_streams
from search.run.interrupts import ending_cleanly, is_of_interrupt, signal_of
from search.storage.urls import scrubbed
from spaces.errors import SearchError
from spaces.wording import kind_and_line, one_line


def interrupted_code(signal_number: int = signal.SIGINT) -> int:
    """Return the exit code of a command that a signal stopped, as shells have it."""
    return 128 + (signal_number or signal.SIGINT)


CONTEXT_SETTINGS: MutableMapping[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "max_content_width": 80,
}


def examples(*lines: str) -> str:
    """Return an epilog that shows how a command is typed, unwrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class _Debug:
    """Whether ``--debug`` was given anywhere on the command line."""

    def __init__(self) -> None:
        self.on = False


def _debug_option() -> click.Option:
    def remember(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            context.find_root().ensure_object(_Debug).on = True

    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=remember,
        show_default=False,
        help="Show the traceback of an error.",
    )


class Command(click.Command):
    """A command with ``--debug`` and the settings of all commands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["context_settings"] = {**CONTEXT_SETTINGS, **(kwargs.get("context_settings") or {})}
        super().__init__(*args, **kwargs)
        self.params.append(_debug_option())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the headings they have, in the order of their first ones."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                groups.setdefault(getattr(param, "group", ""), []).append(record)
        common = groups.pop("", [])
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)
        if common:
            with formatter.section("Other options" if groups else "Options"):
                formatter.write_dl(common)


class CommandGroup(click.Group):
    """The program: it turns what was raised into one line and an exit code."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["context_settings"] = {**CONTEXT_SETTINGS, **(kwargs.get("context_settings") or {})}
        super().__init__(*args, **kwargs)
        self.params.append(_debug_option())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which people need them."""
        return list(self.commands)

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run a command and exit."""
        open_closed_streams()
        debug = _Debug()
        kwargs.update(standalone_mode=False, obj=debug)
        try:
            with ending_cleanly():
                code = super().main(*args, **kwargs)
            # Here, while a closed pipe can still be told from an error.
            sys.stdout.flush()
        except SystemExit:
            if type(sys.stdout).__name__.endswith(
                "PacifyFlushWrapper"
            ):  # Click saw a closed pipe.
                sys.exit(0)
            raise
        except NoArgsIsHelpError as error:
            # Somebody looks around: help is what they want, and wrong it is all the same.
            sys.stdout.write(error.format_message() + "\n")
            sys.exit(error.exit_code)
        except click.UsageError as error:
            _say(f"{one_line(error.format_message())} See `{_help_command(error)}`.")
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _say(one_line(error.format_message()))
            sys.exit(error.exit_code)
        except SearchError as error:
            _trace(debug)
            _say(one_line(str(error)))
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt) as error:
            _trace(debug)
            _end_interrupted(error)
        except Exception as error:
            if isinstance(error, BrokenPipeError):
                # Whoever read our output (head, less) has enough, which is no error. Python would
                # complain of what is left in the buffer.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                sys.exit(0)
            _trace(debug)
            if is_of_interrupt(error):  # A signal struck amid somebody's code, which then failed.
                _end_interrupted(error)
            _say(_unexpected(error, debug))
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


def _end_interrupted(error: BaseException) -> NoReturn:
    number = signal_of(error)
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    sys.stderr.write(f"Interrupted{by}.\n")
    sys.exit(interrupted_code(number))


def _unexpected(error: Exception, debug: _Debug) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    how = "" if debug.on else "; the same command with --debug shows where it comes from"
    return (
        f"This should not happen ({kind_and_line(error)}). Please report "
        f"it with the command you typed{how}."
    )


def _trace(debug: _Debug) -> None:
    if debug.on:
        sys.stderr.write(scrubbed(traceback.format_exc()))


def _say(text: str) -> None:
    sys.stderr.write(f"Error: {scrubbed(text)}\n")


def _help_command(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "search"
    return f"{path} --help"
