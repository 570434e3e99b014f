"""Finalists: points of a front that were trained again from other seeds, and what that showed.

A search picks the best of hundreds of measurements on one validation split, from one seed. Part of
what it picks is luck (the winner's curse: Capen, Clapp and Campbell, 1971). Trained again from
seeds that nobody chose, and measured on the test split too, a point shows what a person will get.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search.front.pareto import ReferencePoint, hypervolume
from search.front.read import FrontPoint, StudyFront, find_study, reading
from search.storage import attributes
from spaces.config.objectives import OBJECTIVES
from workers.messages.hits import Hits, packed_hits, unpacked_hits
from workers.messages.latency import student_t

if TYPE_CHECKING:
    from search.storage.reader import StudyRecord


@dataclass(frozen=True)
class Mean:
    """The mean of some runs, and how much of it is luck.

    Attributes:
        value: The mean.
        deviation: Standard deviation of one run; None of a single one.
        n: How many runs.
    """

    value: float
    deviation: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Return the mean of at least one value."""
        array = np.asarray(values, float)
        deviation = float(array.std(ddof=1)) if len(array) > 1 else None
        return cls(float(array.mean()), deviation, len(array))

    @property
    def error(self) -> float | None:
        """Half of the 95 % interval of the mean, by Student's t; None of a single run."""
        if self.deviation is None:
            return None
        return student_t(self.n - 1) * self.deviation / math.sqrt(self.n)


