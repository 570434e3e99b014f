"""Bodies of the generated fruit pictures: which pixels they cover, where, and facing where.

Round fruit are bodies of revolution with a free profile (dimples, a neck, lobes), bananas are
bent tubes with ridges, everything flat is a patch. Each function gives a :class:`Surface`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spaces.drawn_fruit.noise import Array
from spaces.drawn_fruit.view import View, rotate


@dataclass
class Surface:
    """The visible side of one body.

    Attributes:
        pixels: Indices of the covered pixels, ``[n]``.
        depth: z of the surface in each of them, in camera space.
        normal: Outward directions in camera space, ``[3, n]``.
        local: The same points in the body's own frame and scale, ``[3, n]``.
        along: For bananas, the place along the tube, -1 (stalk) to 1; else empty.
        around: For bananas, the angle around the tube in radians; else empty.
    """

    pixels: Array
    depth: Array
    normal: Array
    local: Array
    along: Array
    around: Array


_NONE = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True)
class RoundProfile:
    """Shape of a round fruit by the angle from its stalk.

    Attributes:
        flatness: Height over width, 1 for a ball.
        taper: How much wider the stalk's half is than the other, as a fraction.
        top_depth: Depth of the dimple at the stalk; negative is a neck.
        top_width: Half-width of that dimple in radians.
        bottom_depth: Depth of the dimple at the other end.
        bottom_width: Its half-width in radians.
        lobes: Number of lobes around.
        lobe_depth: How deep the furrows between lobes are, as a fraction of the radius.
        lobe_top: Whether the furrows run from the stalk (1) or from the other end (-1).
    """

    flatness: float = 1.0
    taper: float = 0.0
    top_depth: float = 0.0
    top_width: float = 0.3
    bottom_depth: float = 0.0
    bottom_width: float = 0.3
    lobes: int = 5
    lobe_depth: float = 0.0
    lobe_top: int = -1

    def table(self) -> Array:
        """Radii at 1,025 even steps of the cosine from -1 (bottom) to 1 (stalk)."""
        c = np.linspace(-1, 1, 1025)
        radius = 1 / np.sqrt(1 - c**2 + (c / self.flatness) ** 2)
        radius *= 1 + self.taper * c * (1 - c**2) * 2.6
        radius -= self.top_depth * np.exp(-(1 - c) / self.top_width**2)
        radius -= self.bottom_depth * np.exp(-(1 + c) / self.bottom_width**2)
        return radius.astype(np.float32)


def round_surface(
    view: View, center: Array, radius: float, frame: Array, profile: RoundProfile
) -> Surface:
    """The visible side of a round fruit whose third axis points to its stalk.

    Rays are walked down to the surface by Newton's method from an enclosing ball.
    """
    table = profile.table()
    slopes = np.gradient(table).astype(np.float32) * np.float32(512)
    reach = float(table.max()) * (1 + profile.lobe_depth)
    pixels = view.box(float(center[0]), float(center[1]), reach * radius, reach * radius)
    x = (view.x[pixels] - center[0]) * (1 / radius)
    y = (view.y[pixels] - center[1]) * (1 / radius)
    inside = x * x + y * y < reach * reach
    pixels, x, y = pixels[inside], x[inside], y[inside]
    z = np.sqrt(reach * reach - x * x - y * y)
    axis = frame[2]
    flat = x * axis[0] + y * axis[1]
    square = x * x + y * y
    for _ in range(9):
        distance = np.sqrt(square + z * z)
        cosine = (flat + z * axis[2]) / distance
        cell = (cosine * 512 + 512.5).astype(np.int32)
        gap = distance - np.take(table, cell)
        steepness = (z - np.take(slopes, cell) * (axis[2] - cosine * z / distance)) / distance
        z -= gap / np.maximum(steepness, 0.4)
    hit = (gap < 0.03) & (z > -reach)
    pixels, x, y, z = pixels[hit], x[hit], y[hit], z[hit]
    point = np.stack([x, y, z])
    local = rotate(frame, point)
    distance = np.sqrt(x * x + y * y + z * z)
    outward = point / distance
    cosine = local[2] / distance
    slope = np.take(slopes, (cosine * 512 + 512.5).astype(np.int32))
    normal = outward - slope / distance * (axis[:, None] - cosine * outward)
    if profile.lobe_depth:
        # The furrows are seen in the shading only: they are shallow.
        angle = np.arctan2(local[1], local[0])
        end = np.clip(0.5 + 0.75 * profile.lobe_top * cosine, 0, 1)
        tilt = np.sin(angle * profile.lobes) * end * (profile.lobe_depth * profile.lobes)
        sine, turn = np.sin(angle), np.cos(angle)
        normal += tilt * (frame[1][:, None] * turn - frame[0][:, None] * sine)
    normal /= np.sqrt(np.sum(normal * normal, axis=0))
    return Surface(pixels, center[2] + z * radius, normal, local, _NONE, _NONE)


@dataclass(frozen=True)
class Tube:
    """A bent tube in units of its half-length: the shape of a banana.

    Attributes:
        bend: Half of the angle that its arc spans, in radians.
        thickness: Radius in the middle.
        ridge: Height of the ridges as a fraction of the radius.
        stalk: Length of the thin stalk as a fraction of the half-length.
        blunt: How abruptly the body ends, 0.3 (soft) to 1.
    """

    bend: float
    thickness: float
    ridge: float
    stalk: float
    blunt: float

    def radii(self, along: Array) -> Array:
        """Radius at places -1 (stalk) to 1 (tip)."""
        t = np.linspace(-1, 1, 513)
        start = -1 + self.stalk
        body = np.clip((t - start) / (1 - start), 0, 1)
        rise = np.clip(body / (0.3 - 0.12 * self.blunt), 0, 1)
        fall = np.clip((1 - body) / (0.3 - 0.12 * self.blunt), 0, 1)
        radius = self.thickness * (0.3 + 0.7 * np.sin(rise * math.pi / 2) ** 1.2)
        radius *= 0.3 + 0.7 * np.sin(fall * math.pi / 2) ** 0.9
        radius *= 1 - 0.12 * (2 * body - 1) ** 2
        radius = np.where(t < start, self.thickness * 0.27, radius)
        return np.take(radius.astype(np.float32), (along * 256 + 256.5).astype(np.int32))

    def spine(self, along: Array) -> Array:
        """Points of the centre line in the tube's own frame, ``[3, n]``."""
        circle = 1 / self.bend
        angle = along * self.bend
        return np.stack(
            [circle * np.sin(angle), circle * (np.cos(angle) - 1), np.zeros_like(angle)]
        ).astype(np.float32)


