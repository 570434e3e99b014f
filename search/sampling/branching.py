"""Branches: trials that start from a good trial's weights, and when they are worth their time.

A branch prunes, or trains quantization-aware, what is trained already, and gives new points for
a fraction of the seconds; or it trains on, for as many epochs again, so that the accurate end of
the front grows out of cheap beginnings. How many seconds go into branches and how many into new
trainings is decided by what each has lately bought: hypervolume gained per second. For new
trainings that is known from the last of them. For a branch it is predicted: by how much accuracy
and size have changed in earlier branches, and what points like that would add to the front now.
What a branch that trained on says of others, and a pruning of those to other sparsities, is in
modules of their own. Predictions are corrected by how true they were so far.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TypeAlias

from search.sampling.branch_kinds import (
    KINDS,
    MAX_LINEAGE,
    QAT,
    TRAIN_ON,
    Kind,
    branch_config,
    kind_of,
)
from search.sampling.prunings import Prunings
from search.sampling.training_on import AS_IT_IS, Further, TrainingOn, steps
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.space.search_space import SearchSpace
from workers.messages.limits import Foreseen, Limits, may_keep

MIN_NEW = 4
"""New trainings before the first branch. Even branches of what is not the best yet soon buy more a
second than new trainings do (``benchmarks/RESULTS.md``)."""

HOPED_OF_TRAINING_ON = 0.7
"""Factor on errors to expect of training on that was never tried.

