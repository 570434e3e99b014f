"""Weights on their way between workers and the driver: arrays in one compressed file.

No pickles: what comes from a file is numbers and nothing else.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spaces.data.damage import READ_ERRORS, reason_of
from spaces.errors import StorageError

_MAGIC = b"LFW1"


def pack_weights(weights: Sequence[npt.NDArray[np.generic]]) -> bytes:
    """Return arrays exactly as they are: a checksum, and the content of an ``.npz`` file.

    A zip alone may lose a member to a single broken byte, and be as good a zip without it.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{f"w{i:05d}": array for i, array in enumerate(weights)})  # type: ignore[arg-type]
    content = buffer.getvalue()
    return _MAGIC + zlib.crc32(content).to_bytes(4, "big") + content


def unpack_weights(content: bytes) -> list[npt.NDArray[np.generic]]:
    """Return the arrays that :func:`pack_weights` packed, in their order.

    Raises:
        StorageError: If the content is damaged.
    """
    try:
        if content.startswith(_MAGIC):  # Earlier versions kept the `.npz` alone.
            found, content = content[len(_MAGIC) :][:4], content[len(_MAGIC) + 4 :]
            if found != zlib.crc32(content).to_bytes(4, "big"):
                raise ValueError("they are not as they were written")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return [file[f"w{i:05d}"] for i in range(len(file.files))]
    except READ_ERRORS as error:
        raise StorageError(f"Kept weights cannot be read: {reason_of(error)}.") from error
