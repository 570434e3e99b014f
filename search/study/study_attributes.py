"""What a study says of itself, as attributes in the database."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from search.front.pareto import ReferencePoint
from search.storage import attributes
from search.storage.settings import StudySettings
from search.study.same_study import FORMAT
from spaces.config.documents import to_plain
from spaces.space.search_space import SearchSpace
from workers.messages.result import TaskInfo

OUR_ATTRIBUTES = {
    attributes.IDENTITY,
    attributes.TASK,
    attributes.SEARCH_SPACE,
    attributes.DATA_FINGERPRINT,
    attributes.DEVICE,
    attributes.METRIC,
    attributes.ARTIFACTS,
    attributes.SIZE_METRIC,
    attributes.LIMITS,
    attributes.SAMPLER,
    attributes.SEED,
    attributes.REFERENCE_POINT,
    attributes.TARGET,
    attributes.ASKED,
    attributes.ENQUEUED,
    attributes.FORMAT,
}
"""All that a driver writes to a study of its own."""


def study_attrs(
    settings: StudySettings, space: SearchSpace, reference: ReferencePoint, seed: int
) -> dict[str, Any]:
    """Return the study's attributes; the format comes last, when all others are there."""
    return {
        attributes.TASK: task_attr(settings.task),
        attributes.SEARCH_SPACE: space.to_list(),
        attributes.DATA_FINGERPRINT: settings.task.data_fingerprint,
        attributes.DEVICE: settings.device,
        attributes.SIZE_METRIC: settings.size_metric,
        **({} if settings.metric == "accuracy" else {attributes.METRIC: settings.metric}),
        **({} if settings.artifacts is None else {attributes.ARTIFACTS: settings.artifacts}),
        attributes.LIMITS: asdict(settings.limits),
        attributes.SAMPLER: settings.sampler,
        attributes.SEED: seed,
        attributes.REFERENCE_POINT: reference.to_dict(),
        attributes.ASKED: dict(settings.asked),
        attributes.FORMAT: FORMAT,
    }


def task_attr(task: TaskInfo) -> dict[str, Any]:
    """Return a task as it is stored with a study: without what is stored beside it."""
    left_out = ("space", "code", "declared")
    return {key: value for key, value in to_plain(task).items() if key not in left_out}