That is much, so that it is tried soon: on MNIST and generated fruit searches that expect 0.85 let
the first trainings, which buy more than any later one, keep it waiting for half of their time.
Recorded trainings left 79 % of an error on MNIST, 86 % on fruit and 94 % on CIFAR-10, as medians
of good and bad ones (``benchmarks/RESULTS.md``).
"""

MAX_BRANCHES_IN_A_ROW = 6
MAX_PARENTS = 12
NOTHING = 1e-9
"""Hypervolume that is next to none."""

MEMORY = 12
"""Trials that tell what new trainings have lately bought."""

Values: TypeAlias = tuple[float, float, float]
Points: TypeAlias = Mapping[QuantizationScheme, Values]
Hypervolume = Callable[[Iterable[Values]], float]
"""Hypervolume of the front with some points added."""


@dataclass(frozen=True)
class Branch:
    """A branch that could be tried.

    Attributes:
        parent: Number of the trial whose weights it starts from.
        kind: What it does.
        config: Its configuration.
        predicted: Hypervolume it is expected to add, uncorrected.
    """

    parent: int
    kind: Kind
    config: TrialConfig
    predicted: float = 0.0


@dataclass(frozen=True)
class _Effect:
    """What a branch of some kind changed: factors on the error, the size and the latency."""

    error: float
    size: float
    latency: float = 1.0


@dataclass
class _Training:
    """A training that branches may start from.

    Attributes:
        config: What it was.
        points: Values of its models.
        whole_seconds: What the training took that its lineage began with.
        left: What it has left to learn (:func:`search.sampling.training_on.left_to_learn`).
        tried: Names of the kinds of branches it had.
        branches: Configurations that its branches would have, by kind.
        added_to: Hypervolume of the front for which ``added`` was worked out.
        added: What its branches would add to that front, by kind and by what they would change.
    """

    config: TrialConfig
    points: dict[QuantizationScheme, Values]
    whole_seconds: float
    left: float = 1.0
    tried: set[str] = field(default_factory=set)
    branches: dict[Kind, TrialConfig | None] = field(default_factory=dict)
    added_to: float = 0.0
    added: dict[tuple[Kind, _Effect], float] = field(default_factory=dict)


class Brancher:
    """Knows what trainings gave, and says which branch is worth more than a new training.

    Args:
        epochs: Of a whole training.
        space: What the study searches.
        limits: What points must keep to be worth anything.
        least_error: What an error of 0 counts as where errors are compared.
    """

    def __init__(
        self,
        epochs: int,
        space: SearchSpace,
        limits: Limits | None = None,
        *,
        least_error: float = 1e-4,
    ) -> None:
        self._epochs = epochs
        self._space = space
        self._limits = limits or Limits()
        self._least_error = least_error
        self._trainings: dict[int, _Training] = {}
        self._of_qat: deque[_Effect] = deque(maxlen=60)
        self._prunings = Prunings()
        self._training_on = TrainingOn()
        self._costs: dict[str, deque[float]] = {}
        self._new: deque[tuple[float, float]] = deque(maxlen=MEMORY)
        self._truth: deque[tuple[float, float]] = deque(maxlen=MEMORY)
        self._n_new = 0
        self._in_a_row = 0

    @property
    def space(self) -> SearchSpace:
        """What the study searches; it may grow."""
        return self._space

    @space.setter
    def space(self, space: SearchSpace) -> None:
        if space is not self._space:
            self._space = space
            for training in self._trainings.values():
                training.branches.clear()

    def note(
        self,
        number: int,
        config: TrialConfig,
        points: Points,
        *,
        gain: float,
        seconds: float,
        parent: int | None = None,
        predicted: float | None = None,
        left: float = 1.0,
    ) -> None:
        """Take note of a trial that ended, however it did.

        Args:
            number: Of the trial.
            config: What it was.
            points: Values of its models by scheme; none if it has none.
            gain: Hypervolume that it added.
            seconds: That it took.
            parent: Trial it branched from.
            predicted: Hypervolume it was expected to add, where it is known.
            left: What it has left to learn.
        """
        whole_seconds = seconds
        if parent is None:
            self._n_new += 1
            self._new.append((gain, seconds))
            if points:
                self._training_on.note(config.training.augmentation, left)
        else:
            kind = kind_of(config)
            # Of a branch that was begun for what comes later, nothing was predicted.
            if predicted is not None and predicted > NOTHING:
                self._truth.append((gain, predicted))
            if parent in self._trainings:
                before = self._trainings[parent]
                before.tried.add(kind.name)
                whole_seconds = before.whole_seconds
                share = seconds / max(1e-6, whole_seconds)
                self._costs.setdefault(kind.name, deque(maxlen=MEMORY)).append(share)
                self._learn(kind, before, points)
        if points:
            self._trainings[number] = _Training(config, dict(points), whole_seconds, left)

    def _learn(self, kind: Kind, before: _Training, after: Points) -> None:
        for scheme, (accuracy, size, latency) in after.items():
            base = before.points.get(_base(scheme))
            if base is None:
                continue
            least = self._least_error
            effect = _Effect(
                max(least, 1 - accuracy) / max(least, 1 - base[0]),
                size / base[1],
                latency / base[2],
            )
            if kind is TRAIN_ON:
                self._training_on.learn(effect.error, before.left)
            elif kind is QAT:
                self._of_qat.append(effect)
            else:
                self._prunings.learn(
                    kind.sparsity,
                    before.config.pruning.final_sparsity,
                    effect.error,
                    effect.size,
                    effect.latency,
                )

    def propose(
        self,
        kept: Iterable[int],
        worth: Callable[[int], float],
        hypervolume: Hypervolume,
    ) -> Branch | None:
        """Return the branch that is to be tried now; None if a new training is worth more.

        Args:
            kept: Trials whose weights are there.
            worth: Of a trial; the best ones are considered.
            hypervolume: See :data:`Hypervolume`.
        """
        if self._n_new < MIN_NEW or self._in_a_row >= MAX_BRANCHES_IN_A_ROW:
            self._in_a_row = 0
            return None
        best, best_rate = None, self._rate_of_new()
        parents = sorted((n for n in kept if n in self._trainings), key=worth, reverse=True)
        now, trust = hypervolume(()), self._trust()
        of_qat = self._effect_of_qat()
        for number in parents[:MAX_PARENTS]:
            training = self._trainings[number]
            # A front that has gained nothing gains as much as before.
            if training.added_to != now:
                training.added_to = now
                training.added.clear()
            for kind in KINDS:
                if kind.name in training.tried:
                    continue
                config = self._branch(kind, training)
                if config is None:
                    continue
                added = partial(self._added, kind, training, hypervolume, now)
                if kind is TRAIN_ON:
                    # What it adds at once, or what it leads to if it is trained on and on.
                    hoped = self._training_on.error(training.left, expected=HOPED_OF_TRAINING_ON)
                    gain = added(_Effect(hoped, 1.0))
                    times = steps(MAX_LINEAGE + 1 - len(config.lineage))
                    after = {n: self._training_on.error(training.left, n) for n in times}
                    rate = max(gain, *(added(_Effect(after[n], 1.0)) / n for n in times))
                else:
                    gain = rate = added(of_qat if kind is QAT else self._pruned(kind, training))
                rate *= trust / self._cost(kind, training)
                if rate > best_rate:
                    best, best_rate = Branch(number, kind, config, gain), rate
        if best is None:
            self._in_a_row = 0
            return None
        self._in_a_row += 1
        self._trainings[best.parent].tried.add(best.kind.name)
        return best

    def _added(
        self,
        kind: Kind,
        training: _Training,
        hypervolume: Hypervolume,
        now: float,
        effect: _Effect,
    ) -> float:
        """Return what a branch would add to the front of today, if it changed that much."""
        if (kind, effect) not in training.added:
            changed = self._changed(kind, training.points, effect)
            training.added[kind, effect] = hypervolume(changed) - now
        return training.added[kind, effect]

    def _branch(self, kind: Kind, training: _Training) -> TrialConfig | None:
        if kind not in training.branches:
            config = branch_config(training.config, kind, self._epochs, self._space)
            training.branches[kind] = config
        return training.branches[kind]

    def outlook(self) -> tuple[Further, ...]:
        """Return what a new training may become by training on: as it is, once, some times."""
        if TRAIN_ON not in KINDS:
            return AS_IT_IS
        cost = self._share(TRAIN_ON)
        times = (0, *steps(MAX_LINEAGE - 1))
        return tuple(self._training_on.further(n, cost) for n in times)

    def _changed(self, kind: Kind, points: Points, effect: _Effect) -> list[Values]:
        predicted = []
        for scheme, (accuracy, size, latency) in points.items():
            if kind is QAT and scheme is not QuantizationScheme.INT8:
                continue
            if kind is QAT:
                accuracy = max(accuracy, *(p[0] for p in points.values()))
            expected = (
                max(0.0, 1 - (1 - accuracy) * effect.error),
                size * effect.size,
                latency * effect.latency,
            )
            if self._keeps_limits(expected):
                predicted.append(expected)
        return predicted

    def _keeps_limits(self, values: Values) -> bool:
        accuracy, size_bytes, latency_ms = values
        is_accurate = accuracy >= (self._limits.min_accuracy or 0.0)
        return is_accurate and may_keep(Foreseen(size_bytes, latency_ms), self._limits)

    def _effect_of_qat(self) -> _Effect:
        """Return the median of what was seen; that nothing changes counts like five sightings."""
        seen = [*self._of_qat, *[_Effect(error=1.0, size=1.0)] * 5]
        return _Effect(
            median(e.error for e in seen),
            median(e.size for e in seen),
            median(e.latency for e in seen),
        )

    def _pruned(self, kind: Kind, training: _Training) -> _Effect:
        """Return what pruning is expected to change."""
        before = training.config.pruning.final_sparsity
        return _Effect(
            self._prunings.error(kind.sparsity, before),
            self._prunings.size(kind.sparsity, before),
            self._prunings.latency(kind.sparsity, before),
        )

    def _cost(self, kind: Kind, parent: _Training) -> float:
        """Return the seconds that a branch is expected to take.

        A large network's branches take longer than a small one's: costs are compared as shares of
        the training that the lineage began with.
        """
        return max(1e-6, self._share(kind) * parent.whole_seconds)

    def _share(self, kind: Kind) -> float:
        return median(self._costs.get(kind.name, (1.0 if kind is TRAIN_ON else 0.5,)))

    def _trust(self) -> float:
        """Return how much of the predicted gains came true, with one prediction on trust."""
        if not self._truth:
            return 1.0
        got = sum(gain for gain, _ in self._truth)
        predicted = sum(p for _, p in self._truth)
        mean = predicted / len(self._truth)
        return min(1.5, max(0.05, (got + mean) / max(1e-12, predicted + mean)))

    def _rate_of_new(self) -> float:
        seconds = sum(s for _, s in self._new)
        return sum(gain for gain, _ in self._new) / max(1e-6, seconds)


def _base(scheme: QuantizationScheme) -> QuantizationScheme:
    """Return the scheme of the parent that a branch's point is compared with."""
    return QuantizationScheme.INT8 if scheme is QuantizationScheme.QAT_INT8 else scheme
