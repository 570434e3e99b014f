"""Options declared once: for the command line, for Python, and for what is stored.

A verb with many options has a frozen dataclass whose fields are made by :func:`option`: name,
default, unit, check, help and spelling stand in one place. :func:`takes_options` gives a Python
function these keywords, with signature and documentation; ``search.cli.options`` gives a command
the same options. Values are checked when the class is made, wherever they come from.
"""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

from search.units import QUANTITIES, typed
from spaces.errors import ConfigError
from spaces.wording import guess

Kind = Literal[
    "count", "size", "latency", "duration", "fraction", "path", "text", "choice", "pairs", "switch"
]
"""What values an option has: a whole number, bytes, milliseconds, seconds, a number from 0 to 1, a
path, a text, one of some texts, names with values, or on and off."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Options = TypeVar("_Options")

_KEY = "option"


@dataclass(frozen=True)
class Option:
    """How an option is spelled, checked and explained.

    Attributes:
        kind: Which values it has.
        help: A sentence, as ``--help`` shows it.
        group: Heading that it stands under in ``--help``.
        flag: Its spelling on the command line.
        low: Smallest number of a count.
        fix: What to do instead, where people expect a smaller number to work.
        choices: The texts of a choice.
        metavar: What ``--help`` shows in place of a value.
        shown: What ``--help`` shows as the default, where that is no value.
        python: What Python's documentation says, where it differs from ``help``.
    """

    kind: Kind
    help: str
    group: str = ""
    flag: str = ""
    low: int = 1
    fix: str = ""
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    shown: str | None = None
    python: str = ""


def option(default: Any, kind: Kind, help: str, **facts: Any) -> Any:
    """Declare an option as a field of a frozen dataclass.

    Args:
        default: Its value where nobody gives one.
        kind: Which values it has.
        help: A sentence, as ``--help`` shows it.
        **facts: Other attributes of :class:`Option`.
    """
    metadata = {_KEY: Option(kind, help, **facts)}
    if kind == "pairs":
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def declared(options: Any) -> dict[str, Option]:
    """Return the options of a class, or of an object of it, by name."""
    return {one.name: one.metadata[_KEY] for one in fields(options) if _KEY in one.metadata}


def check_options(options: Any) -> None:
    """Check every value against its declaration.

    Raises:
        ConfigError: With the rule and what arrived, for the first that breaks it.
    """
    for name, one in declared(options).items():
        value = getattr(options, name)
        if value is not None and (rule := _broken_rule(name, one, value)):
            raise ConfigError(f"`{rule}` must hold, but got ({name}={value!r}).")


def _broken_rule(name: str, one: Option, value: Any) -> str:
    """Return the rule that a value breaks; empty if it keeps it."""
    if one.kind == "choice":
        rule, kept = f"{name} in ({', '.join(one.choices)})", value in one.choices
    elif one.kind == "count":
        whole = isinstance(value, int) and not isinstance(value, bool)
        rule, kept = f"{one.low} <= {name}", whole and value >= one.low
    elif one.kind in ("size", "latency", "duration"):
        rule, kept = f"0 < {name}", _is_number(value) and 0 < value < math.inf
    elif one.kind == "fraction":
        rule, kept = f"0 <= {name} <= 1", _is_number(value) and 0 <= value <= 1
    elif one.kind == "switch":
        rule, kept = f"{name} in (True, False)", isinstance(value, bool)
    elif one.kind == "pairs":
        rule, kept = f"{name} is a mapping of names to values", isinstance(value, Mapping)
    else:
        return ""
    return "" if kept else rule


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def options_of(
    cls: type[_Options], given: Mapping[str, Any], caller: str, names: Iterable[str] | None = None
) -> _Options:
    """Make options of the keywords that a caller was given.

    Args:
        cls: The class that declares them.
        given: What was given.
        caller: Whose keywords they are, for the message.
        names: Which options the caller takes; None for all.

    Raises:
        TypeError: As Python does for a keyword that there is not.
        ConfigError: If a value breaks its rule.
    """
    known = tuple(declared(cls) if names is None else names)
    for name in given:
        if name not in known:
            raise TypeError(
                f"{caller}() got an unexpected keyword argument {name!r}.{guess(name, known)}"
            )
    return cls(**given)


def words_of(cls: type[Any], values: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line.

    Args:
        cls: The class that declares them.
        values: By name; those that are as by default need not be there.
    """
    words: list[str] = []
    for name, one in declared(cls).items():
        if name not in values or values[name] is None:
            continue
        flag, value = one.flag or "--" + name.replace("_", "-"), values[name]
        if one.kind == "switch":
            words += [flag] if value != getattr(cls, name) else []
        elif one.kind == "pairs":
            words += [word for pair in value.items() for word in (flag, "=".join(map(str, pair)))]
        elif one.kind in QUANTITIES:
            words += [flag, typed(one.kind, value)]
        else:
            words += [flag, str(value)]
    return words


def takes_options(
    cls: type[Any], names: Iterable[str] | None = None
) -> Callable[[_Function], _Function]:
    """Show the options of ``cls`` in the signature and the documentation of a function.

    The function takes them as ``**given``, and its docstring has a line ``{options}`` among its
    arguments.

    Args:
        cls: The class that declares them.
        names: Which options the function takes; None for all.
    """
    chosen = {name: one for name, one in declared(cls).items() if names is None or name in names}

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        types = {one.name: one.type for one in fields(cls)}
        values = {one.name: getattr(cls, one.name, None) for one in fields(cls)}
        keywords = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=values[name],
                annotation=types[name],
            )
            for name in chosen
        ]
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        replaced = signature.replace(parameters=[*own, *keywords])
        function.__signature__ = replaced  # type: ignore[attr-defined]
        if function.__doc__:
            texts = [f"{name}: {one.python or one.help}" for name, one in chosen.items()]
            function.__doc__ = _with_options(function.__doc__, texts)
        return function

    return decorate


def _with_options(doc: str, texts: list[str]) -> str:
    """Put texts where a docstring has ``{options}``, each wrapped and indented as it is."""
    before, _, after = doc.partition("{options}")
    indent = before[before.rfind("\n") + 1 :]
    lines = [
        textwrap.fill(text, 99, initial_indent=indent, subsequent_indent=f"{indent}    ")
        for text in texts
    ]
    return before + "\n".join(lines).lstrip() + after
