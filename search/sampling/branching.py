"""Branches: trials that start from a good trial's weights, and when they are worth their time.

A branch prunes, or trains quantization-aware, what is trained already, and gives new points for
a fraction of the seconds; or it trains on, for as long as all before, so that the accurate end of
the front grows out of cheap beginnings. How many seconds go into branches and how many into new
trainings is decided by what each has lately bought: hypervolume gained per second. For new
trainings that is known from the last few of them. For a branch it is predicted: by how much
accuracy and size have changed in earlier branches, and what points like that would add to the
front now.
What a branch that trained on says of others, and a pruning of those to other sparsities, is in
modules of their own. Predictions are corrected by how true they were so far.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from search.sampling.branch_costs import BranchCosts, Spent
from search.sampling.branch_effects import BranchEffects, Effect, Points, Values, changed
from search.sampling.branch_kinds import (
    KINDS,
    MAX_LINEAGE,
    QAT,
    TRAIN_ON,
    Kind,
    branch_config,
    kind_of,
    sparsest,
)
from search.sampling.branch_parents import Parent
from search.sampling.outlook import AS_IT_IS, Further, pruned, trained_on
from search.sampling.training_on import steps
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
Recorded trainings left 79 % of an error on MNIST, 86 % on fruit and 94 % on CIFAR-10 when they
were trained a second time, as medians of good and bad ones (``benchmarks/RESULTS.md``).
"""

MIN_OUTLOOK = 0.7
"""New trainings are judged by prunings to so much at least: what one to a half makes of them is
near to what they are."""

PRUNED_OUTLOOKS = 3
"""Of so many lengths of training each, the shortest: each of them is judged for all candidates
before every proposal."""

MAX_BRANCHES_IN_A_ROW = 6
NOTHING = 1e-9
"""Hypervolume that is next to none."""

MEMORY = 12
"""Branches that tell how true predictions are."""

