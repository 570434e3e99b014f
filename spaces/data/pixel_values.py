"""Pixels with more than 8 bits, and what brings them to 8: by the values that are really there.

A file of 16 bits a pixel often holds 8, 10 or 12 of them, and a picture alone does not say so: a
dark one of 16 bits looks like one of 12. So values are looked up over a whole data set, and one
scale serves for all of it, and for the pictures that a model classifies later.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

INTEGERS = "integers"
FLOATS = "floats"

USUAL_BITS = (8, 10, 12, 14, 16)

Scales = Mapping[str, tuple[float, float]]
"""For integers and floats, the values that become 0 and 255."""

FULL_SCALE: Scales = {INTEGERS: (0.0, 65535.0), FLOATS: (0.0, 1.0)}

_WIDE_RAW_MODE = re.compile("(LA|RGB|RGBA|RGBX);16[LBN]")

ENOUGH = 1 << 14
"""Values from here on are of 16 bits; nothing below the high byte matters then."""


@dataclass(frozen=True)
class Values:
    """Which values the pixels of a picture have.

    Attributes:
        kind: :data:`INTEGERS` or :data:`FLOATS`.
        low: Lowest.
        high: Highest.
    """

    kind: str
    low: float
    high: float


def usual_scales(found: Sequence[Values]) -> dict[str, tuple[float, float]]:
    """Return the scales that suit all pictures whose values are given.

    Integers from 0 on are taken as 8, 10, 12, 14 or 16 bits, or as many more as they need;
    floats as 0..1, -1..1 or 0..255. Others are spread from the lowest to the highest value.
    """
    scales = {}
    for kind in (INTEGERS, FLOATS):
        own = [values for values in found if values.kind == kind]
        if own:
            low, high = min(v.low for v in own), max(v.high for v in own)
            scale_of = _integer_scale if kind == INTEGERS else _float_scale
            scales[kind] = scale_of(low, high)
    return scales


def describe_scale(kind: str, scale: tuple[float, float]) -> str:
    """Return how values are understood, for a person."""
    low, high = scale
    if kind == INTEGERS and low == 0:
        return f"{int(high).bit_length()}-bit values, 0 to {int(high):,}"
    return f"{kind} from {low:g} to {high:g}"


def is_wide(image: Image.Image) -> bool:
    """Whether a picture, opened and not loaded yet, has more than 8 bits a channel."""
    return (
        image.mode.startswith("I")
        or image.mode == "F"
        or _WIDE_RAW_MODE.fullmatch(raw_mode(image)) is not None
        or _is_wide_pixmap(image)
    )


def read_wide(
    image: Image.Image, reopen: Callable[[], Image.Image], scales: Scales | None
) -> tuple[Image.Image, Values | None]:
    """Bring a picture with more than 8 bits a channel to 8.

    Args:
        image: As opened, not loaded yet.
        reopen: Opens it once more.
        scales: What becomes 0 and 255; None for what suits this picture alone.

    Returns:
        It in ``L``, ``RGB`` or ``RGBA``, and which values it has; None if the file says what
        its highest value can be.

    Raises:
        ValueError: If some values are no numbers.
    """
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        array, values, is_declared = _read_gray(image)
        scale = _scale_of(values, FULL_SCALE if is_declared else scales)
        return Image.fromarray(_to_bytes(array, scale)), None if is_declared else values
    if _is_wide_pixmap(image):
        array, values = _read_pixmap(image)
        return Image.fromarray(_to_bytes(array, _scale_of(values, scales))), values
    kept_raw_mode = raw_mode(image)
    # Pillow keeps the high byte of each channel.
    high = image.convert("RGBA" if image.mode == "RGBA" else "RGB")
    top = int(np.asarray(high)[..., :3].max())
    if top * 256 >= ENOUGH:
        return high, Values(INTEGERS, 0.0, top * 256.0 + 255)
    whole = _both_bytes(np.asarray(high), reopen(), kept_raw_mode)
    if whole is None:
        return high, Values(INTEGERS, 0.0, top * 256.0 + 255)
    colours = whole[..., :3]
    values = Values(INTEGERS, float(colours.min()), float(colours.max()))
    scale = _scale_of(values, scales)
    channels = [_to_bytes(colours, scale)]
    if whole.shape[2] == 4:
        alpha = whole[..., 3:]
        # Whoever writes 12 bits of colour may write 16 of alpha.
        channels.append(_to_bytes(alpha, scale if alpha.max() <= scale[1] else (0.0, 65535.0)))
    return Image.fromarray(np.concatenate(channels, axis=2)), values


def raw_mode(image: Image.Image) -> str:
    """Return Pillow's name of how pixels lie in the file; empty if it has none."""
    tile = getattr(image, "tile", None)
    if not tile:
        return ""
    arguments = tile[0].args
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _read_gray(image: Image.Image) -> tuple[npt.NDArray[Any], Values, bool]:
    """Return values as they are in the file, and whether it says its highest value."""
    is_declared = bool(image.tile) and image.tile[0].codec_name.startswith("ppm")  # type: ignore[attr-defined]
    array = np.asarray(image)
    if image.mode == "F":
        if not np.isfinite(array).all():
            raise ValueError("some of its values are no numbers")
        return array, Values(FLOATS, float(array.min()), float(array.max())), False
    if is_declared:  # Pillow makes that 65535.
        return array, Values(INTEGERS, 0.0, 65535.0), True
    return array, Values(INTEGERS, float(array.min()), float(array.max())), False


