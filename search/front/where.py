"""Conditions on points and trials, as people type them: ``size<20KB and scheme=int8``.

A small grammar of its own; nothing of it is ever run as Python::

    or-terms    and-terms, joined by "or"
    and-terms   terms, joined by "and" or a comma
    term        "not" term | "(" or-terms ")" | NAME OPERATOR VALUE
    OPERATOR    <  <=  >  >=  =  ==  !=
    VALUE       a number with the unit of its name, a word, or a text in quotes

What a point does not have (the RAM that nobody told) fulfils no comparison, ``!=`` neither.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Set
from typing import Any

from search.units import parse_fraction, parse_latency, parse_size
from spaces.errors import ConfigError
from spaces.wording import guess

Row = Mapping[str, Any]
"""What a condition is about: values by name."""

Condition = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<operator><=|>=|==|!=|[<>=])|(?P<bracket>[(),])
    |(?P<quoted>'[^']*'|"[^"]*")|(?P<word>[^\s<>=!(),'"]+))""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_UNITS: dict[str, Callable[[str], float]] = {
    "size": parse_size,
    "ram": parse_size,
    "latency": parse_latency,
    "accuracy": parse_fraction,
    "sparsity": parse_fraction,
    "balanced_accuracy": parse_fraction,
    "macro_f1": parse_fraction,
}
_UNIT = re.compile(r"[A-Za-zµμ]{1,3}|%")
_WORDS = ("and", "or", "not")
MAX_DEPTH = 50
"""Brackets within brackets; more is no condition that a person typed."""


def parse_where(text: str, names: Set[str]) -> Condition:
    """Return a condition as a function of a row.

    Args:
        text: As a person typed it.
        names: What can be compared.

    Raises:
        ConfigError: If it is no condition, or of something that there is not.
    """
    return _Parser(text, names).condition()


class _Parser:
    def __init__(self, text: str, names: Set[str]) -> None:
        self._text = text
        self._names = names
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def condition(self) -> Condition:
        found = self._any()
        if self._at < len(self._tokens):
            raise self._wrong(f"{self._peek()!r} comes after a whole condition")
        return found

    def _any(self) -> Condition:
        terms = [self._all()]
        while self._take("or"):
            terms.append(self._all())
        return terms[0] if len(terms) == 1 else lambda row: any(term(row) for term in terms)

    def _all(self) -> Condition:
        terms = [self._term()]
        while self._take("and") or self._take(","):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else lambda row: all(term(row) for term in terms)

    def _term(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong(f"more than {MAX_DEPTH} brackets or nots within each other")
        try:
            if self._take("not"):
                inner = self._term()
                return lambda row: not inner(row)
            if self._take("("):
                inside = self._any()
                if not self._take(")"):
                    raise self._wrong("a bracket is not closed")
                return inside
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Condition:
        name = self._next("a name is missing")
        if name not in self._names:
            known = sorted(self._names)
            raise ConfigError(
                f"There is no {name!r} to compare in {self._text!r}. Known names: "
                f"{', '.join(known)}.{guess(name, known)}"
            )
        sign = self._next(f"{name!r} has no <, <=, >, >=, = or != after it")
        if sign not in _COMPARE:
            raise self._wrong(f"{name!r} must be followed by <, <=, >, >=, = or !=, not {sign!r}")
        typed = self._next(f"'{name}{sign}' has no value")
        if typed in _COMPARE or typed in ("(", ")", ","):
            raise self._wrong(f"'{name}{sign}' has no value, but {typed!r}")
        unit = self._peek()
        if unit is not None and _number(typed) is not None and _UNIT.fullmatch(unit):
            if unit.lower() not in _WORDS:  # `20 KB` is typed with a space, too.
                self._at += 1
                typed += unit
        return _comparison(name, sign, typed)

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, token: str) -> bool:
        found = self._peek()
        is_it = found is not None and found.lower() == token
        self._at += is_it
        return is_it

    def _next(self, missing: str) -> str:
        found = self._peek()
        if found is None or found.lower() in _WORDS:
            raise self._wrong(missing)
        self._at += 1
        return found

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError(
            f"A condition reads like 'size<20KB and accuracy>=90%', but got {self._text!r}: {why}."
        )


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        found = _TOKEN.match(stripped, at)
        if found is None:
            raise ConfigError(
                "A condition reads like 'size<20KB and accuracy>=90%', but got "
                f"{text!r}: {stripped[at:].strip()!r} is none."
            )
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


def _comparison(name: str, sign: str, typed: str) -> Condition:
    """Return a comparison; its value is read once, in the unit of its name."""
    text = typed[1:-1] if typed[:1] in ("'", '"') else typed
    compare = _COMPARE[sign]
    number = _UNITS[name](text) if name in _UNITS else _number(text)

    def holds(row: Row) -> bool:
        value = row.get(name)
        if value is None:
            return False
        if isinstance(value, bool):
            wanted = {"true": True, "yes": True, "false": False, "no": False}.get(text.lower())
            return wanted is not None and compare(value, wanted)
        if isinstance(value, (int, float)):
            if number is None:
                raise ConfigError(
                    f"{name!r} is a number such as {value:g}, but got '{name}{sign}{typed}'."
                )
            return compare(value, number)
        if sign not in ("=", "==", "!="):
            raise ConfigError(
                f"{name!r} is a text such as {value!r}: only = and != compare it, but got "
                f"'{name}{sign}{typed}'."
            )
        return compare(str(value), text)

    return holds


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