FADING = 0.5
"""How much a new training counts, beside the next one, for what new trainings buy.

That is little, as the first ones of a study buy far more than any later one: live searches in
which the last twelve counted alike went on with new trainings, of which a second bought a third
(MNIST) and a sixteenth (CIFAR-10) of what one of a branch did (``benchmarks/RESULTS.md``).
"""

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
        self._trainings: dict[int, Parent] = {}
        self._effects = BranchEffects(
            least_error, must_prune=self._limits.max_size_bytes is not None
        )
        self._costs = BranchCosts()
        self._gain_of_new = self._seconds_of_new = self._weight_of_new = 0.0
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
        took: Spent,
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
            took: Seconds that it took.
            parent: Trial it branched from.
            predicted: Hypervolume it was expected to add, where it is known.
            left: What it has left to learn.
        """
        first = took
        if parent is None:
            self._n_new += 1
            self._gain_of_new = FADING * self._gain_of_new + gain
            self._seconds_of_new = FADING * self._seconds_of_new + took.all
            self._weight_of_new = FADING * self._weight_of_new + 1.0
            if points:
                self._costs.note_new(took)
                self._effects.training_on.note(config.training.augmentation, left)
        else:
            kind = kind_of(config)
            # Of a branch that was begun for what comes later, nothing was predicted.
            if predicted is not None and predicted > NOTHING:
                self._truth.append((gain, predicted))
            if parent in self._trainings:
                before = self._trainings[parent]
                before.tried.add(kind)
                first = before.first
                if points:  # What failed or was refused took no time, and tells none.
                    self._costs.note(kind, took, first, self._times(kind, config))
                self._effects.learn(
                    kind,
                    before.points,
                    points,
                    sparsity=before.config.pruning.final_sparsity,
                    left=before.left,
                    doublings=_doublings(config),
                )
        if points:
            self._trainings[number] = Parent(config, dict(points), first, left)

    def propose(
        self,
        kept: Iterable[int],
        hypervolume: Hypervolume,
        seconds_left: float = math.inf,
    ) -> Branch | None:
        """Return the branch that is to be tried now; None if a new training is worth more.

        Args:
            kept: Trials whose weights are there.
            hypervolume: See :data:`Hypervolume`.
            seconds_left: What takes longer than that, and than new trainings lately did, is not
                begun, and what is worth something only after others that take longer is worth
                nothing.
        """
        if self._n_new < MIN_NEW or self._in_a_row >= MAX_BRANCHES_IN_A_ROW:
            self._in_a_row = 0
            return None
        best, best_rate = None, self._rate_of_new()
        # A new training would take the place of a branch that is left out.
        seconds_left = max(seconds_left, self._seconds_of_new / self._weight_of_new)
        trust = self._trust()
        for number in kept:
            training = self._trainings.get(number)
            if training is None:
                continue
            for kind, config in self._untried(training):
                gain, rate = self._judged(kind, config, training, hypervolume, seconds_left)
                if trust * rate > best_rate:
                    best, best_rate = Branch(number, kind, config, gain), trust * rate
        if best is None:
            self._in_a_row = 0
            return None
        self._in_a_row += 1
        self._trainings[best.parent].tried.add(best.kind)
        return best

    def _untried(self, training: Parent) -> Iterable[tuple[Kind, TrialConfig]]:
        """Yield the branches that a training may still have, and their configurations."""
        for kind in (*KINDS, *sparsest(self._limits), *self._fitting(training)):
            if not training.has_tried(kind):
                config = self._branch(kind, training)
                if config is not None:
                    yield kind, config

    def _fitting(self, training: Parent) -> Iterable[Kind]:
        """Return the prunings to as much as it takes to keep the limit on sizes, and no more."""
        limit, before = self._limits.max_size_bytes, training.config.pruning.final_sparsity
        return self._effects.fitting(training.points, limit, before) if limit else ()

    def _judged(
        self,
        kind: Kind,
        config: TrialConfig,
        training: Parent,
        hypervolume: Hypervolume,
        seconds_left: float = math.inf,
    ) -> tuple[float, float]:
        """Return what a branch adds to the front, and what it leads to, for each second."""
        effects, seconds = self._effects, self._cost(kind, config, training)
        if seconds > seconds_left:
            return 0.0, 0.0
        added = partial(self._added, kind, training, hypervolume, hypervolume(()))
        if kind is QAT:
            gain = added(effects.of_qat())
            return gain, gain / seconds
        error = partial(effects.training_on.error, training.left)
        # What it adds at once, or what it leads to if it is trained on and on.
        n_more, once = MAX_LINEAGE - len(config.lineage), 1.0
        if kind is TRAIN_ON:
            once = _doublings(config)  # 1, but where a model's own code ends its first training.
            gain = added(Effect(error(once, expected=HOPED_OF_TRAINING_ON)))
            change, before_s, trained = Effect(1.0), 0.0, self._times(kind, config)
            times = steps(n_more + 1)
        else:
            change, trained = self._pruned(kind, training), self._trained(config)
            gain, before_s = added(change), seconds
            times = steps(n_more) if TRAIN_ON in KINDS else ()
        rates = [gain / seconds]
        for n in times:
            whole_s = before_s + self._costs.of_training_on(training.first, trained, n)
            if whole_s <= seconds_left:
                after = replace(change, error=change.error * error(n * once))
                rates.append(added(after) / whole_s)
        return gain, max(rates)

    def _trained(self, config: TrialConfig) -> float:
        """Return how long all trainings were that lead to one, in whole trainings."""
        return config.total_epochs / self._epochs

    def _times(self, kind: Kind, config: TrialConfig) -> float:
        """Return for how many whole trainings' time a branch trains on; 1 for other kinds."""
        return config.training.epochs / self._epochs if kind is TRAIN_ON else 1.0

    def _added(
        self,
        kind: Kind,
        training: Parent,
        hypervolume: Hypervolume,
        now: float,
        effect: Effect,
    ) -> float:
        """Return what a branch would add to the front of today, if it changed that much."""
        if training.added_to != now:  # A front that has gained nothing gains as much as before.
            training.added_to = now
            training.added.clear()
        if (kind, effect) not in training.added:
            expected = changed(kind, training.points, effect)
            kept = [values for values in expected if self._keeps_limits(values)]
            training.added[kind, effect] = hypervolume(kept) - now
        return training.added[kind, effect]

    def _branch(self, kind: Kind, training: Parent) -> TrialConfig | None:
        if kind not in training.branches:
            config = branch_config(training.config, kind, self._epochs, self._space)
            training.branches[kind] = config
        return training.branches[kind]

    def promise(self, number: int, hypervolume: Hypervolume) -> float:
        """Return what the best branch of a training is expected to lead to on the front.

        That may be all that a training is worth: within limits a large network may keep none of
        them as it is, and be the best of all once it is pruned; and as long as nothing is as
        accurate as it has to be, all hope is in what is trained on.

        Args:
            number: Of the trial.
            hypervolume: See :data:`Hypervolume`.
        """
        training = self._trainings.get(number)
        if training is None:
            return 0.0
        promised = (
            self._judged(kind, config, training, hypervolume)[1]
            * self._cost(kind, config, training)
            for kind, config in self._untried(training)
        )
        return self._trust() * max(promised, default=0.0)

    def outlook(self, seconds_left: float = math.inf) -> tuple[Further, ...]:
        """Return what a new training may become: as it is, trained on, and pruned if need be.

        Args:
            seconds_left: What is expected to take longer than that is none of it.
        """
        if TRAIN_ON not in KINDS:
            return AS_IT_IS
        effects, costs = self._effects, self._costs
        typical = costs.typical()
        found = [*AS_IT_IS]
        for n in steps(MAX_LINEAGE - 1):
            cost = costs.of_training_on(typical, 1.0, n)
            found.append(trained_on(effects.training_on, n, cost))
        if self._limits.max_size_bytes and "final_sparsity" in self._space:
            searched = self._space["final_sparsity"]
            found += [
                pruned(
                    further, effects.prunings, kind.sparsity, self._costs.of(kind, typical, 1.0)
                )
                for kind in (*KINDS, *sparsest(self._limits))
                if kind.sparsity >= MIN_OUTLOOK and searched.contains(kind.sparsity)
                for further in found[:PRUNED_OUTLOOKS]
            ]
        new_s = self._seconds_of_new / max(1.0, self._weight_of_new)
        later = (further for further in found[1:] if further.cost * new_s <= seconds_left)
        return (found[0], *later)

    def _keeps_limits(self, values: Values) -> bool:
        accuracy, size_bytes, latency_ms = values
        is_accurate = accuracy >= (self._limits.min_accuracy or 0.0)
        return is_accurate and may_keep(Foreseen(size_bytes, latency_ms), self._limits)

    def _pruned(self, kind: Kind, training: Parent) -> Effect:
        """Return what pruning is expected to change."""
        before = training.config.pruning.final_sparsity
        return self._effects.of_pruning(training.points, kind.sparsity, before)

    def _cost(self, kind: Kind, config: TrialConfig, parent: Parent) -> float:
        """Return the seconds that a branch is expected to take."""
        return self._costs.of(kind, parent.first, self._times(kind, config))

    def _trust(self) -> float:
        """Return how much of the predicted gains came true, with one prediction on trust."""
        if not self._truth:
            return 1.0
        got = sum(gain for gain, _ in self._truth)
        predicted = sum(p for _, p in self._truth)
        mean = predicted / len(self._truth)
        return min(1.5, max(0.05, (got + mean) / max(1e-12, predicted + mean)))

    def _rate_of_new(self) -> float:
        return self._gain_of_new / max(1e-6, self._seconds_of_new)


def _doublings(branch: TrialConfig) -> float:
    """Return how many times a branch doubles the epochs of all that led to its parent."""
    assert branch.branched_from is not None
    return math.log2(branch.total_epochs / branch.branched_from.total_epochs)
