"""What branches change, and how long a stage takes: parts of a surrogate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.replay.forest import Array, Forest

STAGES = ("gate", "build", "train", "convert", "measure", "latency")
BRANCH_STAGES = tuple(stage for stage in STAGES if stage != "gate")


def log_seconds(many: Sequence[Mapping[str, float]], stages: Sequence[str]) -> Array:
    """Return logarithms of seconds by stage, ``[n, m]``; not a number where not known."""
    return np.log([[max(one.get(s, math.nan), 1e-3) for s in stages] for one in many])


class Further:
    """What branches of one sort change, and the seconds they take.

    Args:
        inputs: What is known before each recorded one; none of them leaves it unknown.
        changes: Of the logit of the accuracy.
        seconds: By stage.

    Attributes:
        is_known: Whether there was anything to learn from.
        luck: By how much each differed from what is expected.
    """

    def __init__(
        self,
        inputs: Sequence[Array],
        changes: Sequence[float],
        seconds: Sequence[Mapping[str, float]],
    ) -> None:
        self.is_known = len(inputs) > 0
        if not self.is_known:
            return
        outputs = np.array(changes)
        self._change = Forest(3).fit(np.array(inputs), outputs[:, None])
        self.luck: list[float] = (outputs - self._change.out_of_bag[:, 0]).tolist()
        self._seconds = Forest().fit(np.array(inputs), log_seconds(seconds, BRANCH_STAGES))

    def change(self, inputs: Array) -> float:
        """Return the expected change of the logit of an accuracy."""
        return float(self._change.predict(inputs)[0])

    def seconds(self, inputs: Array) -> dict[str, float]:
        """Return the expected seconds by stage."""
        spent = np.exp(self._seconds.predict(inputs)).tolist()
        return dict(zip(BRANCH_STAGES, spent, strict=True))
