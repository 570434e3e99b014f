"""Before a study is opened: what is searched, on which data, and what the study is to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from search.front.baseline import fitted, why_not
from search.options import declared
from search.run.early import EarlyStart
from search.run.options import RunOptions
from search.run.resumed import asked_for
from search.storage.artifact_places import place_of
from search.storage.attributes import ARTIFACTS
from search.storage.database import check_can_open
from search.storage.settings import StudySettings
from search.storage.urls import storage_url
from search.study.create_or_resume import drawn_otherwise, size_metric_of
from search.study.same_study import rule_words
from spaces.data.dataset import Dataset
from spaces.data.request import Progress, no_progress
from spaces.tasks.registry import canonical_ref
from workers.devices.registry import canonical_device, check_device, get_device, is_builtin_device
from workers.messages.result import SizeMetric, TaskInfo
from workers.trial.prepare import prepare_task


def prepare_for_study(
    task: str,
    options: RunOptions,
    progress: Progress = no_progress,
    message: Callable[[str], None] = lambda _: None,
    early: EarlyStart | None = None,
) -> tuple[TaskInfo, Dataset]:
    """Prepare what a run searches, with the splits that its study was begun with.

    Whoever opens a study prepares it so: earlier versions drew splits by other rules.

    Args:
        task: As for :func:`search.run_study`.
        options: What was asked for.
        progress: Shows how far the preparation is.
        message: Told where the splits are those of an earlier rule.
        early: Starts workers meanwhile.
    """
    info, dataset = prepare_run(task, options, progress, early=early)
    name = options.study or info.name
    before = drawn_otherwise(options.storage, name, info.split_rule)
    if before is None or before.fingerprint == info.data_fingerprint:
        return info, dataset
    earlier = prepare_run(task, options, progress, split_rule=before.rule)
    if earlier[0].data_fingerprint != before.fingerprint:
        return info, dataset  # Other data by any rule: the study says so when it is opened.
    message(
        f"Study {name!r} keeps the splits it was begun with, drawn {rule_words(before.rule)}; a "
        f"new study gets ones {rule_words('sized')}."
    )
    return earlier


def prepare_run(
    task: str,
    options: RunOptions,
    progress: Progress = no_progress,
    *,
    with_storage: bool = True,
    split_rule: str = "sized",
    early: EarlyStart | None = None,
) -> tuple[TaskInfo, Dataset]:
    """Prepare what a run searches: the first part of :func:`search.run_study`.

    Args:
        task: As for :func:`search.run_study`.
        options: What was asked for.
        progress: Shows how far the preparation is.
        with_storage: Whether the database is opened once, to see that it can be.
        split_rule: How missing splits are drawn (see ``spaces.data.drawn_splits``).
        early: Starts workers meanwhile.
    """
    device = canonical_device(options.device)
    with_ram = options.max_ram_bytes is not None
    if is_builtin_device(device):  # A device of the user's own is code, which is run elsewhere.
        check_device(get_device(device, with_ram=with_ram), options.size or "gzip")
    canonical_ref(task)  # A name that is mistyped leaves no database behind.
    if with_storage:
        check_can_open(options.storage)  # Before minutes are spent on data.
        if options.artifacts is not None:
            place = place_of(storage_url(options.storage), {ARTIFACTS: options.artifacts})
            place.sizes("-")  # Whether it can be reached.
    info, dataset = prepare_task(
        task,
        None if options.data is None else Path(options.data),
        progress=progress,
        device=device,
        size_metric=options.size or "gzip",  # The usual one is told by its device.
        with_ram=with_ram,
        group_by=options.group_by,
        split_rule=split_rule,
        weights=None if options.weights is None else Path(options.weights),
        fix=options.fixed,
        timeout_s=options.timeout_s,
        meanwhile=_nothing if early is None else early.at_once,
        when_read=_nothing if early is None else early.when_read,
    )
    baseline, changed = fitted(info.space, info)
    if changed:
        info = replace(info, baseline=baseline, notes=(*info.notes, changed))
    if options.epochs is not None:
        info = replace(info, epochs=options.epochs)
    if fix := options.fixed:
        info = replace(info, space=info.space.fixed(info.space.typed(fix)))
    if not_tried := why_not(info.space, info):
        info = replace(info, baseline={}, notes=(*info.notes, not_tried))
    return info, dataset


def _nothing(*_: object) -> None:
    """Start nothing."""


def study_settings(options: RunOptions, info: TaskInfo) -> StudySettings:
    """Return what a run wants of its study: its options, and the task as it was prepared."""
    shared = {one.name for one in fields(StudySettings)} & set(declared(options))
    name = options.study or info.name
    return StudySettings(
        name=name,
        task=info,
        size_metric=options.size or size_metric_of(options.storage, name) or usual_size(options),
        limits=options.limits,
        **{name: getattr(options, name) for name in shared - {"device"}},
        device=canonical_device(options.device),
        asked=asked_for(options),
    )


def usual_size(options: RunOptions) -> SizeMetric:
    """Return which size counts where nobody says: flash on a device of ours that tells it.

    A device of the user's own is code, which the driver does not run.
    """
    if options.size is not None:
        return options.size
    device = canonical_device(options.device)
    return "flash" if is_builtin_device(device) and get_device(device).tells_flash else "gzip"
