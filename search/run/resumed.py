"""A study that goes on with what it was begun with: ``search run --study NAME`` alone.

What was asked for is stored with the study; what is asked for now comes before it. A study of
before that was stored is asked for what it holds all the same: data, device, metrics, limits.

Code of a person's own runs only if they name it, and a database may come from anywhere: so a
study of such a task or device is not gone on with by its own name alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Any

from search.front.read import find_study, reading
from search.options import declared, words_of
from search.run.options import RunOptions
from search.storage import attributes
from spaces.errors import StudyError
from spaces.tasks.registry import is_builtin
from workers.devices.registry import is_builtin_device

if TYPE_CHECKING:
    from search.storage.reader import StudyRecord

_OF_ONE_RUN = (
    "trials",
    "more",
    "timeout_s",
    "workers",
    "address",
    "accept_code",
    "study",
    "storage",
    "enqueue",
)
"""Options that say how long and where one run goes on, and nothing of the study."""


def asked_for(options: RunOptions) -> dict[str, Any]:
    """Return the options that a study keeps, as plain data; those that are as by default are not.

    Args:
        options: Of a run.
    """
    defaults = RunOptions()
    asked = {}
    for name in declared(options):
        value = getattr(options, name)
        if name not in _OF_ONE_RUN and value != getattr(defaults, name):
            asked[name] = value
    for name in ("data", "weights"):  # They are found from another folder, too.
        if name in asked:
            asked[name] = str(Path(asked[name]).absolute())
    if "fix" in asked:
        asked["fix"] = dict(asked["fix"])
    return asked


def resumed(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the task of a study, and the options to go on with it.

    Args:
        given: Options of this run, ``study`` among them; they come before what is stored.

    Raises:
        StudyError: If there is no such study, or its task or device is code of one's own.
    """
    name = given.get("study")
    if not name:
        raise StudyError(
            "A run needs a task, or a study to go on with: search run TASK, or search run --study "
            "NAME."
        )
    with reading(given.get("storage")) as opened:
        record = find_study(opened, name)
    task, asked = _stored(record)
    options = {**asked, **given}
    device = options.get("device", "host")
    if not is_builtin(task) or not (is_builtin_device(device) or "device" in given):
        words = ["search", "run", task, "--study", name, *words_of(RunOptions, asked)]
        whose = "task" if not is_builtin(task) else "device"
        raise StudyError(
            f"The {whose} of study {name!r} is code of your own, which runs only if you name it: "
            f"{join(words)}"
        )
    return task, options


def _stored(record: StudyRecord) -> tuple[str, dict[str, Any]]:
    """Return the task of a study, and what was asked of it."""
    stored = record.user_attrs
    task = stored[attributes.TASK]
    if attributes.ASKED in stored:
        return str(task["ref"]), dict(stored[attributes.ASKED])
    before: dict[str, Any] = {
        "data": task.get("data_path"),
        "group_by": task.get("group_by"),
        "epochs": task["epochs"],
        "device": stored[attributes.DEVICE],
        "size": stored[attributes.SIZE_METRIC],
        "metric": stored.get(attributes.METRIC),
        "sampler": stored.get(attributes.SAMPLER),
        **stored.get(attributes.LIMITS, {}),
    }
    return str(task["ref"]), {name: value for name, value in before.items() if value is not None}
