"""Creates a study, or finds it and checks that this run may go on with it."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.storages import InMemoryStorage, RDBStorage

from search.front.pareto import ReferencePoint
from search.sampling.mirror import Mirror
from search.sampling.samplers import make_sampler, sampler_seed
from search.storage import attributes
from search.storage.artifact_places import place_of
from search.storage.artifacts import ArtifactKeeper
from search.storage.batches import Batch, MemoryRecorder, Recorder
from search.storage.code_history import code_history
from search.storage.database import open_storage, storage_errors
from search.storage.identity import settled_identity
from search.storage.leases import Leases, study_turn
from search.storage.locks import can_share, study_lock
from search.storage.reader import StudyRecord, read_study
from search.storage.recorder import RowRecorder
from search.storage.settings import StudySettings
from search.storage.urls import artifacts_dir, masked, sqlite_path, storage_url
from search.storage.weights import WeightKeeper
from search.study.linked_files import check_bucket, linked_files
from search.study.messages import Stored
from search.study.note import note_attrs
from search.study.open_study import OpenStudy
from search.study.same_study import check_same, check_space, placed
from search.study.shared_study import SharedStudy, Sharing
from search.study.study_attributes import OUR_ATTRIBUTES, study_attrs
from spaces.config.objectives import OBJECTIVES
from spaces.config.schemes import POST_TRAINING_SCHEMES
from spaces.errors import StudyError
from spaces.space.search_space import SearchSpace
from workers.messages.result import SizeMetric


def study_seed(storage: RDBStorage | InMemoryStorage, name: str, seed: int | None) -> int:
    """Return the seed a run has: the one asked for, the study's own, or 0."""
    if seed is not None:
        return seed
    record = _record(storage, name)
    return 0 if record is None else int(record.user_attrs.get(attributes.SEED, 0))


class Drawn(NamedTuple):
    """How the splits of a study were drawn, and what came of it."""

    rule: str
    fingerprint: str


def drawn_otherwise(storage: str | Path, name: str, rule: str) -> Drawn | None:
    """Return how an earlier version drew the splits of a study, and the data's fingerprint.

    Args:
        storage: File name or SQLAlchemy URL.
        name: Of the study.
        rule: How splits are drawn today.

    Returns:
        None if there is no such study, or today's rule drew its splits.
    """
    stored = _stored(storage, name)
    if attributes.DATA_FINGERPRINT not in stored:
        return None
    found = Drawn(
        stored.get(attributes.TASK, {}).get("split_rule", "by_name"),
        stored[attributes.DATA_FINGERPRINT],
    )
    return None if found.rule == rule else found


def size_metric_of(storage: str | Path, name: str) -> SizeMetric | None:
    """Return which size a study was begun with; None if there is no such study.

    Args:
        storage: File name or SQLAlchemy URL.
        name: Of the study.
    """
    found: SizeMetric | None = _stored(storage, name).get(attributes.SIZE_METRIC)
    return found


def _stored(storage: str | Path, name: str) -> dict[str, Any]:
    """Return the attributes of a study; none if there is no such study."""
    database = open_storage(storage)
    try:
        record = _record(database, name)
    finally:
        database.remove_session()
        database.engine.dispose()
    return {} if record is None else record.user_attrs


@contextmanager
def study_for_run(
    storage: str | Path, settings: StudySettings, *, share: bool = False
) -> Iterator[OpenStudy]:
    """Open a database and the study in it, locked against other drivers while entered.

    Args:
        storage: File name or SQLAlchemy URL.
        settings: What the run wants of its study.
        share: Whether other drivers may run it at the same time, where the database allows it.

    Raises:
        StorageError: If the database cannot be used, or the study's bucket not be reached, or it
            holds none of the files that the study names.
        StudyError: If another driver runs the study, or it holds something else than this run
            asks for.
    """
    url = storage_url(storage)
    database = open_storage(url)
    share = share and can_share(url)
    try:
        with ExitStack() as held:
            held.enter_context(study_lock(url, database.engine, settings.name, shared=share))
            opening = ExitStack()
            if share:
                opening.enter_context(study_turn(url, database.engine, settings.name))
            with opening, storage_errors(url):
                folder, former = artifacts_dir(url), ""
                found = _record(database, settings.name)
                if found is not None:
                    check_ours(found)
                begun = found.user_attrs if found is not None and found.is_ours else {}
                settings = placed(settings, begun)
                place = place_of(url, {attributes.ARTIFACTS: settings.artifacts})
                if settings.artifacts is not None:
                    check_bucket(found, place)  # Nothing is written before.
                record = found or create_study(database, settings.name)
                if record.is_ours and attributes.IDENTITY not in record.user_attrs:
                    path = sqlite_path(url)
                    former = f"{path.name if path else masked(url)}/{settings.name}"
                identity = _identity(database, record)
                artifacts = ArtifactKeeper(place, identity)
                weights = WeightKeeper(folder, identity, formerly=former)
                weights.sweep()
                opened = _open_study(database, record, settings, artifacts, weights, share=share)
            if isinstance(opened, SharedStudy):
                held.callback(opened.close)
            yield opened
    finally:
        database.remove_session()
        database.engine.dispose()


