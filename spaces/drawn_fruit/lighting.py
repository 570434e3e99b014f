"""Light in the generated fruit pictures: lamps, shadows, highlights.

A picture is first collected on a :class:`Canvas` (what is where, of which colour, facing where)
and then lit as a whole: a key light with soft shadows, light from all around that hardly gets
between things that touch, light that the table throws back, highlights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spaces.drawn_fruit.noise import Array, smoothstep
from spaces.drawn_fruit.shapes import Surface
from spaces.drawn_fruit.skins import Skin, color, mix
from spaces.drawn_fruit.view import View, unit

TABLE, WALL, THING, FRUIT = 0, -1, -2, 1
"""Owners of pixels: fruit are numbered from ``FRUIT`` up."""


class Canvas:
    """What is seen in each pixel, before light falls on it."""

    def __init__(self, view: View, table: Array) -> None:
        """Start with the bare table of albedo ``[3, n]``."""
        n = view.side * view.side
        self.view = view
        self.depth = view.table_depth(view.x, view.y)
        self.albedo = table
        self.normal = np.repeat(view.up[:, None], n, axis=1)
        self.shine = np.zeros(n, dtype=np.float32)
        self.gloss = np.full(n, 20, dtype=np.float32)
        self.soft = np.zeros(n, dtype=np.float32)
        self.owner = np.zeros(n, dtype=np.int16)

    def front(self, surface: Surface) -> Array:
        """Which pixels of ``surface`` would be seen if it were put in."""
        visible: Array = surface.depth > self.depth[surface.pixels]
        return visible

    def put(self, surface: Surface, skin: Skin, owner: int) -> None:
        """Put a body in; nearer things stay in front of it."""
        seen = np.flatnonzero(self.front(surface))
        pixels = surface.pixels[seen]
        self.depth[pixels] = surface.depth[seen]
        self.albedo[:, pixels] = skin.albedo[:, seen]
        self.normal[:, pixels] = skin.normal[:, seen]
        shine = skin.shine
        self.shine[pixels] = shine if isinstance(shine, float) else shine[seen]
        self.gloss[pixels] = skin.gloss
        self.soft[pixels] = skin.soft
        self.owner[pixels] = owner


@dataclass(frozen=True)
class Ball:
    """A ball that stands for a fruit, or a part of one, where it shades others."""

    center: Array
    radius: float
    owner: int


@dataclass(frozen=True)
class Light:
    """The light of one picture.

    Attributes:
        direction: Towards the key light, length one, in camera space.
        key: Colour and strength of the key light, ``[3, 1]``.
        sky: The same for light from above all around.
        blur: Width of a shadow's edge per unit of distance: 0.05 is hard, 0.8 an overcast day.
    """

    direction: Array
    key: Array
    sky: Array
    blur: float


def random_light(rng: np.random.Generator, view: View) -> Light:
    """Sun, lamp, window or overcast sky, from any side above the table."""
    azimuth = rng.uniform(0, 2 * math.pi)
    height = math.radians(rng.uniform(25, 80))
    direction = (
        view.across * (math.cos(azimuth) * math.cos(height))
        + view.away * (math.sin(azimuth) * math.cos(height))
        + view.up * math.sin(height)
    )
    warm, cold = color(255, 212, 168), color(218, 234, 255)
    key = mix(warm, cold, rng.uniform()) * (1 / 0.8)
    sky = mix(mix(warm, cold, rng.uniform(0.2, 1.0)), color(235, 235, 235), 0.5)
    softness = rng.uniform()
    ambient = 0.25 + 0.55 * softness * rng.uniform(0.5, 1)
    strength = 1.25 - 0.7 * ambient
    return Light(unit(direction), key * strength, sky * ambient, 0.05 + 0.7 * softness**2)


def _shade(
    x: Array,
    y: Array,
    z: Array,
    normal: Array,
    balls: list[Ball],
    light: Light,
    owner: Array | None,
) -> tuple[Array, Array]:
    """How much of the key light and of the sky reaches points past ``balls``, 0 to 1 each."""
    lit, open_sky = np.ones_like(x), np.ones_like(x)
    toward = light.direction
    for ball in balls:
        vx, vy, vz = ball.center[0] - x, ball.center[1] - y, ball.center[2] - z
        square = vx * vx + vy * vy + vz * vz
        ahead = vx * toward[0] + vy * toward[1] + vz * toward[2]
        beside = np.sqrt(np.maximum(square - ahead * ahead, 0))
        edge = np.maximum(ahead, 0) * light.blur + 0.04 * ball.radius
        free = smoothstep(ball.radius - 0.6 * edge, ball.radius + 0.6 * edge, beside)
        free = np.where(ahead > 0, free, 1)
        facing = vx * normal[0] + vy * normal[1] + vz * normal[2]
        near = np.maximum(square, ball.radius * ball.radius * 0.8)
        hidden = np.maximum(facing, 0) * (ball.radius * ball.radius) / (near * np.sqrt(near))
        hidden = np.minimum(hidden, 0.9)
        if owner is not None:
            own = owner == ball.owner
            free, hidden = np.where(own, 1, free), np.where(own, 0, hidden)
        lit *= free
        open_sky *= 1 - hidden
    return lit, open_sky


def _double(values: Array, side: int) -> Array:
    """Enlarge a square picture to twice its side, smoothly."""
    grid = np.pad(values.reshape(side, side), 1, mode="edge")
    rows = np.empty((2 * side, side + 2), dtype=np.float32)
    rows[0::2] = 0.75 * grid[1:-1] + 0.25 * grid[:-2]
    rows[1::2] = 0.75 * grid[1:-1] + 0.25 * grid[2:]
    full = np.empty((2 * side, 2 * side), dtype=np.float32)
    full[:, 0::2] = 0.75 * rows[:, 1:-1] + 0.25 * rows[:, :-2]
    full[:, 1::2] = 0.75 * rows[:, 1:-1] + 0.25 * rows[:, 2:]
    return full.reshape(-1)


def light_canvas(canvas: Canvas, balls: list[Ball], light: Light) -> Array:
    """The lit picture, linear, ``[3, n]``."""
    view = canvas.view
    # Shadows on the table are smooth, so a quarter of the points is enough.
    half = view.side // 2
    line = (np.arange(half, dtype=np.float32) + 0.5) * np.float32(2 / half) - 1
    x, y = np.tile(line, half), np.repeat(-line, half)
    lit, open_sky = _shade(x, y, view.table_depth(x, y), view.up, balls, light, None)
    lit, open_sky = _double(lit, half), _double(open_sky, half)

    walls = np.flatnonzero(canvas.owner == WALL)
    lit[walls], open_sky[walls] = 1, 1
    things = np.flatnonzero(canvas.owner > 0)
    among = np.flatnonzero(canvas.owner == THING)
    for pixels in (things, among):
        lit[pixels], open_sky[pixels] = _shade(
            view.x[pixels],
            view.y[pixels],
            canvas.depth[pixels],
            canvas.normal[:, pixels],
            balls,
            light,
            canvas.owner[pixels],
        )

    normal, toward = canvas.normal, light.direction
    facing = normal[0] * toward[0] + normal[1] * toward[1] + normal[2] * toward[2]
    soft = canvas.soft
    direct = np.maximum((facing + soft) / (1 + soft), 0) * lit
    upward = normal[0] * view.up[0] + normal[1] * view.up[1] + normal[2] * view.up[2]
    above = (0.55 + 0.45 * upward) * open_sky
    below = (0.5 - 0.5 * upward) * (0.4 + 0.6 * open_sky)
    table = canvas.owner == TABLE
    bounce = light.sky * 0.6 + light.key * (0.5 * float(toward @ view.up))
    if table.any():
        bounce = bounce * canvas.albedo[:, table].mean(axis=1, keepdims=True, dtype=np.float32)
    else:
        bounce = bounce * 0.3
    picture: Array = canvas.albedo * (light.key * direct + light.sky * above + bounce * below)

    shiny = np.flatnonzero(canvas.shine > 0)
    n = normal[:, shiny]
    halfway = unit(toward + np.array([0, 0, 1], dtype=np.float32))
    tilt = n[0] * halfway[0] + n[1] * halfway[1] + n[2] * halfway[2]
    gloss = canvas.gloss[shiny]
    # A Gaussian lobe: the same look as the usual power, but cheap.
    highlight = np.exp((np.minimum(tilt, 1) - 1) * gloss * (1 / (1 + 2 * light.blur)))
    highlight *= canvas.shine[shiny] * lit[shiny] * (facing[shiny] > 0)
    rim = np.square(np.square(1 - np.clip(n[2], 0, 1))) * above[shiny] * 0.25
    rim *= 0.3 + canvas.shine[shiny]
    picture[:, shiny] += light.key * highlight + light.sky * rim
    return picture
