"""What branches take: as long as they train, and what every trial takes besides.

The gate, conversion and measurement take as long however long a network was trained for: of three
seconds of a small one that may be a half, and of a branch that trains it on for minutes next to
nothing. So both are known apart, each as a share of what it was of the training that the lineage
began with; a large network's branches take longer than a small one's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from search.sampling.branch_kinds import KINDS, QAT, TRAIN_ON, Kind
from search.sampling.training_on import lasts

MEMORY = 12
"""Branches of a kind that tell what one takes, and new trainings that tell what they are."""

TRAINING_STAGES = ("train", "qat")
"""Stages of a trial that take longer, the longer it trains (``TrialResult.seconds``)."""

_LEAST_S = 1e-6


@dataclass(frozen=True)
class Spent:
    """Seconds of a trial.

    Attributes:
        training: Of its training.
        besides: Of all else.
    """

    training: float
    besides: float = 0.0

    @property
    def all(self) -> float:
        """Both together."""
        return self.training + self.besides


def spent(stages: Mapping[str, float]) -> Spent:
    """Return what a trial took, of its seconds by stage."""
    training = sum(stages.get(stage, 0.0) for stage in TRAINING_STAGES)
    return Spent(training, max(0.0, sum(stages.values()) - training))


class BranchCosts:
    """Learns what branches of a kind take, beside the training that their lineage began with."""

    def __init__(self) -> None:
        self._trained: dict[Kind, deque[float]] = {}
        self._besides: dict[Kind, deque[float]] = {}
        self._firsts: deque[Spent] = deque(maxlen=MEMORY)

    def note_new(self, took: Spent) -> None:
        """Take note of what a new training took."""
        self._firsts.append(took)

    def note(self, kind: Kind, took: Spent, first: Spent, times: float) -> None:
        """Take note of what a branch took.

        Args:
            kind: What it did.
            took: What it took.
            first: What the first training of its lineage took.
            times: For how many of these it trained on; 1 for other kinds.
        """
        shares = (
            (self._trained, took.training, first.training * times),
            (self._besides, took.besides, first.besides),
        )
        for known, seconds, of_first in shares:
            if of_first > _LEAST_S:
                known.setdefault(kind, deque(maxlen=MEMORY)).append(seconds / of_first)

    def of(self, kind: Kind, first: Spent, times: float) -> float:
        """Return the seconds that a branch is expected to take; arguments are those of `note`."""
        training = self._share(self._trained, kind, 1.0 if kind is TRAIN_ON else 0.5)
        # Quantization-aware training gives one model to convert and measure.
        besides = self._share(self._besides, kind, 0.5 if kind is QAT else 1.0)
        return max(_LEAST_S, training * first.training * times + besides * first.besides)

    def of_training_on(self, first: Spent, trained: float, n: int) -> float:
        """Return the seconds of training on n times, each as long as all before.

        Args:
            first: What the first training of the lineage took.
            trained: How many times as long all of its trainings took.
            n: Times.
        """
        training = self._share(self._trained, TRAIN_ON, 1.0) * first.training * trained
        besides = self._share(self._besides, TRAIN_ON, 1.0) * first.besides
        return max(_LEAST_S, lasts(training, n) + n * besides)

    def typical(self) -> Spent:
        """Return what new trainings take, as parts of one; all is training before the first."""
        together = sum(first.all for first in self._firsts)
        if together <= _LEAST_S:
            return Spent(1.0)
        training = sum(first.training for first in self._firsts) / together
        return Spent(training, 1.0 - training)

    def _share(self, known: Mapping[Kind, deque[float]], kind: Kind, expected: float) -> float:
        shares = list(known.get(kind, ()))
        if not shares and kind.sparsity and kind not in KINDS:
            # Prunings all take as long, and hardly two of those to fit are to the same sparsity.
            shares = [share for one, found in known.items() if one.sparsity for share in found]
        return median(shares or [expected])
