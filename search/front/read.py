"""The Pareto front of a study, read from the database.

Points are complete trials, derived ones too, that keep all limits of the study.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search.front.baseline import Baseline
from search.front.broken_limits import broken_limits
from search.front.lead_errors import lead_errors
from search.front.pareto import ReferencePoint, pareto_mask
from search.front.scheme_failures import scheme_failures, why_no_model
from search.front.study_front import FrontPoint as FrontPoint
from search.front.study_front import StudyFront as StudyFront
from search.storage import attributes
from search.storage.attributes import COUNTED, DEFAULT_STORAGE
from search.storage.constraints import constraint_values
from spaces.errors import StudyError
from spaces.wording import guess
from workers.messages.result import Latency, Limits

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from sqlalchemy import Engine

    from search.storage.reader import StudyRecord


def load_front(study: str, storage: str | Path | None = None) -> StudyFront:
    """Read the front of a study.

    Args:
        study: Name of the study.
        storage: Database: a file or an SQLAlchemy URL; None for ``studies.db`` here.

    Raises:
        StorageError: If there is no such database, or it cannot be read.
        StudyError: If there is no such study, or it was not made by this program.
    """
    with reading(storage) as opened:
        return front_of(find_study(opened, study))


def load_fronts(storage: str | Path | None = None) -> list[StudyFront]:
    """Read the fronts of all studies that this program made, the last active one first.

    Raises:
        StorageError: If there is no such database, or it cannot be read.
    """
    from search.storage.reader import read_study, study_names

    with reading(storage) as opened:
        # One that was deleted meanwhile is none; one that is being made is not ours yet.
        records = [read_study(opened, name) for name in study_names(opened)]
        fronts = [front_of(record) for record in records if record is not None and record.is_ours]
    return sorted(fronts, key=lambda front: front.last_activity or datetime.min, reverse=True)


@contextmanager
def reading(storage: str | Path | None) -> Iterator[Engine]:
    """Open a database that must be there; what goes wrong with it becomes one line."""
    from search.storage.database import open_for_reading

    with open_for_reading(DEFAULT_STORAGE if storage is None else storage) as opened:
        yield opened


def find_study(engine: Engine, name: str) -> StudyRecord:
    """Return a study of ours as it is at this moment.

    Raises:
        StudyError: If there is no such study, or it was not made by this program.
    """
    from search.storage.reader import read_study, study_names

    record = read_study(engine, name)
    if record is None:
        raise StudyError(_no_such_study(name, study_names(engine)))
    if not record.is_ours:
        raise StudyError(
            f"Study {name!r} was not made by `search run`, which alone stores what its numbers "
            f"mean. optuna-dashboard shows it: search dashboard"
        )
    return record


def front_of(study: StudyRecord) -> StudyFront:
    """Return the front of a study, of the trials that this program made."""
    from optuna.trial import TrialState

    stored = study.user_attrs
    task: Mapping[str, Any] = stored[attributes.TASK]
    trials = study.own_trials
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    outcomes = [
        trial.user_attrs.get(attributes.OUTCOME)
        for trial in trials
        if attributes.DERIVED_FROM not in trial.user_attrs
    ]
    moments = [
        moment for t in trials for moment in (t.datetime_start, t.datetime_complete) if moment
    ]
    limits = Limits(**stored.get(attributes.LIMITS, {}))
    metric, n_val = stored.get(attributes.METRIC, "accuracy"), int(task["n_val"])
    points = _front_points(complete, limits)
    if metric == "accuracy":
        points = _with_same_accuracy(points, n_val)
    return StudyFront(
        study=study.name,
        n_foreign=len(study.trials) - len(trials),
        task=task["name"],
        data_name=task["data_name"],
        generated=bool(task["generated"]),
        device=stored[attributes.DEVICE],
        size_metric=stored[attributes.SIZE_METRIC],
        metric=metric,
        n_target=stored.get(attributes.TARGET),
        n_trials=sum(outcome in COUNTED for outcome in outcomes),
        n_infeasible=outcomes.count("infeasible"),
        n_stopped=outcomes.count("stopped"),
        n_branches=sum(
            attributes.BRANCHED_FROM in trial.user_attrs
            and attributes.DERIVED_FROM not in trial.user_attrs
            for trial in trials
        ),
        n_failed=outcomes.count("failed"),
        n_points=len(complete),
        n_val=n_val,
        reference=ReferencePoint.from_dict(stored[attributes.REFERENCE_POINT]),
        last_activity=max(moments, default=None),
        points=points,
        kind=task.get("kind", "image"),
        notes=tuple(task.get("notes", ())),
        baseline=_baseline(trials, str(task.get("baseline_note", ""))),
        model_notes=tuple(task.get("model_notes", ())),
        class_names=tuple(task.get("class_names", ())),
        leaks=tuple(task.get("leaks", ())),
        class_counts=dict(task.get("class_counts", {})),
        ignored=dict(task.get("ignored", {})),
        scheme_failures=scheme_failures(trials),
        why_no_model=why_no_model(trials),
        limits=limits,
        broken_limits=() if points else broken_limits(trials, limits),
    )


def _baseline(trials: Sequence[FrozenTrial], note: str) -> Baseline | None:
    """Return the baseline as it last ended: an interrupted one is tried again."""
    found = [trial for trial in trials if attributes.BASELINE in trial.user_attrs]
    if not found:
        return None
    trial = found[-1]
    accuracy, size_bytes, latency_ms = trial.values or (None, None, None)
    values = None
    if accuracy is not None and size_bytes is not None and latency_ms is not None:
        values = (accuracy, size_bytes, latency_ms)
    return Baseline(trial.number, values, str(trial.user_attrs.get(attributes.REASON, "")), note)


def _front_points(complete: Sequence[FrozenTrial], limits: Limits) -> tuple[FrontPoint, ...]:
    # By the limits of today: what a trial stored of those of its time stays as it is.
    feasible = [trial for trial in complete if keeps_limits(trial, limits)]
    mask = pareto_mask([trial.values for trial in feasible])
    points = [
        point_of(trial) for trial, is_on_front in zip(feasible, mask, strict=True) if is_on_front
    ]
    points.sort(key=lambda p: (p.size_bytes, p.latency_ms, p.trial))
    return tuple(
        replace(point, same_speed_as=other)
        for point, other in zip(points, _same_speed(points), strict=True)
    )


def keeps_limits(trial: FrozenTrial, limits: Limits) -> bool:
    """Whether a complete trial keeps limits."""
    accuracy, size_bytes, latency_ms = trial.values
    broken = constraint_values(
        limits,
        size_bytes=size_bytes,
        latency_ms=latency_ms,
        accuracy=accuracy,
        ram_bytes=trial.user_attrs.get(attributes.LEDGER, {}).get("arena_bytes"),
    )
    return all(value <= 0 for value in broken)


def _same_speed(points: Sequence[FrontPoint]) -> list[int | None]:
    """Return for each point the most accurate one that only noise keeps from dominating it."""
    accuracies = np.array([point.values[0] for point in points])
    sizes = np.array([point.size_bytes for point in points])
    latencies = np.array([point.latency_ms for point in points])
    noises = np.array([point.latency_noise for point in points], float)  # NaN where not known.
    found: list[int | None] = []
    for index, point in enumerate(points):
        lead = latencies / point.latency_ms - 1
        is_same = (accuracies >= point.values[0]) & (sizes <= point.size_bytes)
        is_same &= lead <= np.hypot(noises, noises[index])
        is_same[index] = False
        best = int(np.argmax(np.where(is_same, accuracies, -1)))
        found.append(points[best].trial if is_same[best] else None)
    return found


def _with_same_accuracy(points: Sequence[FrontPoint], n_val: int) -> tuple[FrontPoint, ...]:
    """Return points, smallest first, with those that no more than chance keeps from being best."""
    errors = lead_errors([point.hits for point in points], n_val)
    accuracies = np.array([point.accuracy for point in points])
    latencies = np.array([point.latency_ms for point in points])
    noises = np.array([point.latency_noise or 0.0 for point in points])
    marked = []
    for index, point in enumerate(points):
        leads = point.accuracy - accuracies
        is_same = (leads > 0) & (leads <= errors[index])
        is_same &= np.array([other.size_bytes < point.size_bytes for other in points], bool)
        is_same &= latencies / point.latency_ms - 1 <= np.hypot(noises, noises[index])
        smallest = points[int(np.argmax(is_same))].trial if is_same.any() else None
        marked.append(replace(point, same_accuracy_as=smallest))
    return tuple(marked)


def point_of(trial: FrozenTrial) -> FrontPoint:
    """Return what was measured of a complete trial, as if it were on the front."""
    score, size_bytes, latency_ms = trial.values
    stored = trial.user_attrs
    scores = stored.get(attributes.CLASS_SCORES, {})
    return FrontPoint(
        trial=trial.number,
        accuracy=scores.get("accuracy", score),
        score=score,
        class_scores=scores,
        size_bytes=int(size_bytes),
        latency_ms=latency_ms,
        quantization=stored[attributes.CONFIG]["quantization"],
        sparsity=stored.get(attributes.SPARSITY, {}).get("overall"),
        n_params=stored.get(attributes.LEDGER, {}).get("n_params"),
        derived_from=stored.get(attributes.DERIVED_FROM),
        branched_from=stored.get(attributes.BRANCHED_FROM),
        params=dict(trial.params),
        ram_bytes=stored.get(attributes.LEDGER, {}).get("arena_bytes"),
        latency_noise=_latency_noise(stored.get(attributes.LATENCY)),
        float_operations=stored.get(attributes.LEDGER, {}).get("float_operations"),
        metrics=stored.get(attributes.METRICS, {}),
        hits=stored.get(attributes.HITS, ""),
    )


def _latency_noise(stored: Mapping[str, Any] | None) -> float | None:
    return None if stored is None else Latency.from_dict(stored).noise


def _no_such_study(name: str, names: Sequence[str]) -> str:
    if not names:
        return f"There is no study {name!r} yet. Start one: search run TASK --study {name}"
    known = ", ".join(sorted(names))
    return f"There is no study {name!r}. Known studies: {known}.{guess(name, names)}"
