"""What must hold after every fault, looked at through plain Optuna and the files themselves."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial, TrialState

from benchmarks.faults.driven import STUDY, Folder
from search.storage import attributes
from search.storage.artifacts import MODEL_FILE


@dataclass
class Findings:
    """What was found after a fault.

    Attributes:
        n_trials: Trials that the driver had acknowledged so far.
        losses: Acknowledged trials that are not there, not once, or with other values.
        problems: Whatever else does not hold, one line each.
        running: Numbers of trials that nobody has ended.
        is_done: Whether the study has its target.
    """

    n_trials: int = 0
    losses: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    is_done: bool = False


def check(
    folder: Folder,
    *,
    is_clean: bool,
    damaged: Set[str] = frozenset(),
    is_swept: bool = True,
) -> Findings:
    """Look at a study whose driver has ended.

    Args:
        folder: Where it lives.
        is_clean: Whether the driver ended by itself, able to write: nothing may be running then,
            and no file may be without a name.
        damaged: Names of files that were broken on purpose; they may not be told as sound.
        is_swept: Whether no other driver died meanwhile: what it wrote last has no name until the
            next driver looks.
    """
    found = Findings()
    if not folder.is_there:
        told = list(_acknowledged(folder))
        found.losses += [f"trial {line['number']}: no database" for line in told]
        return found
    try:
        trials = _trials(folder)
    except Exception as error:
        found.problems.append(f"plain Optuna cannot open it: {type(error).__name__}: {error}")
        return found
    by_number = {trial.number: trial for trial in trials}
    if len(by_number) != len(trials):
        found.problems.append("a number is there twice")
    derived = Counter(trial.user_attrs.get(attributes.DERIVED_FROM) for trial in trials)
    for line in _acknowledged(folder):
        found.n_trials += 1
        trial = by_number.get(line["number"])
        if trial is None or not trial.state.is_finished():
            found.losses.append(f"trial {line['number']} was told and is not there")
        elif trial.user_attrs.get(attributes.OUTCOME) != line["outcome"]:
            found.losses.append(f"trial {trial.number} was {line['outcome']}")
        elif line["values"] is not None and trial.values != line["values"]:
            found.losses.append(f"trial {trial.number} has other values")
        elif derived[line["number"]] != line["derived"]:
            found.losses.append(f"trial {trial.number}: not all derived trials are there")
    found.running = {t.number for t in trials if t.state == TrialState.RUNNING}
    if is_clean and found.running:
        found.problems.append(f"left running: {sorted(found.running)}")
    found.problems += _inconsistencies(trials, by_number)
    ended = [t for t in trials if t.user_attrs.get(attributes.OUTCOME) in attributes.COUNTED]
    attempts = [t for t in ended if attributes.DERIVED_FROM not in t.user_attrs]
    found.is_done = len(attempts) >= folder.target
    if len(attempts) > folder.target:
        found.problems.append(f"{len(attempts)} attempts for a target of {folder.target}")
    found.problems += _wrong_files(folder, trials, is_clean, damaged, is_swept)
    return found


def _acknowledged(folder: Folder) -> Iterator[dict]:  # type: ignore[type-arg]
    if folder.acknowledged.exists():
        for line in folder.acknowledged.read_text().splitlines():
            yield json.loads(line)


def _trials(folder: Folder) -> list[FrozenTrial]:
    storage = optuna.storages.RDBStorage(folder.url)
    try:
        names = [study.study_name for study in optuna.get_all_study_summaries(storage)]
        if STUDY not in names:
            return []  # Killed before there was one.
        study = optuna.load_study(
            study_name=STUDY, storage=storage, sampler=optuna.samplers.RandomSampler()
        )
        return study.get_trials(deepcopy=False)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _inconsistencies(
    trials: list[FrozenTrial], by_number: dict[int, FrozenTrial]
) -> Iterator[str]:
    hashes = Counter(
        trial.user_attrs[attributes.CONFIG_HASH]
        for trial in trials
        if trial.state == TrialState.COMPLETE
    )
    for config_hash, times in hashes.items():
        if times > 1:
            yield f"configuration {config_hash} is complete {times} times"
    for trial in trials:
        if trial.state == TrialState.COMPLETE and len(trial.values or ()) != 3:
            yield f"trial {trial.number} is complete without values"
        for key in (attributes.DERIVED_FROM, attributes.BRANCHED_FROM, attributes.RETRY_OF):
            parent = trial.user_attrs.get(key)
            if parent is not None and parent not in by_number:
                yield f"trial {trial.number} is {key} of {parent}, which is not there"


def _wrong_files(
    folder: Folder,
    trials: list[FrozenTrial],
    is_clean: bool,
    damaged: Set[str],
    is_swept: bool,
) -> Iterator[str]:
    storage = optuna.storages.RDBStorage(folder.url)
    try:
        studies = [s for s in storage.get_all_studies() if s.study_name == STUDY]
        attrs = storage.get_study_system_attrs(studies[0]._study_id) if studies else {}
    finally:
        storage.remove_session()
        storage.engine.dispose()
    by_id = {trial._trial_id: trial for trial in trials}
    named = {
        key.removeprefix(attributes.ARTIFACT_PREFIX)
        for trial in trials
        for key in trial.system_attrs
        if key.startswith(attributes.ARTIFACT_PREFIX)
    }
    store = folder.disk / "artifacts"
    taken_away = set(folder.taken_away.read_text().split()) if folder.taken_away.exists() else ()
    for key, meta in attrs.items():
        link = attributes.linked_artifact(key)
        if link is None or meta in (None, "null"):
            continue
        trial, artifact = by_id[link[0]], link[1]
        named.add(artifact)
        path = store / artifact
        if artifact in damaged and not is_clean:
            continue  # Nobody has had the time to see it.
        if artifact in taken_away and not path.exists():
            continue  # It may come back.
        if json.loads(meta)["filename"] != MODEL_FILE:
            continue
        expected = trial.user_attrs[attributes.TFLITE_SHA256]
        if not path.exists():
            yield f"the model of trial {trial.number} is not there"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            yield f"the model of trial {trial.number} is not what was measured"
    if is_clean and is_swept and store.exists():
        for path in store.iterdir():
            if path.is_file() and path.name not in named:
                yield f"{path.name} belongs to nothing"
        for path in store.glob("weights/*.part"):
            yield f"{path.name} was left behind"
