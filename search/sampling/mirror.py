"""The study as samplers see it: a mirror in memory.

Asking Optuna on a database costs a transaction for every parameter. The mirror holds the same
trials in the same order in an ``InMemoryStorage``; samplers read it and the database only gets
what comes of it. Proposals that are turned down stay in the mirror as failed trials, which
samplers ignore, so its numbers are its own.

TPE gets one point of each training, its trial's own: with six at one place, good and bad at once,
it does worse than drawing at random (``benchmarks/cost/samplers.py``); where that one breaks a
limit and a derived one does not, TPE gets one of those too. And it gets them on the scales on
which the hypervolume is measured, or what is far from the front in bytes decides which points are
good.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from search.front.pareto import SIGNS, ReferencePoint, gains
from search.sampling.foresight import Foresight
from search.sampling.gp_sampler import SurrogateSampler
from search.sampling.outlook import AS_IT_IS, Further
from search.sampling.trainings import QUANTIZATION
from search.sampling.window import Window, WindowedStorage
from search.storage import attributes
from search.storage.batches import Ending, new_trial
from search.storage.constraints import early_ratio, is_feasible
from search.storage.trial_attributes import foreseen_of
from spaces.config.objectives import OBJECTIVES
from spaces.config.trial import ParamValue
from spaces.space.search_space import SearchSpace
from workers.messages.limits import Limits, nearest
from workers.messages.race import LEAST_ERROR


@dataclass(frozen=True)
class Proposal:
    """Parameters a sampler proposes.

    Attributes:
        params: Values of the active parameters.
        distributions: Their ranges, as Optuna stores them.
        system_attrs: What the sampler wants to know again later.
        handle: The trial of the mirror.
    """

    params: Mapping[str, ParamValue]
    distributions: Mapping[str, BaseDistribution]
    system_attrs: Mapping[str, Any]
    handle: Trial


class Mirror:
    """The study as samplers see it.

    Args:
        sampler: Makes the proposals.
        seed: Seed of the proposals at random that end a series of repetitions.
        limits: Limits of the study.
        fan_out: Whether a training gives a point for every scheme that needs none of its own.
        reference: Where the study's hypervolume is measured from.

    Attributes:
        foresight: Guesses which trainings break the limits; None without limits that an
            untrained network can break.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        seed: int,
        *,
        limits: Limits | None = None,
        fan_out: bool = True,
        reference: ReferencePoint | None = None,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage = WindowedStorage()
        self._study = optuna.create_study(
            storage=self._storage,
            directions=[objective.direction for objective in OBJECTIVES],
            sampler=sampler,
        )
        self._sampler = sampler
        # Not the numbers again that the sampler has drawn by the same seed.
        self._random = RandomSampler(seed=(seed + 1) % 2**32)
        self._is_tpe = isinstance(sampler, TPESampler)
        self._window = Window()
        self._represented: set[int] = set()
        self._generation = self._n_bred = 0
        self._limits = limits or Limits()
        self._reference = reference or ReferencePoint()
        self.foresight: Foresight | None = None
        if self._limits.are_known_early:
            self.foresight = Foresight(fan_out=fan_out)
            if isinstance(sampler, SurrogateSampler):
                sampler.foresight = self.foresight

    def propose(
        self,
        space: SearchSpace,
        fixed: Mapping[str, ParamValue] | None = None,
        at_random: bool = False,
        is_branch: bool = False,
        outlook: Sequence[Further] = AS_IT_IS,
    ) -> Proposal:
        """Ask the sampler for a point of the space.

        Args:
            space: What may vary.
            fixed: Values to take, where the space has such a parameter.
            at_random: Whether to draw at random instead.
            is_branch: Whether it starts from another trial's weights, so that its accuracy
                says little of a new training with these values.
            outlook: What the training may become by branches.
        """
        if fixed is not None:
            self._study.enqueue_trial(dict(fixed))
        if isinstance(self._sampler, SurrogateSampler):
            self._sampler.space = space
            self._sampler.outlook = outlook
        if self.foresight is not None:
            self.foresight.space = space
        self._study.sampler = self._random if at_random else self._sampler
        self._breed()
        self._storage.shown = self._window.numbers if self._is_tpe else None
        try:
            trial = self._study.ask()
            params = space.suggest(trial)
        finally:
            self._storage.shown = None
        if is_branch:
            trial.set_user_attr(attributes.BRANCHED_FROM, True)
        return Proposal(
            params=params,
            distributions=self._storage.get_trial(trial.number).distributions,
            system_attrs=self._population(trial),
            handle=trial,
        )

    def _breed(self) -> None:
        """Find the parents of all generations that trials were added of, with NSGA-II.

        Optuna keeps them in its study, of which there is no more than this mirror; and finds those
        of a generation from those of the one before, one inside the other: of a study of some
        hundred generations that is resumed there is no stack for all of them.
        """
        if isinstance(self._sampler, NSGAIISampler):
            while self._n_bred < self._generation:
                self._n_bred += 1
                self._sampler.get_parent_population(self._study, self._n_bred)

    def _population(self, trial: Trial) -> dict[str, Any]:
        """Return the generation of a trial as a system attribute, with NSGA-II."""
        if not isinstance(self._sampler, NSGAIISampler):
            return {}
        # Optuna gives a generation to what the sampler proposed; fixed values have one too, or
        # the start of a study would never be bred from.
        frozen = self._storage.get_trial(trial.number)
        generation = self._sampler.get_trial_generation(self._study, frozen)
        return {attributes.GENERATION: generation}

    def discard(self, handle: Trial) -> None:
        """Turn a proposal down, or forget a trial that failed."""
        self._study.tell(handle, state=TrialState.FAIL)

    @property
    def has_feasible(self) -> bool:
        """Whether any model keeps the limits."""
        return bool(self._represented)

    def is_surely_over(self, params: Mapping[str, ParamValue]) -> bool:
        """Whether a training is known to break the limits, whatever comes of it."""
        return self.foresight is not None and self.foresight.is_surely_over(params)

    def end(self, handle: Trial, ending: Ending, number: int | None = None) -> None:
        """End a proposed trial.

        Args:
            handle: The proposal.
            ending: How it ended.
            number: Of the trial in the study, where points may be derived from it.
        """
        params = self._storage.get_trial(handle.number).params  # Optuna's own way copies them.
        self._foresee(params, ending.state, ending.user_attrs, ending.system_attrs)
        if number is not None and _keeps_limits(ending.state, ending.system_attrs):
            self._represented.add(number)
        for index, value in enumerate(_broken(ending.system_attrs)):
            handle.set_constraint(str(index), value)
        scheme = str(params.get(QUANTIZATION, ""))
        if (hint := _hint(scheme, ending.state, ending.user_attrs)) is not None:
            handle.set_user_attr(attributes.HINT, hint)
        if (seconds := _seconds(ending.state, ending.user_attrs)) is not None:
            handle.set_user_attr(attributes.SECONDS, seconds)
        self._study.tell(handle, values=self._scaled(ending.values), state=ending.state)
        self._show(handle.number)

    def add(self, trial: FrozenTrial) -> None:
        """Add an ended trial: one of an earlier run, or one derived from another."""
        self._foresee(trial.params, trial.state, trial.user_attrs, trial.system_attrs)
        parent = trial.user_attrs.get(attributes.DERIVED_FROM, trial.number)
        is_kept = _keeps_limits(trial.state, trial.system_attrs)
        if self._is_tpe and attributes.DERIVED_FROM in trial.user_attrs:
            # A training whose own model breaks a limit is seen by one that does not.
            if parent in self._represented or not is_kept:
                return
        if is_kept:
            self._represented.add(parent)
        user_attrs: dict[str, Any] = {}
        scheme = str(trial.params.get(QUANTIZATION, ""))
        if (hint := _hint(scheme, trial.state, trial.user_attrs)) is not None:
            user_attrs[attributes.HINT] = hint
        if attributes.BRANCHED_FROM in trial.user_attrs:
            user_attrs[attributes.BRANCHED_FROM] = True
        if (seconds := _seconds(trial.state, trial.user_attrs)) is not None:
            user_attrs[attributes.SECONDS] = seconds
        self._study.add_trial(
            new_trial(
                -1,
                trial.params,
                trial.distributions,
                user_attrs=user_attrs,
                system_attrs=self._for_sampler(trial.system_attrs),
                state=trial.state,
                values=self._scaled(trial.values),
            )
        )
        self._generation = max(self._generation, trial.system_attrs.get(attributes.GENERATION, 0))
        self._show(self._storage.newest)

    def _for_sampler(self, system_attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the sampler goes by of a trial's system attributes."""
        attrs: dict[str, Any] = {}
        if constraints := _broken(system_attrs):
            attrs[attributes.CONSTRAINTS] = constraints
        # NSGA-II breeds from what another sampler proposed, or a person has measured, too.
        first = 0 if isinstance(self._sampler, NSGAIISampler) else None
        if (generation := system_attrs.get(attributes.GENERATION, first)) is not None:
            attrs[attributes.GENERATION] = generation
        return attrs

    def _foresee(
        self,
        params: Mapping[str, ParamValue],
        state: TrialState,
        user_attrs: Mapping[str, Any],
        system_attrs: Mapping[str, Any],
    ) -> None:
        """Learn from a trial how far trainings like it are from keeping the limits."""
        if self.foresight is None:
            return
        ratio = early_ratio(system_attrs, self._limits)
        if ratio is None and state == TrialState.PRUNED:
            gate = user_attrs.get(attributes.GATE, {})
            if (found := nearest(foreseen_of(gate), self._limits)) is not None:
                ratio = found[1].furthest(self._limits)
        if ratio is not None:
            self.foresight.observe(params, ratio)

    def _scaled(self, values: Sequence[float] | None) -> tuple[float, ...] | None:
        """Return objective values as the sampler gets them."""
        if values is None:
            return None
        if not self._is_tpe:
            return tuple(values)
        return tuple((gains([values], self._reference)[0] * -SIGNS).tolist())

    def _show(self, number: int) -> None:
        """Let TPE see a trial that ended, and less of the others if there are many."""
        if not self._is_tpe:
            return
        trial = self._storage.get_trial(number)
        if trial.state != TrialState.FAIL:
            self._window.add(number, None if _is_infeasible(trial) else trial.values)

    @property
    def study(self) -> optuna.Study:
        """The study in memory; to look at, not to change."""
        return self._study


def _is_infeasible(trial: FrozenTrial) -> bool:
    return trial.values is None or any(value > 0 for value in trial.constraints.values())


def _keeps_limits(state: TrialState, system_attrs: Mapping[str, Any]) -> bool:
    return state == TrialState.COMPLETE and is_feasible(system_attrs)


def _hint(
    trial_scheme: str, state: TrialState, user_attrs: Mapping[str, Any]
) -> dict[str, list[float | None]] | None:
    """Return what is known of a trial that has no values: error, size and latency by scheme.

    The error of a stopped training lies between where it stood and where its bar is; nobody
    knows where, so samplers go by the middle (of the logarithms).
    """
    gate = user_attrs.get(attributes.GATE)
    if state != TrialState.PRUNED or gate is None:
        return None
    error = None
    curve, bar = user_attrs.get(attributes.CURVE), user_attrs.get(attributes.BAR)
    if curve and bar is not None:
        at_worst, at_best = 1 - max(curve), 1 - min(bar, 1.0)
        error = math.sqrt(max(at_worst, LEAST_ERROR) * max(min(at_best, at_worst), LEAST_ERROR))
    known: dict[str, list[float | None]] = {
        str(scheme): [None, found.size_bytes, found.latency_ms]
        for scheme, found in foreseen_of(gate).items()
    }
    known[trial_scheme] = [error, gate.get("size_bytes"), gate.get("latency_ms")]
    return known


def _seconds(state: TrialState, user_attrs: Mapping[str, Any]) -> float | None:
    """Return what a trial took; None for derived ones, and for those that were cut short."""
    if state != TrialState.COMPLETE or attributes.DERIVED_FROM in user_attrs:
        return None
    return sum(user_attrs.get(attributes.SECONDS, {}).values()) or None


def _broken(system_attrs: Mapping[str, Any]) -> list[float]:
    """Return the constraints if one is broken; none if all are kept.

    To samplers both mean the same, and they add constraints up for every trial at every ask.
    """
    constraints = list(system_attrs.get(attributes.CONSTRAINTS, ()))
    return constraints if any(value > 0 for value in constraints) else []
