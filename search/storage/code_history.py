"""The code of one's own that a study was made with: task and device.

Edited code makes other networks, or other latencies, under the same parameters. So a study keeps
hashes of the source that its trials were made with, and from which trial on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.errors import StudyError
from spaces.tasks.registry import is_builtin
from spaces.tasks.source import CodeHashes, describe_change
from spaces.wording import counted
from workers.messages.result import TaskInfo


def code_history(
    name: str,
    stored: Sequence[Mapping[str, Any]],
    now: CodeHashes,
    *,
    n_trials: int,
    accept: bool,
) -> list[dict[str, Any]]:
    """Return which code a study has from which trial on, with a run's at its end.

    Args:
        name: Name of the study.
        stored: What it has; empty for a study that never kept it.
        now: What this run loads.
        n_trials: Trials that it has.
        accept: Whether the person knows that the code is another.

    Raises:
        StudyError: If trials were made with other code, and that was not accepted.
    """
    history = [dict(entry) for entry in stored]
    if not history or not n_trials:
        return [{"since_trial": n_trials, "files": _plain(now)}] if now else []
    changed = describe_change(history[-1]["files"], now)
    if not changed:
        return history
    if not accept:
        trials = counted(n_trials, "trial")
        raise StudyError(
            f"Study {name!r} has {trials} of other code: {changed} changed since. Bring it back, "
            f"or use --study NEW_NAME to start a new study, or --accept-code to go on in this "
            f"one, whose trials then are of both."
        )
    return [*history, {"since_trial": n_trials, "files": _plain(now)}]


def code_of_trial(stored: Sequence[Mapping[str, Any]], number: int) -> dict[str, Any]:
    """Return the code that a trial was made with; empty where that is not known."""
    files: dict[str, Any] = {}
    for entry in stored:
        if entry["since_trial"] <= number:
            files = dict(entry["files"])
    return files


def task_words(name: str, ref: str, now: TaskInfo) -> tuple[str, str]:
    """Return what a study's task and a run's are called: code may bear the name of our own."""
    if is_builtin(ref) == is_builtin(now.ref):
        return name, now.name
    was, wanted = (
        f"{one} (built in)" if is_builtin(of) else f"{one} of {of}"
        for one, of in ((name, ref), (now.name, now.ref))
    )
    return was, wanted


def _plain(code: CodeHashes) -> dict[str, dict[str, str]]:
    return {kind: dict(files) for kind, files in code.items()}
