"""Configurations that somebody has already, read from where they lie.

======================  =======================================================================
what                    how it is told
======================  =======================================================================
CSV                     a column for each parameter, plain or as ``params_NAME`` (Optuna's data
                        frames, ``search front --csv``); ``accuracy``, ``size_bytes`` and
                        ``latency_ms`` are objectives
JSON                    what ``search export`` wrote, or a list of objects of parameters
KerasTuner project      a folder with ``trial_*/trial.json``
Optuna database         a SQLite file or a URL, and the name of a study in it
======================  =======================================================================

Nothing that is read is run. What the names and values mean is for :mod:`search.study.enqueued`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaces.config.objectives import OBJECTIVES
from spaces.errors import DataError
from spaces.wording import guess, one_line

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

N_BEST = 10
"""Configurations that are taken of an earlier search: more would be a search of their own."""

_OBJECTIVES = tuple(objective.name for objective in OBJECTIVES)
_PREFIX = "params_"
_DATABASES = (".db", ".sqlite", ".sqlite3")


@dataclass(frozen=True)
class Found:
    """One configuration as it was found.

    Attributes:
        origin: Where: ``trials.csv, line 3``.
        params: Values by name, numbers or texts; what is not set is not there.
        values: Objectives that were measured, by name; not all need be there.
    """

    origin: str
    params: Mapping[str, Any]
    values: Mapping[str, float] = field(default_factory=dict)


def read_source(
    source: str | Path, study: str | None = None, *, n_best: int | None = N_BEST
) -> list[Found]:
    """Read configurations.

    Args:
        source: File, folder or database URL.
        study: Which study of a database; None for the only one.
        n_best: How many are taken of an earlier search; None for all.

    Returns:
        In the order of the file; of an earlier search the best ones first.

    Raises:
        DataError: If it holds none, or cannot be read.
        StorageError: If it is a database that cannot be read.
    """
    text, path = str(source), Path(source)
    if "://" in text or path.suffix in _DATABASES:
        found = _optuna_study(text, study)[:n_best]
    elif path.is_dir():
        found = _kerastuner_project(path)[:n_best]
    elif not path.is_file():
        raise DataError(
            f"{text!r} does not exist. Configurations are read from CSV, JSON, a KerasTuner "
            f"project folder or an Optuna database."
        )
    elif path.suffix == ".json":
        found = _json_file(path)
    else:
        found = _csv_file(path)
    if not found:
        raise DataError(f"{text!r} holds no configuration.")
    return found


def _csv_file(path: Path) -> list[Found]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not reader.fieldnames:
                return []
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {one_line(error)}.") from error
    # Where some columns are marked as parameters, the others are figures.
    marked = any(name.startswith(_PREFIX) for name in reader.fieldnames if name)
    found = []
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise DataError(f"{path}, line {number}: it has more cells than there are columns.")
        cells = {name.strip(): (text or "").strip() for name, text in row.items()}
        params = {
            name.removeprefix(_PREFIX): text
            for name, text in cells.items()
            if text and name not in _OBJECTIVES and (name.startswith(_PREFIX) or not marked)
        }
        values = {}
        for name in _OBJECTIVES:
            if cells.get(name):
                try:
                    values[name] = float(cells[name])
                except ValueError:
                    raise DataError(
                        f"{path}, line {number}: {name} must be a number, but got {cells[name]!r}."
                    ) from None
        if params:
            found.append(Found(f"{path.name}, line {number}", params, values))
    return found


def _json_file(path: Path) -> list[Found]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON: {one_line(error)}.") from error
    if isinstance(content, dict) and "config" in content:
        from search.deploy.export import check_export
        from spaces.config.trial import TrialConfig
        from spaces.space.compression import params_from_config

        exported = check_export(content)
        config = TrialConfig.from_dict(exported["config"])
        return [Found(path.name, params_from_config(config))]
    rows = [content] if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(
            f"{path} must hold what `search export` wrote, or a list of objects such as "
            '[{"learning_rate": 0.001, "batch_size": 32}].'
        )
    found = []
    for number, row in enumerate(rows, start=1):
        inner = row.get("params", row)
        if not isinstance(inner, dict):
            raise DataError(f"{path}, object {number}: its params must be an object.")
        params = {name: value for name, value in inner.items() if name not in _OBJECTIVES}
        try:
            values = {
                name: float(row[name])
                for name in _OBJECTIVES
                if isinstance(row.get(name), (int, float)) and not isinstance(row[name], bool)
            }
        except OverflowError:
            raise DataError(
                f"{path}, object {number}: its figures must be numbers that fit, below 1e308."
            ) from None
        found.append(Found(f"{path.name}, object {number}", params, values))
    return [one for one in found if one.params]


def _kerastuner_project(folder: Path) -> list[Found]:
    """Read a project: its scores are of float models, so they only say which came first."""
    paths = sorted(folder.glob("trial_*/trial.json")) or sorted(
        folder.glob("*/trial_*/trial.json")
    )
    if not paths:
        raise DataError(
            f"{folder} is no KerasTuner project: there is no trial_*/trial.json in it."
        )
    ranked: list[tuple[bool, float, Found]] = []
    for path in paths:
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            values = dict(stored["hyperparameters"]["values"])
            score = stored.get("score")
            sign = _sign_of_score(stored, score)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{path} is no trial of KerasTuner: {type(error).__name__} {one_line(error)}."
            ) from error
        # Hyperband's own bookkeeping: tuner/epochs, tuner/bracket, ...
        params = {name: value for name, value in values.items() if not name.startswith("tuner/")}
        known = isinstance(score, (int, float))
        rank = sign * float(score) if known else 0.0
        ranked.append((not known, rank, Found(f"{folder.name}, {path.parent.name}", params)))
    ranked.sort(key=lambda one: one[:2])
    return [found for _, _, found in ranked if found.params]


def _sign_of_score(stored: Mapping[str, Any], score: object) -> int:
    """Return -1 if more is better: the score is the best value of one of the metrics."""
    for name, metric in stored.get("metrics", {}).get("metrics", {}).items():
        observed = [one["value"] for one in metric.get("observations", ())]
        if any(score in (value if isinstance(value, list) else [value]) for value in observed):
            return -1 if metric.get("direction", "") == "max" or "acc" in name else 1
    return -1


def _optuna_study(storage: str, name: str | None) -> list[Found]:
    from search.storage import attributes
    from search.storage.database import open_for_reading
    from search.storage.reader import read_study, study_names

    with open_for_reading(storage) as engine:
        names = study_names(engine)
        if name is None and len(names) != 1:
            have = f"its studies are {', '.join(names)}" if names else "it has no study"
            raise DataError(f"Which study of the database? Say --from NAME; {have}.")
        name = names[0] if name is None else name
        record = read_study(engine, name)
    if record is None:
        raise DataError(
            f"There is no study {name!r} there. Known studies: {', '.join(names)}."
            f"{guess(name, names)}"
        )
    named = record.system_attrs.get(attributes.METRIC_NAMES) or []
    complete = [trial for trial in record.trials if trial.values is not None and trial.params]
    ordered = _best_first(complete, record.directions)
    found = []
    for trial in ordered:
        values = {
            metric: value
            for metric, value in zip(named, trial.values, strict=False)
            if metric in _OBJECTIVES
        }
        found.append(Found(f"study {name}, trial {trial.number}", dict(trial.params), values))
    return found


def _best_first(trials: Sequence[FrozenTrial], directions: Sequence[str]) -> list[FrozenTrial]:
    """Return trials by how many others dominate them; of one objective, that is by its value."""
    signs = [-1.0 if direction == "maximize" else 1.0 for direction in directions]
    losses = [[s * v for s, v in zip(signs, trial.values, strict=True)] for trial in trials]

    def n_better(index: int) -> int:
        mine = losses[index]
        return sum(
            other != mine and all(a <= b for a, b in zip(other, mine, strict=True))
            for other in losses
        )

    order = sorted(range(len(trials)), key=lambda index: (n_better(index), trials[index].number))
    return [trials[index] for index in order]