@dataclass(frozen=True)
class SeedRun:
    """One training from another seed.

    Attributes:
        seed: The seed.
        val_accuracy: Accuracy of the converted model on the validation split.
        accuracy: The same on the test split.
        size_bytes: Size by the study's metric.
        latency_ms: Latency on the study's device.
        hits: Which test images it labelled rightly; None if not recorded.
        reason: Why it gave no model; empty if it did, and then the rest counts.
    """

    seed: int
    val_accuracy: float = math.nan
    accuracy: float = math.nan
    size_bytes: float = math.nan
    latency_ms: float = math.nan
    hits: Hits | None = None
    reason: str = ""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], n_test: int) -> SeedRun:
        """Return what :meth:`to_dict` stored."""
        facts = dict(stored)
        hits = facts.pop("hits", None)
        return cls(**facts, hits=None if hits is None else unpacked_hits(hits, n_test))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data, with the hits as text."""
        if self.reason:
            return {"seed": self.seed, "reason": self.reason}
        names = ("seed", "val_accuracy", "accuracy", "size_bytes", "latency_ms")
        found = {name: getattr(self, name) for name in names}
        return found if self.hits is None else {**found, "hits": packed_hits(self.hits)}


@dataclass(frozen=True)
class Finalist:
    """A point of a front, trained again.

    Attributes:
        trial: Number of its trial.
        epochs: How long it was trained, all trainings that lead to it together; of those that
            an earlier version kept, of the last one.
        patience: Epochs without a better one after which it ended; None if to the last.
        promised: Accuracy that its trial measured on the validation split.
        n_val: Validation images.
        n_test: Test images.
        size_bytes: Size that its trial measured.
        runs: Trainings, in the order of their seeds.
    """

    trial: int
    epochs: int
    patience: int | None
    promised: float
    n_val: int
    n_test: int
    size_bytes: float
    runs: tuple[SeedRun, ...]

    @property
    def good(self) -> tuple[SeedRun, ...]:
        """Trainings that gave a model."""
        return tuple(run for run in self.runs if not run.reason)

    @cached_property
    def validation(self) -> Mean | None:
        """Accuracy on the validation split; None if no training gave a model."""
        return Mean.of([run.val_accuracy for run in self.good]) if self.good else None

    @cached_property
    def test(self) -> Mean | None:
        """Accuracy on the test split; None if no training gave a model."""
        return Mean.of([run.accuracy for run in self.good]) if self.good else None

    @property
    def luck(self) -> float | None:
        """By how much the trial's accuracy exceeds what other seeds give on the same images.

        None where that is no more than one training differs from the next (95 %, Student's t for
        one more run beside ``n``), or where too few were trained to tell.
        """
        mean = self.validation
        if mean is None or mean.deviation is None:
            return None
        least = student_t(mean.n - 1) * mean.deviation * math.sqrt(1 + 1 / mean.n)
        # Without any spread, one image more or less is still no news.
        excess = self.promised - mean.value
        return excess if excess > max(least, 1 / self.n_val) else None


@dataclass(frozen=True)
class Lead:
    """How much more accurate one finalist is than another on the test split.

    Attributes:
        over: Trial of the other one.
        value: Difference of the mean accuracies.
        error: Half of its 95 % interval; None if it cannot be told.
    """

    over: int
    value: float
    error: float | None

    @property
    def is_real(self) -> bool:
        """Whether the interval leaves out that there is none."""
        return self.error is not None and self.value > self.error


def lead(first: Finalist, second: Finalist) -> Lead | None:
    """Return by how much ``first`` is more accurate, with its interval; None without models.

    Two things make the difference uncertain: the seeds, and which test images there happen to be.
    The first enters by the spread over seeds (Welch's t test, 1947), the second by the images,
    pair by pair, since both saw the same ones. The sum is somewhat too wide, as images carry some
    of the seeds' luck too.
    """
    if first.test is None or second.test is None:
        return None
    value = first.test.value - second.test.value
    parts: list[tuple[float, int]] = []  # A variance, and its degrees of freedom.
    for mean in (first.test, second.test):
        if mean.deviation is None:
            return Lead(second.trial, value, None)
        parts.append((mean.deviation**2 / mean.n, mean.n - 1))
    hits = [[run.hits for run in one.good if run.hits is not None] for one in (first, second)]
    if all(hits) and first.n_test == second.n_test > 1:
        per_image = np.mean(hits[0], axis=0) - np.mean(hits[1], axis=0)
        parts.append((float(per_image.var(ddof=1)) / first.n_test, first.n_test - 1))
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return Lead(second.trial, value, 0.0)
    # Welch's and Satterthwaite's degrees of freedom of a sum of variances.
    freedom = total**2 / sum(variance**2 / n for variance, n in parts)
    return Lead(second.trial, value, student_t(max(1, int(freedom))) * math.sqrt(total))


def leads(finalists: Sequence[Finalist]) -> list[Lead | None]:
    """Return each finalist's lead over the best of the smaller ones; None for the smallest."""
    found: list[Lead | None] = []
    best: Finalist | None = None
    for one in finalists:
        found.append(None if best is None else lead(one, best))
        mean = one.test
        if mean is not None and (
            best is None or best.test is None or mean.value > best.test.value
        ):
            best = one
    return found


def choose_finalists(front: StudyFront, n: int) -> list[FrontPoint]:
    """Return the ``n`` points that matter most, the smallest first.

    The most accurate point and the best compromise, and then, one after the other, the point that
    adds most to the hypervolume of those chosen. Greedily, which comes within ``1 - 1/e`` of the
    best choice, since hypervolume is submodular (Nemhauser, Wolsey and Fisher, 1978).
    """
    points = front.points
    if not points:
        return []
    wanted = [front.pick("accuracy"), front.pick("knee")]
    chosen = list({point.trial: point for point in wanted}.values())[:n]
    while len(chosen) < min(n, len(points)):
        rest = [point for point in points if point not in chosen]
        chosen.append(max(rest, key=lambda one: _joint([*chosen, one], front.reference)))
    return sorted(chosen, key=lambda point: (point.size_bytes, point.latency_ms, point.trial))


def _joint(points: Sequence[FrontPoint], reference: ReferencePoint) -> float:
    return hypervolume([point.values for point in points], reference)


def load_finalists(study: str, storage: str | Path | None = None) -> list[Finalist]:
    """Read the finalists of a study, the smallest model first.

    Raises:
        StorageError: If there is no such database, or it cannot be read.
        StudyError: If there is no such study, or it was not made by this program.
    """
    with reading(storage) as opened:
        return finalists_of(find_study(opened, study))


def finalists_of(study: StudyRecord) -> list[Finalist]:
    """Return the finalists of a study, the smallest model first; as last trained, each."""
    task = study.user_attrs[attributes.TASK]
    trials = {trial.number: trial for trial in study.own_trials}
    size = [objective.name for objective in OBJECTIVES].index("size_bytes")
    found: dict[int, Finalist] = {}
    for row in study.user_attrs.get(attributes.FINALISTS, ()):
        trial = trials.get(row["trial"])
        # A trial that is gone, or another of its number.
        if trial is None or trial.user_attrs.get(attributes.CONFIG_HASH) != row["config_hash"]:
            continue
        scores = trial.user_attrs.get(attributes.CLASS_SCORES, {})
        found[trial.number] = Finalist(
            trial.number,
            row.get("total_epochs") or row["epochs"],
            row["patience"],
            scores.get("accuracy", trial.values[0]),
            int(task["n_val"]),
            int(task["n_test"]),
            trial.values[size],
            tuple(SeedRun.from_dict(run, int(task["n_test"])) for run in row["runs"]),
        )
    return sorted(found.values(), key=lambda one: (one.size_bytes, one.trial))
