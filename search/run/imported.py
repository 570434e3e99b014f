"""Earlier work taken into a study: ``search import``, and ``search run --enqueue``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.front.read import find_study, reading
from search.run.making import make_config_of
from search.study.enqueued import Fitted, import_into
from search.study.queue import MakeConfig
from search.study.sources import N_BEST, read_source


def import_trials(
    study: str,
    source: str | Path,
    storage: str | Path,
    *,
    from_study: str | None = None,
    history: bool = False,
    best: int | None = None,
) -> Fitted:
    """Take configurations of earlier work into a study.

    Args:
        study: Name of a study that is there.
        source: CSV, JSON, KerasTuner project folder, or Optuna database.
        storage: Database of the study.
        from_study: Which study of an Optuna database; None for the only one.
        history: Whether they are points that were measured, with all three objectives; otherwise
            they are tried first.
        best: How many of the best of an earlier search are taken; None for 10, or of history
            all.

    Returns:
        What was taken, and notes on what was not.

    Raises:
        DataError: If the source cannot be read, or nothing of it fits the study.
        StudyError: If there is no such study, or a driver runs it.
        StorageError: If a database cannot be used.
    """
    n_best = best if best is not None else None if history else N_BEST
    found = read_source(source, from_study, n_best=n_best)
    make_config: MakeConfig | None = None
    if history:
        with reading(storage) as opened:
            stored: Mapping[str, Any] = find_study(opened, study).user_attrs
        make_config = make_config_of(stored)
    return import_into(study, storage, found, make_config)
