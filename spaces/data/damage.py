"""Files that may be damaged: what reading one can raise, and checksums against silent changes."""

from __future__ import annotations

import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

READ_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    ValueError,  # UnicodeDecodeError and JSONDecodeError among them
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SyntaxError,  # headers of `.npy` are literals of Python
    tokenize.TokenError,
    EOFError,
    MemoryError,  # a shape that no machine holds
    RuntimeError,  # a zip that claims a password; NotImplementedError: an unknown compression
    RecursionError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What Python, NumPy and zip raise on files whose bytes are not what was written: catch them all,
around nothing but the reading."""

_PART_BYTES = 1 << 24


def array_checksum(array: npt.NDArray[Any]) -> int:
    """Return the CRC-32 of an array's bytes in C order; a mapped one is read in parts."""
    contiguous = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    checksum = 0
    for start in range(0, len(contiguous), _PART_BYTES):
        checksum = zlib.crc32(contiguous[start : start + _PART_BYTES].data, checksum)
    return checksum


def text_checksum(data: Mapping[str, Any]) -> int:
    """Return the CRC-32 of plain data, as JSON with sorted keys."""
    return zlib.crc32(json.dumps(data, sort_keys=True).encode())


def reason_of(error: BaseException) -> str:
    """Return what an error says, or what it is called where it says nothing; one line."""
    return " ".join(str(error).split()) or type(error).__name__
