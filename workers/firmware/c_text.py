"""Text and numbers as C and C++ read them. Names come from anywhere: folders, people's files."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from spaces.wording import one_line

_LINE = 96
_PLAIN = frozenset(map(ord, " !#$%&'()*+,-./:;<=>@[]^_`{|}~")) | frozenset(
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
"""Characters that stand for themselves in a string: printable ones of ASCII, but the quote, the
backslash and the question mark, with which trigraphs begin."""


def c_string(text: str) -> str:
    """Return a C string literal of the text's UTF-8.

    Bytes are written in octal where need be: three digits end there, hexadecimal ones do not.
    """
    parts = (chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(parts)}"'


def c_note(text: str) -> str:
    """Return a comment of one or more lines of ASCII, which the text can neither end nor open.

    What is not ASCII is escaped, as characters that turn the direction of writing are a warning.
    """
    plain = one_line(text).encode("ascii", "backslashreplace").decode()
    plain = re.sub(r"\*(?=/)|/(?=\*)", r"\g<0> ", plain).rstrip("\\")
    lines = textwrap.wrap(plain, _LINE, break_long_words=False, break_on_hyphens=False)
    return "/* " + "\n * ".join(lines) + " */"


def c_float(value: float) -> str:
    """Return a ``float`` literal that reads as the same number in single precision."""
    text = f"{value:.9g}"
    return f"{text}f" if re.search(r"[.en]", text) else f"{text}.0f"


def c_double(value: float) -> str:
    """Return a ``double`` literal that reads as the same number."""
    return repr(float(value))


def c_rows(values: Iterable[object], indent: str = "  ") -> str:
    """Return the elements of an array, in lines of bearable length."""
    lines, line = [], indent
    for value in values:
        text = f"{value},"
        if len(line) + len(text) > _LINE and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += f"{text} "
    lines.append(line.rstrip())
    return "\n".join(lines)
