"""Files that trials leave: the ``.tflite`` of every point on the front, training histories.

They lie in Optuna's artifact store beside the database, so that a trial's page in
optuna-dashboard offers them and ``optuna.artifacts`` finds them. A file is written before the
trial that names it, and removed after it is named no more: a driver killed in between leaves
a file without a name, which :meth:`ArtifactKeeper.sweep` removes at the next start.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from optuna.artifacts import ArtifactMeta, FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound

from search.storage.attributes import ARTIFACT_PREFIX
from spaces.errors import StorageError

MODEL_FILE = "model.tflite"
HISTORY_FILE = "history.json"

_MIME_TYPES = {".tflite": "application/octet-stream", ".json": "application/json"}


class ArtifactKeeper:
    """Files of one study.

    Args:
        folder: Folder of the artifact store; made when the first file comes.
        owner: Identity of the study; names of the files start with its hash, as several studies
            share a folder.
    """

    def __init__(self, folder: Path, owner: str) -> None:
        self._folder = folder
        self._store = FileSystemArtifactStore(folder)
        # The dashboard takes hexadecimal digits and dashes only.
        self._prefix = hashlib.sha256(owner.encode()).hexdigest()[:12] + "-"

    def write(self, file_name: str, content: bytes) -> tuple[str, str]:
        """Write a file; return its id and its description, as Optuna stores them.

        Raises:
            StorageError: If there is no room for it.
        """
        artifact_id = self._prefix + uuid.uuid4().hex
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._store.write(artifact_id, BytesIO(content))
        except OSError as error:
            raise StorageError(
                f"Artifacts cannot be written to {str(self._folder)!r}: "
                f"{error.strerror or error}. Everything told so far is kept; run the same "
                f"command again to go on."
            ) from error
        meta = ArtifactMeta(
            artifact_id=artifact_id,
            filename=file_name,
            mimetype=_MIME_TYPES[Path(file_name).suffix],
            encoding=None,
        )
        return artifact_id, json.dumps(asdict(meta))

    def read(self, artifact_id: str) -> bytes | None:
        """Return a file by its id; None if it is gone."""
        try:
            with self._store.open_reader(artifact_id) as reader:
                return reader.read()
        except ArtifactNotFound:
            return None

    def files(self) -> list[Path]:
        """Return all files of this study, whether a trial names them or not."""
        return [path for path in self._folder.glob(self._prefix + "*") if path.is_file()]

    def remove(self, artifacts: Iterable[str]) -> None:
        """Remove files by their ids."""
        for artifact_id in artifacts:
            try:
                self._store.remove(artifact_id)
            except ArtifactNotFound:
                pass

    def sweep(self, named: Iterable[str]) -> int:
        """Remove this study's files but those named by their ids; return how many there were."""
        wanted = set(named)
        stray = [path for path in self.files() if path.name not in wanted]
        for path in stray:
            path.unlink(missing_ok=True)
        return len(stray)


def artifacts_of(system_attrs: Mapping[str, Any]) -> list[str]:
    """Return the ids of the files that a trial names itself."""
    return [
        key.removeprefix(ARTIFACT_PREFIX)
        for key in system_attrs
        if key.startswith(ARTIFACT_PREFIX)
    ]
