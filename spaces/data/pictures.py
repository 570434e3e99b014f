"""One picture file becomes one array: which files are pictures, and how they are read."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from spaces.data.decoding_room import Room, bytes_to_decode
from spaces.data.pixel_values import Scales, Values, is_wide, read_wide
from spaces.errors import ConfigError
from spaces.wording import one_line

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "AVIF", "HEIF", "PPM", "JPEG2000")
EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .gif .tif .tiff .avif .heic .heif .hif .ppm .pgm "
    ".pbm .pnm .pfm .tga .jp2 .j2k .j2c .jpc .jpf .jpx".split()
)
RAW_EXTENSIONS = frozenset(
    ".nef .nrw .cr2 .cr3 .crw .arw .srf .sr2 .dng .orf .rw2 .raf .pef .srw .x3f .3fr .iiq".split()
)
"""Files of camera sensors. Most look like TIFF, of which only a thumbnail would be read."""

HEAD_BYTES = 16

DEFAULT_MEGAPIXELS = 100
MEGAPIXELS_VARIABLE = "SEARCH_MAX_MEGAPIXELS"
_SKIPPED = 10
"""How many times as large a picture may be that is decoded smaller: its pixels take no memory, but
each takes its time."""

HEIC_INSTALL = "pip install 'litefront[heic]'"

LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue weigh in gray: ITU-R BT.601."""

_PIXELS_AT_ONCE = 1 << 22

RESIZE_RULE = "centre_fit_bicubic"
"""Name of what :func:`read_picture` does to a picture of another size, stored beside models that
were trained on such pictures. Another rule gets another name."""


def is_picture(name: str, head: bytes) -> bool:
    """Tell a picture, whole or broken, from other files.

    Args:
        name: File name; an extension of pictures suffices.
        head: First :data:`HEAD_BYTES` bytes; those of a picture suffice too.
    """
    suffix = Path(name).suffix.lower()
    if suffix in EXTENSIONS or suffix in RAW_EXTENSIONS:
        return suffix in EXTENSIONS
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*"))
        or head.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and head[6:10] == b"\0\0\0\0")
        or (head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS + _AVIF_BRANDS)
    )


@dataclass(frozen=True)
class Decoded:
    """A picture that was read.

    Attributes:
        image: ``[height, width, 3]`` uint8.
        values: Which values its pixels have; None for those of 8 bits.
        is_clear: Whether it is transparent everywhere; its colours are read all the same.
    """

    image: npt.NDArray[np.uint8]
    values: Values | None = None
    is_clear: bool = False


def read_picture(
    file: BinaryIO, size: int | tuple[int, int], scales: Scales | None = None, name: str = ""
) -> npt.NDArray[np.uint8]:
    """Decode a picture to RGB, ``[height, width, 3]``; see :func:`decode_picture`."""
    return decode_picture(file, size, scales, name).image


def decode_picture(
    file: BinaryIO, size: int | tuple[int, int], scales: Scales | None = None, name: str = ""
) -> Decoded:
    """Decode a picture to RGB.

    It is turned as its EXIF orientation says, and fitted to the size (see :func:`fit_picture`).
    Transparent parts become white. Of an animation, the first frame counts.

    Args:
        file: The picture, at its beginning.
        size: Height and width in pixels; one number for a square.
        scales: What becomes 0 and 255 of pixels with more than 8 bits; None for what suits the
            values of this picture.
        name: File name, by which alone TGA is known.

    Raises:
        ValueError: If it cannot be decoded; the text says why, in a few words.
        MemoryError: If there is not enough memory.
        ConfigError: If ``$SEARCH_MAX_MEGAPIXELS`` is no number.
    """
    from PIL import UnidentifiedImageError

    height, width = (size, size) if isinstance(size, int) else size
    limit = max_pixels()
    try:
        with _open(file, name) as image:
            full = image.size
            _check_pixels(full, _SKIPPED * limit)
            # JPEG decodes to a half, a quarter or an eighth at a fraction of the cost.
            image.draft(None, (2 * width, 2 * height))
            # A progressive one is held as a whole all the same.
            _check_pixels(full if image.info.get("progressive") else image.size, limit)
            with _room.taking(bytes_to_decode(image, full[0] * full[1])):
                return _decoded(image, lambda: _reopened(file, name), (height, width), scales)
    except UnidentifiedImageError:
        file.seek(0)
        raise ValueError(_why_unknown(file.read(HEAD_BYTES))) from None
    except MemoryError:
        raise
    except Exception as error:  # Decoders raise anything at all on damaged bytes.
        text = one_line(error)
        if "out of memory" in text:
            raise MemoryError(text) from error
        raise ValueError(text) from error


