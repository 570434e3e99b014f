"""The race: end a training that can only become a dominated point.

A network's size and latency are known before it is trained, so each of its models has a *bar*:
the best accuracy among finished models that are no larger and no slower. Below its bar a model
is dominated. After every epoch the race asks how good this training can still become, judging
by how finished trainings went on from where this one stands, and ends it when even an unusually
good ending stays below the bars of all its models. Thus early stopping with several objectives
comes down to one threshold per training.

Pure functions on plain data: the driver makes a :class:`Race`, a worker asks it. What is
compared is the accuracy of the float network on the validation split; quantization does not
raise it but by chance, for which :data:`CHANCE` allows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spaces.config.trial import TrialConfig
from spaces.data.accuracy_context import standard_error

QUANTILE = 0.95
"""Share of finished trainings that did not get further from the same point. On recorded
trainings (mnist12k) 0.95 saves 28 % of all epochs, and loses 4 % of the points on the front and
2.3 % of its hypervolume; a higher one loses as much (``python -m benchmarks.replay race``)."""

MIN_CURVES = 8
"""Finished trainings that it takes to judge another one."""

NEAREST = 0.34
"""Share of them that are compared: those whose error was nearest at the same epoch, as low
errors fall on otherwise than high ones."""

CHANCE = 0.002
"""How much better than the float network a converted one may turn out."""

LEAST_ERROR = 1e-4
"""What an error of 0 counts as where its logarithm is taken, to foretell accuracies."""

USUAL_RECIPE = "cosine"


@dataclass(frozen=True)
class Curve:
    """How one training went.

    Attributes:
        accuracies: On the validation split, after every epoch.
        settled_from: Epochs (from 1) after which its pruning mask does not change any more; 0
            without pruning. Before, it is compared with nothing: in the ramp, accuracy falls
            and comes back.
        recipe: What else gives a curve its shape, as :func:`curve_recipe` returns it. Like is
            compared with like: under a constant rate little is left to gain where a cosine's
            best epochs are still to come.
    """

    accuracies: tuple[float, ...]
    settled_from: int = 0
    recipe: str = USUAL_RECIPE


@dataclass(frozen=True)
class Race:
    """What a training is judged by.

    Attributes:
        front: Accuracy, size in bytes and latency in milliseconds of the points on the front.
        curves: Trainings that went on to their end.
        quantile: See :data:`QUANTILE`; higher stops less.
        useful: Accuracy up to which a model counts nothing, however small and fast; 0 as long as
            there is none above it.
        least_error: What an error of 0 counts as where its logarithm is taken.
        hope: Factor on a training's error that branches may still bring, by training on: what it
            needs not reach itself. 1 if it is to reach all by itself.
        n_images: That accuracies are of: a bar is the luckiest of many measurements, so that what
            comes within its standard error is not known to be worse. 0 if not known.
    """

    front: tuple[tuple[float, float, float], ...] = ()
    curves: tuple[Curve, ...] = ()
    quantile: float = QUANTILE
    useful: float = 0.0
    least_error: float = LEAST_ERROR
    hope: float = 1.0
    n_images: int = 0

    @property
    def can_judge(self) -> bool:
        """Whether there is anything to judge others by."""
        is_perfect = any(accuracy >= 1.0 for accuracy, _, _ in self.front)
        return is_perfect or len(self.curves) >= MIN_CURVES

    def hopeless(self, models: Iterable[tuple[float, float]]) -> str:
        """Return why a training is not worth its first epoch; empty if it may be.

        On an easy task a small network soon makes no mistake. What is no smaller and no faster
        in any of its models is dominated then, whatever comes of it.

        Args:
            models: Size in bytes and latency in milliseconds of each.
        """
        if self.bar(models) < 1.0:
            return ""
        return "not trained: models no larger and no slower make no mistake in validation"

    def bar(self, models: Iterable[tuple[float, float]]) -> float:
        """Return the accuracy that a training must reach for one of its models to matter.

        Args:
            models: Size in bytes and latency in milliseconds of each.

        Returns:
            The lowest of their bars; 0 where nothing on the front is as small and as fast.
        """
        return min((self._bar(size, latency) for size, latency in models), default=0.0)

    def _bar(self, size_bytes: float, latency_ms: float) -> float:
        return max(
            (
                accuracy
                for accuracy, size, latency in self.front
                if size <= size_bytes and latency <= latency_ms
            ),
            default=0.0,
        )

    def least(self, floor: float) -> float:
        """Return the accuracy that a training must end with to be of use, now or later.

        Args:
            floor: Accuracy below which a model breaks a limit of the study.
        """
        wanted = max(floor, self.useful)
        return wanted if self.hope == 1 else max(0.0, 1 - (1 - wanted) / self.hope)

    def expected(
        self,
        accuracies: Sequence[float],
        n_epochs: int,
        settled_from: int = 0,
        recipe: str = USUAL_RECIPE,
    ) -> float:
        """Return how accurate a training may still become.

        Finished trainings which stood nearest to it after as many epochs tell by which factor
        the error may still fall.

        Args:
            accuracies: After each of its epochs so far.
            n_epochs: Epochs it is to have.
            settled_from: See :class:`Curve`.
            recipe: See :class:`Curve`.

        Returns:
            The accuracy; 1 if there is nothing to compare it with.
        """
        epoch = len(accuracies)
        if not accuracies or epoch >= n_epochs or epoch < settled_from:
            return 1.0
        comparable = [
            curve
            for curve in self.curves
            if len(curve.accuracies) == n_epochs
            and curve.settled_from <= epoch
            and curve.recipe == recipe
        ]
        if len(comparable) < MIN_CURVES:
            return 1.0
        error = self._error(accuracies[-1])
        ratios = sorted(
            (
                abs(math.log(self._error(curve.accuracies[epoch - 1]) / error)),
                self._error(curve.accuracies[-1]) / self._error(curve.accuracies[epoch - 1]),
            )
            for curve in comparable
        )
        nearest = ratios[: max(MIN_CURVES, round(NEAREST * len(ratios)))]
        return 1.0 - error * _low_quantile([ratio for _, ratio in nearest], 1.0 - self.quantile)

    def _error(self, accuracy: float) -> float:
        return max(self.least_error, 1.0 - accuracy)

    def verdict(
        self,
        accuracies: Sequence[float],
        n_epochs: int,
        settled_from: int,
        bar: float,
        recipe: str = USUAL_RECIPE,
        *,
        floor: float = 0.0,
    ) -> str:
        """Return why a training is to be stopped now; empty to go on.

        Args:
            accuracies: After each of its epochs so far.
            n_epochs: Epochs it is to have.
            settled_from: See :class:`Curve`.
            bar: As :meth:`bar` returns it.
            recipe: See :class:`Curve`.
            floor: Accuracy below which a model breaks a limit of the study. It is named as the
                cause where the bar of the others would not have stopped the training.
        """
        expected = self.expected(accuracies, n_epochs, settled_from, recipe) + CHANCE
        error = standard_error(bar, self.n_images) if self.n_images and bar else 0.0
        is_below_bar = expected + max(0.0, error - CHANCE) < bar
        least = self.least(floor)
        if not is_below_bar and expected >= least:
            return ""
        if is_below_bar:
            why = f"models no larger and no slower reach {bar:.4f}"
        elif expected < floor:
            why = f"the limit on accuracy (--min-accuracy) is {floor:.4f}"
            if least < floor:
                why += f", where training on is expected to get from {least:.4f}"
        else:
            why = f"what is not above {self.useful:.4f} counts nothing"
        return (
            f"after epoch {len(accuracies)} of {n_epochs} at an accuracy of {accuracies[-1]:.4f}; "
            f"at most {expected:.4f} was to be expected, and {why}"
        )


def settled_from(config: TrialConfig) -> int:
    """Return after how many epochs a configuration's pruning mask is final; 0 without."""
    if not config.pruning.is_active:
        return 0
    return math.ceil(config.pruning.end * config.training.epochs)


def curve_recipe(config: TrialConfig) -> str:
    """Return what gives a configuration's curve its shape beside the length and the pruning.

    An average of the weights is ahead of them early, and gains less at the end.
    """
    training = config.training
    return f"{training.lr_schedule}, averaged" if training.ema else training.lr_schedule


def _low_quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which about ``share`` of all lie; never less than the lowest."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
