"""Points and trials chosen and ordered as a person asks: ``--where`` and ``--sort``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search.front.study_front import FrontPoint
from search.front.trials import TrialSummary
from search.front.where import parse_where
from spaces.errors import ConfigError
from spaces.wording import guess

SORTS = ("size", "accuracy", "latency", "ram", "params", "sparsity", "trial", "scheme")
"""What points are sorted by, beside their parameters. The best, or the smallest, comes first."""

_BEST_IS_MOST = ("accuracy", "sparsity")


def points_where(points: Sequence[FrontPoint], condition: str | None) -> tuple[FrontPoint, ...]:
    """Return the points that fulfil a condition (see :mod:`search.front.where`).

    Raises:
        ConfigError: If it is no condition on points.
    """
    if condition is None:
        return tuple(points)
    rows = [_point_row(point) for point in points]
    names = _point_names() | {name for point in points for name in point.params}
    holds = parse_where(condition, names)
    return tuple(point for point, row in zip(points, rows, strict=True) if holds(row))


def trials_where(
    trials: Sequence[TrialSummary], condition: str | None
) -> tuple[TrialSummary, ...]:
    """Return the trials that fulfil a condition.

    Raises:
        ConfigError: If it is no condition on trials.
    """
    if condition is None:
        return tuple(trials)
    rows = [_trial_row(trial) for trial in trials]
    names = frozenset(_TRIAL_NAMES) | {name for trial in trials for name in trial.params}
    holds = parse_where(condition, names)
    return tuple(trial for trial, row in zip(trials, rows, strict=True) if holds(row))


def sorted_points(points: Sequence[FrontPoint], by: str | None) -> tuple[FrontPoint, ...]:
    """Return points in order: by an objective the best first, otherwise the smallest first.

    Those that do not have what they are sorted by come last.

    Raises:
        ConfigError: If there is nothing of that name.
    """
    if by is None:
        return tuple(points)
    names = {*SORTS, *(name for point in points for name in point.params)}
    if by not in names:
        known = [*SORTS, *sorted(names - set(SORTS))]
        raise ConfigError(
            f"Points are sorted by one of {', '.join(known)}, but got {by!r}.{guess(by, known)}"
        )
    sign = -1 if by in _BEST_IS_MOST else 1

    def key(point: FrontPoint) -> tuple[bool, str, float]:
        value = _point_row(point).get(by)
        if isinstance(value, (int, float)):
            return False, "", sign * value
        return value is None, "" if value is None else str(value), 0.0

    return tuple(sorted(points, key=key))


_TRIAL_NAMES = (
    "trial",
    "outcome",
    "accuracy",
    "size",
    "latency",
    "ram",
    "sparsity",
    "params",
    "scheme",
    "front",
    "baseline",
    "derived_from",
    "branched_from",
)


def _trial_row(trial: TrialSummary) -> Mapping[str, Any]:
    return {
        **trial.params,
        "trial": trial.number,
        "outcome": trial.outcome,
        "accuracy": trial.accuracy,
        "size": trial.size_bytes,
        "latency": trial.latency_ms,
        "ram": trial.ram_bytes,
        "sparsity": trial.sparsity,
        "params": trial.n_params,
        "scheme": trial.quantization,
        "front": trial.is_on_front,
        "baseline": trial.is_baseline,
        "derived_from": trial.derived_from,
        "branched_from": trial.branched_from,
    }


def _point_names() -> frozenset[str]:
    others = ("derived_from", "branched_from", "balanced_accuracy", "macro_f1")
    return frozenset((*SORTS, *others))


def _point_row(point: FrontPoint) -> Mapping[str, Any]:
    return {
        **point.params,
        "trial": point.trial,
        "accuracy": point.accuracy,
        "size": point.size_bytes,
        "latency": point.latency_ms,
        "ram": point.ram_bytes,
        "sparsity": point.sparsity,
        "params": point.n_params,
        "scheme": point.quantization,
        "derived_from": point.derived_from,
        "branched_from": point.branched_from,
        "balanced_accuracy": point.class_scores.get("balanced_accuracy"),
        "macro_f1": point.class_scores.get("macro_f1"),
    }
