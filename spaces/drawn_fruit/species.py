"""What makes an apple, an orange, a mandarin and a banana in the generated pictures.

Here are the proportions and the looks that tell the four apart, and how much they overlap:
an orange is rounder, yellower and finely pored, a mandarin flatter, redder, with a loose,
bumpy skin, furrows and a wide star where its stalk was; apples come in the colours of all
others. These ranges decide how hard the task is.
"""

from __future__ import annotations

import math

import numpy as np

from spaces.drawn_fruit.clutter import leaf, stalk_points
from spaces.drawn_fruit.lighting import FRUIT, Ball, Canvas
from spaces.drawn_fruit.noise import Array
from spaces.drawn_fruit.shapes import (
    RoundProfile,
    Tube,
    chain_surface,
    round_surface,
    tube_surface,
)
from spaces.drawn_fruit.skins import apple_skin, banana_skin, citrus_skin, color, mix, plain_skin
from spaces.drawn_fruit.view import View, frame_about, rotate, unit

APPLE, ORANGE, MANDARIN, BANANA = 0, 1, 2, 3

Place = tuple[float, float, float, float]
"""Where a fruit is: x and y in the picture, its size, its lift over the table."""


def _lying_axis(rng: np.random.Generator, view: View) -> Array:
    """A stalk's direction: mostly upward, at times any way the fruit has rolled."""
    if rng.uniform() < 0.55:
        return unit(view.up + rng.normal(0, 0.4, 3))
    return unit(rng.normal(0, 1, 3) + 0.3 * view.up)


def _profile(rng: np.random.Generator, label: int) -> RoundProfile:
    """The shape of one round fruit; those of oranges and mandarins overlap."""
    if label == APPLE:
        return RoundProfile(
            flatness=rng.uniform(0.82, 1.06),
            taper=rng.uniform(0.0, 0.11),
            top_depth=rng.uniform(0.22, 0.38),
            top_width=rng.uniform(0.28, 0.42),
            bottom_depth=rng.uniform(0.1, 0.22),
            bottom_width=rng.uniform(0.2, 0.34),
            lobes=5,
            lobe_depth=rng.uniform(0.0, 0.05),
            lobe_top=-1,
        )
    if label == ORANGE:
        return RoundProfile(
            flatness=rng.uniform(0.93, 1.06),
            taper=rng.uniform(-0.03, 0.03),
            top_depth=rng.uniform(0.0, 0.05),
            top_width=rng.uniform(0.12, 0.25),
            bottom_depth=rng.uniform(-0.02, 0.05),
            bottom_width=rng.uniform(0.1, 0.25),
        )
    return RoundProfile(
        flatness=rng.uniform(0.6, 0.8),
        taper=rng.uniform(-0.02, 0.07),
        top_depth=rng.uniform(-0.12, 0.09),
        top_width=rng.uniform(0.2, 0.4),
        bottom_depth=rng.uniform(0.03, 0.14),
        bottom_width=rng.uniform(0.25, 0.5),
        lobes=int(rng.integers(8, 12)),
        lobe_depth=rng.uniform(0.01, 0.04),
        lobe_top=1,
    )


def put_round(
    rng: np.random.Generator, canvas: Canvas, label: int, place: Place, owner: int
) -> list[Ball]:
    """Put one apple, orange or mandarin in, with its stalk; gives what shades others."""
    view = canvas.view
    x, y, radius, lift = place
    profile = _profile(rng, label)
    axis = _lying_axis(rng, view)
    frame = frame_about(axis, rng.uniform(0, 2 * math.pi))
    tilt = float(axis @ view.up)
    rest = radius * math.sqrt(1 - tilt * tilt * (1 - profile.flatness**2))
    center = view.over_table(x, y, rest * 0.97 + lift)
    surface = round_surface(view, center, radius, frame, profile)
    if label == APPLE:
        skin = apple_skin(rng, surface, frame)
    elif label == ORANGE:
        skin = citrus_skin(
            rng,
            surface,
            frame,
            hue=rng.uniform(0.42, 1.0),
            pore_scale=rng.uniform(46, 66),
            pore_depth=rng.uniform(0.16, 0.3),
            lumps=rng.uniform(0.0, 0.03),
            stalk_width=rng.uniform(0.08, 0.13) if rng.uniform() < 0.75 else 0.0,
            navel=rng.uniform(0.14, 0.24) if rng.uniform() < 0.5 else 0.0,
        )
    else:
        skin = citrus_skin(
            rng,
            surface,
            frame,
            hue=rng.uniform(0.0, 0.5),
            pore_scale=rng.uniform(32, 52),
            pore_depth=rng.uniform(0.03, 0.09),
            lumps=rng.uniform(0.08, 0.2),
            stalk_width=rng.uniform(0.15, 0.24) if rng.uniform() < 0.85 else 0.0,
            navel=rng.uniform(0.06, 0.1) if rng.uniform() < 0.3 else 0.0,
        )
    canvas.put(surface, skin, owner)

    top = float(profile.table()[-1])
    chance = {APPLE: 0.85, ORANGE: 0.05, MANDARIN: 0.2}[label]
    if rng.uniform() < chance:
        length = rng.uniform(0.25, 0.55) if label == APPLE else rng.uniform(0.08, 0.2)
        points = stalk_points(rng, center, frame, top - 0.03, length, radius)
        thick = np.linspace(0.035, 0.05, points.shape[1], dtype=np.float32) * radius
        stalk = chain_surface(view, points, thick)
        brown = mix(color(85, 60, 35), color(110, 120, 55), rng.uniform())
        canvas.put(stalk, plain_skin(rng, stalk, brown, 0.1, 20.0), owner)
    if rng.uniform() < {APPLE: 0.12, ORANGE: 0.07, MANDARIN: 0.2}[label]:
        base = center + axis * (top * radius)
        direction = unit(rng.normal(0, 1, 3) + 0.8 * axis)
        leaf_surface, leafy = leaf(rng, view, base, direction, radius * rng.uniform(0.7, 1.4))
        canvas.put(leaf_surface, leafy, owner)
    return [Ball(center, radius * (0.5 + 0.5 * profile.flatness), owner)]


