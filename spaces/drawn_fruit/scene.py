"""One generated fruit picture: what is in it, where it lies, how it is seen."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from spaces.drawn_fruit.backgrounds import TABLE_WEIGHTS, TABLES, WALL_WEIGHTS, WALLS, pick
from spaces.drawn_fruit.clutter import put_ball, put_bar, put_box, put_leaf, put_paper, put_plate
from spaces.drawn_fruit.finish import develop
from spaces.drawn_fruit.lighting import FRUIT, WALL, Canvas, light_canvas, random_light
from spaces.drawn_fruit.noise import Array
from spaces.drawn_fruit.species import BANANA, Place, put_bananas, put_round
from spaces.drawn_fruit.view import View


def _arrange(rng: np.random.Generator, view: View, reach: float) -> list[Place]:
    """Places for one or several fruit that do not run into each other.

    Args:
        rng: Source of all randomness.
        view: The camera.
        reach: Size of a fruit against that of a round one: long fruit are given more.
    """
    kind = rng.uniform()
    if kind < 0.5:
        count, size = 1, rng.uniform(0.42, 0.82)
    elif kind < 0.9:
        count, size = int(rng.integers(2, 5)), rng.uniform(0.32, 0.54)
    else:  # a heap that fills the picture
        count, size = int(rng.integers(6, 11)), rng.uniform(0.27, 0.4)
    room = max(0.15, 0.8 - size)
    x, y = rng.uniform(-room, room), rng.uniform(-room, room)
    places: list[Place] = [(x, y, size * reach, 0.0)]
    for _ in range(12 * count):
        if len(places) == count:
            break
        near = places[int(rng.integers(len(places)))]
        own = size * reach * rng.uniform(0.88, 1.12)
        angle, gap = rng.uniform(0, 2 * math.pi), rng.uniform(1.0, 1.25) * (near[2] + own)
        if reach > 1:
            gap *= 0.5  # bananas lie close and cross each other
        step = view.across * (math.cos(angle) * gap) + view.away * (math.sin(angle) * gap)
        spot = (near[0] + float(step[0]), near[1] + float(step[1]))
        if max(abs(spot[0]), abs(spot[1])) > 1.0:
            continue
        lift = own * rng.uniform(0, 1.2) if kind >= 0.9 else 0.0
        places.append((spot[0], spot[1], own, lift))
    return places


def _background(rng: np.random.Generator, view: View, elevation: float) -> Canvas:
    """A canvas with a table and, from a low camera, at times a wall."""
    across, away = view.table_coordinates(view.x, view.y)
    turn, zoom = rng.uniform(0, 2 * math.pi), rng.uniform(0.6, 1.4)
    u = (across * math.cos(turn) - away * math.sin(turn) + rng.uniform(0, 9)) * zoom
    v = (across * math.sin(turn) + away * math.cos(turn) + rng.uniform(0, 9)) * zoom
    albedo = pick(rng, TABLES, TABLE_WEIGHTS)(rng, u, v)
    canvas = Canvas(view, np.clip(albedo, 0.003, 0.95).astype(np.float32))
    if elevation < math.radians(45) and rng.uniform() < 0.7:
        edge = rng.uniform(0.1, 2.2)
        wall = np.flatnonzero(away > edge)
        paint = pick(rng, WALLS, WALL_WEIGHTS)
        painted = paint(rng, view.x[wall] + 5, view.y[wall] + 5)
        canvas.albedo[:, wall] = np.clip(painted, 0.003, 0.95)
        canvas.owner[wall] = WALL
        canvas.depth[wall] = -50
        canvas.normal[:, wall] = np.array([[0], [0.3], [0.95]], dtype=np.float32)
    return canvas


def draw_scene(label: int, rng: np.random.Generator, size: int) -> Array:
    """Draw one picture of the fruit ``label``: ``[size, size, 3]`` uint8."""
    elevation = math.radians(rng.uniform(18, 88))
    view = View(2 * size, elevation, rng.normal(0, 0.12))
    canvas = _background(rng, view, elevation)
    places = _arrange(rng, view, 1.4 if label == BANANA else 1.0)
    x, y, extent, _ = places[0]
    if rng.uniform() < 0.25:
        put_plate(rng, canvas, x, y, extent * rng.uniform(1.2, 2.2))
    if label == BANANA:
        balls = put_bananas(rng, canvas, places)
    else:
        balls = []
        for number, place in enumerate(places):
            balls += put_round(rng, canvas, label, place, FRUIT + number)
    for _ in range(int(rng.integers(0, 3))):
        put: Callable[..., object] = (put_box, put_paper, put_leaf, put_leaf)[int(rng.integers(4))]
        put(rng, canvas, rng.uniform(-1, 1), rng.uniform(-1, 1), 0.25)
    if rng.uniform() < 0.2:
        angle = rng.uniform(0, 2 * math.pi)
        away = extent + rng.uniform(0.2, 0.5)
        balls += put_ball(rng, canvas, x + away * math.cos(angle), y + away * math.sin(angle), 0.2)
    if rng.uniform() < 0.15:
        put_bar(rng, canvas, 0.3)
    light = random_light(rng, view)
    picture = light_canvas(canvas, balls, light)
    return develop(rng, picture, size)
