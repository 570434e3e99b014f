"""Colour and fine relief of what the generated fruit pictures show.

A skin takes the visible surface of a body and says, for each of its pixels, the colour of the
material (linear light, not yet lit), the direction it faces once pores and bumps are in, and
how it shines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spaces.drawn_fruit.noise import (
    Array,
    lookup_volume,
    random_shift,
    smoothstep,
    volume,
    volume_cells,
    volume_gradient,
)
from spaces.drawn_fruit.shapes import Surface
from spaces.drawn_fruit.view import rotate

_CLOUDS = (6.0, 60.0)
_PORES = (4.0, 8.0)
_LUMPS = (14.0, 30.0)


@dataclass
class Skin:
    """How a surface looks before light falls on it.

    Attributes:
        albedo: Linear colour, ``[3, n]``.
        normal: Directions with fine relief, ``[3, n]``.
        shine: Strength of the highlight, a number or ``[n]``.
        gloss: Exponent of the highlight: high is small and sharp.
        soft: How far light seeps around the edge of the shadow side, 0 to 0.4.
    """

    albedo: Array
    normal: Array
    shine: float | Array
    gloss: float
    soft: float = 0.1


def color(red: float, green: float, blue: float) -> Array:
    """Linear light of a colour given as on a screen, 0 to 255, shaped ``[3, 1]``."""
    screen = np.array([[red], [green], [blue]]) / 255
    return np.square(screen).astype(np.float32)


def mix(first: Array, second: Array, share: float | Array) -> Array:
    """``first`` where ``share`` is 0, ``second`` where it is 1."""
    mixed: Array = first + (second - first) * share
    return mixed


def _bumped(
    surface: Surface,
    frame: Array,
    band: tuple[float, float],
    cells: Array,
    strength: float | Array,
) -> Array:
    """The normals of ``surface`` with the relief of a noise band, not yet of length one."""
    slopes = np.stack([np.take(axis, cells) for axis in volume_gradient(*band)])
    slopes = rotate(frame.T, slopes)
    normal = surface.normal
    slopes -= np.sum(slopes * normal, axis=0) * normal
    bumped: Array = normal - slopes * strength
    return bumped


def _unit(normal: Array) -> Array:
    scaled: Array = normal / np.sqrt(np.sum(normal * normal, axis=0))
    return scaled


def _cosine(surface: Surface) -> Array:
    """Cosine of the angle from the stalk, 1 at the stalk."""
    local = surface.local
    cosine: Array = local[2] / np.sqrt(np.sum(local * local, axis=0))
    return cosine


APPLE_KINDS = ("red", "striped", "blush", "green", "yellow", "orange")


def apple_skin(rng: np.random.Generator, surface: Surface, frame: Array) -> Skin:
    """Smooth, waxy, of one colour or with a blush and streaks, pale dots, russet at the stalk."""
    kind = str(rng.choice(APPLE_KINDS, p=[0.22, 0.17, 0.17, 0.18, 0.16, 0.1]))
    local, cosine = surface.local, _cosine(surface)
    cells = volume_cells(local, 30, random_shift(rng))
    clouds = lookup_volume(volume(*_CLOUDS), cells)
    red = mix(color(150, 18, 28), color(205, 48, 40), rng.uniform())
    yellow = mix(color(222, 190, 80), color(228, 205, 120), rng.uniform())
    green = mix(color(120, 160, 50), color(175, 195, 85), rng.uniform())
    ground = {"red": red, "green": green, "yellow": yellow}.get(
        kind, mix(green, yellow, rng.uniform(0.1, 1.0))
    )
    if kind == "orange":  # a Braeburn or Fuji in warm tones: close to citrus in colour
        ground = mix(color(225, 130, 50), color(215, 90, 45), rng.uniform())
    albedo = ground * (1 + 0.07 * clouds)
    if kind in ("striped", "blush", "orange"):
        angle = rng.uniform(0, 2 * math.pi)
        side = local[0] * math.cos(angle) + local[1] * math.sin(angle) + 0.35 * cosine
        blush = smoothstep(-0.7, 0.7, side + 0.25 * clouds + rng.uniform(-0.35, 0.45))
        if kind == "striped":
            around = np.arctan2(local[1], local[0])
            streaks = np.stack([around * 9.0, cosine * 0.5, cosine * 0.3])
            streak = lookup_volume(volume(*_CLOUDS), volume_cells(streaks, 22, random_shift(rng)))
            blush = blush * smoothstep(-1.7, 1.1, streak + 0.4 * clouds + 0.9 * blush)
        albedo = mix(albedo, red * (1 + 0.08 * clouds), blush * rng.uniform(0.75, 1.0))
    if kind in ("red", "green", "yellow") and rng.uniform() < 0.6:
        other = yellow if kind == "red" else mix(red, yellow, rng.uniform(0.2, 0.7))
        amount = smoothstep(0.2, 1.6, clouds - 0.8 * cosine + rng.uniform(-0.5, 0.5))
        albedo = mix(albedo, other, amount * rng.uniform(0.2, 0.6))
    pores = lookup_volume(volume(*_PORES), volume_cells(local, 75, random_shift(rng)))
    albedo = mix(albedo, yellow * 1.1, smoothstep(1.9, 2.6, pores) * rng.uniform(0.0, 0.45))
    russet = smoothstep(0.9, 0.99, cosine + 0.02 * clouds)
    albedo = mix(albedo, color(130, 105, 50), russet * rng.uniform(0.2, 0.8))
    bottom = smoothstep(0.98, 0.995, -cosine)
    albedo = mix(albedo, color(70, 52, 30), bottom * 0.8)
    # Light hardly reaches the bottom of the dimples.
    albedo = albedo * (1 - 0.4 * smoothstep(0.93, 1.0, np.abs(cosine)))
    normal = _bumped(surface, frame, _LUMPS, cells, 0.03)
    shine = rng.uniform(0.15, 0.75)
    return Skin(albedo, _unit(normal), shine, rng.uniform(25, 140), 0.08)


def citrus_skin(
    rng: np.random.Generator,
    surface: Surface,
    frame: Array,
    hue: float,
    pore_scale: float,
    pore_depth: float,
    lumps: float,
    stalk_width: float,
    navel: float,
) -> Skin:
    """The peel of an orange or a mandarin.

    Args:
        rng: Source of all randomness.
        surface: The visible side of the fruit.
        frame: Its own frame in camera space.
        hue: 0 (deep reddish orange) to 1 (yellow orange).
        pore_scale: Pores per radius times about four; high is fine.
        pore_depth: Strength of the pores' relief.
        lumps: Strength of the coarse relief of a loose skin.
        stalk_width: Half-width in radians of the star where the stalk was; 0 for none.
        navel: Half-width in radians of the navel at the other end; 0 for none.
    """
    local, cosine = surface.local, _cosine(surface)
    cells = volume_cells(local, 30, random_shift(rng))
    clouds = lookup_volume(volume(*_CLOUDS), cells)
    deep, middle, light = color(226, 84, 8), color(240, 130, 12), color(247, 172, 40)
    base = mix(deep, middle, 2 * hue) if hue < 0.5 else mix(middle, light, 2 * hue - 1)
    albedo = base * (1 + 0.06 * clouds)
    if rng.uniform() < 0.3:  # not quite ripe, mostly at the stalk
        unripe = smoothstep(0.6, 2.4, clouds + 0.9 * cosine + rng.uniform(-0.4, 0.5))
        albedo = mix(albedo, color(150, 150, 30), unripe * rng.uniform(0.2, 0.8))
    pore_cells = volume_cells(local, pore_scale, random_shift(rng))
    pores = lookup_volume(volume(*_PORES), pore_cells)
    albedo = albedo * (1 - 1.2 * pore_depth * smoothstep(0.4, 2.0, pores))
    if rng.uniform() < 0.2:  # scars
        scar = lookup_volume(volume(*_CLOUDS), volume_cells(local, 50, random_shift(rng)))
        albedo = mix(albedo, color(175, 125, 70), smoothstep(1.5, 2.2, scar) * 0.6)
    if navel:
        place = np.arccos(np.clip(-cosine, -1, 1)) * (1 / navel) + 0.15 * clouds
        ring = smoothstep(0.5, 0.9, place) * (1 - smoothstep(1.0, 1.4, place))
        albedo = albedo * (1 - 0.65 * ring)
    if stalk_width:
        around = np.arctan2(local[1], local[0])
        place = np.arccos(np.clip(cosine, -1, 1)) * (1 / stalk_width)
        star = place * (1 + 0.28 * np.cos(5 * around))
        green = mix(color(70, 95, 35), color(120, 105, 60), rng.uniform())
        albedo = albedo * (1 - 0.35 * (1 - smoothstep(1.0, 2.2, place)))
        albedo = mix(albedo, green, 1 - smoothstep(0.85, 1.1, star))
        albedo = mix(albedo, color(175, 165, 110), (1 - smoothstep(0.3, 0.42, place)) * 0.8)
    normal = _bumped(surface, frame, _PORES, pore_cells, pore_depth)
    if lumps:
        slopes = np.stack([np.take(axis, cells) for axis in volume_gradient(*_LUMPS)])
        normal -= lumps * rotate(frame.T, slopes)
    shine = rng.uniform(0.08, 0.5)
    return Skin(albedo, _unit(normal), shine, rng.uniform(12, 50), 0.18)


def banana_skin(rng: np.random.Generator, surface: Surface, frame: Array, ripeness: float) -> Skin:
    """Green to yellow to spotted brown, with dark ends and ridges.

    Args:
        rng: Source of all randomness.
        surface: The visible side of the fruit.
        frame: Its own frame in camera space.
        ripeness: 0 (green) over 0.4 (yellow) to 1 (brown).
    """
    local, along, around = surface.local, surface.along, surface.around
    cells = volume_cells(local, 34, random_shift(rng))
    clouds = lookup_volume(volume(*_CLOUDS), cells)
    green, yellow = color(120, 150, 45), color(238, 200, 55)
    golden, brown = color(228, 172, 40), color(95, 58, 25)
    if ripeness < 0.4:
        base = mix(green, yellow, min(1.0, ripeness / 0.33))
    else:
        base = mix(yellow, golden, (ripeness - 0.4) / 0.6)
    albedo = base * (1 + 0.05 * clouds)
    toward_ends = smoothstep(0.45, 1.0, np.abs(along))
    albedo = mix(albedo, green, toward_ends * max(0.0, 0.75 - 1.3 * ripeness))
    if ripeness > 0.45:
        amount = (ripeness - 0.45) / 0.55
        stretched = local * np.array([[0.55], [1.0], [1.0]], dtype=np.float32)
        speckle = lookup_volume(
            volume(*_PORES), volume_cells(stretched, rng.uniform(34, 80), random_shift(rng))
        )
        level = 2.1 - 1.3 * amount
        albedo = mix(albedo, brown, smoothstep(level, level + 0.5, speckle) * 0.85)
        bruise = smoothstep(2.4 - 1.7 * amount, 3.2 - 1.6 * amount, clouds)
        albedo = mix(albedo, brown * 0.8, bruise * 0.8)
    ridge = smoothstep(0.9, 1.0, np.cos(5 * around))
    albedo = mix(albedo, brown, ridge * (0.1 + 0.35 * max(0.0, ripeness - 0.3)))
    scratch = smoothstep(1.9, 2.6, clouds) * 0.5
    albedo = mix(albedo, color(140, 100, 50), scratch)
    stalk = 1 - smoothstep(-0.93, -0.8, along + 0.02 * clouds)
    stalk_color = mix(color(135, 140, 60), color(110, 80, 40), ripeness)
    albedo = mix(albedo, stalk_color, stalk * 0.8)
    cut = 1 - smoothstep(-0.985, -0.96, along)
    albedo = mix(albedo, color(70, 55, 38), cut * 0.8)
    tip = smoothstep(0.93, 0.98, along + 0.012 * clouds)
    albedo = mix(albedo, color(45, 34, 24), tip * 0.9)
    normal = _bumped(surface, frame, _LUMPS, cells, 0.05)
    return Skin(albedo, _unit(normal), rng.uniform(0.05, 0.3), rng.uniform(10, 35), 0.15)


def plain_skin(
    rng: np.random.Generator, surface: Surface, base: Array, shine: float, gloss: float
) -> Skin:
    """One colour with faint mottling, for stalks, boxes, balls and paper."""
    cells = volume_cells(surface.local, 25, random_shift(rng))
    clouds = lookup_volume(volume(*_CLOUDS), cells)
    return Skin(base * (1 + 0.06 * clouds), surface.normal, shine, gloss)


def leaf_skin(rng: np.random.Generator, surface: Surface) -> Skin:
    """Green with a pale midrib and side veins, facing a little outward from the midrib."""
    u, v = surface.local[0], surface.local[1]
    base = mix(color(38, 82, 28), color(105, 140, 52), rng.uniform())
    if rng.uniform() < 0.15:
        base = mix(color(150, 120, 50), color(120, 75, 35), rng.uniform())
    across = np.abs(v)
    veins = np.cos((u * 1.2 - across) * 24)
    albedo = base * (1 + 0.10 * veins * smoothstep(0.05, 0.2, across))
    albedo = mix(albedo, base * 1.7, 1 - smoothstep(0.02, 0.07, across))
    normal = surface.normal + np.array([[0.0], [0.35], [0.0]], dtype=np.float32) * np.sign(v)
    return Skin(albedo, _unit(normal), rng.uniform(0.05, 0.35), 20.0, 0.2)
