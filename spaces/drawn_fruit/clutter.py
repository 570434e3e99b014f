"""Things in the generated pictures that are none of the four fruit.

They lie beside the fruit, under it or in front of it: plates, leaves, boxes, papers, balls.
Many take fruit colours, so that a patch of colour alone proves nothing.
"""

from __future__ import annotations

import math

import numpy as np

from spaces.drawn_fruit.backgrounds import TABLE_WEIGHTS, TABLES, pick
from spaces.drawn_fruit.lighting import THING, Ball, Canvas
from spaces.drawn_fruit.noise import Array, smoothstep
from spaces.drawn_fruit.shapes import RoundProfile, Surface, patch_surface, round_surface
from spaces.drawn_fruit.skins import Skin, color, leaf_skin, mix, plain_skin
from spaces.drawn_fruit.view import View, frame_about, rotate, unit

_COLORS = (
    (235, 235, 230), (60, 60, 66), (40, 80, 150), (120, 45, 120), (120, 190, 200), (190, 160, 120),
    (232, 200, 60), (238, 185, 45), (235, 140, 30), (222, 95, 20), (175, 40, 40), (120, 155, 60),
)  # fmt: skip


def thing_color(rng: np.random.Generator) -> Array:
    """The colour of some household thing."""
    red, green, blue = _COLORS[int(rng.integers(len(_COLORS)))]
    return color(red, green, blue) * rng.uniform(0.7, 1.15)


def everywhere(u: Array, v: Array) -> Array:
    """Covers the whole of a patch."""
    return np.ones(u.shape, dtype=bool)


def leaf_outline(u: Array, v: Array) -> Array:
    """Covers a pointed leaf along ``u``."""
    outline: Array = np.abs(v) < (1 - u * u) * (1.0 - 0.25 * u)
    return outline


def leaf(
    rng: np.random.Generator, view: View, base: Array, direction: Array, length: float
) -> tuple[Surface, Skin]:
    """A leaf that grows from ``base`` along ``direction``."""
    direction = unit(direction)
    sideways = unit(np.cross(direction, view.up + rng.normal(0, 0.35, 3)))
    half = direction * (length / 2)
    width = sideways * (length * rng.uniform(0.17, 0.28))
    surface = patch_surface(view, base + half, half, width, leaf_outline)
    return surface, leaf_skin(rng, surface)


def _on_table(view: View, x: float, y: float, angle: float) -> tuple[Array, Array, Array]:
    """A point of the table seen at ``x, y`` and two directions in it."""
    first = view.across * math.cos(angle) + view.away * math.sin(angle)
    second = view.away * math.cos(angle) - view.across * math.sin(angle)
    return view.over_table(x, y, 0.0), first.astype(np.float32), second.astype(np.float32)


def put_plate(rng: np.random.Generator, canvas: Canvas, x: float, y: float, size: float) -> None:
    """A plate, a board or a mat under whatever stands at ``x, y``; it changes the table only."""
    view = canvas.view
    center = view.over_table(x, y, 0.0)
    across, away = view.table_coordinates(view.x, view.y)
    du, dv = across - float(center @ view.across), away - float(center @ view.away)
    if rng.uniform() < 0.7:
        base = thing_color(rng) if rng.uniform() < 0.5 else color(238, 237, 232)
        place = np.sqrt(du * du + dv * dv) * (1 / size)
        cover = base * (1 + 0.12 * np.sin(np.clip((place - 0.7) * 20, 0, 2 * math.pi)))
    else:
        turn = rng.uniform(0, math.pi)
        u = (du * math.cos(turn) + dv * math.sin(turn)) * (1 / size)
        v = (dv * math.cos(turn) - du * math.sin(turn)) * (1 / (size * rng.uniform(0.6, 1)))
        place = np.maximum(np.abs(u), np.abs(v))
        cover = pick(rng, TABLES, TABLE_WEIGHTS)(rng, u, v)
    shadow = 1 - 0.5 * (1 - smoothstep(1.0, 1.1, place))
    albedo = mix(canvas.albedo * shadow, cover, 1 - smoothstep(0.98, 1.0, place))
    canvas.albedo = albedo.astype(np.float32)


def _put(
    rng: np.random.Generator, canvas: Canvas, surface: Surface, skin: Skin, most_hidden: float
) -> None:
    """Put a thing in unless it would hide more than a share of the fruit seen so far."""
    fruit = canvas.owner > 0
    hides = int(np.count_nonzero(fruit[surface.pixels[canvas.front(surface)]]))
    if hides <= most_hidden * int(np.count_nonzero(fruit)):
        canvas.put(surface, skin, THING)


