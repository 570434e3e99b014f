"""What fruit lie on and stand before in the generated pictures.

A background turns places on a plane (one unit is half the picture's width) into linear
colours. Any of them can be the table, some of them the wall behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from spaces.drawn_fruit.noise import Array, lookup_plane, plane, smoothstep
from spaces.drawn_fruit.skins import color, mix

_CLOUDS = (6.0, 400.0)
_GRAIN = (2.5, 12.0)
_BLOBS = (24.0, 60.0)

Background = Callable[[np.random.Generator, Array, Array], Array]
"""From randomness and coordinates ``u, v`` (``[n]`` each) to albedo ``[3, n]``."""


def _any_color(rng: np.random.Generator, dullness: float = 0.5) -> Array:
    """A colour of any hue; ``dullness`` 1 is grey."""
    tint = rng.uniform(20, 235, 3)
    value = float(tint.mean())
    red, green, blue = (tint + (value - tint) * dullness).tolist()
    return color(red, green, blue)


def _fruity_color(rng: np.random.Generator) -> Array:
    """A colour that fruit have too, so that a patch of colour proves nothing."""
    colors = [(225, 120, 25), (235, 195, 60), (190, 35, 35), (140, 165, 60), (215, 160, 90)]
    red, green, blue = colors[int(rng.integers(len(colors)))]
    return mix(color(red, green, blue), _any_color(rng), rng.uniform(0.0, 0.5))


def _cloth_color(rng: np.random.Generator) -> Array:
    return _fruity_color(rng) if rng.uniform() < 0.45 else _any_color(rng, rng.uniform(0.2, 0.9))


def plain(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Paper or a painted board: nearly one colour, white half of the time."""
    bright = rng.uniform(200, 252)
    base = color(bright, bright * rng.uniform(0.96, 1), bright * rng.uniform(0.9, 1))
    if rng.uniform() < 0.5:
        base = _cloth_color(rng)
    angle = rng.uniform(0, 2 * math.pi)
    slope = (u * math.cos(angle) + v * math.sin(angle)) * rng.uniform(0, 0.25)
    return base * (1 + np.clip(slope, -0.6, 0.6))


