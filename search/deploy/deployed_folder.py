"""The folder that is deployed: made, described, and sealed with checksums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from search.deploy.export import format_export
from search.deploy.model_card import model_card
from spaces.errors import ExportError

CARD_NAME = "MODEL_CARD.md"
EXPORT_NAME = "export.json"
SUMS_NAME = "SHA256SUMS"
ABOUT_NAMES = (CARD_NAME, EXPORT_NAME, SUMS_NAME)
"""What :func:`write_about` writes."""


def output_folder(folder: Path, names: Iterable[str], force: bool) -> Path:
    """Make a folder, or refuse it before an hour of training is spent.

    Args:
        folder: Where files are to be written.
        names: Of those files.
        force: Whether files of these names may be overwritten.

    Returns:
        Its absolute path.

    Raises:
        ExportError: If it holds one of the files, or cannot be made or written to.
    """
    existing = [name for name in names if (folder / name).exists()]
    if existing and not force:
        raise ExportError(
            f"{folder} holds {existing[0]} already. Give another folder with -o, or --force to "
            f"overwrite it."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"Folder {folder} cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.W_OK):
        raise ExportError(f"Folder {folder} cannot be written to.")
    return folder.absolute()


def write_about(
    folder: Path,
    export: Mapping[str, Any],
    *,
    metrics: Mapping[str, Any],
    is_retrained: bool = True,
    names: Iterable[str],
) -> None:
    """Write the model card, the export it was made of, and the checksums of all files.

    Args:
        folder: Where the model and its files lie already.
        export: What ``search export`` wrote.
        metrics: The content of ``metrics.json``.
        is_retrained: Whether that tells of a retraining; otherwise of the trial's own file.
        names: Of the files that may be there.

    Raises:
        ExportError: If they cannot be written.
    """
    try:
        sha256 = _sha256(folder / "model.tflite")
        card = model_card(
            export,
            metrics=metrics if is_retrained else None,
            micro=metrics["micro"],
            preprocessing=metrics["preprocessing"],
            sha256=sha256,
        )
        (folder / CARD_NAME).write_text(card, encoding="utf-8")
        (folder / EXPORT_NAME).write_text(format_export(export), encoding="utf-8")
        found = sorted({*names, CARD_NAME, EXPORT_NAME} - {SUMS_NAME})
        lines = [
            f"{_sha256(folder / name)}  {name}\n" for name in found if (folder / name).is_file()
        ]
        (folder / SUMS_NAME).write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise ExportError(
            f"What tells of the model cannot be written to {folder}: {error.strerror or error}. "
            f"Make room, or give another folder with -o."
        ) from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
