"""A Gaussian process: from some hundreds of observed points to a guess anywhere, with its error.

Written in numpy, because Optuna's own (``GPSampler``) needs PyTorch, which would add hundreds of
megabytes for a Cholesky decomposition of two hundred rows. Several outputs share one kernel and
so one decomposition; inputs have a length scale each, which follow the gradient of the likelihood.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_LOG_SCALE = -0.5
_LOG_RANGE = (-9.0, 4.0)
_JITTER = 1e-8
_STEP = 0.15


class GaussianProcess:
    """Regression with a Matern-5/2 kernel, one length scale an input, and noise.

    Args:
        noise: Variance of the noise that is expected before anything is seen, as a part of that
            of the outputs.
        certainty: Of what is expected of scales and noise: one over the variance of their
            logarithms. From few points with many inputs the likeliest scales explain by chance
            what is noise, and guesses then are surer than they are right.
    """

    def __init__(self, noise: float = 0.01, certainty: float = 0.2) -> None:
        self._log_noise = math.log(noise)
        self._certainty = certainty
        self._theta: Array | None = None  # Logarithms: inverse length scales, then the noise.

    @property
    def is_fitted(self) -> bool:
        """Whether hyperparameters were searched before."""
        return self._theta is not None

    @property
    def length_scales(self) -> Array:
        """How far apart points must be to have little to do with each other, by input."""
        assert self._theta is not None
        scales: Array = np.exp(-self._theta[:-1])
        return scales

    @property
    def noise(self) -> float:
        """Variance of the noise, as a part of that of the outputs."""
        assert self._theta is not None
        return _noise(self._theta)

    def search_scales(self, inputs: Array, outputs: Array, n_steps: int) -> None:
        """Improve the length scales and the noise by their likelihood.

        Args:
            inputs: One observation a row, about 0 to 1.
            outputs: One observation a row, one output a column.
            n_steps: Steps along the gradient (Adam); each costs a decomposition.
        """
        outputs = _standardized(outputs)[0]
        n = inputs.shape[1] + 1
        if self._theta is None or len(self._theta) != n:
            self._theta = np.full(n, _LOG_SCALE)
            self._theta[-1] = self._log_noise
        expected = np.full(n, _LOG_SCALE)
        expected[-1] = self._log_noise
        theta, best = self._theta, math.inf
        momentum, square = np.zeros(n), np.zeros(n)
        for step in range(1, n_steps + 1):
            try:
                loss, gradient = _loss(theta, inputs, outputs)
            except np.linalg.LinAlgError:
                break
            # Length scales of about the range of an input, and longer ones rather than shorter.
            off = theta - expected
            loss += 0.5 * self._certainty * float(off @ off)
            gradient += self._certainty * off
            if loss < best:
                best, self._theta = loss, theta
            momentum = 0.8 * momentum + 0.2 * gradient
            square = 0.95 * square + 0.05 * gradient**2
            rate = _STEP * math.sqrt(1 - 0.95**step) / (1 - 0.8**step)
            theta = np.clip(theta - rate * momentum / (np.sqrt(square) + 1e-9), *_LOG_RANGE)

    def observe(self, inputs: Array, outputs: Array) -> None:
        """Take these observations for all that is known, under the scales as they are."""
        if self._theta is None:
            self.search_scales(inputs, outputs, n_steps=1)
        assert self._theta is not None
        standardized, self._mean, self._scale = _standardized(outputs)
        self._inputs = inputs
        factor = _factor(_kernel(inputs, inputs, self._theta), self._theta)
        self._inverse = np.linalg.inv(factor)
        self._weights = self._inverse.T @ (self._inverse @ standardized)

    def predict(self, inputs: Array) -> Array:
        """Return the expected outputs, one point a row."""
        means: Array = self._cross(inputs) @ self._weights * self._scale + self._mean
        return means

    def predict_with_deviation(
        self, inputs: Array, under_way: Array | None = None
    ) -> tuple[Array, Array]:
        """Return the expected outputs and their standard deviations.

        Args:
            inputs: One point a row.
            under_way: Further points, one a row, that are being observed. What comes of them is
                not known, so that they change no guess; but less is left to learn beside them.
        """
        cross = self._cross(inputs)
        means = cross @ self._weights * self._scale + self._mean
        inverse = self._inverse
        if under_way is not None and len(under_way):
            assert self._theta is not None
            known = np.concatenate([self._inputs, under_way])
            inverse = np.linalg.inv(_factor(_kernel(known, known, self._theta), self._theta))
            cross = _kernel(inputs, known, self._theta)
        explained = ((inverse @ cross.T) ** 2).sum(axis=0)
        return means, np.sqrt(np.maximum(1 - explained, 1e-9))[:, None] * self._scale

    def _cross(self, inputs: Array) -> Array:
        assert self._theta is not None
        return _kernel(inputs, self._inputs, self._theta)


def _loss(theta: Array, inputs: Array, outputs: Array) -> tuple[float, Array]:
    """Return the negative logarithm of the likelihood of hyperparameters, and its gradient."""
    scales = np.exp(theta[:-1])
    scaled = inputs * scales
    distance = _distances(scaled, scaled)
    decay = np.exp(-distance)
    factor = _factor((1 + distance + distance**2 / 3) * decay, theta)
    inverse = np.linalg.inv(factor)
    whitened = inverse @ outputs
    precision = inverse.T @ inverse
    weights = inverse.T @ whitened
    n_outputs = outputs.shape[1]
    loss = 0.5 * (whitened**2).sum() / n_outputs + np.log(np.diag(factor)).sum()
    by_covariance = 0.5 * (precision - weights @ weights.T / n_outputs)
    # By the squared distance, and from there by each input's scale.
    by_square = by_covariance * (-5 / 6) * (1 + distance) * decay
    spread = (scaled**2 * by_square.sum(axis=1)[:, None]).sum(axis=0)
    spread -= (scaled * (by_square @ scaled)).sum(axis=0)
    gradient = np.append(4 * spread, np.trace(by_covariance) * _noise(theta))
    return float(loss), gradient


def _kernel(a: Array, b: Array, theta: Array) -> Array:
    scales = np.exp(theta[:-1])
    distance = _distances(a * scales, b * scales)
    covariance: Array = (1 + distance + distance**2 / 3) * np.exp(-distance)
    return covariance


def _distances(a: Array, b: Array) -> Array:
    squared = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
    distances: Array = np.sqrt(5 * np.maximum(squared, 0))
    return distances


def _noise(theta: Array) -> float:
    return math.exp(theta[-1])


def _factor(covariance: Array, theta: Array) -> Array:
    covariance[np.diag_indices_from(covariance)] += _noise(theta) + _JITTER
    return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)


def _standardized(outputs: Array) -> tuple[Array, Array, Array]:
    mean, scale = outputs.mean(axis=0), outputs.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    return (outputs - mean) / scale, mean, scale