def put_box(rng: np.random.Generator, canvas: Canvas, x: float, y: float, most: float) -> None:
    """A box on the table: three of its sides are seen."""
    view = canvas.view
    center, first, second = _on_table(view, x, y, rng.uniform(0, math.pi))
    a, b, c = (rng.uniform(0.1, 0.5) for _ in range(3))
    edges = [first * a, second * b, view.up * c]
    middle = center + edges[2]
    base = thing_color(rng)
    for axis in range(3):
        outward = edges[axis] if edges[axis][2] > 0 else -edges[axis]
        others = [edges[other] for other in range(3) if other != axis]
        surface = patch_surface(view, middle + outward, others[0], others[1], everywhere)
        _put(rng, canvas, surface, plain_skin(rng, surface, base, 0.0, 20), most)


def put_paper(rng: np.random.Generator, canvas: Canvas, x: float, y: float, most: float) -> None:
    """A card, a knife's blade or a napkin flat on the table."""
    view = canvas.view
    center, first, second = _on_table(view, x, y, rng.uniform(0, math.pi))
    surface = patch_surface(
        view,
        center + view.up * 0.01,
        first * rng.uniform(0.15, 0.8),
        second * rng.uniform(0.05, 0.4),
        everywhere,
    )
    albedo = pick(rng, TABLES, TABLE_WEIGHTS)(rng, surface.local[0], surface.local[1])
    skin = Skin(albedo.astype(np.float32), surface.normal, rng.uniform(0, 0.3), 20.0)
    _put(rng, canvas, surface, skin, most)


def put_leaf(rng: np.random.Generator, canvas: Canvas, x: float, y: float, most: float) -> None:
    """A fallen leaf, or one that hangs in front of everything."""
    view = canvas.view
    center, first, second = _on_table(view, x, y, rng.uniform(0, math.pi))
    length = rng.uniform(0.25, 0.8)
    if rng.uniform() < 0.5:
        center = center + view.up * rng.uniform(0.02, 0.08)
        direction = first + view.up * rng.uniform(0, 0.3)
    else:
        center = np.array([x, y, 2.0], dtype=np.float32)
        direction = unit(rng.normal(0, 1, 3) * np.array([1, 1, 0.3]))
    surface, skin = leaf(rng, view, center, direction, length)
    _put(rng, canvas, surface, skin, most)


def put_ball(
    rng: np.random.Generator, canvas: Canvas, x: float, y: float, most: float
) -> list[Ball]:
    """An egg, a ball or a plum; gives what shades others."""
    view = canvas.view
    radius = rng.uniform(0.15, 0.4)
    center = view.over_table(x, y, radius * 0.95)
    frame = frame_about(rng.normal(0, 1, 3), 0.0)
    profile = RoundProfile(flatness=rng.uniform(0.95, 1.35), taper=rng.uniform(-0.05, 0.05))
    surface = round_surface(view, center, radius, frame, profile)
    shades = [(235, 225, 210), (200, 150, 115), (70, 40, 80), (60, 90, 150), (40, 40, 44)]
    red, green, blue = shades[int(rng.integers(len(shades)))]
    skin = plain_skin(rng, surface, color(red, green, blue), rng.uniform(0, 0.5), 40.0)
    before = np.count_nonzero(canvas.owner == THING)
    _put(rng, canvas, surface, skin, most)
    placed = np.count_nonzero(canvas.owner == THING) > before
    return [Ball(center, radius, THING)] if placed else []


def put_bar(rng: np.random.Generator, canvas: Canvas, most: float) -> None:
    """The edge of a box, a shelf or a net's cord close before the lens."""
    view = canvas.view
    angle = rng.uniform(0, math.pi)
    along = np.array([math.cos(angle), math.sin(angle), 0], dtype=np.float32)
    beside = np.array([-math.sin(angle), math.cos(angle), 0], dtype=np.float32)
    middle = beside * rng.uniform(-0.9, 0.9)
    middle[2] = 2.5
    surface = patch_surface(view, middle, along * 3, beside * rng.uniform(0.03, 0.3), everywhere)
    skin = plain_skin(rng, surface, thing_color(rng), 0.0, 20.0)
    _put(rng, canvas, surface, skin, most)


def stalk_points(
    rng: np.random.Generator,
    center: Array,
    frame: Array,
    start: float,
    length: float,
    scale: float,
) -> Array:
    """Points of a slightly bent stalk along a fruit's axis, ``[3, n]`` in camera space."""
    t = np.linspace(0, 1, 12, dtype=np.float32)
    bend_x, bend_y = rng.normal(0, 0.25), rng.normal(0, 0.25)
    own = np.stack([bend_x * t * t * length, bend_y * t * t * length, start + t * length])
    points: Array = center[:, None] + rotate(frame.T, own.astype(np.float32)) * scale
    return points