def tube_surface(view: View, center: Array, scale: float, frame: Array, tube: Tube) -> Surface:
    """The visible side of a banana of half-length ``scale``.

    A chain of balls gives a first depth, a few steps of a distance function smooth it.
    """
    places = np.linspace(-1, 1, 41, dtype=np.float32)
    radii = tube.radii(places) * 1.04
    spine = rotate(frame.T, tube.spine(places))
    depth = np.full(view.side * view.side, -9.0, dtype=np.float32)
    for place in range(len(places)):
        cx, cy, cz = (float(value) for value in spine[:, place])
        radius = float(radii[place])
        pixels = view.box(
            float(center[0]) + cx * scale,
            float(center[1]) + cy * scale,
            radius * scale,
            radius * scale,
        )
        x = (view.x[pixels] - center[0]) * (1 / scale) - cx
        y = (view.y[pixels] - center[1]) * (1 / scale) - cy
        rest = radius * radius - x * x - y * y
        ball = np.where(rest > 0, cz + np.sqrt(np.maximum(rest, 0)), np.float32(-9))
        depth[pixels] = np.maximum(depth[pixels], ball)
    pixels = np.flatnonzero(depth > -8)
    x = (view.x[pixels] - center[0]) * (1 / scale)
    y = (view.y[pixels] - center[1]) * (1 / scale)
    z = depth[pixels]
    circle = 1 / tube.bend
    ray = frame[:, 2]
    local = rotate(frame, np.stack([x, y, z]))
    for step in range(4):
        angle = np.arctan2(local[0], local[1] + circle)
        along = np.clip(angle * (1 / tube.bend), -1, 1)
        radius_here = tube.radii(along)
        axis_x, axis_y = np.sin(along * tube.bend), np.cos(along * tube.bend)
        to_x, to_y = local[0] - circle * axis_x, local[1] - circle * (axis_y - 1)
        distance = np.sqrt(to_x * to_x + to_y * to_y + local[2] * local[2]) + 1e-6
        gap = distance - radius_here
        if step == 3:
            break
        facing = (to_x * ray[0] + to_y * ray[1] + local[2] * ray[2]) / distance
        move = gap / np.maximum(facing, 0.35)
        local -= ray[:, None] * move
        z -= move
    hit = gap < 0.25 * tube.thickness
    pixels, z, local, along = pixels[hit], z[hit], local[:, hit], along[hit]
    to_x, to_y, distance = to_x[hit], to_y[hit], distance[hit]
    axis_x, axis_y = axis_x[hit], axis_y[hit]
    out = to_x * axis_x + to_y * axis_y  # away from the middle of the bend
    around = np.arctan2(local[2], out)
    lengthwise = (to_x * axis_y - to_y * axis_x) / distance
    taper = (
        tube.radii(np.minimum(along + 0.02, 1)) - tube.radii(np.maximum(along - 0.02, -1))
    ) / (0.04)
    taper = np.where(np.abs(along) < 0.97, taper, 0)
    tilt = np.sin(5 * around) * (5 * tube.ridge) + np.sin(10 * around) * (3 * tube.ridge)
    sine, cosine = np.sin(around), np.cos(around)
    radial = np.cos(np.arcsin(np.clip(lengthwise, -1, 1)))
    outward = radial * cosine - tilt * sine
    side = radial * sine + tilt * cosine
    length = lengthwise - taper
    normal = np.stack(
        [outward * axis_x + length * axis_y, outward * axis_y - length * axis_x, side]
    )
    normal /= np.sqrt(np.sum(normal * normal, axis=0))
    normal = rotate(frame.T, normal)
    return Surface(
        pixels, (center[2] + z * scale).astype(np.float32), normal, local, along, around
    )


