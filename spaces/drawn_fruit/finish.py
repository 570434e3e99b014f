"""What a camera makes of a scene: exposure, colour cast, blur, noise, JPEG.

Takes the lit picture at twice its final side and gives the 8-bit picture.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from spaces.drawn_fruit.noise import Array


def _halve(picture: Array) -> Array:
    """Average ``[3, 2n, 2n]`` over 2x2 pixels."""
    rows = picture[:, 0::2] + picture[:, 1::2]
    halved: Array = (rows[:, :, 0::2] + rows[:, :, 1::2]) * 0.25
    return halved


def _blur(picture: Array, strength: float) -> Array:
    """A small blur: ``strength`` 1 averages each pixel with its neighbours as 1-2-1."""
    side = strength * 0.25
    padded = np.pad(picture, ((0, 0), (1, 1), (0, 0)), mode="edge")
    picture = picture * (1 - 2 * side) + (padded[:, 2:] + padded[:, :-2]) * side
    padded = np.pad(picture, ((0, 0), (0, 0), (1, 1)), mode="edge")
    blurred: Array = picture * (1 - 2 * side) + (padded[:, :, 2:] + padded[:, :, :-2]) * side
    return blurred


@functools.cache
def _cosines() -> Array:
    """The 8-point cosine transform that JPEG uses."""
    k, i = np.mgrid[0:8, 0:8]
    transform: Array = np.cos((2 * i + 1) * k * math.pi / 16) * 0.5
    transform[0] *= math.sqrt(0.5)
    return transform.astype(np.float32)


def _jpeg(picture: Array, step: float) -> Array:
    """The loss that JPEG causes: coarse colour and rounded 8x8 cosine coefficients.

    Args:
        picture: ``[3, n, n]`` in 0..1, where n is a multiple of 8.
        step: Coarseness of the rounding, 0.01 (fine) to 0.1 (bad).
    """
    red, green, blue = picture
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    n = luma.shape[0]
    chroma = np.stack([blue - luma, red - luma])
    chroma = np.repeat(np.repeat(_halve(chroma), 2, axis=1), 2, axis=2)
    blocks = luma.reshape(n // 8, 8, n // 8, 8).transpose(0, 2, 1, 3)
    transform = _cosines()
    waves = np.matmul(np.matmul(transform, blocks), transform.T)
    index = np.arange(8, dtype=np.float32)
    steps = step * (1 + 0.55 * (index[:, None] + index))
    waves = np.round(waves / steps) * steps
    blocks = np.matmul(np.matmul(transform.T, waves), transform)
    luma = blocks.transpose(0, 2, 1, 3).reshape(n, n)
    blue, red = chroma[0] + luma, chroma[1] + luma
    return np.stack([red, (luma - 0.299 * red - 0.114 * blue) * (1 / 0.587), blue])


def develop(rng: np.random.Generator, light: Array, size: int) -> Array:
    """Photograph linear ``light`` (``[3, (2 * size)**2]``): ``[size, size, 3]`` uint8."""
    picture = _halve(light.reshape(3, 2 * size, 2 * size))
    # Auto exposure, which misses now and then, and a white balance that does too.
    level = float(np.mean(picture, dtype=np.float64))
    wanted = 0.31 * 2 ** min(1.0, max(-1.5, rng.normal(0, 0.45)))
    warmth, tint = rng.normal(0, 0.05), rng.normal(0, 0.02)
    gains = np.array([[[1 + warmth]], [[1 + tint]], [[1 - warmth]]]) * (wanted / (level + 1e-3))
    picture = picture * gains.astype(np.float32)
    if rng.uniform() < 0.5:
        line = np.linspace(-1, 1, size, dtype=np.float32)
        from_middle = np.square(line + rng.uniform(-0.3, 0.3))
        fall = from_middle[:, None] + np.square(line + rng.uniform(-0.3, 0.3))
        picture = picture / np.square(1 + rng.uniform(0, 0.2) * fall)
    picture = _blur(picture, rng.uniform(0, 0.7))
    if rng.uniform() < 0.08:  # out of focus
        for _ in range(int(rng.integers(1, 3))):
            picture = _blur(picture, 1.0)
    noise: Array = rng.standard_normal(picture.shape, dtype=np.float32)
    if rng.uniform() < 0.5:
        noise = _blur(noise, 0.8) * 1.6
    amount = 0.004 + 0.03 * rng.uniform() ** 2
    picture = picture + noise * amount * np.sqrt(np.maximum(picture, 0) + 0.02)
    # A film's shoulder: what is bright fades into white and does not clip.
    picture = np.maximum(picture, 0)
    picture = picture * (1.1 + picture * 0.4) / (1 + picture * 0.8)
    screen = np.sqrt(np.minimum(picture, 1))
    contrast = rng.normal(0, 0.15)
    screen = screen + contrast * (screen - 0.5) * screen * (1 - screen) * 4
    grey = screen.mean(axis=0, dtype=np.float32)
    screen = grey + (screen - grey) * min(1.35, max(0.55, rng.normal(1.0, 0.14)))
    if rng.uniform() < 0.6 and size % 8 == 0:
        screen = _jpeg(screen, 0.01 + 0.05 * rng.uniform() ** 2)
    levels = np.clip(screen * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))