def _put_banana(
    rng: np.random.Generator,
    canvas: Canvas,
    place: Place,
    owner: int,
    frame: Array,
    tube: Tube,
    ripeness: float,
) -> list[Ball]:
    """Put one banana in; gives the balls that shade others in its place."""
    view = canvas.view
    x, y, scale, lift = place
    spots = np.linspace(-0.9, 0.9, 9, dtype=np.float32)
    spine = rotate(frame.T, tube.spine(spots))
    radii = tube.radii(spots)
    lowest = float(np.min(spine.T @ view.up - radii))
    center = view.over_table(x, y, -lowest * scale + lift)
    surface = tube_surface(view, center, scale, frame, tube)
    canvas.put(surface, banana_skin(rng, surface, frame, ripeness), owner)
    return [
        Ball(center + spine[:, spot] * scale, float(radii[spot]) * scale, owner)
        for spot in range(len(spots))
    ]


def _banana_frame(rng: np.random.Generator, view: View) -> Array:
    """How a banana lies: on its side, on its back or propped up somehow."""
    kind = rng.uniform()
    if kind < 0.6:  # the plane of its bend is the table
        normal = view.up + rng.normal(0, 0.25, 3)
    elif kind < 0.8:  # standing on its tips or on its back
        turn = rng.uniform(0, 2 * math.pi)
        normal = view.across * math.cos(turn) + view.away * math.sin(turn)
        normal = normal + rng.normal(0, 0.2, 3)
    else:
        normal = rng.normal(0, 1, 3)
    if normal @ view.up < 0:
        normal = -normal
    return frame_about(normal, rng.uniform(0, 2 * math.pi))


def put_bananas(rng: np.random.Generator, canvas: Canvas, places: list[Place]) -> list[Ball]:
    """Single bananas, or a hand of them side by side when there are several."""
    view = canvas.view
    ripeness = rng.triangular(0.08, 0.5, 1)
    balls: list[Ball] = []
    if len(places) == 1 and rng.uniform() < 0.45:
        x, y, scale, lift = places[0]
        count = int(rng.integers(2, 5))
        frame = _banana_frame(rng, view)
        bend, thick = rng.uniform(0.45, 0.85), rng.uniform(0.17, 0.22)
        turn = rng.normal(0, 0.22)
        step = rotate(frame.T, np.array([[0], [-1.5 * thick], [0.7 * thick]], np.float32))[:, 0]
        for number in range(count):
            facing = unit(frame[2] + rng.normal(0, 0.08, 3))
            # Keep the hand's direction, fanned out a little from banana to banana.
            fan = turn * (number - (count - 1) / 2) + rng.normal(0, 0.04)
            first = frame[0] * math.cos(fan) + frame[1] * math.sin(fan)
            second = unit(np.cross(facing, first))
            own = np.stack([unit(np.cross(second, facing)), second, facing])
            tube = _tube(rng, bend, thick)
            shift = step * (scale * (number - (count - 1) / 2))
            spot = (x + float(shift[0]), y + float(shift[1]), scale, lift + 0.02 * number)
            balls += _put_banana(rng, canvas, spot, FRUIT + number, own, tube, ripeness)
        return balls
    for number, place in enumerate(places):
        tube = _tube(rng, rng.uniform(0.35, 0.95), rng.uniform(0.15, 0.23))
        own_ripeness = min(1.0, max(0.0, ripeness + rng.normal(0, 0.1)))
        frame = _banana_frame(rng, view)
        balls += _put_banana(rng, canvas, place, FRUIT + number, frame, tube, own_ripeness)
    return balls


def _tube(rng: np.random.Generator, bend: float, thick: float) -> Tube:
    return Tube(
        bend=bend * rng.uniform(0.9, 1.1),
        thickness=thick * rng.uniform(0.95, 1.05),
        ridge=rng.uniform(0.0, 0.07),
        stalk=rng.uniform(0.15, 0.35),
        blunt=rng.uniform(0.0, 1.0),
    )