def _is_wide_pixmap(image: Image.Image) -> bool:
    """Whether it is a PPM of 16 bits, of which Pillow reads 8."""
    tile: Any = getattr(image, "tile", None)
    return bool(tile) and tile[0].codec_name == "ppm" and tile[0].args == ("RGB", 65535)


def _read_pixmap(image: Image.Image) -> tuple[npt.NDArray[Any], Values]:
    file, start = image.fp, image.tile[0].offset  # type: ignore[attr-defined]
    file.seek(start)
    data = file.read(image.width * image.height * 6)
    array = np.frombuffer(data, ">u2").reshape(image.height, image.width, 3)
    return array, Values(INTEGERS, float(array.min()), float(array.max()))


def _both_bytes(
    high: npt.NDArray[np.uint8], image: Image.Image, kept_raw_mode: str
) -> npt.NDArray[np.int32] | None:
    """Read the low bytes too; None where Pillow has no raw mode for them.

    A raw mode of the other byte order takes the other byte of each pair.
    """
    if kept_raw_mode == "LA;16B":  # Four bytes: two of gray, two of alpha.
        _set_raw_mode(image, "RGBA")
        raw = np.asarray(image).astype(np.int32)
        gray = raw[..., 0] * 256 + raw[..., 1]
        return np.stack([gray, gray, gray, raw[..., 2] * 256 + raw[..., 3]], axis=2)
    name, _, order = kept_raw_mode.partition(";16")
    native = "L" if sys.byteorder == "little" else "B"
    other = {"B": "L", "L": "B"}[native if order == "N" else order]
    _set_raw_mode(image, f"{name};16{other}")
    try:
        low = np.asarray(image.convert("RGBA" if high.shape[2] == 4 else "RGB"))
    except (ValueError, OSError):
        return None
    both: npt.NDArray[np.int32] = high.astype(np.int32) * 256 + low
    return both


def _set_raw_mode(image: Image.Image, name: str) -> None:
    tiles = image.tile  # type: ignore[attr-defined]
    image.tile = [  # type: ignore[attr-defined]
        tile._replace(args=(name, *tile.args[1:]) if isinstance(tile.args, tuple) else name)
        for tile in tiles
    ]


def _scale_of(values: Values, scales: Scales | None) -> tuple[float, float]:
    scale = None if scales is None else scales.get(values.kind)
    return scale or usual_scales([values])[values.kind]


def _integer_scale(low: float, high: float) -> tuple[float, float]:
    if low < 0:
        return low, high
    needed = int(high).bit_length()
    return 0.0, 2.0 ** next((bits for bits in USUAL_BITS if needed <= bits), needed) - 1


def _float_scale(low: float, high: float) -> tuple[float, float]:
    if low >= 0:
        if high <= 255:
            return (0.0, 1.0) if high <= 1 else (0.0, 255.0)
        return _integer_scale(low, high)
    return (-1.0, 1.0) if low >= -1 and high <= 1 else (low, high)


def _to_bytes(array: npt.NDArray[Any], scale: tuple[float, float]) -> npt.NDArray[np.uint8]:
    low, high = scale
    bits = int(high).bit_length() if low == 0 and float(high).is_integer() else 0
    if bits >= 8 and high == 2**bits - 1 and np.issubdtype(array.dtype, np.integer):
        high_bits: npt.NDArray[np.uint8] = np.clip(
            array.astype(np.int64) >> (bits - 8), 0, 255
        ).astype(np.uint8)
        return high_bits
    spread = (array.astype(np.float64) - low) * (255.0 / (high - low if high > low else 1.0))
    narrow: npt.NDArray[np.uint8] = np.clip(np.rint(spread), 0, 255).astype(np.uint8)
    return narrow
