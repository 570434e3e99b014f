"""Test-time augmentation: one image seen several ways, and the answers averaged.

It costs one inference a view, so it is reported for float models only, beside their plain
accuracy and by its name. What is deployed answers once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[Any]

LARGE_SIDE = 64
"""Pictures with a shorter side than this are shifted by one pixel, others by two."""


def views_of(shape: tuple[int, int, int], *, flips: bool) -> Mapping[str, Callable[..., Images]]:
    """Return named views of images ``[n, height, width, channels]``: the first is as they are.

    Args:
        shape: Of one image.
        flips: Whether a mirrored picture shows the same thing: not so for digits.
    """
    n_pixels = 1 if min(shape[:2]) < LARGE_SIDE else 2
    steps = {
        "as it is": (0, 0),
        f"{n_pixels} px up": (-n_pixels, 0),
        f"{n_pixels} px down": (n_pixels, 0),
        f"{n_pixels} px left": (0, -n_pixels),
        f"{n_pixels} px right": (0, n_pixels),
    }
    views: dict[str, Callable[..., Images]] = {
        name: lambda images, by=by: shifted(images, *by) for name, by in steps.items()
    }
    if flips:
        views["mirrored"] = lambda images: images[:, :, ::-1]
    return views


def shifted(images: Images, down: int, right: int) -> Images:
    """Return images moved by some pixels; what comes in repeats the edge."""
    n_rows, n_columns = images.shape[1:3]
    rows = np.clip(np.arange(n_rows) - down, 0, n_rows - 1)
    columns = np.clip(np.arange(n_columns) - right, 0, n_columns - 1)
    return images[:, rows][:, :, columns]
