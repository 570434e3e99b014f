"""A study opened for a run: asks for the next trial, takes results, keeps the front.

:class:`OpenStudy` is the only thing that writes to a study, and it writes in batches that are
whole or not there at all (:mod:`search.records`). So whatever is killed, the study holds
finished trials, complete with all that was derived from them, and running ones; the next start
marks the running ones as interrupted and tries their configurations again.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from optuna.trial import FrozenTrial, Trial, TrialState

from search import attributes
from search.artifacts import HISTORY_FILE, MODEL_FILE, ArtifactKeeper, model_keys
from search.encode import (
    config_attrs,
    ending_of,
    failure,
    interruption,
    is_sound,
    point_ending,
    stored_constraints,
)
from search.pareto import Front, ReferencePoint, hypervolume
from search.records import Batch, Ending, Recorder, new_trial
from search.samplers import Mirror, Proposal
from search.settings import StudySettings
from spaces.config import ParamValue, TrialConfig
from spaces.errors import ConfigError
from spaces.schemes import POST_TRAINING_SCHEMES, SCHEMES
from spaces.space import SearchSpace
from workers.result import Point, TrialResult

MakeConfig = Callable[[Mapping[str, ParamValue]], TrialConfig]
"""Turns the parameters of a trial into its configuration."""

QUANTIZATION = "quantization"
"""Parameter in which derived trials differ from the one whose training they share."""

_N_PROPOSALS = 8
_N_RANDOM_PROPOSALS = 256


@dataclass(frozen=True)
class Asked:
    """A trial that is under way.

    Attributes:
        number: Its number in the study.
        config: What to evaluate.
    """

    number: int
    config: TrialConfig


@dataclass(frozen=True)
class Told:
    """What became of a trial.

    Attributes:
        number: Its number.
        outcome: ``complete``, ``infeasible`` or ``failed``.
        reason: Why it has no values.
        values: Its objective values.
        n_derived: Points derived from its training that entered the study.
        n_on_front: How many of all its points are on the front now.
    """

    number: int
    outcome: str
    reason: str = ""
    values: tuple[float, ...] | None = None
    n_derived: int = 0
    n_on_front: int = 0


@dataclass
class _Running:
    proposal: Proposal
    config: TrialConfig
    hashes: frozenset[str]


class OpenStudy:
    """A study that this process alone writes to.

    Args:
        settings: What this run wants of it; checked already.
        trials: All trials it has, in the order of their numbers.
        space: Search space as stored.
        target: Trials it is to have, as stored; None for a new one.
        reference: Where the hypervolume is measured from.
        recorder: Writes to the study.
        mirror: Makes the proposals; empty.
        artifacts: Keeps files; None for no files.

    Attributes:
        settings: What this run wants of it.
        target: Trials it is to have, derived ones not counted; None as long as nobody said.
        front: Pareto front of the points that keep all limits, by trial number.
        n_points: Measured models: complete trials and those derived from them.
        outcomes: Trials of our own asking by outcome.
        n_interrupted: Trials that an earlier driver left running.
    """

    def __init__(
        self,
        settings: StudySettings,
        trials: list[FrozenTrial],
        *,
        space: SearchSpace,
        target: int | None,
        reference: ReferencePoint,
        recorder: Recorder,
        mirror: Mirror,
        artifacts: ArtifactKeeper | None = None,
    ) -> None:
        self.settings = settings
        self.target = target
        self.front = Front()
        self.n_points = 0
        self.outcomes: Counter[str] = Counter()
        self._space = space
        self._limits = settings.limits
        self._reference = reference
        self._hypervolume: float | None = None  # None: the front changed since.
        self._recorder = recorder
        self._mirror = mirror
        self._artifacts = artifacts
        self._n_trials = len(trials)
        self._running: dict[int, _Running] = {}
        self._seen: set[str] = set()
        self._model_keys: dict[int, list[str]] = {}
        self._retries: deque[tuple[int, dict[str, ParamValue]]] = deque()
        self._start_from_defaults = not trials
        self.n_interrupted = 0
        self._take_over(trials)

    # --- Counting -------------------------------------------------------------------------

    @property
    def n_done(self) -> int:
        """Trials which count: of our own asking, and complete, infeasible or failed."""
        return sum(self.outcomes[name] for name in ("complete", "infeasible", "failed"))

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials under way."""
        return tuple(self._running)

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the front."""
        if self._hypervolume is None:
            self._hypervolume = hypervolume(self.front.values, self._reference)
        return self._hypervolume

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.settings.name

    def set_target(self, target: int) -> None:
        """Store how many trials the study is to have."""
        if target != self.target:
            self._recorder.write(Batch(study_user_attrs={attributes.TARGET: target}))
            self.target = target

    # --- Opening --------------------------------------------------------------------------

    def _take_over(self, trials: list[FrozenTrial]) -> None:
        """Learn what the study holds, and put right what a killed driver left."""
        stale: dict[int, Ending] = {}
        refreshed: dict[int, dict[str, Any]] = {}
        interrupted: list[FrozenTrial] = []
        for trial in trials:
            outcome = trial.user_attrs.get(attributes.OUTCOME)
            if trial.state == TrialState.RUNNING:
                stale[trial.number] = interruption("interrupted: the driver was killed")
                interrupted.append(trial)
                continue
            constraints = stored_constraints(self._limits, _values(trial), trial.user_attrs)
            if constraints is not None:
                if constraints != trial.system_attrs.get(attributes.CONSTRAINTS):
                    refreshed[trial.number] = {attributes.CONSTRAINTS: constraints}
                trial.system_attrs[attributes.CONSTRAINTS] = constraints
            if outcome == "interrupted":
                interrupted.append(trial)
            elif trial.state.is_finished():
                self._take_over_ended(trial, outcome)
        self._recorder.write(Batch(ended=stale, trial_system_attrs=refreshed))
        self._drop_files(trials)
        self.n_interrupted = len(stale)
        waiting: set[str] = set()
        for trial in interrupted:
            config_hash = trial.user_attrs.get(attributes.CONFIG_HASH)
            if config_hash and config_hash not in self._seen | waiting:
                waiting.add(config_hash)
                self._retries.append((trial.number, dict(trial.params)))

    def _take_over_ended(self, trial: FrozenTrial, outcome: str | None) -> None:
        if config_hash := trial.user_attrs.get(attributes.CONFIG_HASH):
            self._seen.add(config_hash)
        if outcome and attributes.DERIVED_FROM not in trial.user_attrs:
            self.outcomes[outcome] += 1
        if trial.state != TrialState.FAIL:
            self._mirror.add(trial)
        values = _values(trial)
        if values is not None:
            self.n_points += 1
            if is_feasible(trial.system_attrs):
                self.front.add(trial.number, values)

    def _drop_files(self, trials: list[FrozenTrial]) -> None:
        """Remove the files of points that are not on the front, and files without a name."""
        named: list[str] = []
        dropped: dict[int, dict[str, Any]] = {}
        for trial in trials:
            keys = model_keys(trial.system_attrs)
            named.extend(
                key for key in trial.system_attrs if key.startswith(attributes.ARTIFACT_PREFIX)
            )
            if not keys:
                continue
            if trial.number in self.front:
                self._model_keys[trial.number] = keys
            else:
                dropped[trial.number] = dict.fromkeys(keys)
        if dropped:
            self._recorder.write(Batch(trial_system_attrs=dropped))
        if self._artifacts is not None:
            gone = {key for attrs in dropped.values() for key in attrs}
            self._artifacts.sweep(key for key in named if key not in gone)

    # --- Asking ---------------------------------------------------------------------------

    def ask(self, make_config: MakeConfig) -> Asked | None:
        """Start a trial: an interrupted one again, the space's defaults, or a proposal.

        Returns:
            The trial; None if no configuration turned up that was not tried before.
        """
        retry_of: int | None = None
        fixed: Mapping[str, ParamValue] | None = None
        if self._retries:
            retry_of, fixed = self._retries.popleft()
        elif self._start_from_defaults:
            self._start_from_defaults = False
            fixed = self._space.defaults()
        found = self._find_new(make_config, fixed)
        if found is None:
            return None
        proposal, config, is_fixed = found
        number = self._n_trials
        user_attrs = config_attrs(config)
        if is_fixed and retry_of is not None:
            user_attrs[attributes.RETRY_OF] = retry_of
        trial = new_trial(
            number,
            proposal.params,
            proposal.distributions,
            user_attrs=user_attrs,
            system_attrs=proposal.system_attrs,
        )
        self._recorder.write(Batch(created=(trial,)))
        self._n_trials += 1
        self._running[number] = _Running(proposal, config, self._expected_hashes(config))
        return Asked(number, config)

    def _find_new(
        self, make_config: MakeConfig, fixed: Mapping[str, ParamValue] | None
    ) -> tuple[Proposal, TrialConfig, bool] | None:
        """Return the first proposal whose configuration was not tried, and is not under way."""
        under_way = {h for running in self._running.values() for h in running.hashes}
        for attempt in range(_N_PROPOSALS + _N_RANDOM_PROPOSALS):
            is_fixed = attempt == 0 and fixed is not None
            proposal = self._mirror.propose(
                self._space,
                fixed=fixed if is_fixed else None,
                at_random=attempt >= _N_PROPOSALS,
            )
            try:
                config = make_config(proposal.params)
            except ConfigError:
                self._mirror.discard(proposal.handle)
                if attempt == 0 and not is_fixed and not self._seen:
                    raise  # Nothing ever worked: the space and the configuration disagree.
                continue
            if config.hash not in self._seen and config.hash not in under_way:
                return proposal, config, is_fixed
            self._mirror.discard(proposal.handle)
        return None

    def _expected_hashes(self, config: TrialConfig) -> frozenset[str]:
        """Return the hashes that a trial will answer for: its own and its siblings'."""
        schemes = {config.quantization}
        if self.settings.fan_out and not SCHEMES[config.quantization].trains:
            schemes.update(POST_TRAINING_SCHEMES)
        return frozenset(replace(config, quantization=scheme).hash for scheme in schemes)

    # --- Telling --------------------------------------------------------------------------

    def tell(self, number: int, result: TrialResult) -> Told:
        """End a trial with a worker's result, and add the points derived from it."""
        running = self._running[number]
        ending = ending_of(result, self._limits)
        points: dict[int, tuple[Point, Ending]] = {}
        own_hash = running.config.hash
        if ending.state == TrialState.COMPLETE:
            assert result.point is not None
            points[number] = (result.point, ending)
            hashes = {own_hash}
            others = {h for n, other in self._running.items() if n != number for h in other.hashes}
            for sibling in result.siblings:
                sibling_hash = sibling.config.hash
                if sibling_hash in self._seen | hashes | others or not is_sound(sibling):
                    continue
                if not _takes(running.proposal, sibling.config):
                    continue
                hashes.add(sibling_hash)
                points[self._n_trials + len(points) - 1] = (
                    sibling,
                    point_ending(sibling, result, self._limits),
                )
        endings = {n: point_ending_ for n, (_, point_ending_) in points.items()}
        endings.setdefault(number, ending)
        endings, left, joined = self._update_front(points, endings)
        if result.history and self._artifacts is not None:
            content = json.dumps({k: list(v) for k, v in result.history.items()}, indent=1)
            endings[number] = _with_system_attrs(
                endings[number], self._artifacts.write(HISTORY_FILE, content.encode())
            )
        created = tuple(
            self._derived_trial(n, points[n][0], endings[n], number) for n in points if n != number
        )
        grown = self._space.merged(result.new_parameters)
        self._recorder.write(
            Batch(
                created=created,
                ended={number: endings[number]},
                trial_system_attrs=left,
                study_user_attrs={attributes.SEARCH_SPACE: grown.to_list()}
                if grown is not self._space
                else {},
            )
        )
        # From here on the study has it.
        self._space = grown
        self._n_trials += len(created)
        self.n_points += len(points)
        self._seen.update(point.config.hash for point, _ in points.values())
        self._seen.add(own_hash)
        outcome = str(ending.user_attrs[attributes.OUTCOME])
        self.outcomes[outcome] += 1
        self._forget(number, endings[number])
        for trial in created:
            self._mirror.add(trial)
        if self._artifacts is not None:
            self._artifacts.remove(key for attrs in left.values() for key in attrs)
        return Told(
            number,
            outcome,
            str(ending.user_attrs.get(attributes.REASON, "")),
            ending.values,
            len(created),
            joined,
        )

    def _update_front(
        self, points: Mapping[int, tuple[Point, Ending]], endings: dict[int, Ending]
    ) -> tuple[dict[int, Ending], dict[int, dict[str, Any]], int]:
        """Put new points on the front; write the files of those which stay there.

        Returns:
            The endings, with their files; the files to drop, by trial; how many points joined.
        """
        left: set[int] = set()
        joined: list[int] = []
        for n, (point, ending) in points.items():
            if is_feasible(ending.system_attrs):
                is_on_front, leaving = self.front.add(n, point.values)
                left.update(leaving)
                if is_on_front:
                    joined.append(n)
                    self._hypervolume = None
        staying = [n for n in joined if n not in left]
        dropped = {
            n: dict.fromkeys(self._model_keys.pop(n)) for n in left if n in self._model_keys
        }
        if self._artifacts is not None:
            for n in staying:
                attrs = self._artifacts.write(MODEL_FILE, points[n][0].tflite)
                self._model_keys[n] = list(attrs)
                endings[n] = _with_system_attrs(endings[n], attrs)
        return endings, dropped, len(staying)

    def _derived_trial(
        self, number: int, point: Point, ending: Ending, parent: int
    ) -> FrozenTrial:
        proposal = self._running[parent].proposal
        return new_trial(
            number,
            {**proposal.params, QUANTIZATION: point.config.quantization.value},
            proposal.distributions,
            user_attrs={
                **config_attrs(point.config),
                **ending.user_attrs,
                attributes.DERIVED_FROM: parent,
            },
            # Of its parent's generation: NSGA-II finds it in that population.
            system_attrs={**proposal.system_attrs, **ending.system_attrs},
            state=ending.state,
            values=ending.values,
        )

    def fail(self, number: int, reason: str) -> Told:
        """End a trial as failed: it counts, and is not tried again."""
        ending = failure(reason)
        self._recorder.write(Batch(ended={number: ending}))
        self._seen.add(self._running[number].config.hash)
        self.outcomes["failed"] += 1
        self._forget(number, ending)
        return Told(number, "failed", reason)

    def interrupt(self, reason: str) -> int:
        """Give up all trials under way, to be tried again; return how many there were."""
        endings = {number: interruption(reason) for number in self._running}
        if endings:
            self._recorder.write(Batch(ended=endings))
        for number, ending in endings.items():
            running = self._running[number]
            self._retries.append((number, dict(running.proposal.params)))
            self._forget(number, ending)
        return len(endings)

    def _forget(self, number: int, ending: Ending) -> None:
        handle: Trial = self._running.pop(number).proposal.handle
        self._mirror.end(handle, ending)


def is_feasible(system_attrs: Mapping[str, Any]) -> bool:
    """Whether all constraints of a trial are kept."""
    return all(value <= 0 for value in system_attrs.get(attributes.CONSTRAINTS, ()))


def _takes(proposal: Proposal, config: TrialConfig) -> bool:
    """Whether the space has a derived point: its scheme may be one that is not searched."""
    distribution = proposal.distributions.get(QUANTIZATION)
    choices = getattr(distribution, "choices", ())
    return config.quantization.value in choices


def _values(trial: FrozenTrial) -> tuple[float, ...] | None:
    if trial.state != TrialState.COMPLETE or trial.values is None:
        return None
    return tuple(trial.values)


def _with_system_attrs(ending: Ending, attrs: Mapping[str, Any]) -> Ending:
    return replace(ending, system_attrs={**ending.system_attrs, **attrs})