def _decoded(
    image: Image.Image,
    reopen: Callable[[], Image.Image],
    shape: tuple[int, int],
    scales: Scales | None,
) -> Decoded:
    if not is_wide(image):
        image.load()
        rgb, is_clear = _to_rgb(_upright(image))
        return Decoded(fit_picture(rgb, *shape), None, is_clear)
    narrow, values = read_wide(image, reopen, scales)
    if exif := image.getexif().get(0x0112):
        narrow.getexif()[0x0112] = exif
    rgb, is_clear = _to_rgb(_upright(narrow))
    return Decoded(fit_picture(rgb, *shape), values, is_clear)


def fit_picture(image: Image.Image, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return ``[height, width, 3]``: the largest part of that shape in the middle, scaled.

    No borders, which a network would learn, and no distortion.

    Args:
        image: In RGB.
        height: In pixels.
        width: In pixels.
    """
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC), np.uint8)


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return width and height as the file's header says; None if it says nothing."""
    try:
        with open(path, "rb") as file, _open(file, path.name) as image:
            width, height = image.size
            return width, height
    except Exception:  # Decoders raise anything at all on damaged bytes.
        return None


def max_pixels() -> int:
    """Return how many pixels are decoded of one picture at most.

    Raises:
        ConfigError: If ``$SEARCH_MAX_MEGAPIXELS`` is no number.
    """
    text = os.environ.get(MEGAPIXELS_VARIABLE, "")
    try:
        return int(float(text or DEFAULT_MEGAPIXELS) * 1e6)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{MEGAPIXELS_VARIABLE} must be a number of megapixels, but is {text!r}."
        ) from None


_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")

_opening = threading.Lock()
_room = Room()


def _open(file: BinaryIO, name: str) -> Image.Image:
    """Read the header of a picture.

    Pillow takes large pictures for attacks before JPEG can be made smaller while it is decoded;
    here the size that is really decoded counts.
    """
    from PIL import Image

    formats = _known_formats()
    if Path(name).suffix.lower() == ".tga":  # It begins with nothing of its own.
        formats = (*formats, "TGA")
    with _opening:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            return Image.open(file, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _reopened(file: BinaryIO, name: str) -> Image.Image:
    file.seek(0)
    return _open(file, name)


def _check_pixels(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise ValueError(
            f"{width}x{height} are {width * height / 1e6:,.0f} megapixels, and at most "
            f"{limit / 1e6:,.0f} are decoded; make it smaller, or set {MEGAPIXELS_VARIABLE}"
        )


@cache
def _known_formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()  # AVIF is missing in older releases of Pillow.
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        pass
    else:
        register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _why_unknown(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head[4:8] == b"ftyp":
        if head[8:12] in _AVIF_BRANDS:
            return "AVIF needs a newer Pillow: pip install --upgrade pillow, or save it as JPEG"
        if head[8:12] in _HEIF_BRANDS:
            return f"HEIC needs {HEIC_INSTALL}, or save it as JPEG"
        return "it is a video"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF of a kind that is not read; save it as PNG, or with 8 or 16 bits a channel"
    return "no picture in it"


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # A damaged EXIF block says nothing; the picture itself is sound.
        return image


def _to_rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return a picture in RGB, and whether it is transparent everywhere."""
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        colours = image.convert("RGB")
        *_, alpha = cast(Any, image.getextrema())
        if alpha == (0, 0) and any(low != high for low, high in cast(Any, colours.getextrema())):
            return colours, True  # An alpha that nobody filled in.
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    if image.mode == "LAB":
        return _from_lab(image), False
    return (image if image.mode == "RGB" else image.convert("RGB")), False


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None  # It is, unless asked to work in place.
    return converted


def gray_pictures(pictures: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return RGB pictures in gray, as training and classifying both see them.

    By the weights of ITU-R BT.601, rounded to the nearest level. Pillow's own "L" computes in
    integers, and is one level off in some pixels of ten thousand.

    Args:
        pictures: ``[..., height, width, 3]`` uint8.

    Returns:
        ``[..., height, width, 1]``.
    """
    gray = np.empty((*pictures.shape[:-1], 1), np.uint8)
    rows, parts, luma = gray.reshape(-1, 1), pictures.reshape(-1, 3), np.array(LUMA)
    for start in range(0, len(rows), _PIXELS_AT_ONCE):  # In float64 all at once may not fit.
        levels = parts[start : start + _PIXELS_AT_ONCE] @ luma
        rows[start : start + _PIXELS_AT_ONCE, 0] = np.rint(levels)
    return gray
