"""Pictures that show the same: equal, saved anew, mirrored, darker.

A perceptual hash (the signs of 64 brightness steps of a thumbnail) proposes pairs, and the
correlation of colour thumbnails decides. Both are computed here, from arrays that are decoded
already and all at once: 50,000 pictures take seconds, and no library beside numpy is needed.
Rotated and cropped copies are not found. In pictures under ``MIN_SIDE`` pixels (digits, icons)
different ones look too much alike: there only equal pixels count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from spaces.data.large_arrays import rows_at_once

MIN_SIDE = 48
"""Pixels from which on a perceptual hash tells pictures apart."""

THUMBNAIL = 16
MAX_BITS = 6
"""Bits by which the hashes of a pair may differ."""

MIN_CORRELATION = 0.995
"""Of the colour thumbnails of a pair. A picture saved anew has 0.999, frames of a burst 0.98."""

MIN_DEVIATION = 6.0
"""Of a thumbnail's gray levels; what is flatter shows nothing that could be compared."""

BLOCK = 512

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Pair = tuple[int, int]


def find_copies(images: Images, digests: Sequence[str]) -> list[Pair]:
    """Return pairs of pictures that show the same, each with the lower index first.

    Of many that are equal, each is paired with the first one only.

    Args:
        images: ``[n, side, side, 3]``.
        digests: Hash of each file's bytes.
    """
    pairs = set(_equal(digests))
    thumbnails = _thumbnails(images)
    shows = np.flatnonzero(thumbnails.mean(axis=3).std(axis=(1, 2)) >= MIN_DEVIATION)
    pixels = [hashlib.sha1(images[index].tobytes()).hexdigest() for index in shows]
    pairs |= {(int(shows[a]), int(shows[b])) for a, b in _equal(pixels)}
    if min(images.shape[1:3]) >= MIN_SIDE:
        pairs |= {(int(shows[a]), int(shows[b])) for a, b in _alike(thumbnails[shows])}
    return sorted(pairs)


def joined(groups: Sequence[str], pairs: Sequence[Pair], max_pictures: int) -> list[str]:
    """Return groups of which those that share a pair are one, called after the first by name.

    Args:
        groups: Group of each picture.
        pairs: As :func:`find_copies` returns them.
        max_pictures: Groups of more than these stay as they were: so many that look alike are
            rather a kind of picture than copies of one.
    """
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for a, b in pairs:
        first, second = sorted((root(groups[a]), root(groups[b])))
        parent[second] = first
    roots = [root(group) for group in groups]
    names, counts = np.unique(roots, return_counts=True)
    large = set(names[counts > max_pictures].tolist())
    return [own if found in large else found for own, found in zip(groups, roots, strict=True)]


def _equal(keys: Sequence[str]) -> Iterator[Pair]:
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        if first.setdefault(key, index) != index:
            yield first[key], index


def _alike(thumbnails: Floats) -> Iterator[Pair]:
    hashes = _hashes(thumbnails)
    mirrored = _hashes(thumbnails[:, :, ::-1])
    levels = _normalized(thumbnails)
    levels_mirrored = _normalized(thumbnails[:, :, ::-1])
    for start in range(0, len(hashes), BLOCK):
        rows = slice(start, start + BLOCK)
        for others, compared in ((hashes, levels), (mirrored, levels_mirrored)):
            differing = np.bitwise_count(hashes[rows, None] ^ others[None, start:])
            firsts, seconds = np.nonzero(differing <= MAX_BITS)
            firsts, seconds = firsts + start, seconds + start
            is_ahead = firsts < seconds
            firsts, seconds = firsts[is_ahead], seconds[is_ahead]
            for part in range(0, len(firsts), 10_000):
                a, b = firsts[part : part + 10_000], seconds[part : part + 10_000]
                alike = np.einsum("ij,ij->i", levels[a], compared[b]) >= MIN_CORRELATION
                yield from zip(a[alike].tolist(), b[alike].tolist(), strict=True)


def _thumbnails(images: Images) -> Floats:
    """Return means over a grid, ``[n, 16, 16, channels]``; smaller pictures as they are."""
    rows, columns = (_edges(side) for side in images.shape[1:3])
    found = np.empty((len(images), len(rows), len(columns), images.shape[3]), np.float32)
    heights = np.diff([*rows, images.shape[1]])[None, :, None, None]
    widths = np.diff([*columns, images.shape[2]])[None, None, :, None]
    step = rows_at_once(images, np.float32)
    for start in range(0, len(images), step):
        part = images[start : start + step].astype(np.float32)
        sums = np.add.reduceat(np.add.reduceat(part, rows, axis=1), columns, axis=2)
        found[start : start + step] = sums / (heights * widths)
    return found


def _edges(side: int) -> list[int]:
    n = min(side, THUMBNAIL)
    return [side * index // n for index in range(n)]


def _hashes(thumbnails: Floats) -> npt.NDArray[np.uint64]:
    """Return 64 bits: whether brightness rises along each row of a grid of 8 by 8 steps."""
    gray = thumbnails.mean(axis=3).reshape(len(thumbnails), 8, 2, THUMBNAIL).mean(axis=2)
    steps = gray[:, :, np.linspace(0, THUMBNAIL - 1, 9).astype(int)]
    bits = (np.diff(steps, axis=2) > 0).reshape(len(gray), 64)
    packed: npt.NDArray[np.uint64] = np.packbits(bits, axis=1).view(np.uint64)[:, 0]
    return packed


def _normalized(thumbnails: Floats) -> Floats:
    """Return rows whose product is the correlation of two thumbnails."""
    flat = thumbnails.reshape(len(thumbnails), int(np.prod(thumbnails.shape[1:])))
    flat = flat - flat.mean(axis=1, keepdims=True)
    found: Floats = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return found
