"""A look at decoded pixels: pictures that hold nothing to learn from are told, once.

Wrong bits, masks among the pictures, an empty scan or a lens cap give arrays that train without
a complaint and teach nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

NEARLY = 4
"""Levels of 255 by which the pixels of a picture may differ to be nearly of one colour."""

NEARLY_BLACK = 16
"""Level of 255 below which all pixels of a picture are nearly black: four of eight bits."""

CHUNK = 512

Images = npt.NDArray[np.uint8]


def check_pixels(
    images: Images, class_names: Sequence[str], file_names: Sequence[str]
) -> tuple[str, ...]:
    """Return what is odd about pictures: no two pixels of one differ, or no two of a class.

    Args:
        images: ``[n, height, width, channels]``.
        class_names: Of each image.
        file_names: Of each image, for a person to look at.
    """
    if not len(images):
        return ()
    low, high = _extremes(images)
    spread = (high.astype(int) - low).max(axis=1)
    lightest = high.max(axis=1)
    found = {
        "of one colour, every pixel alike": spread == 0,
        f"nearly of one colour, within {NEARLY} of 255 levels": (spread > 0) & (spread <= NEARLY),
        f"nearly black, all below {NEARLY_BLACK} of 255": (spread > NEARLY)
        & (lightest < NEARLY_BLACK),
    }
    notes = [
        _note(np.flatnonzero(mask), what, class_names, file_names)
        for what, mask in found.items()
        if mask.any()
    ]
    return (*notes, *_alike(images, class_names))


def _extremes(images: Images) -> tuple[Images, Images]:
    """Return the lowest and the highest value of each channel, ``[n, channels]``."""
    parts = [
        (part.min(axis=(1, 2)), part.max(axis=(1, 2)))
        for part in (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
    ]
    return np.concatenate([low for low, _ in parts]), np.concatenate([high for _, high in parts])


def _note(
    numbers: npt.NDArray[np.intp],
    what: str,
    class_names: Sequence[str],
    file_names: Sequence[str],
) -> str:
    of_all = Counter(class_names)
    counts = Counter(class_names[number] for number in numbers)
    by_class = ", ".join(
        f"all of {name}" if count == of_all[name] else f"{count:,} of {of_all[name]:,} of {name}"
        for name, count in counts.most_common(5)
    )
    more = f", ... ({len(counts)} classes)" if len(counts) > 5 else ""
    named = ", ".join(file_names[number] for number in numbers[:3])
    are = "picture is" if len(numbers) == 1 else "pictures are"
    dots = ", ..." if len(numbers) > 3 else "."
    return f"{len(numbers):,} {are} {what} ({by_class}{more}): {named}{dots}"


def _alike(images: Images, class_names: Sequence[str]) -> list[str]:
    """Return a note on classes whose pictures are all the same."""
    members: dict[str, list[int]] = {}
    for number, name in enumerate(class_names):
        members.setdefault(name, []).append(number)
    alike = [
        name
        for name, numbers in members.items()
        if len(numbers) > 1 and _all_alike(images, numbers)
    ]
    if not alike:
        return []
    shown = ", ".join(f"{name} ({len(members[name]):,})" for name in alike[:5])
    more = f", ... ({len(alike)} classes)" if len(alike) > 5 else ""
    return [f"All pictures of a class are alike, pixel by pixel: {shown}{more}."]


def _all_alike(images: Images, numbers: Sequence[int]) -> bool:
    first = images[numbers[0]].astype(np.int16)
    # The next one nearly always ends it.
    return all(
        int(np.abs(images[number].astype(np.int16) - first).max()) <= 1 for number in numbers[1:]
    )
