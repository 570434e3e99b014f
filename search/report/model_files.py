"""The ``.tflite`` files of a front, to stand in its report."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from search.storage.artifact_places import place_of, read_file
from search.storage.artifacts import MODEL_FILE, artifacts_of
from search.storage.attributes import ARTIFACT_PREFIX, linked_artifact
from search.storage.reader import StudyRecord
from search.storage.urls import storage_url

MAX_BYTES = 4_000_000
"""Larger files are left out: a page of hundreds of megabytes opens nowhere."""


@dataclass(frozen=True)
class ModelFiles:
    """Files of some models.

    Attributes:
        by_trial: In base64.
        missing: Trials whose file is not there (any more).
        too_large: Trials whose file is larger than ``MAX_BYTES``.
    """

    by_trial: Mapping[int, str]
    missing: tuple[int, ...] = ()
    too_large: tuple[int, ...] = ()


def read_model_files(study: StudyRecord, storage: str | Path, trials: Iterable[int]) -> ModelFiles:
    """Return the files of some trials of a study.

    Args:
        study: The study.
        storage: Its database: the folder of artifacts lies beside it, unless they are elsewhere.
        trials: Their numbers.
    """
    place = place_of(storage_url(storage), study.user_attrs)
    linked: dict[int, list[str]] = {}
    for key, meta in study.system_attrs.items():
        if (link := linked_artifact(key)) is not None and _is_model(meta):
            linked.setdefault(link[0], []).append(link[1])
    by_number = {trial.number: trial for trial in study.own_trials}
    found: dict[int, str] = {}
    missing, too_large = [], []
    for number in trials:
        trial = by_number[number]
        ids = [
            *linked.get(trial._trial_id, []),
            # Earlier versions let the trial name its file itself.
            *(
                one
                for one in artifacts_of(trial.system_attrs)
                if _is_model(trial.system_attrs[ARTIFACT_PREFIX + one])
            ),
        ]
        contents = (read_file(place, one) for one in ids)
        content = next((one for one in contents if one is not None), None)
        if content is None:
            missing.append(number)
        elif len(content) > MAX_BYTES:
            too_large.append(number)
        else:
            found[number] = base64.b64encode(content).decode()
    return ModelFiles(found, tuple(missing), tuple(too_large))


def _is_model(meta: str) -> bool:
    """Return whether the description of an artifact is that of a model."""
    return bool(json.loads(meta).get("filename") == MODEL_FILE)
