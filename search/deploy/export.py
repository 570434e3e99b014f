"""One readable file that holds all that retraining needs, and what the trial measured.

The configuration carries a hash. A file that was edited by hand no longer says what was
measured, so it is refused until the hash is taken out of it: then it is a configuration of
the editor's own, and the measured figures are no promise.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from search.front.picks import PickRule
from search.front.read import find_study, front_of, reading
from search.storage import attributes
from search.storage.code_history import code_of_trial
from spaces.config.documents import from_plain
from spaces.config.objectives import OBJECTIVES
from spaces.config.trial import TrialConfig
from spaces.data.accuracy_context import AccuracyContext
from spaces.errors import ConfigError, ExportError
from spaces.wording import one_line
from workers.messages.result import Limits, SizeMetric

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from search.storage.reader import StudyRecord

FORMAT = "search-export"
VERSION = 1


class _Needed(TypedDict):
    format: str
    version: int
    task: str
    device: str
    size_metric: SizeMetric
    config: dict[str, Any]


class Export(_Needed, total=False):
    """What an exported file must hold, and what it may."""

    study: str
    trial: int
    data: dict[str, Any]
    data_path: str | None
    weights_path: str | None
    limits: dict[str, Any]
    config_hash: str
    measured: dict[str, Any]
    versions: dict[str, Any]
    code: dict[str, Any]


# What a trial measured, beside its values.
_MEASURED = (
    attributes.LEDGER,
    attributes.LATENCY,
    attributes.SPARSITY,
    attributes.CLASS_SCORES,
    attributes.EPOCHS_TRAINED,
    attributes.DERIVED_FROM,
    attributes.TFLITE_SHA256,
    attributes.METRICS,
)

# What a person should know of the data.
_DATA = (
    "data_name",
    "data_fingerprint",
    "generated",
    "class_names",
    "input_shape",
    "n_train",
    "n_val",
    "n_test",
    "notes",
    "class_counts",
    "split_rule",
    "group_by",
    "leaks",
    "kind",
    "input",
)


def export_config(
    study: str,
    storage: str | Path | None = None,
    *,
    rule: PickRule = "knee",
    trial: int | None = None,
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Return the configuration of one point of a study, as plain data.

    Args:
        study: Name of the study.
        storage: Database: a file or an SQLAlchemy URL.
        rule: Which point of the front to pick.
        trial: A trial's number, instead of a rule; it need not be on the front.
        limits: What the picked point must keep.

    Returns:
        What :func:`write_export` writes and ``retrain`` takes.

    Raises:
        StudyError: If there is no such study.
        ConfigError: If no point keeps the limits.
        ExportError: If the trial has no model.
    """
    with reading(storage) as opened:
        found = find_study(opened, study)
    if trial is None:
        trial = front_of(found).pick(rule, limits).trial
    return export_of(found, trial)


def export_of(study: StudyRecord, trial: int) -> dict[str, Any]:
    """Return the configuration of one trial of a study that was read already.

    Raises:
        ExportError: If there is no such trial, or it has no model.
    """
    chosen = [one for one in study.trials if one.number == trial]
    if not chosen:
        numbers = [one.number for one in study.trials]
        raise ExportError(
            f"Study {study.name!r} has no trial {trial}; its trials are {min(numbers)} to "
            f"{max(numbers)}."
            if numbers
            else f"Study {study.name!r} has no trial yet."
        )
    return _content(study, chosen[0])


