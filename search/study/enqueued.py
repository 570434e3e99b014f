"""Configurations of earlier work in a study: to be tried first, or as history.

What is *tried first* is trained and measured like any other trial; it waits in the study until
then. *History* are points that somebody measured elsewhere: they are complete trials with all
three objectives, from which the sampler learns, and they may stand on the front; they have no
model file and are marked as imported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FixedTrial, TrialState

from search.storage import attributes
from search.storage.batches import Batch, new_trial
from search.storage.constraints import constraint_values
from search.storage.database import open_storage, storage_errors
from search.storage.locks import study_lock
from search.storage.reader import StudyRecord, read_study, study_names
from search.storage.recorder import RowRecorder
from search.storage.trial_attributes import config_attrs
from search.storage.urls import storage_url
from search.study.create_or_resume import check_ours
from search.study.queue import MakeConfig
from search.study.sources import Found
from spaces.config.objectives import OBJECTIVES
from spaces.config.trial import ParamValue
from spaces.errors import ConfigError, DataError, StudyError
from spaces.space.search_space import Parameter, SearchSpace
from spaces.wording import counted, guess, some
from workers.messages.result import Limits


@dataclass(frozen=True)
class Fitted:
    """Configurations as points of a search space.

    Attributes:
        points: Values of all active parameters.
        origins: Where each was found.
        values: Objectives that were measured, by name.
        notes: What was left out, a sentence each.
    """

    points: tuple[dict[str, ParamValue], ...] = ()
    origins: tuple[str, ...] = ()
    values: tuple[Mapping[str, float], ...] = ()
    notes: tuple[str, ...] = field(default=())


def fit_to_space(found: Iterable[Found], space: SearchSpace, *, whole: bool = False) -> Fitted:
    """Return those configurations that are points of a space.

    What a space has and a configuration does not say has its default, unless ``whole``; names that
    the space does not have are left out; a value that a parameter cannot take leaves out its
    configuration. All of that is in the notes.

    Args:
        found: Configurations as they were found.
        space: The search space.
        whole: Whether every active parameter must be given: what was measured had some value.

    Raises:
        DataError: If none is left.
    """
    points: list[dict[str, ParamValue]] = []
    origins: list[str] = []
    values: list[Mapping[str, float]] = []
    refused: list[str] = []
    unknown: dict[str, None] = {}
    n_found = 0
    for one in found:
        n_found += 1
        unknown.update(dict.fromkeys(name for name in one.params if name not in space))
        try:
            if not set(one.params) & set(space.names):
                raise ConfigError("none of its names is a parameter of the study")
            point = _point(one.params, space, whole)
        except ConfigError as error:
            refused.append(f"{one.origin}: {error}")
            continue
        if point not in points:
            points.append(point)
            origins.append(one.origin)
            values.append(one.values)
    notes = []
    if unknown:
        names = list(unknown)
        notes.append(f"Not searched here, and left out: {some(names)}.{_guesses(names, space)}")
    if refused:
        notes.append(
            f"{counted(len(refused), 'configuration')} of {n_found} left out. {refused[0]}"
        )
    if not points:
        raise DataError(f"No configuration fits the study. {' '.join(notes)}")
    return Fitted(tuple(points), tuple(origins), tuple(values), tuple(notes))


def _point(params: Mapping[str, Any], space: SearchSpace, whole: bool) -> dict[str, ParamValue]:
    point: dict[str, ParamValue] = {}
    for parameter in space.parameters:
        if not space.is_active(parameter, point):
            continue  # What is given for it had no effect there, either.
        if parameter.name in params:
            point[parameter.name] = _value(parameter, params[parameter.name])
        elif whole and not _is_settled(parameter):
            raise ConfigError(f"what {parameter.name!r} was is not said")
        else:
            assert parameter.default is not None
            point[parameter.name] = parameter.default
    return point


def _is_settled(parameter: Parameter) -> bool:
    return len(parameter.choices) == 1 or (
        parameter.low is not None and parameter.low == parameter.high
    )


def _value(parameter: Parameter, given: Any) -> ParamValue:
    """Return a value as its parameter holds it: files have texts, and floats for whole numbers."""
    wanted: Any = given
    if parameter.kind == "categorical":
        same = [c for c in parameter.choices if str(c) == str(given)]
        same += [c for c in parameter.choices if not isinstance(c, (str, bool)) and _is(c, given)]
        wanted = same[0] if same else given
    else:
        number = _number(given)
        if number is not None:
            whole = parameter.kind == "int" and number == int(number)
            wanted = int(number) if whole else number
    if not parameter.contains(wanted):
        raise ConfigError(f"{parameter.name!r} cannot be {given!r}: {parameter.range_text}")
    kept: ParamValue = wanted
    return kept


def _number(given: Any) -> float | None:
    try:
        number = float(given)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and not isinstance(given, bool) else None


def _is(choice: float, given: Any) -> bool:
    return _number(given) == choice


def _guesses(names: Sequence[str], space: SearchSpace) -> str:
    return next((text for name in names if (text := guess(name, space.names))), "")


def import_into(
    study: str,
    storage: str | Path,
    found: Sequence[Found],
    make_config: MakeConfig | None = None,
) -> Fitted:
    """Put configurations into a study.

    Args:
        study: Name of a study that is there.
        storage: Its database.
        found: Configurations, in the order in which they are to be tried.
        make_config: Turns parameters into the study's configurations, to import points as
            history; None to have them tried first.

    Returns:
        What was taken, and what was not.

    Raises:
        StudyError: If there is no such study, or a driver runs it.
        DataError: If nothing fits.
    """
    url = storage_url(storage)
    database = open_storage(url, must_exist=True)
    try:
        with study_lock(url, database.engine, study), storage_errors(url):
            record = read_study(database.engine, study)
            if record is None or not record.is_ours:
                if record is not None:
                    check_ours(record)
                names = study_names(database.engine)
                raise StudyError(
                    f"There is no study {study!r} to import into.{guess(study, names)} A new one "
                    f"takes them with it: search run TASK --study {study} --enqueue SOURCE"
                )
            space = SearchSpace.from_list(record.user_attrs[attributes.SEARCH_SPACE])
            identity = record.user_attrs.get(attributes.IDENTITY)
            recorder = RowRecorder(database.engine, record.study_id, url, identity)
            if make_config is None:
                fitted = fit_to_space(found, space)
                wanted = enqueued_with(record.user_attrs.get(attributes.ENQUEUED, ()), fitted)
                recorder.write(Batch(study_user_attrs={attributes.ENQUEUED: wanted}))
                return fitted
            measured = [one for one in found if len(one.values) == len(OBJECTIVES)]
            if not measured:
                raise DataError(
                    "History needs accuracy, size_bytes and latency_ms of every point, and none "
                    "has all three. Without --history, configurations are tried first."
                )
            fitted = fit_to_space(measured, space, whole=True)
            fitted = _without_known(fitted, record, make_config)
            recorder.write(Batch(created=_trials(fitted, record, space, recorder, make_config)))
            return fitted
    finally:
        database.remove_session()
        database.engine.dispose()


def enqueued_with(
    stored: Sequence[Mapping[str, Any]], fitted: Fitted
) -> list[dict[str, ParamValue]]:
    """Return what waits to be tried first, with new points behind what waits already."""
    waiting = [dict(one) for one in stored]
    return waiting + [dict(point) for point in fitted.points if point not in waiting]


def _without_known(fitted: Fitted, record: StudyRecord, make_config: MakeConfig) -> Fitted:
    known = {trial.user_attrs.get(attributes.CONFIG_HASH) for trial in record.own_trials}
    kept = [i for i, p in enumerate(fitted.points) if make_config(p).hash not in known]
    n_known = len(fitted.points) - len(kept)
    if not kept:
        raise DataError("The study has all of these configurations already.")
    notes = fitted.notes
    if n_known:
        notes += (f"{counted(n_known, 'configuration')} that the study has already left out.",)
    return Fitted(
        tuple(fitted.points[i] for i in kept),
        tuple(fitted.origins[i] for i in kept),
        tuple(fitted.values[i] for i in kept),
        notes,
    )


def _trials(
    fitted: Fitted,
    record: StudyRecord,
    space: SearchSpace,
    recorder: RowRecorder,
    make_config: MakeConfig,
) -> tuple[Any, ...]:
    limits = Limits(**record.user_attrs.get(attributes.LIMITS, {}))
    first = recorder.next_number()
    trials = []
    for place, (point, origin, measured) in enumerate(
        zip(fitted.points, fitted.origins, fitted.values, strict=True)
    ):
        accuracy, size_bytes, latency_ms = (measured[objective.name] for objective in OBJECTIVES)
        if not (0 <= accuracy <= 1 and 0 < size_bytes < math.inf and 0 < latency_ms < math.inf):
            raise DataError(
                "`0 <= accuracy <= 1, 0 < size_bytes, 0 < latency_ms` must hold, but "
                f"{origin} has {dict(measured)}."
            )
        fixed = FixedTrial(point)
        space.suggest(fixed)
        trials.append(
            new_trial(
                first + place,
                point,
                fixed.distributions,
                user_attrs={
                    **config_attrs(make_config(point)),
                    attributes.OUTCOME: attributes.IMPORTED,
                    attributes.ORIGIN: origin,
                },
                system_attrs={
                    attributes.CONSTRAINTS: constraint_values(
                        limits, size_bytes=size_bytes, latency_ms=latency_ms, accuracy=accuracy
                    )
                },
                state=TrialState.COMPLETE,
                values=(accuracy, size_bytes, latency_ms),
            )
        )
    return tuple(trials)
