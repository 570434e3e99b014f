"""How messages are worded: in one line, with counts that agree, with a guess at what was meant.

Names and errors come from anywhere (folders, libraries, users' code), and may hold line breaks.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def one_line(said: object, limit: int | None = None) -> str:
    """Return a text, or what an error says, in one line.

    Args:
        said: The text or the error; of an error that says nothing, its kind is returned.
        limit: Characters that are kept at most.
    """
    text = " ".join(str(said).split())
    if not text and isinstance(said, BaseException):
        text = type(said).__name__
    return text[:limit]


def kind_and_line(error: BaseException, limit: int | None = None) -> str:
    """Return ``ValueError: what it says``, in one line and without a stop.

    Args:
        error: What was raised, often by a user's code.
        limit: Characters that are kept at most of what it says.
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())[:limit]}".rstrip(": .")


def counted(n: int, noun: str) -> str:
    """Return ``1 picture`` or ``1,234 pictures``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def some(names: Sequence[str], limit: int = 5) -> str:
    """Return the first of many names, and how many there are in all."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"


def guess(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'fruit'?``, to end a message with; empty if nothing is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
