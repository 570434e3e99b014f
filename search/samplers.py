"""What to try next: Optuna's samplers, working on a mirror of the study in memory.

Asking Optuna on a database costs a transaction for every parameter. The mirror holds the same
trials in the same order in an ``InMemoryStorage``; samplers read it and the database only gets
what comes of it. Proposals that are turned down stay in the mirror as failed trials, which
samplers ignore, so its numbers are its own.

Points that were derived from another trial's training are in the mirror like all others: TPE
models them, and NSGA-II finds them in the population of the trial they derive from.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from search import attributes
from search.records import Ending, new_trial
from spaces.config import ParamValue
from spaces.errors import ConfigError
from spaces.objectives import OBJECTIVES
from spaces.space import SearchSpace

SAMPLERS: Mapping[str, str] = {
    "tpe": "models where good points lie, parameters together (multivariate TPE)",
    "nsga2": "breeds new points from the best ones (NSGA-II)",
    "random": "draws at random",
}
"""Samplers by name, with one line on each."""

_MAX_GOOD_POINTS = 25
_N_STARTUP_TRIALS = 10
_POPULATION_SIZE = 50


def sampler_seed(seed: int, n_trials: int) -> int:
    """Return a seed for a sampler that starts when a study has ``n_trials`` trials.

    A resumed study must not draw the numbers again that it drew at its start.
    """
    digest = hashlib.sha256(f"sampler {seed} {n_trials}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def make_sampler(name: str, seed: int, points_per_trial: int = 1) -> BaseSampler:
    """Return a sampler by its name.

    Args:
        name: One of ``SAMPLERS``.
        seed: Seed of its random numbers.
        points_per_trial: Points that one training gives as a rule. Ten trainings are drawn at
            random before TPE starts to model, however many points they gave.

    Raises:
        ConfigError: If there is no sampler of that name.
    """
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "nsga2":
        return NSGAIISampler(seed=seed, population_size=_POPULATION_SIZE)
    if name == "tpe":
        with warnings.catch_warnings():
            # `group` is experimental and `gamma` is to go in Optuna 6; we pin Optuna 5. Without
            # a cap on the number of good points an ask grows with the square of their number.
            warnings.simplefilter("ignore")
            return TPESampler(
                seed=seed,
                multivariate=True,
                group=True,  # Conditional parameters are modelled with those they come with.
                constant_liar=True,  # Trials under way repel new ones.
                n_startup_trials=_N_STARTUP_TRIALS * points_per_trial,
                gamma=_n_good_points,
            )
    raise ConfigError(f"`sampler in ({', '.join(SAMPLERS)})` must hold, but got {name!r}.")


def _n_good_points(n: int) -> int:
    return min(-(-n // 10), _MAX_GOOD_POINTS)


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
    """

    def __init__(self, sampler: BaseSampler, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            storage=optuna.storages.InMemoryStorage(),
            directions=[objective.direction for objective in OBJECTIVES],
            sampler=sampler,
        )
        self._sampler = sampler
        self._random = RandomSampler(seed=seed)

    def propose(
        self,
        space: SearchSpace,
        fixed: Mapping[str, ParamValue] | None = None,
        at_random: bool = False,
    ) -> Proposal:
        """Ask the sampler for a point of the space.

        Args:
            space: What may vary.
            fixed: Values to take, where the space has such a parameter.
            at_random: Whether to draw at random instead.
        """
        if fixed is not None:
            self._study.enqueue_trial(dict(fixed))
        self._study.sampler = self._random if at_random else self._sampler
        trial = self._study.ask()
        params = space.suggest(trial)
        return Proposal(
            params=params,
            distributions=trial.distributions,
            system_attrs=self._population(trial),
            handle=trial,
        )

    def _population(self, trial: Trial) -> dict[str, Any]:
        """Return the generation of a trial as a system attribute, with NSGA-II."""
        if not isinstance(self._sampler, NSGAIISampler):
            return {}
        # Optuna gives a generation to what the sampler proposed; fixed values have one too, or
        # the start of a study would never be bred from.
        frozen = self._study.get_trials(deepcopy=False)[trial.number]
        generation = self._sampler.get_trial_generation(self._study, frozen)
        return {attributes.GENERATION: generation}

    def discard(self, handle: Trial) -> None:
        """Turn a proposal down, or forget a trial that failed."""
        self._study.tell(handle, state=TrialState.FAIL)

    def end(self, handle: Trial, ending: Ending) -> None:
        """End a proposed trial."""
        for index, value in enumerate(_broken(ending.system_attrs)):
            handle.set_constraint(str(index), value)
        self._study.tell(handle, values=ending.values, state=ending.state)

    def add(self, trial: FrozenTrial) -> None:
        """Add an ended trial: one of an earlier run, or one derived from another."""
        self._study.add_trial(
            new_trial(
                -1,
                trial.params,
                trial.distributions,
                user_attrs={},
                system_attrs=_for_samplers(trial.system_attrs),
                state=trial.state,
                values=None if trial.values is None else tuple(trial.values),
            )
        )

    @property
    def study(self) -> optuna.Study:
        """The study in memory; to look at, not to change."""
        return self._study


def _broken(system_attrs: Mapping[str, Any]) -> list[float]:
    """Return the constraints if one is broken; none if all are kept.

    To samplers both mean the same, and they add constraints up for every trial at every ask.
    """
    constraints = list(system_attrs.get(attributes.CONSTRAINTS, ()))
    return constraints if any(value > 0 for value in constraints) else []


def _for_samplers(system_attrs: Mapping[str, Any]) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    if constraints := _broken(system_attrs):
        attrs[attributes.CONSTRAINTS] = constraints
    if attributes.GENERATION in system_attrs:
        attrs[attributes.GENERATION] = system_attrs[attributes.GENERATION]
    return attrs
