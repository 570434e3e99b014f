"""Numbers with units, as people type and read them.

Sizes are decimal, as on the box of a memory chip's data sheet: 1 kB is 1,000 bytes; KiB and MiB
are there for those who mean 1,024. ``KB`` is read as ``kB``. What a person types needs its unit: a
bare 20 would be 20 bytes to us, and is 20 kB to whoever types it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from spaces.errors import ConfigError

_NUMBER = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([a-zµμ%]*)\s*", re.IGNORECASE)

_BYTES = {
    "b": 1,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_BYTES |= {"k": 1e3, "m": 1e6, "g": 1e9}
_MILLISECONDS = {"ms": 1, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ns": 1e-6, "s": 1e3}
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_FRACTIONS = {"": 1, "%": 0.01}


def parse_size(text: str) -> float:
    """Return bytes from ``100KB``, ``1.5 MB``, ``64KiB`` or ``20000B``.

    Raises:
        ConfigError: If it is no size above 0.
    """
    return _parse(
        text,
        _BYTES,
        "A size is a number above 0 with B, kB, MB, KiB or MiB",
        "100KB",
        ("B", "kB", "KiB"),
    )


def parse_latency(text: str) -> float:
    """Return milliseconds from ``5ms``, ``250us`` or ``0.5s``.

    Raises:
        ConfigError: If it is no time above 0.
    """
    return _parse(
        text,
        _MILLISECONDS,
        "A latency is a number above 0 with us, ms or s",
        "5ms",
        ("us", "ms", "s"),
    )


def parse_duration(text: str) -> float:
    """Return seconds from ``30m``, ``1.5h`` or ``90s``.

    Raises:
        ConfigError: If it is no time above 0.
    """
    return _parse(
        text, _SECONDS, "A duration is a number above 0 with s, m, h or d", "30m", ("s", "m", "h")
    )


def parse_accuracy(text: str) -> float:
    """Return a fraction from ``0.9`` or ``90%``.

    Raises:
        ConfigError: If it does not lie above 0 and up to 1.
    """
    rule = "An accuracy is a fraction above 0 and up to 1, or a percentage"
    value = _parse(text, _FRACTIONS, rule, "0.9")
    if value > 1:
        raise ConfigError(f"{rule}, such as 0.9 or 90%, but got {text!r}.")
    return value


def parse_fraction(text: str) -> float:
    """Return a fraction from ``0.9``, ``90%`` or ``0``.

    Raises:
        ConfigError: If it does not lie from 0 to 1.
    """
    rule = "A fraction is a number from 0 to 1, or a percentage"
    found = _NUMBER.fullmatch(text)
    scale = _FRACTIONS.get(found[2]) if found else None
    value = float(found[1]) * scale if found and scale is not None else -1.0
    if not 0 <= value <= 1:
        raise ConfigError(f"{rule}, such as 0.9 or 90%, but got {text!r}.")
    return value


_TYPED = {
    "size": (("MB", 1e6), ("kB", 1e3), ("B", 1.0)),
    "latency": (("s", 1e3), ("ms", 1.0)),
    "duration": (("d", 86400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0)),
    "fraction": (("", 1.0),),
}
QUANTITIES: frozenset[str] = frozenset(_TYPED)
"""Kinds of numbers that people type with a unit, or as a fraction."""


def typed(kind: str, value: float) -> str:
    """Return a number as a person would type it: ``20kB`` and not ``20000B``.

    The unit is the largest in which the number is whole.

    Args:
        kind: One of :data:`QUANTITIES`: bytes, milliseconds, seconds, or a fraction.
        value: Number in that unit.

    Returns:
        What the parser of its kind reads as the same number.
    """
    units = _TYPED[kind]
    name, scale = next(
        ((name, scale) for name, scale in units if value and not value % scale), units[-1]
    )
    return f"{value / scale:.12g}{name}"


def format_size(n_bytes: float) -> str:
    """Return a size in three digits, as ``12.3 kB``."""
    for unit, scale in (("B", 1.0), ("kB", 1e3), ("MB", 1e6)):
        # 999.5 would be shown as 1000.
        if n_bytes / scale < 999.5:
            return f"{_digits(n_bytes / scale) if scale > 1 else round(n_bytes)} {unit}"
    return f"{_digits(n_bytes / 1e9)} GB"


def format_latency(milliseconds: float) -> str:
    """Return a latency in milliseconds, as ``0.213 ms``."""
    return f"{_digits(milliseconds)} ms"


def format_accuracy(fraction: float) -> str:
    """Return a fraction as a percentage, as ``97.3 %``."""
    return f"{100 * fraction:.1f} %"


def format_duration(seconds: float) -> str:
    """Return a time span in its two largest units, as ``12m 05s``."""
    total = max(0, round(seconds))
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m {total % 60:02d}s"
    if total < 86400:
        return f"{total // 3600}h {total % 3600 // 60:02d}m"
    return f"{total // 86400}d {total % 86400 // 3600:02d}h"


def _parse(
    text: str, units: Mapping[str, float], rule: str, example: str, likely: Sequence[str] = ()
) -> float:
    found = _NUMBER.fullmatch(text)
    scale = units.get(found[2].lower()) if found else None
    value = float(found[1]) * scale if found and scale is not None else 0.0
    if found and likely and not found[2] and 0 < float(found[1]) < math.inf:
        known = f"{', '.join(found[1] + unit for unit in likely[:-1])} or {found[1]}{likely[-1]}"
        raise ConfigError(f"{rule}: {known}, but got {text!r}.")
    if not 0 < value < math.inf:
        raise ConfigError(f"{rule}, such as {example}, but got {text!r}.")
    return value


def _digits(value: float) -> str:
    """Return three significant digits without an exponent."""
    if value == 0:
        return "0"
    decimals = 2 - math.floor(math.log10(abs(value)))
    # 9.996 has three digits after rounding up, not four.
    decimals = 2 - math.floor(math.log10(abs(round(value, decimals))))
    return f"{value:.{max(0, decimals)}f}"
