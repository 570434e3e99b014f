"""One run against another: how many times sooner, and with how many times less."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.efficiency.runs import Array, Curve

_N_DRAWS = 2000


@dataclass(frozen=True)
class Spread:
    """A median over runs and its 95 % interval by bootstrap; infinite where never reached."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of some values, one a run."""
        return cls.of_pairs([[value] for value in values])

    @classmethod
    def of_pairs(cls, rows: Sequence[Sequence[float]]) -> Spread:
        """Return the spread of values of pairs of runs: a row for each of ours.

        Runs are drawn on both sides, not pairs: those of one run all share its luck.
        """
        found = np.asarray(rows, dtype=float)
        rng = np.random.default_rng(0)

        middles = []
        for _ in range(_N_DRAWS):
            ours, theirs = (rng.integers(0, n, n) for n in found.shape)
            # Between a number and infinity there is no middle: the worse one counts.
            middles.append(float(np.median(found[np.ix_(ours, theirs)])))
        low = float(np.percentile(middles, 2.5, method="lower"))
        high = float(np.percentile(middles, 97.5, method="higher"))
        return cls(float(np.median(found)), low, high)

    def text(self, digits: int = 0, missing: str = "not reached") -> str:
        """Return ``median (low to high)``."""

        def one(value: float) -> str:
            return f"{value:,.{digits}f}" if math.isfinite(value) else missing

        if one(self.low) == one(self.high):
            return one(self.median)
        return f"{one(self.median)} ({one(self.low)} to {one(self.high)})"


@dataclass(frozen=True)
class Duel:
    """One run of ``search`` against one run of another program.

    Attributes:
        target: Hypervolume that the other had in the end.
        peer_s: Seconds after which the other had it.
        ours_s: Seconds after which ``search`` had it; infinite if never.
        seconds: How many times as many seconds the other took; 0 if ``search`` never got there.
        trainings: The same of trainings, branches included on our side.
        epochs: The same of epochs trained, in trainings and branches.
        points: The same of measured models, derived ones included.
        ours_then: Hypervolume that ``search`` had when the other ended.
    """

    target: float
    peer_s: float
    ours_s: float
    seconds: float
    trainings: float
    epochs: float
    points: float
    ours_then: float


def duel(ours: Curve, peer: Curve) -> Duel:
    """Compare one run with one of another program, at the other's final hypervolume."""
    there, here = peer.reached(peer.final), ours.reached(peer.final)
    if there is None:
        raise ValueError("A run without events cannot be compared with.")
    then = ours.at(float(peer.seconds[-1]))
    peer_s = float(peer.seconds[there])
    if here is None:
        return Duel(peer.final, peer_s, math.inf, 0.0, 0.0, 0.0, 0.0, then)

    def ratio(name: str) -> float:
        counts = [count(curve, name) for curve in (peer, ours)]
        return float(counts[0][there]) / max(float(counts[1][here]), 1e-9)

    return Duel(
        target=peer.final,
        peer_s=peer_s,
        ours_s=float(ours.seconds[here]),
        seconds=ratio("seconds"),
        trainings=ratio("trainings"),
        epochs=ratio("epochs"),
        points=ratio("points"),
        ours_then=then,
    )


def count(curve: Curve, name: str) -> Array:
    """Return a column of a curve by its name; of trainings, branches included."""
    if name == "trainings":
        return curve.trainings + curve.branches
    found: Array = getattr(curve, name)
    return found