def write_export(content: Mapping[str, Any], path: str | Path, *, force: bool = False) -> None:
    """Write an exported configuration, whole or not at all.

    Args:
        content: What :func:`export_config` returns.
        path: The file.
        force: Whether a file that is there is overwritten.

    Raises:
        ExportError: If the file exists and ``force`` is not set, or cannot be written.
    """
    path = Path(path)
    if path.exists() and not force:
        raise ExportError(
            f"{path} exists already. Give another name with -o, or --force to overwrite it."
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(format_export(content), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ExportError(f"{path} cannot be written: {error.strerror}.") from error


def format_export(content: Mapping[str, Any]) -> str:
    """Return the file's text."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_export(path: str | Path) -> dict[str, Any]:
    """Read and check what :func:`write_export` wrote.

    Raises:
        ExportError: If it cannot be read, is no exported configuration, or was edited.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExportError(
            f"{path} does not exist. `search export STUDY -o {path}` writes it."
        ) from None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ExportError(f"{path} must be JSON, but is no text at all.") from None
    except RecursionError:
        raise ExportError(f"{path} must be JSON of an exported configuration.") from None
    except json.JSONDecodeError as error:
        raise ExportError(
            f"{path} must be JSON, but line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    except ValueError as error:  # A number of more digits than Python reads.
        raise ExportError(f"{path} must be JSON, but cannot be read: {one_line(error)}.") from None
    try:
        return check_export(content)
    except ConfigError as error:
        raise ExportError(f"{path}: {error}") from error


def _content(study: StudyRecord, trial: FrozenTrial) -> dict[str, Any]:
    """Return the content of the file, in the order in which people read it."""
    stored, found = study.user_attrs, trial.user_attrs
    if trial.values is None or attributes.CONFIG not in found:
        reason = found.get(attributes.REASON) or f"it is {trial.state.name.lower()}"
        if attributes.CONFIG not in found:
            reason = "this program did not make it"
        raise ExportError(f"Trial {trial.number} of study {study.name!r} has no model: {reason}.")
    task = stored[attributes.TASK]
    config = TrialConfig.from_dict(found[attributes.CONFIG])
    values = dict(zip((objective.name for objective in OBJECTIVES), trial.values, strict=True))
    values["accuracy"] = found.get(attributes.CLASS_SCORES, {}).get("accuracy", trial.values[0])
    values["size_bytes"] = int(values["size_bytes"])
    measured = values | {key: found[key] for key in _MEASURED if key in found}
    counts = task.get("class_counts", {}).get("val")
    context = AccuracyContext.of_counts("validation", task["class_names"], counts, task["n_val"])
    worth = {
        "accuracy_interval": list(context.interval(values["accuracy"])),
        "largest_class_share": context.largest_share,
    }
    code = code_of_trial(stored.get(attributes.CODE, ()), trial.number)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "study": study.name,
        "trial": trial.number,
        "task": config.task,
        "data": {key: task[key] for key in _DATA if key in task} | worth,
        "data_path": task.get("data_path"),
        "device": stored[attributes.DEVICE],
        "size_metric": stored[attributes.SIZE_METRIC],
        "limits": dict(stored.get(attributes.LIMITS, {})),
        "config": config.to_dict(),
        "config_hash": config.hash,
        "measured": measured,
        "versions": dict(found.get(attributes.VERSIONS, {})),
    }
    if config.training.weights:
        content["weights_path"] = task.get("weights_path")
    return {**content, "code": code} if code else content


def check_export(content: object) -> dict[str, Any]:
    """Return the content of an exported file, if all of it is as it must be.

    Raises:
        ConfigError: If it is not; the text names the key.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ConfigError(f"`format` must be {FORMAT!r}: `search export` writes such files.")
    if content.get("version") != VERSION:
        raise ConfigError(
            f"`version` must be {VERSION}, but got {content.get('version')!r}: the file was "
            f"written by another version of search."
        )
    from_plain(Export, content, "exported configuration")
    config = TrialConfig.from_dict(content["config"])
    if content.get("config_hash", config.hash) != config.hash:
        raise ConfigError(
            f"'config' was edited: its hash is {config.hash}, but 'config_hash' says "
            f"{content['config_hash']}. Export it again, or take the line 'config_hash' out to "
            f"retrain the edited configuration; what was measured is then no promise."
        )
    if content["task"] != config.task:
        raise ConfigError(
            f"'task' must be the one of 'config', {config.task!r}, but got {content['task']!r}."
        )
    return content
