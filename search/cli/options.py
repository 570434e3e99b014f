"""Options and their types that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from search.options import Option, declared
from search.storage.attributes import DEFAULT_STORAGE
from search.units import parse_accuracy, parse_duration, parse_latency, parse_size, typed
from spaces.errors import ConfigError

STORAGE_VARIABLE = "SEARCH_STORAGE"

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Retyped(click.ParamType):  # type: ignore[type-arg]  # Generic in new clicks only.
    """A type whose values can be typed again."""

    def format(self, value: Any) -> str:
        """Return a text that ``convert`` turns into the value again."""
        raise NotImplementedError


class Quantity(Retyped):
    """A number with a unit.

    Args:
        name: What ``--help`` shows in its place.
        parse: Turns the text into a number, or raises ``ConfigError``.
        kind: Which of the numbers that people type it is (see :func:`search.units.typed`).
    """

    def __init__(self, name: str, parse: Callable[[str], float], kind: str) -> None:
        self.name = name
        self._parse = parse
        self._kind = kind

    def format(self, value: float) -> str:
        """Return a text that :meth:`convert` turns into the number again."""
        return typed(self._kind, value)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number in our unit."""
        if isinstance(value, (int, float)):
            return value
        try:
            return self._parse(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


class Count(click.ParamType):  # type: ignore[type-arg]
    """A whole number of at least ``low``.

    Args:
        low: Smallest number allowed.
        fix: What to do instead, where people expect a smaller number to work.
    """

    name = "integer"

    def __init__(self, low: int = 1, fix: str = "") -> None:
        self._low = low
        self._fix = f" {fix}" if fix else ""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            number = int(value)
        except ValueError:
            number = self._low - 1
        if number < self._low:
            self.fail(
                f"It must be a whole number of at least {self._low}, but got {value}.{self._fix}",
                param,
                ctx,
            )
        return number


class NameValue(Retyped):
    """A name and a value, as ``batch_size=32``."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return both as texts."""
        name, separator, text = str(value).partition("=")
        if not (name and separator and text):
            self.fail(
                f"It must be NAME=VALUE, such as batch_size=32, but got {value}.", param, ctx
            )
        return name, text

    def format(self, value: tuple[str, str]) -> str:
        """Return a text that :meth:`convert` turns into both again."""
        return "=".join(value)


class StudyName(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """The name of a study; a shell completes it from the database."""

    name = "study"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the studies of the database that is named so far."""
        from search.cli.completion import study_items

        return study_items(ctx, incomplete)


class KnownName(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A text of which some are built in; a shell completes those, and files.

    Args:
        kind: ``task`` or ``device``.
    """

    def __init__(self, kind: str) -> None:
        self.name = "text"
        self._kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the built-in names, and what else it may be."""
        from search.cli.completion import known_items

        return known_items(self._kind, incomplete)


STUDY = StudyName()
TASK = KnownName("task")
DEVICE = KnownName("device")
SIZE = Quantity("size", parse_size, "size")
LATENCY = Quantity("time", parse_latency, "latency")
DURATION = Quantity("time", parse_duration, "duration")
ACCURACY = Quantity("fraction", parse_accuracy, "fraction")
PATH = click.Path(path_type=Path)
NAME_VALUE = NameValue()
_TYPES: dict[str, click.ParamType] = {  # type: ignore[type-arg, unused-ignore]
    "size": SIZE,
    "latency": LATENCY,
    "duration": DURATION,
    "fraction": ACCURACY,
    "path": PATH,
    "pairs": NAME_VALUE,
}


_NAMED: dict[str, click.ParamType] = {  # type: ignore[type-arg, unused-ignore]
    "study": STUDY,
    "device": DEVICE,
}


class GroupedOption(click.Option):
    """An option that stands under a heading in ``--help``.

    Args:
        group: The heading; empty for the common one.
    """

    def __init__(self, *args: Any, group: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


def declared_options(options: type[Any]) -> Callable[[_Function], _Function]:
    """Give a command the options that a class declares (see :mod:`search.options`)."""
    defaults = {one.name: getattr(options, one.name, None) for one in fields(options)}

    def add(function: _Function) -> _Function:
        for name, one in reversed(declared(options).items()):
            function = _click_option(name, one, defaults[name])(function)
        return function

    return add


def _click_option(name: str, one: Option, default: Any) -> Callable[[_Function], _Function]:
    flag = one.flag or "--" + name.replace("_", "-")
    if name == "storage":
        return storage_option
    facts: dict[str, Any] = {"help": one.help}
    if one.kind == "switch":
        # A flag turns the value round: `--no-race` where racing is the default.
        facts.update(flag_value=not default, is_flag=True, type=bool, show_default=False)
    else:
        facts.update(type=_click_type(name, one), metavar=one.metavar)
    if one.kind == "pairs":
        facts.update(multiple=True, callback=lambda _context, _option, pairs: dict(pairs))
    else:
        facts.update(default=default)
    if one.shown is not None:
        facts.update(show_default=one.shown)
    return click.option(flag, name, cls=GroupedOption, group=one.group, **facts)


def _click_type(name: str, one: Option) -> click.ParamType | None:  # type: ignore[type-arg, unused-ignore]
    if one.kind == "count":
        return Count(one.low, one.fix)
    if one.kind == "choice":
        return click.Choice(one.choices)
    if name in _NAMED:
        return _NAMED[name]
    return _TYPES.get(one.kind)


def given_options() -> dict[str, Any]:
    """Return the options of the current command that were given, not those as by default."""
    context = click.get_current_context()
    return {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name)
        in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
        and isinstance(_param(context, name), GroupedOption)
    }


def _param(context: click.Context, name: str) -> click.Parameter | None:
    return next((one for one in context.command.params if one.name == name), None)


def typed_options(leave_out: Container[str]) -> list[str]:
    """Return the options of the current command that were typed, as words of a command line.

    Args:
        leave_out: Names of options that are not to be typed again.
    """
    context = click.get_current_context()
    words: list[str] = []
    for option in context.command.params:
        name = str(option.name)
        is_typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not isinstance(option, click.Option) or name in leave_out or not is_typed:
            continue
        word = max(option.opts, key=len)
        if option.is_flag:
            words.append(word)
            continue
        value, kind = context.params[name], option.type
        if isinstance(value, dict):
            value = value.items()
        for one in value if option.multiple else (value,):
            words += [word, kind.format(one) if isinstance(kind, Retyped) else str(one)]
    return words


def storage_option(function: _Function) -> _Function:
    """Add ``--storage``."""
    return click.option(
        "--storage",
        metavar="URL",
        default=DEFAULT_STORAGE,
        envvar=STORAGE_VARIABLE,
        show_envvar=True,
        help="Database: a SQLite file, or any SQLAlchemy URL.",
    )(function)


def limit_options(what: str) -> Callable[[_Function], _Function]:
    """Add ``--max-size``, ``--max-latency`` and ``--min-accuracy``.

    Args:
        what: Whom a limit applies to, as a sentence's start.
    """

    def add(function: _Function) -> _Function:
        for name, kind, text in reversed(
            [
                ("--max-size", SIZE, "are no larger by the study's --size, such as 100KB"),
                ("--max-latency", LATENCY, "are no slower, such as 5ms"),
                ("--min-accuracy", ACCURACY, "label at least this much rightly, such as 0.9"),
            ]
        ):
            function = click.option(name, type=kind, help=f"{what} {text}.")(function)
        return function

    return add


def ram_option(function: _Function) -> _Function:
    """Add ``--max-ram``."""
    return click.option(
        "--max-ram",
        type=SIZE,
        help="Only models count that need no more RAM, such as 64KB: what the device tells, or "
        "the arena of the microcontroller's interpreter.",
    )(function)


def json_option(function: _Function) -> _Function:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")(
        function
    )


def csv_option(function: _Function) -> _Function:
    """Add ``--csv``."""
    return click.option("--csv", "as_csv", is_flag=True, help="CSV instead of a table.")(function)


def where_option(function: _Function) -> _Function:
    """Add ``--where``."""
    return click.option(
        "--where",
        metavar="CONDITION",
        help="Only those of which it is true, such as 'size<20KB and accuracy>=90%': names are "
        "size, latency, accuracy, ram, sparsity, params, scheme, trial and all parameters; "
        "joined by and, or, not and brackets.",
    )(function)
