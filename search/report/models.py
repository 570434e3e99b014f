"""Every measured model of a study, as the report shows it: plain data, no page yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from search.front.read import keeps_limits, point_of
from search.front.study_front import FrontPoint, StudyFront
from search.storage import attributes
from search.units import format_accuracy, format_latency, format_size

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from search.storage.reader import StudyRecord

Origin = Literal["own", "derived", "branched"]
"""``own``: trained from random weights; ``derived``: another scheme's file of such a training;
``branched``: of a training that started from another's weights."""

MAX_DOMINATED = 1200
"""Models beside the front that a page holds: more cannot be told apart, and a page has to stay
below 2 MB."""

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Model:
    """One measured model.

    Attributes:
        point: What was measured of it.
        interval: 95 % interval of its accuracy (Wilson); None where the first objective is
            another metric, whose noise is not known.
        is_on_front: Whether nothing that keeps the limits is better in everything.
        is_baseline: Whether it is the configuration made by hand.
        keeps_limits: Whether it keeps the study's limits.
    """

    point: FrontPoint
    interval: tuple[float, float] | None
    is_on_front: bool
    is_baseline: bool
    keeps_limits: bool

    @property
    def origin(self) -> Origin:
        """Where its weights come from."""
        if self.point.derived_from is not None:
            return "derived"
        return "own" if self.point.branched_from is None else "branched"

    @property
    def score(self) -> float:
        """Value of the study's first objective."""
        return self.point.values[0]


def complete_trials(study: StudyRecord) -> list[FrozenTrial]:
    """Return the trials of ours that have a measured model."""
    from optuna.trial import TrialState

    return [trial for trial in study.own_trials if trial.state is TrialState.COMPLETE]


def measured_models(study: StudyRecord, front: StudyFront) -> list[Model]:
    """Return all measured models of a study, those on its front last.

    Args:
        study: The study.
        front: Its front, read from the same record.
    """
    on_front = {point.trial: point for point in front.points}
    context = front.accuracy_context
    models = [
        Model(
            point=on_front.get(trial.number) or point_of(trial),
            interval=context.interval(trial.values[0]) if front.metric == "accuracy" else None,
            is_on_front=trial.number in on_front,
            is_baseline=attributes.BASELINE in trial.user_attrs,
            keeps_limits=keeps_limits(trial, front.limits),
        )
        for trial in complete_trials(study)
    ]
    # What is drawn last lies on top.
    return sorted(models, key=lambda model: (model.is_on_front, model.point.trial))


def shown_models(models: Sequence[Model], n_dominated: int = MAX_DOMINATED) -> list[Model]:
    """Return the models that a page holds: the front, the baseline, and some of the others."""
    kept = [model for model in models if model.is_on_front or model.is_baseline]
    others = [model for model in models if not (model.is_on_front or model.is_baseline)]
    return [*thinned(others, n_dominated), *kept]


def thinned(rows: Sequence[_Row], most: int) -> list[_Row]:
    """Return at most so many rows, spread evenly, the first and the last among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[index] for index in np.linspace(0, len(rows) - 1, most).round().astype(int)]


def model_row(model: Model) -> dict[str, Any]:
    """Return a model as plain data for the page's tables and charts."""
    point = model.point
    low, high = model.interval or (None, None)
    noise = point.latency_noise
    return {
        "trial": point.trial,
        "accuracy": model.score,
        "low": low,
        "high": high,
        "size": point.size_bytes,
        "latency": point.latency_ms,
        "latency_low": None if noise is None else point.latency_ms / (1 + noise),
        "latency_high": None if noise is None else point.latency_ms * (1 + noise),
        "ram": point.ram_bytes,
        "scheme": point.quantization + (" mixed" if point.is_mixed else ""),
        "sparsity": point.sparsity,
        "n_params": point.n_params,
        "origin": model.origin,
        "from": point.branched_from if point.derived_from is None else point.derived_from,
        "front": model.is_on_front,
        "baseline": model.is_baseline,
        "kept": model.keeps_limits,
        "params": dict(point.params),
        "says": describe(point),
    }


def describe(point: FrontPoint) -> str:
    """Return a model in one line, as a screen reader tells it."""
    return (
        f"trial {point.trial}: {format_accuracy(point.values[0])}, "
        f"{format_size(point.size_bytes)}, {format_latency(point.latency_ms)}, "
        f"{point.quantization}"
    )


def best_so_far(models: Iterable[Model], axis: Literal["size", "latency"]) -> list[Model]:
    """Return the models that are more accurate than all smaller (or faster) ones, by that axis."""
    column = 1 if axis == "size" else 2
    best: list[Model] = []
    for model in sorted(models, key=lambda m: (m.point.values[column], -m.score)):
        if not best or model.score > best[-1].score:
            best.append(model)
    return best
