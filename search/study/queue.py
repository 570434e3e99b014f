"""What a study starts next: what was interrupted, the initial design, a branch, or a proposal."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from optuna.trial import FrozenTrial

from search.sampling.branching import Branch
from search.sampling.initial_design import shrunk
from search.sampling.mirror import Mirror, Proposal
from search.sampling.outlook import AS_IT_IS, Further
from search.storage import attributes
from search.study.learning import branch_of
from spaces.config.trial import ParamValue, TrialConfig
from spaces.errors import ConfigError
from spaces.space.compression import params_from_config
from spaces.space.search_space import SearchSpace

MakeConfig = Callable[[Mapping[str, ParamValue]], TrialConfig]
"""Turns the parameters of a trial into its configuration."""

_N_PROPOSALS = 8
_N_RANDOM_PROPOSALS = 256
_N_FORESEEN = 32
"""Proposals of which those are turned down that are known to break the limits."""

_SHRINKING_STEPS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
"""Shares by which a network of the start design shrinks until limits are expected to be kept."""


@dataclass(frozen=True)
class Start:
    """A trial that may begin.

    Attributes:
        proposal: Its parameters; the sampler counts it as under way.
        config: What is to be evaluated.
        branch: The branch that it is; None for a new training.
        retry_of: Number of the interrupted trial that it replaces.
    """

    proposal: Proposal
    config: TrialConfig
    branch: Branch | None = None
    retry_of: int | None = None

    @property
    def attrs(self) -> dict[str, Any]:
        """What its trial stores of where it comes from."""
        found: dict[str, Any] = {}
        if self.retry_of is not None:
            found[attributes.RETRY_OF] = self.retry_of
        if self.branch is not None:
            found[attributes.BRANCHED_FROM] = self.branch.parent
            found[attributes.PREDICTED_GAIN] = self.branch.predicted
        return found


class StartQueue:
    """Decides what starts next, and never the same twice.

    First come interrupted trials, in the order in which they were given up; then what a person
    wants tried; then branches where they are worth more than a new training; then the initial
    design; then the sampler's proposals. Branches go before what is left of the design, as its
    larger networks may take as long as ten branches of its smaller ones. Nothing is handed out
    whose configuration was tried or is under way, except what was interrupted.

    Args:
        mirror: Makes the proposals.
        space: What is searched.
        tried: Hashes of configurations that are not to be tried again.
        retries: Interrupted trials that nothing has replaced yet.
        design: Parameters to start with, the first ones first.
        enqueued: Points that a person wants tried, before all of the design but its first.
        next_branch: Returns the branch to try now, where so many seconds are left; None for a
            study without branches.
        outlook: Returns what a new training may become by branches in so many seconds; None
            without.

    Attributes:
        space: What is searched; it may grow.
    """

    def __init__(
        self,
        mirror: Mirror,
        space: SearchSpace,
        *,
        tried: Iterable[str],
        retries: Iterable[FrozenTrial],
        design: Sequence[Mapping[str, ParamValue]],
        next_branch: Callable[[float], Branch | None] | None,
        outlook: Callable[[float], Sequence[Further]] | None = None,
        enqueued: Sequence[Mapping[str, ParamValue]] = (),
    ) -> None:
        self.space = space
        self._mirror = mirror
        self._tried = set(tried)
        self._next_branch = next_branch
        self._outlook = outlook
        # Without branches, an interrupted one waits for a run that has them.
        self._retries = deque(
            retry for retry in retries if next_branch is not None or branch_of(retry) is None
        )
        self._design = deque(design)
        self._enqueued = deque(enqueued)

    @property
    def tried(self) -> Set[str]:
        """Hashes of all that was tried."""
        return self._tried

    def mark_tried(self, hashes: Iterable[str]) -> None:
        """Note configurations that are not to be started again."""
        self._tried.update(hashes)

    def forget(self, hashes: Iterable[str]) -> None:
        """Note that configurations may be started again: whoever ran them gave them up."""
        self._tried.difference_update(hashes)

    def try_again(self, trial: FrozenTrial) -> None:
        """Queue an interrupted trial, after those that wait already."""
        self._retries.append(trial)

    def retry_first(self, config_hash: str) -> bool:
        """Put the interrupted trial of a configuration before all others.

        Returns:
            Whether there is one that nothing has replaced yet.
        """
        for index, retry in enumerate(self._retries):
            if retry.user_attrs.get(attributes.CONFIG_HASH) == config_hash:
                del self._retries[index]
                self._retries.appendleft(retry)
                return True
        return False

    def next(
        self, make_config: MakeConfig, under_way: Set[str], seconds_left: float = math.inf
    ) -> Start | None:
        """Return what starts next.

        Args:
            make_config: Turns parameters into a configuration.
            under_way: Hashes that trials under way answer for.
            seconds_left: Of the run.

        Returns:
            The trial; None if no configuration turned up that was not tried before.

        Raises:
            ConfigError: If the space and ``make_config`` disagree about the very first trial.
        """
        retry_of: int | None = None
        fixed: Mapping[str, ParamValue] | None = None
        branch: Branch | None = None
        if self._retries:
            retry = self._retries.popleft()
            retry_of, fixed = retry.number, dict(retry.params)
            branch = branch_of(retry)
        # The baseline, against which all else is read, comes before what a person has tried.
        elif (self._tried or under_way) and (
            wanted := self._next_enqueued(make_config, under_way)
        ) is not None:
            fixed = wanted
        elif self._next_branch is not None:
            branch = self._next_branch(seconds_left)
        if branch is not None:
            start = self._start_of(branch, under_way)
            if start is not None:
                return replace(start, retry_of=retry_of)
            fixed, retry_of = None, None
        if fixed is None:
            fixed = self._next_of_design()
        outlook = AS_IT_IS if self._outlook is None else self._outlook(seconds_left)
        return self._proposal(make_config, fixed, under_way, retry_of, outlook)

    def _next_enqueued(
        self, make_config: MakeConfig, under_way: Set[str]
    ) -> Mapping[str, ParamValue] | None:
        """Return the next point that a person wants tried and that was not; None without one."""
        while self._enqueued:
            point = self._enqueued.popleft()
            try:
                config = make_config(self.space.completed(point))
            except ConfigError:  # The space has grown, or is another by --fix.
                continue
            if config.hash not in self._tried and config.hash not in under_way:
                return point
        return None

    def _next_of_design(self) -> Mapping[str, ParamValue] | None:
        """Return the next point of the initial design; None if there is none left.

        What is expected to break the limits comes with a smaller network, or not at all.
        """
        foresight = self._mirror.foresight
        while self._design:
            point = self._design.popleft()
            if foresight is None or not foresight.knows_something:
                return point
            foresight.space = self.space
            for share in _SHRINKING_STEPS:
                smaller = shrunk(self.space, point, share) if share else dict(point)
                if not foresight.is_over(smaller):
                    return smaller
        return None

    def _start_of(self, branch: Branch, under_way: Set[str]) -> Start | None:
        """Return a branch as a start; None if it was tried, or the space has it not."""
        config = branch.config
        if config.hash in under_way or config.hash in self._tried:
            return None
        params = params_from_config(config, self.space)
        proposal = self._mirror.propose(self.space, fixed=params, is_branch=True)
        if proposal.params != params:
            self._mirror.discard(proposal.handle)
            return None
        return Start(proposal, config, branch)

    def _proposal(
        self,
        make_config: MakeConfig,
        fixed: Mapping[str, ParamValue] | None,
        under_way: Set[str],
        retry_of: int | None,
        outlook: Sequence[Further],
    ) -> Start | None:
        """Return the first proposal whose configuration was not tried, and is not under way."""
        for attempt in range(_N_PROPOSALS + _N_RANDOM_PROPOSALS):
            is_fixed = attempt == 0 and fixed is not None
            proposal = self._mirror.propose(
                self.space,
                fixed=fixed if is_fixed else None,
                at_random=attempt >= _N_PROPOSALS,
                outlook=outlook,
            )
            try:
                config = make_config(proposal.params)
            except ConfigError:
                self._mirror.discard(proposal.handle)
                if attempt == 0 and not self._tried:
                    raise  # Nothing ever worked: the space and the configuration disagree.
                continue
            is_new = config.hash not in self._tried and config.hash not in under_way
            # Once something keeps the limits, constraints tell samplers where their border is;
            # and turned down for a while only, as it may be that nothing keeps them.
            is_vain = not is_fixed and not self._mirror.has_feasible and attempt < _N_FORESEEN
            if is_new and not (is_vain and self._mirror.is_surely_over(proposal.params)):
                return Start(proposal, config, retry_of=retry_of if is_fixed else None)
            self._mirror.discard(proposal.handle)
        return None
