"""Plain data of JSON, and the frozen classes that it stands for.

What is stored (configurations, search spaces, tasks, exports) is declared once, as a dataclass or
``TypedDict``; cattrs writes and reads it. Its converter is set to refuse what it would let pass
or turn into something else by itself: a key that nobody knows, ``"7"`` for 7, ``true`` for 1.
Rules beyond types stay in the classes, which keep them however they are made.

cattrs is imported with the first document: ``search --help`` reads none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache, reduce
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from spaces.errors import ConfigError, SearchError
from spaces.wording import guess

if TYPE_CHECKING:
    from cattrs import Converter

UNLESS_DEFAULT = {"unless_default": True}
"""Metadata of a field that is written only where it differs from its default: one that was added
later, so that what was stored before keeps its hash, or that says nothing where it is not set."""

_T = TypeVar("_T")

_SCALARS: dict[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    str: ("a string", (str,)),
    type(None): ("null", ()),
}


def to_plain(document: object) -> Any:
    """Return the plain data of a document, for JSON."""
    return _converter().unstructure(document)


def from_plain(kind: type[_T], data: object, where: str) -> _T:
    """Rebuild a document from plain data.

    Args:
        kind: Its class.
        data: What :func:`to_plain` returned, in this version or an earlier one.
        where: What messages call it; what is wrong deeper in it they name by its keys.

    Raises:
        ConfigError: If a key is missing or unknown, or a value breaks a rule.
    """
    from cattrs.errors import CattrsError

    try:
        return _converter().structure(data, kind)
    except (CattrsError, AttributeError, TypeError, ValueError) as error:
        raise _told(error, kind, data, where) from None


def _told(error: Any, kind: Any, data: Any, where: str) -> Exception:
    """Return the first thing that is wrong, in one line."""
    from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

    keys: list[Any] = []
    while isinstance(error, BaseValidationError):
        # A misspelt key is one too many and one too few: the first tells more.
        of_group = sorted(
            error.exceptions, key=lambda e: not isinstance(e, ForbiddenExtraKeysError)
        )
        error = of_group[0]
        for note in getattr(error, "__notes__", ()) if not isinstance(error, KeyError) else ():
            keys.append(note.name if hasattr(note, "name") else note.index)
            kind = note.type
    place = ".".join(map(str, keys)) or where
    if isinstance(error, ForbiddenExtraKeysError):
        key, known = min(map(str, error.extra_fields)), list(get_type_hints(error.cl))
        return ConfigError(
            f"Unknown key {key!r} in `{place}`. Known keys: {', '.join(known)}.{guess(key, known)}"
        )
    if isinstance(error, KeyError):
        return ConfigError(f"Key {error.args[0]!r} is missing in `{place}`.")
    if isinstance(error, SearchError):
        return error
    arrived = repr(reduce(lambda found, key: found[key], keys, data))
    shown = arrived if len(arrived) <= 200 else f"{arrived[:200]}..."
    return ConfigError(f"`{place}` must be {_in_words(kind)}, but got {shown}.")


def _in_words(kind: Any) -> str:
    """Return what a type holds, as its JSON is called."""
    if kind in _SCALARS:
        return _SCALARS[kind][0]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(one.value) for one in kind)}"
    if get_origin(kind) in (tuple, list) and not _is_table(kind):
        return "a list"
    if not isinstance(kind, type) and get_origin(kind) not in (tuple, Mapping, dict):
        return " or ".join(map(_in_words, get_args(kind)))
    return "a table of names and values"


def _is_table(kind: Any) -> bool:
    """Whether it is a tuple of names and values, which stands as a table in JSON."""
    inner = get_args(kind)[0] if get_origin(kind) is tuple and get_args(kind) else None
    return get_origin(inner) is tuple and get_args(inner)[0] is str


@cache
def _converter() -> Converter:
    from cattrs.gen import make_dict_unstructure_fn, override
    from cattrs.preconf.json import make_converter

    converter = make_converter(forbid_extra_keys=True, unstruct_collection_overrides={tuple: list})

    def as_it_is(value: Any, kind: Any) -> Any:
        if kind not in _SCALARS:  # An enumeration of strings, which is a string to cattrs.
            return kind(value)
        is_right = isinstance(value, _SCALARS[kind][1])
        if not is_right or (isinstance(value, bool) and kind is not bool):
            raise TypeError
        return value

    def write_fields(kind: Any) -> Any:
        left_out: dict[str, Any] = {
            field.name: override(omit_if_default=True)
            for field in fields(kind)
            if "unless_default" in field.metadata
        }
        return make_dict_unstructure_fn(kind, converter, **left_out)

    def read_table(kind: Any) -> Any:
        table: Any = dict[get_args(kind)[0].__args__]  # type: ignore[misc]
        return lambda value, _: tuple(converter.structure(value, table).items())

    for one in (bool, int, float, str):
        converter.register_structure_hook(one, as_it_is)
    converter.register_unstructure_hook_factory(is_dataclass, write_fields)
    converter.register_unstructure_hook_func(_is_table, dict)
    converter.register_structure_hook_factory(_is_table, read_table)
    return converter
