"""Rules that the parts of a configuration keep, and how one that is broken is told."""

from __future__ import annotations

import math

from spaces.errors import ConfigError


def require(holds: bool, rule: str, **arrived: object) -> None:
    """Raise a :class:`ConfigError` that states the rule and what arrived."""
    if not holds:
        got = ", ".join(f"{name}={value!r}" for name, value in arrived.items())
        raise ConfigError(f"`{rule}` must hold, but got ({got}).")


def is_number(value: object) -> bool:
    """Whether a value is a finite number, and no boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_int(value: object) -> bool:
    """Whether a value is a whole number, and no boolean."""
    return isinstance(value, int) and not isinstance(value, bool)
