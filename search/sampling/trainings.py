"""What a sampler knows of trainings: one observation each, whatever its number of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from search.sampling.gaussian_process import Array
from search.sampling.space_moves import Params
from spaces.config.trial import ParamValue

QUANTIZATION = "quantization"
"""The parameter in which the points of a training differ."""

Key = tuple[tuple[str, ParamValue], ...]
"""Parameters of a training, sorted."""


@dataclass
class Training:
    """What is known of one training.

    Attributes:
        params: Parameters but for the scheme.
        points: Logarithms of error, size and latency by scheme; NaN where not known.
        teaches: Whether it says what a new training there would give.
        seconds: What it took, from the gate to the last measurement; None if it was cut short.
    """

    params: Params
    points: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    teaches: bool = True
    seconds: float | None = None


_T = TypeVar("_T")


def thinned(many: Sequence[_T], n: int) -> list[_T]:
    """Return ``n`` of many, in their order: the last half, and as many evenly from the others."""
    if len(many) <= n:
        return list(many)
    n_newest = (n + 1) // 2
    older = many[: len(many) - n_newest]
    picked = np.linspace(0, len(older) - 1, n - n_newest).round().astype(int)
    return [older[i] for i in picked] + list(many[len(older) :])


def without_scheme(params: Mapping[str, ParamValue]) -> Params:
    """Return parameters but for the scheme."""
    return {name: value for name, value in params.items() if name != QUANTIZATION}


def key_of(params: Mapping[str, ParamValue]) -> Key:
    """Return what two trainings of the same parameters share."""
    return tuple(sorted(params.items()))


def filled(outputs: Array) -> Array:
    """Return outputs ``[trainings, schemes]`` without gaps (NaN).

    A scheme that is missing is taken to differ from those which are there by as much as it does
    on average where it is there; one that is nowhere, not to differ. Where no training has two of
    them, schemes are taken to differ by as much as their trainings do on average.
    """
    is_known = ~np.isnan(outputs)
    levels = np.nanmean(outputs, axis=1, keepdims=True)
    if is_known.sum(axis=1).max() < 2:
        levels = np.full_like(levels, np.nanmean(outputs))
    offsets = np.nansum(outputs - levels, axis=0) / np.maximum(is_known.sum(axis=0), 1)
    level = np.nanmean(outputs - offsets, axis=1, keepdims=True)
    return np.where(is_known, outputs, level + offsets)
