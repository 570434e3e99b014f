"""What a picture's levels, 0 to 255, become for a network that was trained on floats."""

from __future__ import annotations

from typing import NamedTuple

UINT8_SCALE = 255.0
"""What networks divide the levels of uint8 pictures by."""


class PixelScaling(NamedTuple):
    """A network sees ``level / divide_by + add``.

    Attributes:
        divide_by: Above 0.
        add: Added then.
        how: The same in words, to be said of pixels.
    """

    divide_by: float
    add: float
    how: str


USUAL = PixelScaling(UINT8_SCALE, 0.0, "divided by 255")
_RANGES = (
    ((0.0, 1.0), USUAL),
    ((-1.0, 1.0), PixelScaling(127.5, -1.0, "divided by 127.5, less 1")),
    ((0.0, 255.0), PixelScaling(1.0, 0.0, "taken as they are")),
)
"""Ranges of arrays that are made of pictures."""


def usual_scaling(low: float, high: float) -> PixelScaling | None:
    """Return how levels became floats of a range; None if they do by no usual rule.

    Args:
        low: The lowest of the floats.
        high: The highest.
    """
    for (first, last), scaling in _RANGES:
        slack = 0.02 * (last - first)  # The darkest and the lightest pixel may be missing.
        if abs(low - first) <= slack and abs(high - last) <= slack:
            return scaling
    return None
