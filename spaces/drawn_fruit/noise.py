"""Random fields that the generated fruit pictures take their textures from.

Every field is made once in a process from a fixed seed and then only looked up, which costs
a hundredth of making it. Fields wrap around, so any coordinate is valid. Volumes are looked
up at points of a fruit's surface, which leaves no seam and no pole, planes at points of a
table or a wall.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""A float32 array unless said otherwise. Vectors are rows: ``[3, n]``."""

VOLUME_SIZE = 64
PLANE_SIZE = 512


def _filtered_noise(shape: tuple[int, ...], seed: int, low: float, high: float) -> Array:
    """Noise of unit variance with wavelengths between ``low`` and ``high`` cells.

    The power falls off as 1/f inside the band and fast outside of it.
    """
    white = np.random.default_rng(seed).standard_normal(shape)
    axes = np.meshgrid(*[np.fft.fftfreq(n) for n in shape], indexing="ij")
    frequency = np.sqrt(sum(axis**2 for axis in axes))
    frequency.flat[0] = 1.0
    power = frequency ** (-len(shape) / 2 - 0.2)
    power *= np.exp(-((frequency * low) ** 4)) * (1 - np.exp(-((frequency * high) ** 4)))
    power.flat[0] = 0.0
    field = np.fft.ifftn(np.fft.fftn(white) * power).real
    return np.ascontiguousarray(field / field.std(), dtype=np.float32)


@functools.cache
def volume(low: float, high: float) -> Array:
    """A volume of noise, flat, for :func:`lookup_volume`."""
    return _filtered_noise((VOLUME_SIZE,) * 3, int(1000 * low + high), low, high).reshape(-1)


@functools.cache
def volume_gradient(low: float, high: float) -> tuple[Array, Array, Array]:
    """The slopes along each axis of ``volume(low, high)``, scaled to unit variance."""
    field = volume(low, high).reshape((VOLUME_SIZE,) * 3)
    slopes = [(np.roll(field, -1, axis) - np.roll(field, 1, axis)) for axis in range(3)]
    scale = np.float32(1 / np.std(slopes[0]))
    return (
        (slopes[0] * scale).reshape(-1),
        (slopes[1] * scale).reshape(-1),
        (slopes[2] * scale).reshape(-1),
    )


@functools.cache
def plane(low: float, high: float) -> Array:
    """A plane of noise, flat, for :func:`lookup_plane`."""
    return _filtered_noise((PLANE_SIZE,) * 2, int(500 * low + high), low, high).reshape(-1)


def volume_cells(points: Array, cells_per_unit: float, shift: tuple[float, ...]) -> Array:
    """Indices into a flat volume of the cells that hold ``points`` (``[3, n]``)."""
    mask = VOLUME_SIZE - 1
    x, y, z = (
        (points[axis] * cells_per_unit + (shift[axis] + 4 * VOLUME_SIZE)).astype(np.int32) & mask
        for axis in range(3)
    )
    cells: Array = (x * VOLUME_SIZE + y) * VOLUME_SIZE + z
    return cells


def lookup_volume(field: Array, cells: Array) -> Array:
    """Values of a flat volume at the indices given by :func:`volume_cells`."""
    return np.take(field, cells)


def lookup_plane(field: Array, u: Array, v: Array, cells_per_unit: float = 1.0) -> Array:
    """Values of a flat plane at coordinates ``u, v``, interpolated between cells."""
    mask = PLANE_SIZE - 1
    far = 64 * PLANE_SIZE  # keeps the sum positive, where truncation is the same as floor
    u, v = u * cells_per_unit + far, v * cells_per_unit + far
    column, row = u.astype(np.int32), v.astype(np.int32)
    across, down = u - column, v - row
    across, down = across.astype(np.float32), down.astype(np.float32)
    column, row = column & mask, (row & mask) * PLANE_SIZE
    right, below = (column + 1) & mask, (row + PLANE_SIZE) & (PLANE_SIZE * PLANE_SIZE - 1)
    top = np.take(field, row + column)
    top += across * (np.take(field, row + right) - top)
    bottom = np.take(field, below + column)
    bottom += across * (np.take(field, below + right) - bottom)
    top += down * (bottom - top)
    return top


def smoothstep(low: float | Array, high: float | Array, values: Array) -> Array:
    """0 below ``low``, 1 above ``high``, a smooth rise between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    smooth: Array = t * t * (3.0 - 2.0 * t)
    return smooth


def random_shift(rng: np.random.Generator) -> tuple[float, float, float]:
    """A random place in a volume, so that no two fruits share their spots."""
    x, y, z = rng.uniform(0, VOLUME_SIZE, 3).tolist()
    return x, y, z
