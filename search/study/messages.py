"""What an open study is made of, hands out and gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.front.pareto import ReferencePoint
from spaces.config.trial import ParamValue, TrialConfig
from spaces.space.search_space import SearchSpace


@dataclass(frozen=True)
class Asked:
    """A trial that is under way.

    Attributes:
        number: Its number in the study.
        config: What to evaluate.
        parent: Number of the trial whose weights it starts from; None for a new training.
    """

    number: int
    config: TrialConfig
    parent: int | None = None


@dataclass(frozen=True)
class Told:
    """What became of a trial.

    Attributes:
        number: Its number.
        outcome: ``complete``, ``infeasible``, ``stopped`` or ``failed``.
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


@dataclass(frozen=True)
class Stored:
    """What a study holds beside its trials.

    Attributes:
        space: Search space.
        reference: Where the hypervolume is measured from.
        target: Trials it is to have; None for a new one.
        baseline_ms: What the reference network took at its start; None if no latency was
            measured yet.
        files: Ids of the files that it links, by trial number.
        enqueued: Points that are tried first.
        is_shared: Whether other drivers may run it too, on other hosts.
    """

    space: SearchSpace
    reference: ReferencePoint
    target: int | None = None
    baseline_ms: float | None = None
    files: Mapping[int, Sequence[str]] = field(default_factory=dict)
    enqueued: Sequence[Mapping[str, ParamValue]] = ()
    is_shared: bool = False
