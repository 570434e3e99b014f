"""The front of a running study, and the model files of the points on it.

A point's ``.tflite`` is kept as long as the point is on the front; so the folder of artifacts
does not grow with the study.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from search.front.pareto import Front, ReferencePoint, counting, hypervolume
from search.storage.artifacts import MODEL_FILE, ArtifactKeeper, artifacts_of
from search.storage.attributes import TFLITE_SHA256
from search.storage.constraints import is_feasible


class Measured(Protocol):
    """A point as the front sees it: a :class:`workers.messages.result.Point`, or values alone."""

    @property
    def values(self) -> tuple[float, float, float]:
        """Objective values in the order of ``spaces.config.objectives.OBJECTIVES``."""

    @property
    def tflite(self) -> bytes:
        """The model file; empty if there is none."""


@dataclass(frozen=True)
class Reported:
    """Values without a model file."""

    values: tuple[float, float, float]
    tflite: bytes = b""


@dataclass(frozen=True)
class FrontChange:
    """What new points change.

    Attributes:
        added: Files of new points which are on the front now, by trial number: descriptions by
            artifact id.
        dropped: Files (with None) of points which left it, by trial number.
    """

    added: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    dropped: Mapping[int, Mapping[str, None]] = field(default_factory=dict)

    @property
    def files(self) -> dict[int, Mapping[str, str | None]]:
        """What to link and what to let go of."""
        return {**self.dropped, **{number: files for number, files in self.added.items() if files}}


class FrontFiles:
    """Points on the front that keep all limits, and their files.

    Args:
        reference: Where the hypervolume is measured from.
        artifacts: Keeps files; None for no files.
        some_elsewhere: Whether files may lie on other hosts: then none is missed.

    Attributes:
        front: The points, by trial number.
        reference: Where the hypervolume is measured from.
        n_damaged: Models of earlier runs that are not what was measured; they are named no more.
        n_absent: Models of earlier runs that are not there: their place may be another one than
            it was, and they are still named.
    """

    def __init__(
        self,
        reference: ReferencePoint,
        artifacts: ArtifactKeeper | None,
        some_elsewhere: bool = False,
    ) -> None:
        self._some_elsewhere = some_elsewhere
        self.front = Front()
        self.reference = reference
        self.n_damaged = self.n_absent = 0
        self._artifacts = artifacts
        self._files: dict[int, list[str]] = {}
        self._named: set[str] = set()
        self._hypervolume: float | None = None  # None: the front changed since.
        self._contributions: Mapping[int, float] | None = None

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the front."""
        if self._hypervolume is None:
            self._hypervolume = hypervolume(self.front.values, self.reference)
        return self._hypervolume

    def _has_changed(self) -> None:
        self._hypervolume = self._contributions = None

    @property
    def counting(self) -> tuple[int, ...]:
        """Trials of the points on the front that are worth anything."""
        worth = counting(self.front.values, self.reference)
        return tuple(n for n, counts in zip(self.front.keys, worth, strict=True) if counts)

    def contributions(self, owner_of: Mapping[int, int]) -> Mapping[int, float]:
        """Return how much of the hypervolume would be lost without each owner's points.

        Args:
            owner_of: Whose a point is, by trial number; a point without an owner is nobody's.
        """
        if self._contributions is None:
            rows, keys = self.front.values, np.array(self.front.keys, dtype=int)
            owners = np.array([owner_of.get(key, -1) for key in keys.tolist()], dtype=int)
            worth = counting(rows, self.reference)
            self._contributions = {
                owner: self.hypervolume - hypervolume(rows[owners != owner], self.reference)
                for owner in np.unique(owners[worth & (owners >= 0)]).tolist()
            }
        return self._contributions

    def hypervolume_with(self, points: Iterable[Sequence[float]]) -> float:
        """Return what the hypervolume would be with some more points on the front."""
        added = list(points)
        if not added:  # As whoever compares asks first, time and again.
            return self.hypervolume
        return hypervolume([*self.front.values.tolist(), *added], self.reference)

    def take_over(
        self, trials: Iterable[FrozenTrial], links: Mapping[int, Sequence[str]]
    ) -> dict[int, dict[str, None]]:
        """Put the points of earlier runs on the front.

        Args:
            trials: Of the study.
            links: Ids of the files that the study links, by trial number.

        Returns:
            Links to remove: files of points which are not on the front, and damaged ones. After
            that, :meth:`sweep` removes the files themselves. One that is absent is not let go of:
            if it came back without its link, it would be swept away.
        """
        hashes: dict[int, str | None] = {}
        for trial in trials:
            hashes[trial.number] = trial.user_attrs.get(TFLITE_SHA256)
            values = values_of(trial)
            if values is not None and is_feasible(trial.system_attrs):
                self.front.add(trial.number, values)
            # A training's history, and models of studies from before the study linked them.
            self._named.update(artifacts_of(trial.system_attrs))
        self._has_changed()
        dropped = {n: dict.fromkeys(files) for n, files in links.items() if n not in self.front}
        kept = {n: files for n, files in links.items() if n in self.front}
        for number, files in kept.items():
            looks = {one: self._look(one, hashes[number]) for one in files}
            damaged = [one for one in files if looks[one] == "damaged"]
            named = [one for one in files if one not in damaged]
            if named:
                self._files[number] = named
                self._named.update(named)
            if damaged:
                dropped[number] = dict.fromkeys(damaged)
            self.n_damaged += len(damaged)
            self.n_absent += sum(look == "absent" for look in looks.values())
        return dropped

    def _look(self, artifact_id: str, sha256: str | None) -> Literal["sound", "damaged", "absent"]:
        """Return whether a model's file is there, and what was measured."""
        if self._artifacts is None:
            return "sound"
        content = self._artifacts.read(artifact_id)
        if content is None:
            return "sound" if self._some_elsewhere else "absent"
        is_same = sha256 is None or hashlib.sha256(content).hexdigest() == sha256
        return "sound" if is_same else "damaged"

    def sweep(self) -> None:
        """Remove files that no trial of earlier runs names; called before any are added."""
        if self._artifacts is not None:
            self._artifacts.sweep(self._named)
        self._named.clear()

    def add(self, points: Mapping[int, Measured]) -> FrontChange:
        """Put new points on the front which keep all limits; write the files of those that stay.

        Args:
            points: By the numbers that their trials are to get.
        """
        joined: list[int] = []
        left: set[int] = set()
        for number, point in points.items():
            is_on_front, leaving = self.front.add(number, point.values)
            left.update(leaving)
            if is_on_front:
                joined.append(number)
                self._has_changed()
        dropped = {n: dict.fromkeys(self._files.pop(n)) for n in left if n in self._files}
        added: dict[int, Mapping[str, str]] = {}
        for number in joined:
            if number in left:
                continue  # Another new point is better.
            files: dict[str, str] = {}
            if self._artifacts is not None and points[number].tflite:
                files = dict([self._artifacts.write(MODEL_FILE, points[number].tflite)])
                self._files[number] = list(files)
            added[number] = files
        return FrontChange(added, dropped)

    def remove_files(self, change: FrontChange) -> None:
        """Remove the files of points which left; called once the study does not name them."""
        if self._artifacts is not None:
            self._artifacts.remove(one for files in change.dropped.values() for one in files)


def values_of(trial: FrozenTrial) -> tuple[float, ...] | None:
    """Return the objective values of a trial; None if it has none."""
    if trial.state != TrialState.COMPLETE or trial.values is None:
        return None
    return tuple(trial.values)
