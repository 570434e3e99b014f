"""What a search ends with: on validation, which it chose by, and on test, which it never saw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from search.front.pareto import ReferencePoint, hypervolume, pareto_mask

BUDGETS_KB = (2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Measured:
    """One model of a search.

    Attributes:
        seconds: When it was there.
        accuracy: On validation.
        size_bytes: Of its file.
        latency_ms: Of an inference.
        test_accuracy: On test.
    """

    seconds: float
    accuracy: float
    size_bytes: float
    latency_ms: float
    test_accuracy: float


@dataclass(frozen=True)
class Sample:
    """Where a search stood.

    Attributes:
        seconds: Simulated, since the start.
        trainings: Trials done.
        epochs: Epochs trained so far.
        hypervolume: Of its front.
    """

    seconds: float
    trainings: int
    epochs: int
    hypervolume: float


@dataclass(frozen=True)
class Run:
    """One replayed search."""

    samples: tuple[Sample, ...]
    measured: tuple[Measured, ...]
    n_stopped: int
    n_branches: int
    n_failed: int
    n_infeasible: int = 0

    @property
    def seconds(self) -> float:
        """Simulated seconds that it took."""
        return self.samples[-1].seconds

    def seconds_to(self, hypervolume: float) -> float:
        """Return when a hypervolume was reached; infinity if it was not."""
        return next((s.seconds for s in self.samples if s.hypervolume >= hypervolume), math.inf)

    def trainings_to(self, hypervolume: float) -> float:
        """Return after how many trials a hypervolume was reached."""
        return next((s.trainings for s in self.samples if s.hypervolume >= hypervolume), math.inf)

    def hypervolume_at(self, seconds: float) -> float:
        """Return the hypervolume at a time."""
        return max((s.hypervolume for s in self.samples if s.seconds <= seconds), default=0.0)

    def measured_by(self, seconds: float) -> tuple[Measured, ...]:
        """Return the models measured by a time."""
        return tuple(one for one in self.measured if one.seconds <= seconds)


def front_of(measured: Sequence[Measured]) -> list[Measured]:
    """Return the models that no other one dominates on validation."""
    if not measured:
        return []
    mask = pareto_mask([(m.accuracy, m.size_bytes, m.latency_ms) for m in measured])
    return [one for one, is_on in zip(measured, mask, strict=True) if is_on]


def test_hypervolume(measured: Sequence[Measured], reference: ReferencePoint) -> float:
    """Return the hypervolume of the front with its accuracies on test in their place."""
    front = front_of(measured)
    if not front:
        return 0.0
    values = [(m.test_accuracy, m.size_bytes, m.latency_ms) for m in front]
    return hypervolume(values, reference)


def within(measured: Iterable[Measured], size_bytes: float) -> Measured | None:
    """Return the model that a person would take within a budget: the best on validation."""
    fitting = [one for one in measured if one.size_bytes <= size_bytes]
    return max(fitting, key=lambda one: (one.accuracy, -one.size_bytes), default=None)


def test_within(measured: Sequence[Measured], kilobytes: float) -> float:
    """Return the accuracy on test of what is taken within a budget; 0 if there is nothing."""
    taken = within(measured, 1000 * kilobytes)
    return 0.0 if taken is None else taken.test_accuracy


def mean_error_within(measured: Sequence[Measured], chance: float) -> float:
    """Return the geometric mean of the errors on test over all budgets.

    Args:
        measured: Models of a search.
        chance: Accuracy of guessing, which is what nothing counts as.
    """
    errors = [1 - max(test_within(measured, budget), chance) for budget in BUDGETS_KB]
    return float(np.exp(np.mean(np.log(np.maximum(errors, 1e-4)))))


@dataclass(frozen=True)
class Interval:
    """A mean and the 95 % interval of a bootstrap around it."""

    mean: float
    low: float
    high: float

    def text(self, digits: int) -> str:
        """Return it as a table has it."""
        return f"{self.mean:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def bootstrap(values: Sequence[float], n: int = 2000, seed: int = 0) -> Interval:
    """Return a mean with its interval by percentiles of resampled means."""
    rows = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    means = rng.choice(rows, (n, len(rows))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(rows.mean()), float(low), float(high))


def bootstrap_ratio(
    ours: Sequence[float], others: Sequence[float], n: int = 2000, seed: int = 0
) -> Interval:
    """Return the median over all pairs of what the others took over what ours took.

    Runs of both are resampled; infinity (never reached) over a time is infinity.
    """
    mine, theirs = np.asarray(ours, dtype=float), np.asarray(others, dtype=float)
    rng = np.random.default_rng(seed)

    def middle(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.median(b[None, :] / a[:, None]))

    drawn = [
        middle(rng.choice(mine, len(mine)), rng.choice(theirs, len(theirs))) for _ in range(n)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(middle(mine, theirs), float(low), float(high))
