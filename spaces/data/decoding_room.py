"""How much memory pictures take while they are decoded, and how many are at a time.

A file of 48 kB may hold 25 megapixels, which take half a gigabyte until they are scaled down. So
what a picture will take is estimated from its header, and those decoded side by side share a fixed
room: small ones go all at once, large ones one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

ROOM_BYTES = 1_000_000_000
"""What pictures that are decoded at the same time may take together."""

# Bytes a pixel at the peak, measured on pictures of 25 megapixels: conversions copy them.
_BYTES_A_PIXEL = {"1": 7, "L": 7, "P": 7, "RGB": 9, "CMYK": 9, "YCbCr": 9}
_OTHERS = 21  # With an alpha channel, or with more than 8 bits.
_FLOATS = 33
_WHOLE_IN_DECODER = 8  # More, in decoders that give the picture only when they have all of it.
_COEFFICIENTS = 6  # A pixel of a progressive JPEG, of the full size, however small it is decoded.


def bytes_to_decode(image: Image.Image, full_pixels: int) -> int:
    """Return about how much memory decoding takes at its peak.

    Args:
        image: Its header is read, and it is told to decode smaller where it can.
        full_pixels: Of the whole picture.
    """
    a_pixel = _FLOATS if image.mode == "F" else _BYTES_A_PIXEL.get(image.mode, _OTHERS)
    if image.format in ("WEBP", "AVIF", "HEIF", "JPEG2000"):
        a_pixel += _WHOLE_IN_DECODER
    needed = a_pixel * image.width * image.height
    if image.info.get("progressive"):
        needed += _COEFFICIENTS * full_pixels
    return needed


class Room:
    """Memory that threads take parts of, and wait for.

    Args:
        n_bytes: All of it. What needs more than that waits until it is alone.
    """

    def __init__(self, n_bytes: int = ROOM_BYTES) -> None:
        self._all = n_bytes
        self._free = n_bytes
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, n_bytes: int) -> Iterator[None]:
        """Hold a part of it within the block."""
        part = min(n_bytes, self._all)
        with self._changed:
            self._changed.wait_for(lambda: part <= self._free)
            self._free -= part
        try:
            yield
        finally:
            with self._changed:
                self._free += part
                self._changed.notify_all()
