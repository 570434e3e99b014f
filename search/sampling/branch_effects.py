"""What branches change, learned from earlier ones: errors, sizes and latencies of their models."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from search.sampling.branch_kinds import QAT, TRAIN_ON, Kind, pruning_to
from search.sampling.prunings import HOPED_STEEPNESS, USUAL_STEEPNESS, Prunings
from search.sampling.training_on import TrainingOn
from spaces.config.schemes import QuantizationScheme

Values: TypeAlias = tuple[float, float, float]
Points: TypeAlias = Mapping[QuantizationScheme, Values]
"""Accuracy, bytes and milliseconds of a training's models."""

FILLED = 0.97
"""Part of a limit on sizes that pruning to fit fills: sizes are foreseen to some percent."""


@dataclass(frozen=True)
class Effect:
    """What a branch of some kind changes.

    Attributes:
        error: Factor on the error.
        size: Factor on the size.
        latency: Factor on the latency.
        sizes: Bytes by scheme, where there is more to say of them than a factor.
    """

    error: float
    size: float = 1.0
    latency: float = 1.0
    sizes: tuple[tuple[QuantizationScheme, float], ...] = ()


class BranchEffects:
    """Learns what branches change.

    Args:
        least_error: What an error of 0 counts as where errors are compared.
        must_prune: Whether much is hoped of pruning, as there is a limit on sizes.

    Attributes:
        prunings: What pruning changes.
        training_on: What training on changes.
    """

    def __init__(self, least_error: float, *, must_prune: bool = False) -> None:
        self.prunings = Prunings(HOPED_STEEPNESS if must_prune else USUAL_STEEPNESS)
        self.training_on = TrainingOn()
        self._of_qat: deque[Effect] = deque(maxlen=60)
        self._least_error = least_error

    def learn(
        self,
        kind: Kind,
        before: Points,
        after: Points,
        *,
        sparsity: float,
        left: float,
        doublings: float,
    ) -> None:
        """Learn from a branch.

        Args:
            kind: What it did.
            before: The models of what it started from.
            after: Its models.
            sparsity: Of the weights that it started from.
            left: What those had left to learn.
            doublings: How many times all their epochs doubled by it.
        """
        for scheme, (accuracy, size, latency) in after.items():
            base = before.get(_base(scheme))
            if base is None:
                continue
            least = self._least_error
            effect = Effect(
                max(least, 1 - accuracy) / max(least, 1 - base[0]),
                size / base[1],
                latency / base[2],
            )
            if kind is TRAIN_ON:
                self.training_on.learn(effect.error, left, doublings)
            elif kind is QAT:
                self._of_qat.append(effect)
            else:
                self.prunings.learn(
                    kind.sparsity,
                    sparsity,
                    error=effect.error,
                    latency=effect.latency,
                    sizes=(base[1], size),
                    scheme=scheme,
                )

    def of_qat(self) -> Effect:
        """Return the median of what was seen; that nothing changes counts like five sightings."""
        seen = [*self._of_qat, *[Effect(error=1.0)] * 5]
        return Effect(
            median(e.error for e in seen),
            median(e.size for e in seen),
            median(e.latency for e in seen),
        )

    def of_pruning(self, points: Points, sparsity: float, before: float) -> Effect:
        """Return what pruning is expected to change.

        Args:
            points: The models as they are.
            sparsity: That they are to have.
            before: That they have.
        """
        return Effect(
            self.prunings.error(sparsity, before),
            latency=self.prunings.latency(sparsity, before),
            sizes=tuple(
                (scheme, self.prunings.size(size, scheme, sparsity, before))
                for scheme, (_, size, _) in points.items()
            ),
        )

    def fitting(self, points: Points, max_bytes: float, before: float) -> list[Kind]:
        """Return prunings of which each lets a model just keep a limit on sizes.

        A few fixed sparsities alone would leave a network that is a little too large with half of
        the bytes that it may have.

        Args:
            points: The models as they are.
            max_bytes: The limit.
            before: Sparsity that they have.
        """
        needed = {
            self.prunings.sparsity_within(FILLED * max_bytes, size, scheme, before)
            for scheme, (_, size, _) in points.items()
        }
        return [pruning_to(sparsity) for sparsity in sorted(s for s in needed if s)]


def changed(kind: Kind, points: Points, effect: Effect) -> list[Values]:
    """Return the models that a branch is expected to have.

    Args:
        kind: What it does.
        points: The models of what it starts from.
        effect: What it changes.
    """
    expected, sizes = [], dict(effect.sizes)
    for scheme, (accuracy, size, latency) in points.items():
        if kind is QAT and scheme is not QuantizationScheme.INT8:
            continue
        if kind is QAT:
            accuracy = max(accuracy, *(p[0] for p in points.values()))
        expected.append(
            (
                max(0.0, 1 - (1 - accuracy) * effect.error),
                sizes.get(scheme, size * effect.size),
                latency * effect.latency,
            )
        )
    return expected


def _base(scheme: QuantizationScheme) -> QuantizationScheme:
    """Return the scheme of the parent that a branch's point is compared with."""
    return QuantizationScheme.INT8 if scheme is QuantizationScheme.QAT_INT8 else scheme