def open_study(
    storage: RDBStorage | InMemoryStorage,
    settings: StudySettings,
    artifacts: ArtifactKeeper | None = None,
    weights: WeightKeeper | None = None,
    *,
    share: bool = False,
) -> OpenStudy:
    """Create a study, or go on with the one of that name.

    The caller holds the study's lock; :func:`study_for_run` does.

    Args:
        storage: Opened database, or a storage in memory.
        settings: What the run wants of its study.
        artifacts: Keeps files; None for no files.
        weights: Keeps weights for branches; None to keep them in memory.
        share: Whether other drivers may run it too; the caller has its turn.

    Raises:
        StorageError: If the database cannot be used.
        StudyError: If the study holds something else than this run asks for.
    """
    is_shared = share and isinstance(storage, RDBStorage)
    with storage_errors(storage.url) if isinstance(storage, RDBStorage) else nullcontext():
        record = _record(storage, settings.name) or create_study(storage, settings.name)
        return _open_study(storage, record, settings, artifacts, weights, share=is_shared)


def _open_study(
    storage: RDBStorage | InMemoryStorage,
    record: StudyRecord,
    settings: StudySettings,
    artifacts: ArtifactKeeper | None,
    weights: WeightKeeper | None,
    *,
    share: bool,
) -> OpenStudy:
    check_ours(record)
    study_id, stored = record.study_id, record.user_attrs
    identity = _identity(storage, record)
    seed = settings.seed if settings.seed is not None else int(stored.get(attributes.SEED, 0))
    settings = replace(settings, seed=seed)
    if record.is_ours:
        check_same(stored, settings, seed)
        space = SearchSpace.from_list(stored[attributes.SEARCH_SPACE])
        check_space(settings.name, space, settings.task)
        space = space.merged(settings.task.space.parameters)
        reference = ReferencePoint.from_dict(stored[attributes.REFERENCE_POINT])
    else:
        storage.set_study_system_attr(study_id, attributes.METRIC_NAMES, _metric_names(settings))
        for key, value in note_attrs(settings).items():
            storage.set_study_system_attr(study_id, key, value)
        space = settings.task.space
        reference = _reference(settings)
    recorder: Recorder = (
        MemoryRecorder(storage, study_id)
        if isinstance(storage, InMemoryStorage)
        else RowRecorder(storage.engine, study_id, storage.url, identity)
    )
    wanted = study_attrs(settings, space, reference, seed)
    if settings.enqueued:
        waiting = list(stored.get(attributes.ENQUEUED, ()))
        new = [dict(point) for point in settings.enqueued if point not in waiting]
        wanted = {attributes.ENQUEUED: waiting + new, **wanted}
    trials = record.own_trials
    code = code_history(
        settings.name,
        stored.get(attributes.CODE, ()),
        settings.task.code,
        n_trials=max((trial.number + 1 for trial in record.trials), default=0),
        accept=settings.accept_code,
    )
    if code:
        wanted = {attributes.CODE: code, **wanted}
    changed = {key: value for key, value in wanted.items() if stored.get(key) != value}
    recorder.write(Batch(study_user_attrs=changed))
    n_points = _points_of_a_training(space) if settings.fan_out else 1
    leases, n_drivers = None, 1
    if share and isinstance(storage, RDBStorage):
        leases = Leases(storage.url, storage.engine, study_id, settings.name)
        leases.renew()
        n_drivers = len(leases.living())
    start_seed = sampler_seed(seed, len(trials) + n_drivers - 1)  # No two draw the same.
    sampler = make_sampler(
        settings.sampler, start_seed, n_points, reference=reference, limits=settings.limits
    )
    make: Callable[..., OpenStudy] = OpenStudy
    if leases is not None:
        assert isinstance(recorder, RowRecorder)
        make = partial(SharedStudy, Sharing(leases, recorder, study_id))
    return make(
        settings,
        trials,
        stored=Stored(
            space,
            reference,
            target=stored.get(attributes.TARGET),
            enqueued=wanted.get(attributes.ENQUEUED, stored.get(attributes.ENQUEUED, ())),
            baseline_ms=stored.get(attributes.REFERENCE_MS),
            files=linked_files(record),
            is_shared=share,
        ),
        recorder=recorder,
        mirror=Mirror(
            sampler,
            start_seed,
            limits=settings.limits,
            fan_out=settings.fan_out,
            reference=reference,
        ),
        artifacts=artifacts,
        weights=weights,
    )


