"""One picture file becomes one array: which files are pictures, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "AVIF")
EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .webp .gif .tif .tiff .avif .heic .heif".split()
)
HEAD_BYTES = 16

RESIZE_RULE = "centre_fit_bicubic"
"""Name of what :func:`read_picture` does to a picture of another size, stored beside models that
were trained on such pictures. Another rule gets another name."""


def is_picture(name: str, head: bytes) -> bool:
    """Tell a picture, whole or broken, from other files.

    Args:
        name: File name; an extension of pictures suffices.
        head: First :data:`HEAD_BYTES` bytes; those of a picture suffice too.
    """
    if Path(name).suffix.lower() in EXTENSIONS:
        return True
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and head[6:10] == b"\0\0\0\0")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"heic", b"heix", b"mif1"))
    )


def read_picture(file: BinaryIO, size: int | tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Decode a picture to RGB, ``[height, width, 3]``.

    It is turned as its EXIF orientation says, and fitted to the size (see :func:`fit_picture`).
    Transparent parts become white. Of an animation, the first frame counts.

    Args:
        file: The picture, at its beginning.
        size: Height and width in pixels; one number for a square.

    Raises:
        ValueError: If it cannot be decoded; the text says why, in a few words.
    """
    from PIL import Image, UnidentifiedImageError

    height, width = (size, size) if isinstance(size, int) else size
    try:
        with Image.open(file, formats=_known_formats()) as image:
            # JPEG decodes to a half, a quarter or an eighth at a fraction of the cost.
            image.draft(None, (2 * width, 2 * height))
            image.load()
            return fit_picture(_to_rgb(_upright(image)), height, width)
    except UnidentifiedImageError:
        file.seek(0)
        raise ValueError(_why_unknown(file.read(HEAD_BYTES))) from None
    except Exception as error:  # Decoders raise anything at all on damaged bytes.
        text = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(text) from error


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
    from PIL import Image

    try:
        with Image.open(path, formats=_known_formats()) as image:
            width, height = image.size
            return width, height
    except Exception:  # Decoders raise anything at all on damaged bytes.
        return None


def _known_formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()  # AVIF is missing in older releases of Pillow.
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _why_unknown(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head[4:8] == b"ftyp":
        return "HEIC and AVIF are not read here; save it as JPEG"
    return "no picture in it"


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # A damaged EXIF block says nothing; the picture itself is sound.
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits a pixel; `convert` would clip them to white.
        high_byte = np.asarray(image).astype(np.int64) >> 8
        image = Image.fromarray(np.clip(high_byte, 0, 255).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("pixels are floats; save it with 8 bits a channel")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")
