"""The camera of the generated fruit pictures: where table and pixels are in space.

Space is seen without perspective: x runs to the right, y up and z towards the viewer, and the
picture covers -1..1 in x and y. The table is a plane through the origin that leans away from
the viewer by the camera's elevation.
"""

from __future__ import annotations

import math

import numpy as np

from spaces.drawn_fruit.noise import Array


def unit(vector: Array) -> Array:
    """``vector`` scaled to length one, as float32."""
    return (vector / math.sqrt(float(np.sum(np.square(vector))))).astype(np.float32)


class View:
    """Pixels of a square picture and the table they look at.

    Attributes:
        side: Pixels along one side.
        x: Horizontal place of each pixel, ``[side * side]``, row by row.
        y: Vertical place of each pixel, up is positive.
        up: The table's normal.
        across: First axis of the table, nearly horizontal in the picture.
        away: Second axis of the table, leading away from the viewer.
    """

    def __init__(self, side: int, elevation: float, roll: float) -> None:
        """Set up the camera.

        Args:
            side: Pixels along one side.
            elevation: Height of the camera over the table in radians, above 0 up to pi/2,
                which looks straight down.
            roll: Rotation of the camera about its line of sight in radians.
        """
        self.side = side
        line = (np.arange(side, dtype=np.float32) + 0.5) * np.float32(2 / side) - 1
        self.x = np.tile(line, side)
        self.y = np.repeat(-line, side)
        sine, cosine = math.sin(elevation), math.cos(elevation)
        turn = np.array(
            [
                [math.cos(roll), -math.sin(roll), 0],
                [math.sin(roll), math.cos(roll), 0],
                [0, 0, 1],
            ]
        )
        self.up = unit(turn @ np.array([0, cosine, sine]))
        self.across = unit(turn @ np.array([1, 0, 0]))
        self.away = unit(turn @ np.array([0, sine, -cosine]))

    def table_depth(self, x: Array, y: Array) -> Array:
        """The z of the table behind the points ``x, y`` of the picture."""
        depth: Array = (x * self.up[0] + y * self.up[1]) * (-1 / self.up[2])
        return depth

    def table_coordinates(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Places on the table, along ``across`` and ``away``, seen at ``x, y``."""
        z = self.table_depth(x, y)
        along = x * self.across[0] + y * self.across[1] + z * self.across[2]
        off = x * self.away[0] + y * self.away[1] + z * self.away[2]
        return along, off

    def over_table(self, x: float, y: float, height: float) -> Array:
        """The point ``height`` above the table that is seen at ``x, y``."""
        up = self.up
        return np.array([x, y, (height - x * up[0] - y * up[1]) / up[2]], dtype=np.float32)

    def box(self, x: float, y: float, half_width: float, half_height: float) -> Array:
        """Indices of the pixels in a rectangle about ``x, y``; may be empty."""
        half = self.side / 2
        left = max(0, math.floor((x - half_width + 1) * half))
        right = min(self.side, math.ceil((x + half_width + 1) * half))
        top = max(0, math.floor((1 - y - half_height) * half))
        bottom = min(self.side, math.ceil((1 - y + half_height) * half))
        rows = np.arange(top, max(top, bottom), dtype=np.int32) * self.side
        columns = np.arange(left, max(left, right), dtype=np.int32)
        pixels: Array = (rows[:, None] + columns).reshape(-1)
        return pixels


def frame_about(axis: Array, spin: float) -> Array:
    """A rotation whose third row is ``axis``, turned about it by ``spin`` radians.

    Rows are the axes of an object's own frame in camera space, so that ``frame @ point``
    goes into the object's frame and ``frame.T @ point`` comes back.
    """
    axis = unit(axis)
    helper = np.array([1.0, 0, 0]) if abs(axis[0]) < 0.8 else np.array([0, 1.0, 0])
    first = unit(np.cross(helper, axis))
    second = np.cross(axis, first)
    cosine, sine = math.cos(spin), math.sin(spin)
    rows = [cosine * first + sine * second, cosine * second - sine * first, axis]
    return np.array(rows, dtype=np.float32)


def rotate(frame: Array, points: Array) -> Array:
    """``frame @ points`` for ``[3, n]`` points.

    Written out, since a matrix product may sum in another order with another number of
    threads, and pictures are promised to be the same to the byte.
    """
    rotated = np.empty_like(points)
    for row in range(3):
        rotated[row] = points[0] * frame[row, 0]
        rotated[row] += points[1] * frame[row, 1]
        rotated[row] += points[2] * frame[row, 2]
    return rotated
