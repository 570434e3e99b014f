"""Multi-objective asynchronous successive halving (MO-ASHA), rebuilt as a peer.

Schmucker, Donini, Zafar, Salinas and Archambeau, "Multi-objective Asynchronous Successive
Halving", 2021, arXiv 2106.12639; Syne Tune ships it as ``MOASHA``. Configurations are drawn at
random. At every rung (``grace * reduction ** k`` epochs) a training is compared with all that came
as far before it, by non-dominated rank, and within a rank by an epsilon-net that spreads; it goes
on if it is among the best ``1 / reduction``.

As in Syne Tune's scheduler, trainings are stopped and none is paused to be promoted later, and the
first one at a rung goes on. What differs, in favour of the peer: a training that is stopped is
still converted and measured as it is, with its pruning done; what its networks weigh and how long
they take is known while they train, and costs nothing; and the simulation knows the rungs of the
two trainings that are under way beside a new one. Syne Tune takes the order of the sorted
trainings for their ranks (``multiobjective_priority.py``, commit 160ca87); here ranks are ranks,
as the paper has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from benchmarks.replay.surrogate import Answer
from search.front.pareto import SIGNS, ReferencePoint, gains

Rows = npt.NDArray[np.float64]
"""What is lost, one training a row: less is better everywhere."""


@dataclass(frozen=True)
class Rungs:
    """Where trainings are compared, and how many go on; by default as in Syne Tune.

    Attributes:
        reduction: Every rung has so many times the epochs of the one before, and lets one of so
            many trainings go on.
        grace: Epochs of the first one.
    """

    reduction: float = 3.0
    grace: int = 1


def fronts(losses: Rows) -> list[list[int]]:
    """Return indices by non-dominated rank, the Pareto front first."""
    no_worse = (losses[:, None] <= losses[None]).all(axis=2)
    better = (losses[:, None] < losses[None]).any(axis=2)
    dominates = np.asarray(no_worse & better)
    left, found = set(range(len(losses))), []
    while left:
        rows = sorted(left)
        front = [row for row in rows if not dominates[rows, row].any()]
        found.append(front)
        left -= set(front)
    return found


def epsilon_net(losses: Rows) -> list[int]:
    """Return an order in which every next row is the farthest from those before it.

    The first is the one that loses least in the first objective, as in Syne Tune.
    """
    order = [int(losses[:, 0].argmin())]
    nearest = np.full(len(losses), np.inf)
    while len(order) < len(losses):
        distances = np.linalg.norm(losses - losses[order[-1]], axis=1)
        nearest = np.minimum(nearest, distances)
        nearest[order] = -1.0  # Equal rows have a distance of 0 and come last.
        order.append(int(nearest.argmax()))
    return order


def ranks(losses: Rows) -> list[int]:
    """Return the place of every row, 0 for the best."""
    order = [front[at] for front in fronts(losses) for at in epsilon_net(losses[front])]
    places = [0] * len(order)
    for place, row in enumerate(order):
        places[row] = place
    return places


@dataclass
class Halving:
    """One bracket of rungs, and who came there.

    Attributes:
        rungs: Where they are.
        reference: For a study that is told logarithms; None for values as they are.
    """

    rungs: Rungs = Rungs()
    reference: ReferencePoint | None = None
    _seen: dict[int, list[list[float]]] = field(default_factory=dict)

    def epochs(self, curve: Sequence[float], size_bytes: float, latency_ms: float) -> int:
        """Return after how many epochs a training ends, and remember it at its rungs.

        Args:
            curve: Its accuracies, epoch by epoch.
            size_bytes: Of its model.
            latency_ms: Of its model.
        """
        rung = float(self.rungs.grace)
        while (epoch := int(rung)) < len(curve):
            seen = self._seen.setdefault(epoch, [])
            seen.append(self._losses(curve[epoch - 1], size_bytes, latency_ms))
            if ranks(np.array(seen))[-1] > len(seen) / self.rungs.reduction:
                return epoch
            rung *= self.rungs.reduction
        return len(curve)

    def _losses(self, accuracy: float, size_bytes: float, latency_ms: float) -> list[float]:
        values = (accuracy, size_bytes, latency_ms)
        if self.reference is None:
            return [float(loss) for loss in np.array(values) * SIGNS]
        return [-float(gain) for gain in gains([values], self.reference)[0]]


def cut_short(answer: Answer, n_epochs: int) -> Answer:
    """Return what a training gives that ends early: as much less as its curve was lower then."""
    missing = answer.curve[-1] - answer.curve[n_epochs - 1]
    train = answer.seconds["train"] * n_epochs / len(answer.curve)
    return replace(
        answer,
        curve=answer.curve[:n_epochs],
        points={
            scheme: (_share(accuracy - missing), _share(test - missing), size_bytes, latency_ms)
            for scheme, (accuracy, test, size_bytes, latency_ms) in answer.points.items()
        },
        seconds={**answer.seconds, "train": train},
    )


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
