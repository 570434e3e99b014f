"""How much hypervolume sets of points would add to a front: thousands of sets at once.

The space is cut into boxes along the coordinates of the front, so that each box is dominated or
not as a whole. Running sums of the volume that is not dominated then give the improvement by
one point with a look-up, and by a set of points with one for every subset (inclusion and
exclusion). It is exact as long as the front has no more distinct coordinates than ``N_EDGES``;
beyond that they are thinned out.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

N_EDGES = 48
"""Most boxes along an objective."""


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
        cells = [
            # The last box that a point covers as a whole.
            np.searchsorted(edges, front[:, i], side="right") - 2
            for i, edges in enumerate(self._edges)
        ]
        inside = np.all([cell >= 0 for cell in cells], axis=0)
        covered[tuple(cell[inside] for cell in cells)] = True
        volume = np.ones(())
        for axis, edges in enumerate(self._edges):
            covered = np.flip(np.logical_or.accumulate(np.flip(covered, axis), axis=axis), axis)
            volume = np.multiply.outer(volume, np.append(np.diff(edges), 0.0))
        open_volume = np.where(covered, 0.0, volume)
        for axis in range(open_volume.ndim):
            open_volume = np.cumsum(open_volume, axis=axis)
        # `sums[i, j, k]` is the open volume below edges i, j, k.
        self._sums = np.zeros_like(open_volume)
        self._sums[1:, 1:, 1:] = open_volume[:-1, :-1, :-1]

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
    if len(distinct) > N_EDGES:
        picked = np.linspace(0, len(distinct) - 1, N_EDGES).round().astype(int)
        distinct = distinct[picked]
    return distinct
