"""A study opened for a run: asks for the next trial, takes results, keeps the front.

:class:`OpenStudy` is the only thing that writes to a study, and it writes in batches that are
whole or not there at all (:mod:`search.storage.batches`). So whatever is killed, the study holds
finished trials, complete with all that was derived from them, and running ones; the next start
marks the running ones as interrupted and tries their configurations again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.front.baseline import baseline_point
from search.front.pareto import Front
from search.sampling.branch_kinds import branch_sparsity
from search.sampling.branching import Branch
from search.sampling.initial_design import start_design
from search.sampling.mirror import Mirror, Proposal
from search.storage import attributes
from search.storage.artifacts import ArtifactKeeper
from search.storage.attributes import COUNTED
from search.storage.batches import Batch, Ending, Recorder, new_trial
from search.storage.constraints import constraint_values, is_feasible
from search.storage.settings import StudySettings
from search.storage.trial_attributes import (
    config_attrs,
    ending_of,
    failure,
    interruption,
    point_ending,
)
from search.storage.weights import WeightKeeper
from search.study.history import Past, read_past
from search.study.learning import Shortcuts, branch_of
from search.study.messages import Asked, Stored, Told
from search.study.model_files import FrontChange, FrontFiles, Reported
from search.study.queue import MakeConfig, StartQueue
from search.study.running import Running, expected_hashes, hashes_of
from spaces.config.trial import ParamValue
from workers.messages.result import EvaluateRequest, TrialResult


class OpenStudy:
    """A study that this process alone writes to.

    Args:
        settings: What this run wants of it; checked already.
        trials: All trials of ours that it has, in the order of their numbers.
        stored: What it holds beside them.
        recorder: Writes to the study.
        mirror: Makes the proposals; empty.
        artifacts: Keeps files; None for no files.
        weights: Keeps weights for branches; None to keep them in memory.

    Attributes:
        settings: What this run wants of it.
        target: Trials it is to have, derived ones not counted; None as long as nobody said.
        n_points: Measured models: complete trials and those derived from them.
        outcomes: Trials of our own asking by outcome.
        n_interrupted: Trials that an earlier driver left running.
        n_damaged_models: Models on the front whose files are not what was measured.
        n_absent_models: Models on the front whose files are not there.
    """

    def __init__(
        self,
        settings: StudySettings,
        trials: list[FrozenTrial],
        *,
        stored: Stored,
        recorder: Recorder,
        mirror: Mirror,
        artifacts: ArtifactKeeper | None = None,
        weights: WeightKeeper | None = None,
    ) -> None:
        self.settings = settings
        self.target = stored.target
        past = read_past(trials, settings.limits)
        self.n_points = past.n_points
        self.outcomes = past.outcomes
        self.n_interrupted = len(past.stale)
        self._space = stored.space
        self._limits = settings.limits
        self._files = FrontFiles(stored.reference, artifacts, stored.is_shared)
        self._baseline_ms = stored.baseline_ms
        self._recorder = recorder
        self._mirror = mirror
        self._artifacts = artifacts
        self._shortcuts = Shortcuts(settings, stored.space, self._files, weights or WeightKeeper())
        self._running: dict[int, Running] = {}
        self._baseline = baseline_point(stored.space, settings.task)
        design = start_design(stored.space, settings.n_start, settings.seed or 0)
        if self._baseline is not None:
            design = [self._baseline, *(params for params in design if params != self._baseline)]
        self._queue = StartQueue(
            mirror,
            stored.space,
            tried=past.tried,
            retries=past.retries,
            design=design[past.n_new + sum(branch_of(one) is None for one in past.retries) :],
            enqueued=stored.enqueued,
            next_branch=self._shortcuts.next_branch if settings.branch else None,
            outlook=self._shortcuts.outlook if settings.branch else None,
        )
        self._take_over(past, trials, stored)

    @property
    def n_done(self) -> int:
        """Trials that count towards the target: of our own asking, and however they ended.

        What the gate refuses costs a second and trains nothing. So a study is done when as many
        trials as it is to have were really tried; or when as many were refused, if limits leave
        next to nothing to try.
        """
        n_refused = self.outcomes["infeasible"]
        return max(self._n_ended - n_refused, n_refused)

    @property
    def _n_ended(self) -> int:
        return sum(self.outcomes[name] for name in COUNTED)

    @property
    def n_branches(self) -> int:
        """Complete trials that started from the weights of another."""
        return self._shortcuts.n_branches

    @property
    def running(self) -> tuple[int, ...]:
        """Numbers of the trials under way."""
        return tuple(self._running)

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the front."""
        return self._files.hypervolume

    @property
    def front(self) -> Front:
        """Pareto front of the points that keep all limits, by trial number."""
        return self._files.front

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.settings.name

    @property
    def n_elsewhere(self) -> int:
        """Trials that other drivers run."""
        return 0

    def sign(self, *, now: bool = False) -> None:
        """Give a sign of life, where others look for one."""

    def set_target(self, target: int) -> None:
        """Store how many trials the study is to have."""
        if target != self.target:
            self._recorder.write(Batch(study_user_attrs={attributes.TARGET: target}))
            self.target = target

    def _take_over(self, past: Past, trials: list[FrozenTrial], stored: Stored) -> None:
        """Go on where earlier runs ended, and put right what a killed driver left."""
        for trial in past.known:
            self._mirror.add(trial)
        files = self._files
        self._recorder.write(Batch(ended=past.stale, files=files.take_over(trials, stored.files)))
        self.n_damaged_models, self.n_absent_models = files.n_damaged, files.n_absent
        files.sweep()
        self._shortcuts.drop_checkpoints(partial(past.is_over, is_shared=stored.is_shared))
        if past.known:
            self._shortcuts.remember(trials)

    def ask(
        self,
        make_config: MakeConfig,
        user_attrs: Mapping[str, Any] | None = None,
        *,
        seconds_left: float = math.inf,
    ) -> Asked | None:
        """Start a trial: an interrupted one again, the space's defaults, or a proposal.

        Args:
            make_config: Turns its parameters into its configuration.
            user_attrs: What to store with it, beside what every trial has.
            seconds_left: Of the run: no branch is begun that is expected to take longer than that
                and than a new training.

        Returns:
            The trial; None if no configuration turned up that was not tried before.
        """
        start = self._queue.next(make_config, hashes_of(self._running.values()), seconds_left)
        if start is None:
            return None
        proposal, config, branch = start.proposal, start.config, start.branch
        number = self._recorder.next_number()
        attrs = {**config_attrs(config), **(user_attrs or {}), **start.attrs}
        if self._is_baseline(proposal, branch):
            attrs[attributes.BASELINE] = True
        trial = new_trial(
            number,
            proposal.params,
            proposal.distributions,
            user_attrs=attrs,
            system_attrs=proposal.system_attrs,
        )
        self._recorder.write(Batch(created=(trial,)))
        hashes = expected_hashes(config, self.settings.fan_out)
        self._running[number] = Running(number, proposal, config, hashes, branch)
        return Asked(number, config, None if branch is None else branch.parent)

    def retry_next(self, config_hash: str) -> bool:
        """Let the next :meth:`ask` try an interrupted trial again, before all others.

        Returns:
            Whether there is one of that configuration which nothing has replaced yet.
        """
        return self._queue.retry_first(config_hash)

    def params(self, number: int) -> dict[str, ParamValue]:
        """Return the parameters of a trial under way."""
        return dict(self._running[number].proposal.params)

    def request(self, number: int) -> EvaluateRequest:
        """Return what a worker needs to evaluate a trial under way."""
        running, settings = self._running[number], self.settings
        config, branch = running.config, running.branch
        return EvaluateRequest(
            config=config,
            limits=settings.limits,
            size_metric=settings.size_metric,
            device=settings.device,
            # Weights that are only quantized anew gave all their other points before.
            fan_out=settings.fan_out and config.training.epochs > 0,
            check_gate=settings.gate and running.needs_gate(settings.limits),
            metric=self.settings.metric,
            race=self._shortcuts.race(config) if self._is_raced(running) else None,
            start_weights=None if branch is None else self._shortcuts.weights_of(branch.parent),
            keep_weights=settings.branch,
            baseline_ms=self._baseline_ms,
            checkpoint=self._shortcuts.checkpoint_of(config),
            branch_sparsity=(
                branch_sparsity(config, settings.task.epochs, self._space, settings.limits)
                if settings.branch
                else 0.0
            ),
        )

    def _is_baseline(self, proposal: Proposal, branch: Branch | None) -> bool:
        # What was trained on from it has its parameters too.
        return branch is None and self._baseline == dict(proposal.params)

    def _is_raced(self, running: Running) -> bool:
        """Whether a training may be stopped: not the one that others are read against."""
        is_new = running.branch is None and not self._is_baseline(running.proposal, None)
        return self.settings.race and self.settings.metric == "accuracy" and is_new

    def tell(self, number: int, result: TrialResult) -> Told:
        """End a trial with a worker's result, and add the points derived from it."""
        running = self._running[number]
        is_first = self._baseline_ms is None and result.reference_ms is not None
        if is_first:
            self._baseline_ms = result.reference_ms
        result = result.scaled_to(self._baseline_ms)
        ending = ending_of(result, self._limits)
        next_number = self._recorder.next_number()
        others = hashes_of(one for n, one in self._running.items() if n != number)
        points = running.points(result, ending, (self._queue.tried, others), next_number)
        endings = {n: point_ending(point, result, self._limits) for n, point in points.items()}
        endings.setdefault(number, ending)
        hypervolume_before = self.hypervolume
        feasible = {n: p for n, p in points.items() if is_feasible(endings[n].system_attrs)}
        change = self._files.add(feasible)
        link: dict[str, str] = {}
        if result.history and self._artifacts is not None:
            link = self._artifacts.write_history(result.history)
        gain, own = self.hypervolume - hypervolume_before, endings[number]
        endings[number] = replace(
            own,
            user_attrs={**own.user_attrs, attributes.GAIN: gain},
            system_attrs={**own.system_attrs, **link},
        )
        created = tuple(
            running.derived_trial(n, point, endings[n])
            for n, point in points.items()
            if n != number
        )
        space = self._space.merged(result.new_parameters)
        study_attrs: dict[str, Any] = {}
        if space is not self._space:
            study_attrs[attributes.SEARCH_SPACE] = space.to_list()
        if is_first:
            study_attrs[attributes.REFERENCE_MS] = self._baseline_ms
        self._recorder.write(
            Batch(
                created=created,
                ended={number: endings[number]},
                files=change.files,
                study_user_attrs=study_attrs,
            )
        )
        # From here on the study has it.
        self._space = self._shortcuts.space = self._queue.space = space
        self.n_points += len(points)
        self._queue.mark_tried({running.config.hash, *(p.config.hash for p in points.values())})
        outcome = str(ending.user_attrs[attributes.OUTCOME])
        if outcome == "stopped":
            self._queue.mark_tried(running.hashes)  # The training would be the same.
        self.outcomes[outcome] += 1
        values = {n: point.values for n, point in feasible.items()}
        self._shortcuts.learn(number, running, result, gain, points, values)
        self._forget(number, ending)
        for trial in created:
            self._mirror.add(trial)
        self._files.remove_files(change)
        return Told(
            number,
            outcome,
            reason=str(ending.user_attrs.get(attributes.REASON, "")),
            values=ending.values,
            n_derived=len(created),
            n_on_front=len(change.added),
        )

    def tell_values(
        self,
        number: int,
        values: tuple[float, float, float],
        user_attrs: Mapping[str, Any],
    ) -> Told:
        """End a trial with values that somebody else measured: no model file, no siblings.

        Args:
            number: Of the trial.
            values: Its objective values, all finite.
            user_attrs: What is known of how they came about.
        """
        config = self._running[number].config
        accuracy, size_bytes, latency_ms = values
        before = self.hypervolume
        constraints = constraint_values(
            self._limits, size_bytes=size_bytes, latency_ms=latency_ms, accuracy=accuracy
        )
        change = FrontChange()
        if is_feasible({attributes.CONSTRAINTS: constraints}):
            change = self._files.add({number: Reported(values)})
        ending = Ending(
            TrialState.COMPLETE,
            values=values,
            user_attrs={
                **user_attrs,
                attributes.OUTCOME: "complete",
                attributes.GAIN: self.hypervolume - before,
            },
            system_attrs={attributes.CONSTRAINTS: constraints},
        )
        self._recorder.write(Batch(ended={number: ending}, files=change.files))
        self.n_points += 1
        self._queue.mark_tried({config.hash})
        self.outcomes["complete"] += 1
        self._forget(number, ending)
        self._files.remove_files(change)
        return Told(number, "complete", values=values, n_on_front=len(change.added))

    def fail(self, number: int, reason: str) -> Told:
        """End a trial as failed: it counts, and is not tried again."""
        ending = failure(reason)
        self._recorder.write(Batch(ended={number: ending}))
        self._queue.mark_tried({self._running[number].config.hash})
        self.outcomes["failed"] += 1
        self._forget(number, ending)
        return Told(number, "failed", reason)

    def interrupt(self, reason: str, number: int | None = None) -> int:
        """Give up all trials under way, or one, to be tried again; return how many there were."""
        numbers = self._running if number is None else (number,)
        endings = {each: interruption(reason) for each in numbers}
        if endings:
            self._recorder.write(Batch(ended=endings))
        for number, ending in endings.items():
            self._queue.try_again(self._running[number].as_retry())
            self._forget(number, ending)
        return len(endings)

    def _forget(self, number: int, ending: Ending) -> None:
        running = self._running.pop(number)
        self._mirror.end(running.proposal.handle, ending, number)
        if ending.user_attrs.get(attributes.OUTCOME) != "interrupted":
            self._shortcuts.drop_checkpoints(running.config.hash.__eq__)
