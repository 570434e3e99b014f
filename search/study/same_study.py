"""What a run may not change of the study that it goes on with: its trials would not compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from search.storage import attributes
from search.storage.artifact_places import check_place
from search.storage.code_history import task_words
from search.storage.settings import StudySettings
from search.storage.urls import masked
from spaces.data.drawn_splits import SPLIT_RULES
from spaces.errors import StudyError
from spaces.space.search_space import Parameter, SearchSpace
from workers.messages.result import TaskInfo

FORMAT = 1
"""Version of a study's attributes."""


def check_same(stored: Mapping[str, Any], settings: StudySettings, seed: int) -> None:
    """Refuse a run whose trials could not be compared with those of the study."""
    if stored[attributes.FORMAT] != FORMAT:
        raise StudyError(
            f"Study {settings.name!r} was written by another version of this program (format "
            f"{stored[attributes.FORMAT]}, this one writes {FORMAT}). Use --study NEW_NAME."
        )
    task = stored[attributes.TASK]
    pairs = {
        "task": task_words(task["name"], task["ref"], settings.task),
        "data": (
            f"{task['data_name']} ({stored[attributes.DATA_FINGERPRINT]})",
            f"{settings.task.data_name} ({settings.task.data_fingerprint})",
        ),
        "splits": (
            _splits(task.get("split_rule", "by_name"), task.get("group_by")),
            _splits(settings.task.split_rule, settings.task.group_by),
        ),
        "weights": (_weights(task.get("settled", {})), _weights(settings.task.settled)),
        "epochs": (task["epochs"], settings.task.epochs),
        "device": (stored[attributes.DEVICE], settings.device),
        "latency on": (_latency_on(stored.get(attributes.ASKED)), _latency_on(settings.asked)),
        "metric": (stored.get(attributes.METRIC, "accuracy"), settings.metric),
        "size": (stored[attributes.SIZE_METRIC], settings.size_metric),
        "seed": (stored[attributes.SEED], seed),
    }
    different = [name for name, (old, new) in pairs.items() if old != new]
    earlier = [_splits(rule, settings.task.group_by) for rule in SPLIT_RULES[1:]]
    if "data" not in different and pairs["splits"][0] in (*earlier, _splits("by_name", None)):
        # Nothing was drawn, or the same by either rule.
        different = [name for name in different if name != "splits"]
    if different:
        was = ", ".join(f"{name} {pairs[name][0]}" for name in different)
        wants = ", ".join(f"{name} {pairs[name][1]}" for name in different)
        raise StudyError(
            f"Study {settings.name!r} was started with {was}; this run asks for {wants}. Ask "
            f"for the same again, or use --study NEW_NAME to start a new study."
        )


def _latency_on(asked: Mapping[str, Any] | None) -> str:
    """Return the nodes that latencies are measured on, as a run is told."""
    return (asked or {}).get("latency_on") or "any node"


def _splits(rule: str, group_by: str | None) -> str:
    """Return how pictures came to their splits, as a run is told."""
    how = f"drawn {rule_words(rule)}"
    return how if group_by is None else f"{how} --group-by {group_by}"


def placed(settings: StudySettings, stored: Mapping[str, Any]) -> StudySettings:
    """Return the settings with where the study's files lie: as it was begun.

    Raises:
        StudyError: If the run asks for another place.
    """
    wanted = None if settings.artifacts is None else check_place(settings.artifacts)
    if not stored:
        return replace(settings, artifacts=wanted)
    begun: str | None = stored.get(attributes.ARTIFACTS)
    if wanted not in (None, begun):
        raise StudyError(
            f"The files of study {settings.name!r} lie {_shown(begun)}, but this run asks for "
            f"{_shown(wanted)}. Leave --artifacts out, or use --study NEW_NAME to start "
            f"a new study."
        )
    return replace(settings, artifacts=begun)


def _shown(bucket: str | None) -> str:
    return "beside the database" if bucket is None else masked(bucket)


def _weights(settled: Mapping[str, Any]) -> str:
    """Return which weights trainings start from, as a run is told."""
    sha256 = settled.get("weights")
    return f"of {sha256[:12]} (SHA-256)" if sha256 else "at random"


def rule_words(rule: str) -> str:
    """Return how a rule draws splits, in words."""
    return {
        "sized": "by class, with more for validation where pictures are few",
        "stratified": "by class, 15 % for validation, as an earlier version did",
        "by_name": "by name, as earlier versions did",
    }.get(rule, rule)


def check_space(name: str, stored: SearchSpace, task: TaskInfo) -> None:
    """Refuse a parameter that means something else now."""
    # A study of before searches what is left out now, as it did.
    declared = {each["name"]: _unordered(Parameter.from_dict(each)) for each in task.declared}
    for parameter in task.space.parameters:
        known = stored[parameter.name] if parameter.name in stored else parameter
        if _unordered(known) not in (_unordered(parameter), declared.get(parameter.name)):
            hint = ""
            if parameter.name == "quantization":
                hint = " --max-ram leaves out what the microcontroller's interpreter cannot run."
            raise StudyError(
                f"Study {name!r} was started with another range of parameter "
                f"{parameter.name!r}: {_range(stored[parameter.name])}; now it is "
                f"{_range(parameter)}.{hint} Use --study NEW_NAME to start a new study."
            )


def _unordered(parameter: Parameter) -> dict[str, Any]:
    """Return a range without the order of its choices: a study keeps the one it was begun with."""
    data = _range(parameter)
    return {**data, "choices": sorted(data["choices"], key=repr)} if data.get("choices") else data


def _range(parameter: Parameter) -> dict[str, Any]:
    data = parameter.to_dict()
    del data["name"], data["default"]
    return data
