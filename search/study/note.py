"""What optuna-dashboard tells of a study on its note page: what its numbers mean.

The dashboard shows values and names; what they were measured on, and that pictures may be
generated, it cannot know.
"""

from __future__ import annotations

from search.storage.settings import StudySettings
from spaces.config.objectives import OBJECTIVES

NOTE_VERSION = "dashboard:note_ver"
"""optuna-dashboard's key of a study's system attributes: counts edits of the note."""

NOTE_TEXT = "dashboard:note_str:0"
"""optuna-dashboard's key of the note's first 2,045 characters, in Markdown."""

_MAX_LENGTH = 2045
_SIZES = {
    "gzip": "gzip-compressed",
    "tflite": "as the file is",
    "flash": "as it lies in the device's flash",
}


def note_attrs(settings: StudySettings) -> dict[str, int | str]:
    """Return the system attributes of a new study that give it a note."""
    return {NOTE_VERSION: 1, NOTE_TEXT: study_note(settings)[:_MAX_LENGTH]}


def study_note(settings: StudySettings) -> str:
    """Return in Markdown what the numbers of a study mean."""
    task = settings.task
    details = {
        "size_bytes": f", {_SIZES[settings.size_metric]}, in bytes",
        "latency_ms": f" on {settings.device}, in milliseconds",
    }
    objectives = [
        f"- `{objective.name}` ({objective.direction}): {objective.meaning}"
        f"{details.get(objective.name, '')}"
        for objective in OBJECTIVES
    ]
    paragraphs = [f"# {settings.name}"]
    if task.generated:
        paragraphs.append("**The pictures are generated: on photos, expect other accuracies.**")
    paragraphs.append(
        f"Task `{task.name}` on {task.data_name}: {task.n_train:,} training and {task.n_val:,} "
        f"validation images, {task.epochs} epochs a training."
    )
    paragraphs.append("\n".join(objectives))
    paragraphs.append(
        "A trial with `derived_from` shares the training of that trial, under another "
        "quantization scheme."
    )
    return "\n\n".join(paragraphs)
