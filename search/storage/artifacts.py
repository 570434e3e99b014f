"""Files that trials leave: the ``.tflite`` of every point on the front, training histories.

They lie in an artifact store of Optuna's, beside the database or in a bucket, so that a trial's
page in optuna-dashboard offers them and ``optuna.artifacts`` finds them. A file is written before
the trial that names it, and removed after it is named no more: a driver killed in between leaves
a file without a name, which :meth:`ArtifactKeeper.sweep` removes at the next start.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from optuna.artifacts import ArtifactMeta

from search.storage.artifact_places import ArtifactPlace, FolderPlace, read_file
from search.storage.attributes import ARTIFACT_PREFIX

MODEL_FILE = "model.tflite"
HISTORY_FILE = "history.json"

_MIME_TYPES = {".tflite": "application/octet-stream", ".json": "application/json"}


class ArtifactKeeper:
    """Files of one study.

    Args:
        place: Where they lie; a folder is made when the first file comes.
        owner: Identity of the study; names of the files start with its hash, as several studies
            share a folder.
    """

    def __init__(self, place: ArtifactPlace | Path, owner: str) -> None:
        self._place = FolderPlace(place) if isinstance(place, Path) else place
        # The dashboard takes hexadecimal digits and dashes only.
        self._prefix = hashlib.sha256(owner.encode()).hexdigest()[:12] + "-"

    def write(self, file_name: str, content: bytes) -> tuple[str, str]:
        """Write a file; return its id and its description, as Optuna stores them.

        Raises:
            StorageError: If there is no room for it.
        """
        artifact_id = self._prefix + uuid.uuid4().hex
        self._place.write(artifact_id, BytesIO(content))
        meta = ArtifactMeta(
            artifact_id=artifact_id,
            filename=file_name,
            mimetype=_MIME_TYPES[Path(file_name).suffix],
            encoding=None,
        )
        return artifact_id, json.dumps(asdict(meta))

    def write_history(self, history: Mapping[str, Sequence[float]]) -> dict[str, str]:
        """Write a training's metrics by epoch; return the attribute that names the file."""
        content = json.dumps({name: list(values) for name, values in history.items()}, indent=1)
        artifact_id, meta = self.write(HISTORY_FILE, content.encode())
        return {ARTIFACT_PREFIX + artifact_id: meta}

    @property
    def where(self) -> str:
        """What the place is called in messages."""
        return self._place.where

    def read(self, artifact_id: str) -> bytes | None:
        """Return a file by its id; None if it is gone."""
        return read_file(self._place, artifact_id)

    def sizes(self) -> Mapping[str, int]:
        """Return the ids of all files of this study, named by a trial or not, and their bytes."""
        return self._place.sizes(self._prefix)

    def remove(self, artifacts: Iterable[str]) -> None:
        """Remove files by their ids."""
        for artifact_id in artifacts:
            self._place.remove(artifact_id)

    def sweep(self, named: Iterable[str]) -> int:
        """Remove this study's files but those named by their ids; return how many there were."""
        stray = set(self.sizes()) - set(named)
        self.remove(sorted(stray))
        return len(stray)


def artifacts_of(system_attrs: Mapping[str, Any]) -> list[str]:
    """Return the ids of the files that a trial names itself."""
    return [
        key.removeprefix(ARTIFACT_PREFIX)
        for key in system_attrs
        if key.startswith(ARTIFACT_PREFIX)
    ]
