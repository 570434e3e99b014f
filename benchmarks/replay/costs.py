"""Bytes and milliseconds of a converted network, from what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.replay.network_shape import KINDS, Shape

Array: TypeAlias = "npt.NDArray[np.float64]"


def size_parts(shape: Shape, sparsity: float) -> list[float]:
    """Return what a file's bytes are a sum of: a header, layers, weights that are kept or zero."""
    zero = sparsity * shape.n_prunable
    has_depthwise = float(shape.macs_of["depthwise"] > 0)
    return [1.0, shape.n_layers, shape.n_params - zero, zero, has_depthwise]


def latency_parts(shape: Shape) -> list[float]:
    """Return what an inference's time is a sum of: layers, work and outputs of every kind."""
    work = [float(shape.macs_of[kind]) for kind in KINDS]
    return [1.0, float(shape.n_layers), *work, *(float(shape.outputs_of[kind]) for kind in KINDS)]


class Sum:
    """A cost as a sum of parts, none of which counts less than nothing.

    What is made small is the relative error.
    """

    def __init__(self, parts: Sequence[Sequence[float]], costs: Sequence[float]) -> None:
        from scipy.optimize import nnls

        rows, wanted = np.array(parts, dtype=float), np.array(costs, dtype=float)
        scale = rows.max(axis=0) + 1e-9
        weights, _ = nnls(rows / scale / wanted[:, None], np.ones(len(wanted)))
        self._weights: Array = weights / scale

    def of(self, parts: Sequence[float]) -> float:
        """Return the cost of one network."""
        return max(float(np.dot(self._weights, parts)), 1e-9)
