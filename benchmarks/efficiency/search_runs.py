"""``search run`` in the efficiency benchmark, whole and with parts switched off."""

from __future__ import annotations

import inspect
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from benchmarks.efficiency.runs import EventLog, Kind
from search.run.events import RunProgress, Silent
from search.run.run_study import run_study
from search.storage import attributes
from search.storage.database import open_storage
from workers.trial.prepare import prepare_task

PARTS = ("fan_out", "race", "branch", "gate")
"""Parts that can be switched off, if ``run_study`` of this version takes them."""


def variants() -> tuple[str, ...]:
    """Return the method names of ``search`` with one part off each, as far as they exist."""
    known = inspect.signature(run_study).parameters
    return tuple(f"search-no-{part.replace('_', '-')}" for part in PARTS if part in known)


class Watch(Silent):
    """Starts a log's clock when the workers are ready."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def start(self, progress: RunProgress) -> None:
        """Start the clock."""
        self._log.start()


def run_search(
    log: EventLog,
    method: str,
    *,
    task: str,
    data: Path | None,
    trials: int,
    epochs: int,
    workers: int,
    seed: int,
    budget_s: float | None,
    folder: Path,
    fix: Mapping[str, str],
) -> None:
    """Run a study to its end, and read from it what came when.

    Args:
        log: Takes the events.
        method: ``search``, or one of :func:`variants`.
        task: As ``search run`` takes it.
        data: As ``search run`` takes it.
        trials: Trials the study is to have.
        epochs: Epochs of a full training.
        workers: Trials that run side by side.
        seed: Of the study.
        budget_s: Seconds after which no new trial is started; None for no end.
        folder: An empty one, for the database.
        fix: Parameters that are not searched.
    """
    off: dict[str, Any] = {}
    if method != "search":
        off[method.removeprefix("search-no-").replace("-", "_")] = False
    # Its time counts from before the preparation, which is fast now that all is in the cache.
    start = time.monotonic()
    prepare_task(task, data)
    preparation_s = time.monotonic() - start
    storage = folder / "studies.db"
    report = run_study(
        task,
        trials=trials,
        workers=workers,
        data=data,
        study="efficiency",
        storage=storage,
        epochs=epochs,
        fix=dict(fix),
        timeout_s=None if budget_s is None else budget_s + preparation_s,
        seed=seed,
        observer=Watch(log),
        **off,
    )
    report.check_whole()
    opened = open_storage(storage)
    try:
        study_id = opened.get_study_id_from_name("efficiency")
        add_trials(log, opened.get_all_trials(study_id))
    finally:
        opened.engine.dispose()


def add_trials(log: EventLog, trials: Iterable[FrozenTrial]) -> None:
    """Add the trials of a study to a log, each with all points derived from its training."""
    families: dict[int, list[FrozenTrial]] = defaultdict(list)
    for trial in trials:
        parent = trial.user_attrs.get(attributes.DERIVED_FROM, trial.number)
        families[int(parent)].append(trial)
    ended = []
    for number, family in families.items():
        own = next(trial for trial in family if trial.number == number)
        if own.datetime_complete is None:
            continue
        if own.user_attrs.get(attributes.OUTCOME) == "interrupted":
            continue  # Given up, and tried again under another number.
        ended.append((own.datetime_complete, own, family))
    for when, own, family in sorted(ended, key=lambda entry: (entry[0], entry[1].number)):
        points = [
            (trial.values[0], trial.values[1], trial.values[2])
            for trial in family
            if trial.state == TrialState.COMPLETE
        ]
        epochs = int(own.user_attrs.get(attributes.EPOCHS_TRAINED, 0))
        reason = str(own.user_attrs.get(attributes.REASON, ""))
        log.add(_kind(own, epochs), epochs, points, reason=reason, at=when.timestamp())


def _kind(trial: FrozenTrial, epochs: int) -> Kind:
    if attributes.BRANCHED_FROM in trial.user_attrs:
        return "branch"
    return "training" if epochs else "untrained"
