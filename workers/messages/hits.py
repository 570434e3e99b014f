"""Which images a model labelled rightly, as a text of a bit each."""

from __future__ import annotations

import base64
import binascii
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Hits: TypeAlias = npt.NDArray[np.bool_]
"""``[n]``: whether each image was labelled rightly."""

MAX_HITS = 10_000
"""Images of which a study keeps for every point whether it was right: 1.7 kB each. Of more, an
accuracy is known well enough alone."""


def packed_hits(hits: Hits) -> str:
    """Return them as base64, eight images a byte."""
    return base64.b64encode(np.packbits(hits).tobytes()).decode("ascii")


def unpacked_hits(text: str, n: int) -> Hits | None:
    """Return what :func:`packed_hits` packed of ``n`` images; None if it is something else."""
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except (binascii.Error, ValueError):
        return None
    if len(packed) != (n + 7) // 8:
        return None
    return np.unpackbits(packed, count=n).astype(bool)