def wood(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Boards with grain along them, dark to pale."""
    pale = mix(color(196, 152, 104), color(226, 196, 150), rng.uniform())
    dark = mix(color(62, 38, 22), color(140, 92, 54), rng.uniform())
    board = rng.uniform(0.35, 1.1)
    place = v / board + rng.uniform()
    number = np.floor(place)
    jump = number * 37.7  # each board is cut from elsewhere
    wave = lookup_plane(plane(*_BLOBS), u * 26 + jump, v * 90)
    grain = lookup_plane(plane(*_GRAIN), u * 9 + jump, v * rng.uniform(90, 240))
    rings = np.sin(v * rng.uniform(10, 40) + wave * rng.uniform(0.5, 3) + jump)
    share = np.clip(0.45 + 0.22 * rings + 0.16 * grain + 0.1 * np.sin(jump * 3.1), 0, 1)
    albedo = mix(pale, dark, share * rng.uniform(0.4, 1.0))
    if rng.uniform() < 0.7:
        seam = np.minimum(place - number, number + 1 - place) * board
        albedo = albedo * (1 - 0.75 * (1 - smoothstep(0.0, 0.02, seam)))
    return albedo


def cloth(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Woven threads, plain, striped or checked, with folds."""
    first, second = _cloth_color(rng), _cloth_color(rng)
    if rng.uniform() < 0.4:
        second = color(235, 232, 225)
    pitch = rng.uniform(2.0, 9.0)
    style = rng.integers(3)
    stripes = smoothstep(-0.15, 0.15, np.sin(u * pitch))
    if style == 0:
        share = np.zeros_like(u)
    elif style == 1:
        share = stripes
    else:
        share = 0.5 * (stripes + smoothstep(-0.15, 0.15, np.sin(v * pitch)))
    threads = rng.uniform(60, 150)
    weave = np.sin(u * threads) * np.sin(v * threads)
    folds = lookup_plane(plane(*_BLOBS), u, v, rng.uniform(8, 22))
    bright = 1 + rng.uniform(0.05, 0.25) * weave + rng.uniform(0.05, 0.3) * folds
    return mix(first, second, share) * np.clip(bright, 0.2, 2.0)


def marble(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Polished stone with veins."""
    pale = mix(color(225, 222, 215), _any_color(rng, 0.7), rng.uniform(0, 0.5))
    dark = mix(color(95, 92, 92), _any_color(rng, 0.6), rng.uniform(0, 0.6))
    angle = rng.uniform(0, math.pi)
    along = u * math.cos(angle) + v * math.sin(angle)
    cloud = lookup_plane(plane(*_CLOUDS), u, v, rng.uniform(40, 110))
    vein = np.abs(np.sin(along * rng.uniform(1.5, 4) + cloud * rng.uniform(0.8, 2.0)))
    share = 1 - smoothstep(0.0, rng.uniform(0.25, 0.8), vein)
    return mix(pale, dark, share * rng.uniform(0.4, 1.0)) * (1 + 0.05 * cloud)


def speckled(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """A granite or terrazzo counter: grains of two or three colours."""
    base = _any_color(rng, rng.uniform(0.6, 1.0))
    grain = lookup_plane(plane(*_GRAIN), u, v, rng.uniform(40, 130))
    other = lookup_plane(plane(*_GRAIN), v + 1.7, u, rng.uniform(60, 160))
    albedo = mix(base, base * 0.25, smoothstep(0.8, 1.3, grain))
    albedo = mix(albedo, color(228, 225, 218), smoothstep(1.0, 1.5, other))
    return mix(albedo, _cloth_color(rng), smoothstep(0.9, 1.4, -grain) * rng.uniform(0, 0.8))


def tiles(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Square or oblong tiles with joints."""
    first = _any_color(rng, rng.uniform(0.3, 1.0))
    second = first if rng.uniform() < 0.6 else _cloth_color(rng)
    width, height = rng.uniform(0.3, 1.1), rng.uniform(0.3, 0.9)
    row = np.floor(v / height + 0.37)
    column = np.floor(u / width + 0.5 * row + 0.19)
    du, dv = u / width + 0.5 * row + 0.19 - column, v / height + 0.37 - row
    checks = (row + column) - 2 * np.floor((row + column) * 0.5)
    tone = 1 + 0.12 * np.sin(row * 12.9 + column * 78.2)
    edge = np.minimum(np.minimum(du, 1 - du) * width, np.minimum(dv, 1 - dv) * height)
    joint = 1 - smoothstep(0.012, 0.03, edge)
    cloud = lookup_plane(plane(*_CLOUDS), u, v, 60)
    albedo = mix(first, second, checks) * (tone + 0.05 * cloud)
    return mix(albedo, _any_color(rng, 0.9), joint)


def foliage(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Leaves or grass in several depths, blurred by its own scale."""
    scale = rng.uniform(25, 70)
    coarse = lookup_plane(plane(*_BLOBS), u, v, scale)
    fine = lookup_plane(plane(*_CLOUDS), u + 3.3, v * rng.uniform(0.4, 1), scale * 1.5)
    share = np.clip(0.5 + 0.28 * coarse + 0.2 * fine, 0, 1)
    dark, light = color(22, 42, 16), mix(color(110, 150, 50), color(170, 175, 90), rng.uniform())
    if rng.uniform() < 0.25:  # straw or fallen leaves
        dark, light = color(60, 40, 22), color(205, 165, 95)
    albedo = mix(dark, light, share)
    gaps = smoothstep(1.3, 2.2, coarse + 0.5 * fine)
    return mix(albedo, color(215, 225, 215), gaps * rng.uniform(0, 0.8))


def bokeh(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """A room or a market out of focus: large blurred spots of colour."""
    first, second, third = _any_color(rng, 0.4), _any_color(rng, 0.4), _fruity_color(rng)
    scale = rng.uniform(14, 40)
    one = lookup_plane(plane(*_BLOBS), u, v, scale)
    two = lookup_plane(plane(*_BLOBS), v + 2.1, u - 1.3, scale)
    albedo = mix(first, second, smoothstep(-0.8, 0.8, one))
    return mix(albedo, third, smoothstep(0.5, 1.3, two) * rng.uniform(0, 0.9))


def rough(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Concrete, slate, cardboard or crumpled paper: one colour with relief."""
    base = _any_color(rng, rng.uniform(0.5, 1.0))
    if rng.uniform() < 0.3:
        base = mix(color(170, 130, 85), color(205, 170, 125), rng.uniform())
    scale = rng.uniform(40, 160)
    cloud = lookup_plane(plane(*_CLOUDS), u, v, scale)
    shifted = lookup_plane(plane(*_CLOUDS), u + 0.02, v + 0.02, scale)
    relief = (cloud - shifted) * rng.uniform(0.3, 1.2) + cloud * rng.uniform(0.03, 0.2)
    return base * np.clip(1 + relief, 0.2, 2.0)


def basket(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Wicker: strips over and under each other."""
    base = mix(color(130, 90, 50), color(205, 165, 110), rng.uniform())
    pitch = rng.uniform(4, 10)
    row, column = np.floor(v * pitch), np.floor(u * pitch * 0.6)
    over = (row + column) - 2 * np.floor((row + column) * 0.5)
    dv, du = v * pitch - row, u * pitch * 0.6 - column
    rod = np.sin(dv * math.pi) * (0.55 + 0.45 * np.sin(du * math.pi)) * over
    rod = rod + np.sin(du * math.pi) * (0.5 + 0.5 * np.sin(dv * math.pi)) * (1 - over)
    grain = lookup_plane(plane(*_GRAIN), u, v, 90)
    albedo: Array = base * np.clip(0.2 + 0.9 * rod + 0.08 * grain, 0.05, 1.5)
    return albedo


TABLES: tuple[Background, ...] = (
    plain, wood, cloth, marble, speckled, tiles, foliage, rough, basket, bokeh,
)  # fmt: skip
TABLE_WEIGHTS = (0.18, 0.17, 0.16, 0.09, 0.09, 0.07, 0.07, 0.1, 0.05, 0.02)
WALLS: tuple[Background, ...] = (plain, bokeh, foliage, tiles, rough, wood)
WALL_WEIGHTS = (0.25, 0.3, 0.17, 0.12, 0.1, 0.06)


def pick(
    rng: np.random.Generator, backgrounds: tuple[Background, ...], weights: tuple[float, ...]
) -> Background:
    """One of ``backgrounds`` by its weight; the weights add up to 1."""
    return backgrounds[int(np.searchsorted(np.cumsum(weights), rng.uniform() * 0.999999))]
