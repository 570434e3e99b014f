"""One run against another: how many times sooner, and with how many times less."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.efficiency.runs import Array, Curve

_N_DRAWS = 2000
_ANYTHING = 1e-9


@dataclass(frozen=True)
class Spread:
    """A median over runs and its 95 % interval by bootstrap; infinite where never reached."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float], *, lower: bool = False) -> Spread:
        """Return the spread of some values, one a run; see :meth:`of_pairs`."""
        return cls.of_pairs([[value] for value in values], lower=lower)

    @classmethod
    def of_pairs(cls, rows: Sequence[Sequence[float]], *, lower: bool = False) -> Spread:
        """Return the spread of values of pairs of runs.

        Runs are drawn on both sides, not pairs: those of one run all share its luck.

        Args:
            rows: A row for each of ours.
            lower: Whether of two in the middle the lower one is the median: where 0 is what was
                not reached, half of something and nothing says nothing.
        """
        found = np.asarray(rows, dtype=float)
        rng = np.random.default_rng(0)

        def middle(values: Array) -> float:
            if lower:
                return float(np.percentile(values, 50, method="lower"))
            return float(np.median(values))  # Infinite if one of the two in the middle is.

        middles = []
        for _ in range(_N_DRAWS):
            ours, theirs = (rng.integers(0, n, n) for n in found.shape)
            middles.append(middle(found[np.ix_(ours, theirs)]))
        low = float(np.percentile(middles, 2.5, method="lower"))
        high = float(np.percentile(middles, 97.5, method="higher"))
        return cls(middle(found), low, high)

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


def duel(ours: Curve, peer: Curve, end_s: float | None = None) -> Duel:
    """Compare one run with one of another program, at the other's final hypervolume.

    One that had nothing in the end is reached by whoever has anything, and took all its time.

    Args:
        ours: Of ``search``.
        peer: Of the other.
        end_s: When the other ended; None for when its last trial came back.
    """
    if end_s is None:
        end_s = float(peer.seconds[-1]) if len(peer.seconds) else 0.0
    there = peer.reached(peer.final) if peer.final > 0 else None
    here = ours.reached(peer.final if peer.final > 0 else _ANYTHING)
    then = ours.at(end_s)
    peer_s = end_s if there is None else float(peer.seconds[there])
    if here is None:
        return Duel(peer.final, peer_s, math.inf, 0.0, 0.0, 0.0, 0.0, then)
    ours_s = float(ours.seconds[here])

    def ratio(name: str) -> float:
        theirs = count(peer, name)
        spent = 0.0 if not len(theirs) else float(theirs[-1 if there is None else there])
        return spent / max(float(count(ours, name)[here]), 1e-9)

    return Duel(
        target=peer.final,
        peer_s=peer_s,
        ours_s=ours_s,
        seconds=peer_s / max(ours_s, 1e-9),
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