def _metric_names(settings: StudySettings) -> list[str]:
    """Return what Optuna calls the objectives: the first one by the study's metric."""
    return [settings.metric, *(objective.name for objective in OBJECTIVES[1:])]


def _reference(settings: StudySettings) -> ReferencePoint:
    """Return where the hypervolume of a new study is measured from."""
    task, least = settings.task, settings.limits.min_accuracy
    counts = task.class_counts.get("val")
    if not counts:
        return ReferencePoint.for_classes(len(task.class_names), task.n_val, least)
    return ReferencePoint.for_images(counts, settings.metric, least)


def _points_of_a_training(space: SearchSpace) -> int:
    """Return how many schemes of the space need no training of their own; at least 1."""
    if "quantization" not in space:
        return 1
    searched = space["quantization"].choices
    return max(1, sum(scheme.value in searched for scheme in POST_TRAINING_SCHEMES))


def _record(storage: RDBStorage | InMemoryStorage, name: str) -> StudyRecord | None:
    """Return a study as it is now; None if there is none of that name."""
    if isinstance(storage, RDBStorage):
        return read_study(storage.engine, name)
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        return None
    return StudyRecord(
        study_id,
        name,
        tuple(one.name.lower() for one in storage.get_study_directions(study_id)),
        storage.get_study_user_attrs(study_id),
        storage.get_study_system_attrs(study_id),
        storage.get_all_trials(study_id),
    )


def create_study(storage: RDBStorage | InMemoryStorage, name: str) -> StudyRecord:
    """Create an empty study; it becomes ours with its format, the last attribute."""
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        directions=[objective.direction for objective in OBJECTIVES],
        sampler=optuna.samplers.RandomSampler(),  # Never asked; the default would warn.
    )
    with warnings.catch_warnings():
        # Experimental since Optuna 3.2; nobody who types `search run` can do anything about it.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([objective.name for objective in OBJECTIVES])
    record = _record(storage, name)
    assert record is not None
    return record


def check_ours(record: StudyRecord) -> None:
    """Refuse a study that somebody else made.

    A driver that was killed while it made one left some of our attributes or none, and no trial.
    """
    if record.is_ours:
        return
    what = ""
    if record.trials:
        what = f"has {len(record.trials)} trials of its own"
    elif list(record.directions) != [objective.direction for objective in OBJECTIVES]:
        what = f"has other objectives ({', '.join(record.directions)})"
    elif others := sorted(set(record.user_attrs) - OUR_ATTRIBUTES):
        what = f"has attributes of its own ({', '.join(others)})"
    if what:
        raise StudyError(
            f"Study {record.name!r} was not made by `search run`, and {what}. "
            f"Use --study NEW_NAME."
        )


def _identity(storage: RDBStorage | InMemoryStorage, record: StudyRecord) -> str:
    """Return what tells a study from every other, and give it to one that has none yet."""
    check_ours(record)
    if attributes.IDENTITY not in record.user_attrs:
        if isinstance(storage, RDBStorage):
            record.user_attrs[attributes.IDENTITY] = settled_identity(
                storage.engine, record.study_id
            )
        else:
            record.user_attrs[attributes.IDENTITY] = uuid.uuid4().hex
            storage.set_study_user_attr(
                record.study_id, attributes.IDENTITY, record.user_attrs[attributes.IDENTITY]
            )
    return str(record.user_attrs[attributes.IDENTITY])
