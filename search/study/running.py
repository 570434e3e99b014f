"""A trial under way: what it answers for, and which points its result brings.

One training is measured under every scheme that needs none of its own, so a trial under way stands
for several configurations, and its result for several trials.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace

from optuna.trial import FrozenTrial, TrialState

from search.sampling.branching import Branch
from search.sampling.mirror import Proposal
from search.sampling.trainings import QUANTIZATION
from search.storage import attributes
from search.storage.batches import Ending, new_trial
from search.storage.trial_attributes import config_attrs, is_sound
from spaces.config.schemes import POST_TRAINING_SCHEMES, SCHEMES, QuantizationScheme
from spaces.config.trial import TrialConfig
from workers.messages.limits import Limits
from workers.messages.result import Point, TrialResult


@dataclass(frozen=True)
class Running:
    """A trial under way.

    Attributes:
        number: Its number in the study.
        proposal: Parameters, distributions, and the sampler's handle.
        config: What is evaluated.
        hashes: Of the configurations that it will answer for: its own and its siblings'.
        branch: The branch that it is; None for a new training.
    """

    number: int
    proposal: Proposal
    config: TrialConfig
    hashes: frozenset[str]
    branch: Branch | None = None

    def needs_gate(self, limits: Limits) -> bool:
        """Whether its untrained network is to be looked at.

        A new training is raced by what that tells. A branch is not raced: limits may turn it down,
        and layers that cannot be trained quantization-aware.

        Args:
            limits: Of the study.
        """
        is_qat = self.config.quantization is QuantizationScheme.QAT_INT8
        return self.branch is None or is_qat or limits.are_known_early

    def as_retry(self) -> FrozenTrial:
        """Return what is needed to try it again."""
        attrs = config_attrs(self.config)
        if self.branch is not None:
            attrs[attributes.BRANCHED_FROM] = self.branch.parent
            attrs[attributes.PREDICTED_GAIN] = self.branch.predicted
        proposal = self.proposal
        return new_trial(
            self.number, proposal.params, proposal.distributions, user_attrs=attrs, system_attrs={}
        )

    def points(
        self,
        result: TrialResult,
        ending: Ending,
        taken: Sequence[Container[str]],
        next_number: int,
    ) -> dict[int, Point]:
        """Return the points of its result which the study has not got, by trial number.

        A scheme that cannot be converted or run is that point's failure: the other points of
        its training count all the same.

        Args:
            result: What came of it.
            ending: How it ends itself.
            taken: Hashes that the study has, or that others under way answer for.
            next_number: Number of the next new trial.
        """
        points: dict[int, Point] = {}
        if ending.state == TrialState.COMPLETE and result.point is not None:
            points[self.number] = result.point
        hashes = {self.config.hash}
        for sibling in result.siblings:
            config = sibling.config
            if (
                any(config.hash in some for some in (hashes, *taken))
                or not is_sound(sibling)
                or not self._takes(config)
            ):
                continue
            hashes.add(config.hash)
            points[next_number] = sibling
            next_number += 1
        return points

    def _takes(self, config: TrialConfig) -> bool:
        """Whether the space has a derived point: its scheme may be one that is not searched."""
        distribution = self.proposal.distributions.get(QUANTIZATION)
        return config.quantization.value in getattr(distribution, "choices", ())

    def derived_trial(self, number: int, point: Point, ending: Ending) -> FrozenTrial:
        """Return a point of its training as a trial of its own."""
        branch = {} if self.branch is None else {attributes.BRANCHED_FROM: self.branch.parent}
        return new_trial(
            number,
            {**self.proposal.params, QUANTIZATION: point.config.quantization.value},
            self.proposal.distributions,
            user_attrs={
                **config_attrs(point.config),
                **ending.user_attrs,
                attributes.DERIVED_FROM: self.number,
                **branch,
            },
            # Of its parent's generation: NSGA-II finds it in that population.
            system_attrs={**self.proposal.system_attrs, **ending.system_attrs},
            state=ending.state,
            values=ending.values,
        )


def expected_hashes(config: TrialConfig, fan_out: bool) -> frozenset[str]:
    """Return the hashes that a trial will answer for: its own and its siblings'."""
    schemes = {config.quantization}
    if fan_out and not SCHEMES[config.quantization].trains:
        schemes.update(POST_TRAINING_SCHEMES)
    return frozenset(replace(config, quantization=scheme).hash for scheme in schemes)


def hashes_of(running: Iterable[Running]) -> set[str]:
    """Return all that trials under way answer for."""
    return {config_hash for one in running for config_hash in one.hashes}