def patch_surface(
    view: View,
    center: Array,
    first: Array,
    second: Array,
    covers: Callable[[Array, Array], Array],
) -> Surface:
    """A flat patch spanned by two vectors from its centre.

    Args:
        view: The camera.
        center: Middle of the patch in camera space.
        first: Vector to the middle of one edge: ``u`` is 1 there.
        second: The same for ``v``.
        covers: Which places ``u, v`` in -1..1 belong to the patch.
    """
    half_width = float(abs(first[0]) + abs(second[0]))
    half_height = float(abs(first[1]) + abs(second[1]))
    pixels = view.box(float(center[0]), float(center[1]), half_width, half_height)
    x, y = view.x[pixels] - center[0], view.y[pixels] - center[1]
    area = float(first[0] * second[1] - first[1] * second[0])
    if abs(area) < 1e-4:  # seen from its edge
        pixels, x, y, area = pixels[:0], x[:0], y[:0], 1.0
    u = (x * second[1] - y * second[0]) * (1 / area)
    v = (y * first[0] - x * first[1]) * (1 / area)
    inside = (np.abs(u) <= 1) & (np.abs(v) <= 1)
    inside &= covers(u, v)
    pixels, u, v = pixels[inside], u[inside], v[inside]
    normal = np.cross(first, second)
    normal = normal / math.sqrt(float(np.sum(normal * normal)) + 1e-12)
    if normal[2] < 0:
        normal = -normal
    normals = np.repeat(normal.astype(np.float32)[:, None], len(pixels), axis=1)
    local = np.stack([u, v, np.zeros_like(u)])
    return Surface(pixels, center[2] + u * first[2] + v * second[2], normals, local, _NONE, _NONE)


def chain_surface(view: View, points: Array, radii: Array) -> Surface:
    """A thin rod as a chain of balls, for stalks: ``points`` is ``[3, n]``, ``radii`` ``[n]``."""
    parts: list[tuple[Array, Array, Array]] = []
    for place in range(points.shape[1]):
        center, radius = points[:, place], float(radii[place])
        pixels = view.box(float(center[0]), float(center[1]), radius, radius)
        x, y = view.x[pixels] - center[0], view.y[pixels] - center[1]
        rest = radius * radius - x * x - y * y
        inside = rest > 0
        z = np.sqrt(rest[inside])
        normal = np.stack([x[inside], y[inside], z]) * (1 / radius)
        parts.append((pixels[inside], center[2] + z, normal))
    pixels = np.concatenate([part[0] for part in parts])
    depth = np.concatenate([part[1] for part in parts])
    normals = np.concatenate([part[2] for part in parts], axis=1)
    # Nearest last, so that it is the one that stays where balls overlap.
    order = np.argsort(depth, kind="stable")
    pixels, depth, normals = pixels[order], depth[order], normals[:, order]
    return Surface(pixels, depth, normals, normals, _NONE, _NONE)
