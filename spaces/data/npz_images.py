"""Images of an ``.npz``: their layout, their values, and whether the splits agree."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.data.dataset_checks import all_finite
from spaces.errors import DataError

Array = npt.NDArray[Any]

_DIM = 64
"""Highest value of integers that is told: divided by 255, they are all nearly black."""

_FAR = 50
"""Times by which values of one split may be larger than those of another: the same pictures in
0 to 1 and in 0 to 255 differ 255 times."""


def laid_out(images: Array, key: str, path: Path, n_labels: int) -> Array:
    """Return images as ``[n, height, width, channels]``.

    Raises:
        DataError: If they are something else.
    """
    rule = f"{path}: {key}"
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4:
        raise DataError(
            f"{rule} must be [n, height, width] or [n, height, width, channels], but its shape "
            f"is {images.shape}."
        )
    if 0 in images.shape:
        raise DataError(f"{rule} must hold images, but its shape is {images.shape}.")
    n, first, second, last = images.shape
    if n != n_labels and last == n_labels:
        raise DataError(
            f"{rule} must have images along its first axis, but its shape is {images.shape} for "
            f"{n_labels} labels. Turn it with numpy.moveaxis(x, -1, 0)."
        )
    few_first = first <= 4 and second > 4
    if last > 4 and (few_first or (second == last and first < second)):
        raise DataError(
            f"{rule} must have channels last, but its shape is {images.shape}. Turn it with "
            "numpy.moveaxis(x, 1, -1)."
        )
    return images


def as_pixels(images: Mapping[str, Array], path: Path, notes: list[str]) -> dict[str, Array]:
    """Return the images of all splits as uint8 or float32, and say what was made of them.

    Raises:
        DataError: If they cannot be used, or the splits contradict each other.
    """
    pixels = {split: _typed(array, f"x_{split}", path) for split, array in images.items()}
    kinds = {f"{array.dtype} {array.shape[1:]}" for array in pixels.values()}
    if len(kinds) > 1:
        raise DataError(
            f"{path}: images of all splits must be of one type and size, but got "
            f"{' and '.join(sorted(kinds))}."
        )
    ranges = {split: (float(one.min()), float(one.max())) for split, one in pixels.items()}
    _check_ranges(pixels, ranges, path)
    low, high = ranges["train"]
    if low == high:
        raise DataError(
            f"{path}: x_train must hold pictures, but all its numbers are {low:g}. Save it again."
        )
    highest = max(high for _, high in ranges.values())
    given = images["train"].dtype
    if given.kind == "b":
        notes.append("Pixels are true and false: networks see them as 1 and 0.")
    elif pixels["train"].dtype == np.uint8 and highest == 1:
        pixels = {split: array * np.uint8(255) for split, array in pixels.items()}
        notes.append("Pixels are 0 and 1: they were taken as 0 and 255.")
    elif pixels["train"].dtype == np.uint8 and highest < _DIM:
        notes.append(
            f"Pixels are integers up to {highest:g}, which networks see divided by 255, nearly "
            f"black; save them as 0 to 255, or as float32 from 0 to 1."
        )
    elif given != pixels["train"].dtype:
        notes.append(f"Pixels of type {given} were taken as {pixels['train'].dtype}.")
    if pixels["train"].dtype == np.float32 and (largest := max(map(abs, ranges["train"]))) > 16:
        notes.append(
            f"Images are floats up to {largest:g}, and networks see them as they are; save them "
            "as uint8 to have them divided by 255."
        )
    return pixels


def _typed(images: Array, key: str, path: Path) -> Array:
    rule = f"{path}: {key}"
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind in "fb":
        with np.errstate(over="ignore"):  # Too large for float32: infinite, and refused.
            images = images.astype(np.float32)
        if not all_finite(images):
            raise DataError(f"{rule} must be finite numbers, but some are NaN or infinite.")
        return images
    if images.dtype.kind in "iu":
        low, high = int(images.min()), int(images.max())
        if 0 <= low and high <= 255:
            return images.astype(np.uint8)
        raise DataError(
            f"{rule} holds integers, which must be within 0 to 255, but they are {low} to {high}."
            " Scale them, or save them as float32."
        )
    raise DataError(
        f"{rule} must be numbers, but its type is {images.dtype}. Save it as uint8 or float32."
    )


def _check_ranges(
    pixels: Mapping[str, Array], ranges: Mapping[str, tuple[float, float]], path: Path
) -> None:
    """Refuse splits that were scaled differently: a network would see two kinds of pictures."""
    for a, b in combinations(pixels, 2):
        large, small = sorted((a, b), key=lambda split: -max(map(abs, ranges[split])))
        (low, high), (other_low, other_high) = ranges[large], ranges[small]
        top, other_top = max(map(abs, ranges[large])), max(map(abs, ranges[small]))
        means = [float(np.mean(np.abs(pixels[s]), dtype=np.float64)) for s in (large, small)]
        is_far = 0 < other_top * _FAR <= top and 0 < means[1] * _FAR <= means[0]
        is_binary = pixels[large].dtype == np.uint8 and other_top == 1 < top
        signs = sorted((low / top if top else 0.0, other_low / other_top if other_top else 0.0))
        # Scaled to -1 to 1, pictures reach far below 0; scaled to 0 to 1, they never do.
        is_shifted = signs[0] < -0.5 and signs[1] >= 0
        if is_far or is_binary or is_shifted:
            raise DataError(
                f"{path}: images of all splits must be scaled alike, but x_{large} is {low:g} to "
                f"{high:g} and x_{small} {other_low:g} to {other_high:g}. Scale both alike."
            )


def check_splits_differ(
    images: Mapping[str, Array], labels: Mapping[str, Array], path: Path
) -> tuple[str, ...]:
    """Return what is to be said of images that stand in two splits.

    Raises:
        DataError: If two splits are the same images.
    """
    leaks = []
    hashes = {split: [_hash(image) for image in array] for split, array in images.items()}
    for first, second in combinations([s for s in ("train", "val", "test") if s in images], 2):
        known = set(hashes[first])
        n_twice = sum(one in known for one in hashes[second])
        if n_twice == len(hashes[second]) and len(set(hashes[second])) == len(known):
            way = "Leave x_val out to have it drawn from x_train" if second == "val" else "Give"
            rest = "." if second == "val" else " images of their own, or leave them out."
            raise DataError(
                f"{path}: x_{second} must hold other images than x_{first}, but all "
                f"{len(hashes[second])} are the same. {way}{rest}"
            )
        if n_twice:
            leaks.append(
                f"Found in x_{first} too: {n_twice:,} of {len(hashes[second]):,} images of "
                f"x_{second}. Accuracies are too good by them: leave them out of x_{first}."
            )
    leaks += _contradictions(hashes, labels)
    return tuple(leaks)


def _contradictions(hashes: Mapping[str, list[bytes]], labels: Mapping[str, Array]) -> list[str]:
    seen: dict[bytes, int] = {}
    twofold = set()
    for split, of_split in hashes.items():
        for one, label in zip(of_split, labels[split].tolist(), strict=True):
            if seen.setdefault(one, label) != label:
                twofold.add(one)
    if not twofold:
        return []
    return [
        f"Of two classes at once, with the same pixels: {len(twofold):,} "
        f"{'image' if len(twofold) == 1 else 'images'}. Only one label can be right."
    ]


def _hash(image: Array) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
