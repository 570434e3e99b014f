"""How far a training will be from keeping the limits, learned from those that were looked at.

Sizes and latencies follow from the parameters with hardly any noise, and the gate tells them of
trainings that it refuses too. So a few trials, none of them feasible, already say in which
direction the limits are kept. What is learned is one number for a training: the logarithm of how
many times its nearest model is over the limit that it breaks most. It is positive where every
model breaks a limit.

At first there is next to nothing to learn from. What is known beforehand is that smaller networks
are smaller: a straight line in the capacity of the network, which observations bend.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random

import numpy as np

from search.sampling.gaussian_process import Array, GaussianProcess
from search.sampling.initial_design import capacity
from search.sampling.space_moves import Params, as_numbers
from search.sampling.trainings import QUANTIZATION, Key
from spaces.config.trial import ParamValue
from spaces.space.search_space import SearchSpace

MAX_ROWS = 120
"""Trainings that are looked at: the nearest ones."""

MARGIN = math.log(1.1)
"""How far over a limit a guess must be to count against a proposal."""

_SLOPE = 4.0
"""Logarithm of how much larger the largest network is than the smallest, before any is seen."""

_RIDGE = 0.3
_MIN_ROWS = 5
_N_STEPS = 20
_GROWTH = 1.2
_N_SURE = 8
_UNKNOWN = 1.0


class Foresight:
    """Guesses how far trainings are from keeping limits that an untrained network can break.

    Args:
        fan_out: Whether a training gives a point for every scheme that needs none of its own;
            then its own scheme decides nothing.

    Attributes:
        space: What may vary; whoever asks sets it.
    """

    def __init__(self, *, fan_out: bool = True) -> None:
        self.space = SearchSpace()
        self._fan_out = fan_out
        self._seen: dict[Key, tuple[Params, float]] = {}
        self._process = GaussianProcess()
        self._n_searched = 0
        self._is_fitted = False

    def observe(self, params: Mapping[str, ParamValue], ratio: float) -> None:
        """Take note of a model.

        Args:
            params: Of its training; of several models of one training the nearest counts.
            ratio: How many times it is over the limit that it breaks most; up to 1 where all
                are kept.
        """
        kept = self._of_training(params)
        key = tuple(sorted(kept.items()))
        log_ratio = math.log(max(ratio, 1e-9))
        if key not in self._seen or log_ratio < self._seen[key][1]:
            self._seen[key] = (kept, log_ratio)
            self._is_fitted = False

    @property
    def knows_something(self) -> bool:
        """Whether anything was observed."""
        return bool(self._seen)

    def nearest(self, n: int) -> list[Params]:
        """Return the parameters of the trainings that came nearest to keeping the limits."""
        ordered = sorted(self._seen.values(), key=lambda seen: max(seen[1], 0.0))
        return [params for params, _ in ordered[:n]]

    def log_ratios(self, many: Sequence[Mapping[str, ParamValue]]) -> tuple[Array, Array]:
        """Return what is expected of trainings, and the deviations of that."""
        if not self._seen:
            return np.zeros(len(many)), np.full(len(many), np.inf)
        self._fit()
        inputs = np.array([self._numbers(params) for params in many])
        means = self._level + (inputs - self._centre) @ self._slopes
        if not self._has_process:
            return means, np.full(len(many), _UNKNOWN)
        off, deviations = self._process.predict_with_deviation(inputs)
        return means + off[:, 0], deviations[:, 0]

    def is_over(self, params: Mapping[str, ParamValue]) -> bool:
        """Whether no model of a training is expected to keep the limits."""
        means, _ = self.log_ratios([params])
        return bool(means[0] > MARGIN)

    def is_surely_over(self, params: Mapping[str, ParamValue]) -> bool:
        """The same, where enough was seen to be sure."""
        if len(self._seen) < _N_SURE:
            return False
        means, deviations = self.log_ratios([params])
        return bool(means[0] - 2 * deviations[0] > MARGIN)

    def chances(self, many: Sequence[Mapping[str, ParamValue]], slack: float = 0.0) -> Array:
        """Return how likely trainings are to have a model that keeps the limits.

        Args:
            many: Their parameters.
            slack: How far over them they may be now, as a logarithm.
        """
        means, deviations = self.log_ratios(many)
        return np.array(
            [_below_zero(m - slack, d) for m, d in zip(means, deviations, strict=True)]
        )

    def pick(self, candidates: Sequence[Params], random: Random) -> Params:
        """Return one of those expected to keep the limits, or else the one nearest to it."""
        means, _ = self.log_ratios(candidates)
        kept = [params for params, mean in zip(candidates, means, strict=True) if mean <= 0]
        return random.choice(kept) if kept else candidates[int(np.argmin(means))]

    def _fit(self) -> None:
        if self._is_fitted:
            return
        ordered = sorted(self._seen.values(), key=lambda seen: abs(seen[1]))[:MAX_ROWS]
        inputs = np.array([self._numbers(params) for params, _ in ordered])
        outputs = np.array([log_ratio for _, log_ratio in ordered])
        self._centre, self._level = inputs.mean(axis=0), float(outputs.mean())
        expected = np.zeros(inputs.shape[1])
        expected[0] = _SLOPE
        centred = inputs - self._centre
        off = outputs - self._level - centred @ expected
        square = centred.T @ centred + _RIDGE * np.eye(len(expected))
        self._slopes = expected + np.linalg.solve(square, centred.T @ off)
        self._has_process = len(ordered) >= _MIN_ROWS
        if self._has_process:
            rest = (outputs - self._level - centred @ self._slopes)[:, None]
            if len(self._seen) >= self._n_searched * _GROWTH + 1:
                self._process.search_scales(inputs, rest, _N_STEPS)
                self._n_searched = len(self._seen)
            self._process.observe(inputs, rest)
        self._is_fitted = True

    def _numbers(self, params: Mapping[str, ParamValue]) -> list[float]:
        kept = self._of_training(params)
        modelled = self.space
        if self._fan_out:
            names = (p for p in self.space.parameters if p.name != QUANTIZATION)
            modelled = SearchSpace(tuple(names))
        return [capacity(modelled, kept), *as_numbers(modelled, kept)]

    def _of_training(self, params: Mapping[str, ParamValue]) -> Params:
        return {
            name: value
            for name, value in params.items()
            if not self._fan_out or name != QUANTIZATION
        }


def _below_zero(mean: float, deviation: float) -> float:
    """Return the share of a normal distribution that lies below 0."""
    if math.isinf(deviation):
        return 1.0
    return 0.5 * math.erfc((mean - MARGIN) / (math.sqrt(2) * max(deviation, 1e-9)))
