"""What a trial's page in the dashboard says: a note in Markdown, and attributes without JSON."""

from __future__ import annotations

import re
from typing import Any

from search.front.trials import StudyTrials, TrialSummary
from search.report.trial_sections import export_line, trial_sections, trial_title
from search.storage import attributes
from spaces.wording import one_line

PLAIN = (
    attributes.OUTCOME,
    attributes.REASON,
    attributes.DERIVED_FROM,
    attributes.BRANCHED_FROM,
    attributes.RETRY_OF,
    attributes.ORIGIN,
    attributes.EPOCHS_TRAINED,
    attributes.GAIN,
)
"""Attributes that are shown as they are; all others are in the note."""

LEDGER = ("tflite_bytes", "gzip_bytes", "sparse_bytes", "flash_bytes", "arena_bytes", "macs")


def trial_note(found: StudyTrials, trial: TrialSummary) -> str:
    """Return all of a trial in Markdown."""
    parts = [f"# {_plain(trial_title(found, trial))}"]
    if trial.reason:
        parts.append(f"**Why:** {_plain(trial.reason)}")
    if trial.has_model:
        parts.append(f"Take it: `{one_line(export_line(found, trial)).replace('`', '')}`")
    for title, rows in trial_sections(found, trial):
        if title == "Parameters":
            continue  # The page has them below.
        lines = [f"| {_plain(name)} | {_plain(text)} |" for name, text in rows]
        parts.append("\n".join([f"### {title}\n", "| | |", "| --- | --- |", *lines]))
    return "\n\n".join(parts)


def readable_attributes(trial: TrialSummary) -> dict[str, str | float | bool]:
    """Return a trial's attributes by which a person sorts and filters."""
    found: dict[str, Any] = {
        name: trial.stored[name] for name in PLAIN if trial.stored.get(name) is not None
    }
    if trial.has_model:
        found["on_front"] = trial.is_on_front
        found["scheme"] = trial.quantization
    ledger = trial.stored.get(attributes.LEDGER, {})
    found |= {name: ledger[name] for name in LEDGER if ledger.get(name) is not None}
    if trial.n_params is not None:
        found["parameters"] = trial.n_params
    if trial.sparsity is not None:
        found["sparsity"] = round(trial.sparsity, 4)
    scores = trial.stored.get(attributes.CLASS_SCORES, {})
    found |= {name: round(value, 4) for name, value in scores.items() if name != "accuracy"}
    if trial.seconds:
        found["seconds"] = round(sum(trial.seconds.values()), 2)
    return found


def _plain(text: object) -> str:
    """Return a text as Markdown shows it as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~$])", r"\\\1", one_line(text))
