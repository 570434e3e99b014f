"""How much hypervolume sets of points would add to a front: thousands of sets at once.

The space is cut into boxes along the coordinates of the front, so that each box is dominated or
not as a whole. Running sums of the volume that is not dominated then give the improvement by
one point with a look-up, and by a set of points with one for every subset (inclusion and
exclusion). It is exact as long as the front has fewer points than ``N_EDGES``; beyond that the
coordinates that lie closest to each other are taken for one.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

N_EDGES = 160
"""Most edges of boxes along an objective. The front of a hundred trials has some 60 to 150 points;
the cube of this many takes 33 MB and a fifth of a second."""


class Improvement:
    """Improvements of a front.

    Args:
        front: Gains of its points, one a row: distances from the reference point, more is
            better.
        best: Highest gains that will be asked for.
    """

    def __init__(self, front: Array, best: Array) -> None:
        front = np.clip(front, 0.0, None)
        best = np.maximum(best, front.max(axis=0, initial=0.0)) + 1e-9
        self._edges = [_edges(front[:, i], float(best[i])) for i in range(front.shape[1])]
        covered = np.zeros([len(edges) for edges in self._edges], dtype=bool)
        # The last box that a point covers as a whole, up to the edge that is nearest to it.
        cells = [
            np.searchsorted((edges[1:] + edges[:-1]) / 2, front[:, i], side="right") - 1
            for i, edges in enumerate(self._edges)
        ]
        inside = np.all([cell >= 0 for cell in cells], axis=0)
        covered[tuple(cell[inside] for cell in cells)] = True
        volume = np.ones(())
        for axis, edges in enumerate(self._edges):
            covered = np.flip(np.logical_or.accumulate(np.flip(covered, axis), axis=axis), axis)
            volume = np.multiply.outer(volume, np.append(np.diff(edges), 0.0))
        # `sums[i, j, k]` is the open volume below edges i, j, k.
        self._sums = np.zeros(volume.shape)
        open_volume = self._sums[1:, 1:, 1:]
        np.copyto(open_volume, volume[:-1, :-1, :-1], where=~covered[:-1, :-1, :-1])
        for axis in range(open_volume.ndim):
            np.cumsum(open_volume, axis=axis, out=open_volume)

    def of(self, sets: Array) -> Array:
        """Return the improvement by each set of points.

        Args:
            sets: Gains, as (sets, points of a set, objectives); a point with a gain of 0 adds
                nothing.
        """
        sets = np.clip(sets, 0.0, None)
        # Inclusion and exclusion, one point after the other: a new point adds its own volume
        # less what it shares with each part there was.
        parts, signs = sets[:, :0], np.empty(0)
        for index in range(sets.shape[1]):
            point = sets[:, index : index + 1]
            shared = np.minimum(parts, point)
            parts = np.concatenate([parts, point, shared], axis=1)
            signs = np.concatenate([signs, [1.0], -signs])
        volumes = self._below(parts.reshape(-1, sets.shape[2])).reshape(parts.shape[:2])
        improvements: Array = volumes @ signs
        return improvements

    def _below(self, points: Array) -> Array:
        """Return the open volume that each point dominates; linear within a box."""
        lower: list[npt.NDArray[np.intp]] = []
        share: list[Array] = []
        for axis, edges in enumerate(self._edges):
            values = np.clip(points[:, axis], 0.0, edges[-1])
            index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
            lower.append(index)
            share.append((values - edges[index]) / (edges[index + 1] - edges[index]))
        total = np.zeros(len(points))
        for corner in product((0, 1), repeat=len(self._edges)):
            weight = np.ones(len(points))
            for part, is_upper in zip(share, corner, strict=True):
                weight = weight * (part if is_upper else 1 - part)
            at = tuple(low + is_upper for low, is_upper in zip(lower, corner, strict=True))
            total += weight * self._sums[at]
        return total


def _edges(values: Array, best: float) -> Array:
    distinct = np.unique(np.concatenate([[0.0], values, [best]]))
    while len(distinct) > N_EDGES:
        # The inner one whose neighbours are the closest.
        distinct = np.delete(distinct, 1 + np.argmin(distinct[2:] - distinct[:-2]))
    return distinct
