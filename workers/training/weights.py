"""Weights on their way between workers and the driver: arrays in one compressed file.

No pickles: what comes from a file is numbers and nothing else.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spaces.errors import StorageError


def pack_weights(weights: Sequence[npt.NDArray[np.generic]]) -> bytes:
    """Return arrays as the content of an ``.npz`` file, exactly as they are."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{f"w{i:05d}": array for i, array in enumerate(weights)})  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack_weights(content: bytes) -> list[npt.NDArray[np.generic]]:
    """Return the arrays that :func:`pack_weights` packed, in their order.

    Raises:
        StorageError: If the content is damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return [file[name] for name in sorted(file.files)]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise StorageError(f"Kept weights cannot be read: {error}") from error
