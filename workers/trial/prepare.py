"""Before the first trial: load a task's data, read its search space, hand back plain data.

Loading a task may run the user's code, and reading a model's search space imports TensorFlow
(10 s). So the driver calls :func:`prepare_task`, which does the work in a process of its own
and leaves the arrays as files in the cache, where every process of the machine maps the same
memory. What was read of a built-in model is cached too: a second run imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import spaces
import workers
from spaces.config.documents import from_plain, to_plain
from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import ParamValue
from spaces.data.cache import (
    content_key,
    default_cache_dir,
    open_dataset,
    save_dataset,
    stored_directory,
)
from spaces.data.class_counts import count_classes
from spaces.data.dataset import Dataset
from spaces.data.groups import canonical_group_by
from spaces.data.network_input import describe_network_input
from spaces.data.request import DataRequest, Progress, no_progress
from spaces.errors import DataError, DeviceError, TaskError
from spaces.space.compression import joint_space
from spaces.tasks.registry import canonical_ref, is_builtin, resolve_task
from spaces.tasks.source import source_hashes
from spaces.tasks.task import Task
from workers.devices.device import Device
from workers.devices.micro import WithArena
from workers.devices.registry import canonical_device, check_device, get_device, is_builtin_device
from workers.hypermodels.describe import ModelDescription
from workers.messages.result import SizeMetric, TaskInfo
from workers.processes.child_process import run_job
from workers.trial.weights_fit import starting_from

_READ = "data read: "
"""What progress of :func:`prepare_job` begins with once data are read; then the task's name."""


def prepare_task(
    ref: str,
    data: Path | None = None,
    cache_dir: Path | None = None,
    progress: Progress = no_progress,
    *,
    device: str = "host",
    size_metric: SizeMetric = "gzip",
    with_ram: bool = False,
    group_by: str | None = None,
    split_rule: str = "sized",
    weights: Path | None = None,
    fix: Mapping[str, ParamValue] = MappingProxyType({}),
    timeout_s: float | None = None,
    meanwhile: Callable[[], None] = lambda: None,
    when_read: Callable[[str], None] = lambda name: None,
) -> tuple[TaskInfo, Dataset]:
    """Load what ``ref`` names, in a process of its own.

    Args:
        ref: Built-in name, ``package.module:TASK`` or file path.
        data: Folder or ``.npz`` to train on; None for the task's own data.
        cache_dir: Where decoded images are kept; None for the user's cache.
        progress: Called while images are drawn or decoded.
        device: Device that models are for; only schemes that it can run are searched.
        size_metric: Which size counts.
        with_ram: Whether the RAM of a model is wanted.
        group_by: Which pictures belong together (see :class:`~spaces.data.request.DataRequest`).
        split_rule: How missing splits are drawn (see there).
        weights: File whose weights trainings start from; None for random ones.
        fix: Parameters that the caller will hold at a value, of which weights need to fit no
            others; texts as the parameters hold them. The space that is returned is whole.
        timeout_s: Seconds it may take; None for as long as it takes.
        meanwhile: Called once the process has begun.
        when_read: Called with the task's name once its data are read, and are as they must be.

    Returns:
        What the driver needs to know, and the data set, memory-mapped.

    Raises:
        SearchError: If there is no such task, or its data or model cannot be used.
    """

    def told(what: str, done: int, total: int) -> None:
        if what.startswith(_READ):
            when_read(what.removeprefix(_READ))
        else:
            progress(what, done, total)

    answer = run_job(
        "workers.trial.prepare:prepare_job",
        {
            "ref": canonical_ref(ref),
            "data": None if data is None else str(data.absolute()),
            "cache_dir": str(cache_dir or default_cache_dir()),
            "device": canonical_device(device),
            "size_metric": size_metric,
            "with_ram": with_ram,
            "group_by": None if group_by is None else canonical_group_by(group_by),
            "split_rule": split_rule,
            "weights": None if weights is None else str(weights.absolute()),
            "fix": dict(fix),
        },
        told,
        timeout_s=timeout_s,
        meanwhile=meanwhile,
        what="The preparation (reading the data, building the model)",
    )
    info = from_plain(TaskInfo, answer["info"], "task")
    return info, open_dataset(Path(answer["dataset_dir"]))


def prepare_job(
    progress: Progress,
    ref: str,
    data: str | None,
    cache_dir: str,
    device: str = "host",
    size_metric: SizeMetric = "gzip",
    with_ram: bool = False,
    group_by: str | None = None,
    split_rule: str = "sized",
    weights: str | None = None,
    fix: Mapping[str, ParamValue] = MappingProxyType({}),
) -> dict[str, Any]:
    """The part of :func:`prepare_task` that runs in a process of its own; JSON in and out."""
    if not (is_builtin(ref) and is_builtin_device(device)):
        # The user's code may run TensorFlow operations; threads are set before the first one.
        from workers.training.keras_compat import configure_tensorflow

        configure_tensorflow(threads=1)
    target = get_device(device, with_ram=with_ram)
    check_device(target, size_metric)
    task = resolve_task(ref)
    request = DataRequest(
        path=None if data is None else Path(data),
        cache_dir=Path(cache_dir),
        progress=progress,
        group_by=group_by,
        split_rule=split_rule,
    )
    dataset = load_task_data(task, request)
    directory = stored_directory(dataset)
    if directory is None:
        key = content_key(
            dataset.fingerprint,
            dataset.name,
            *dataset.class_names,
            *dataset.notes,
            *(f"{kind}: {count}" for kind, count in dataset.ignored.items()),
        )
        directory = Path(cache_dir) / "prepared" / key
        save_dataset(dataset, directory)
    progress(f"{_READ}{task.name}", 1, 1)
    info = describe_task(task, ref, data, dataset, Path(cache_dir), target)
    info = replace(info, split_rule=split_rule, code=code_hashes(ref, device))
    if weights is not None:
        info = starting_from(weights, info, task, dataset, fix)
    return {"info": to_plain(info), "dataset_dir": str(directory)}


def code_hashes(ref: str, device: str) -> dict[str, dict[str, str]]:
    """Return hashes of the source of a loaded task and device, as far as they are not ours."""
    own = {"task": (ref, is_builtin(ref)), "device": (device, is_builtin_device(device))}
    return {
        kind: dict(source_hashes(named)) for kind, (named, is_ours) in own.items() if not is_ours
    }


def load_task_data(task: Task, request: DataRequest) -> Dataset:
    """Call the task's ``load_data`` and check what comes back.

    Raises:
        DataError: If the data cannot be used.
        TaskError: If ``load_data`` returns something else than a ``Dataset``.
    """
    dataset = task.load_data(request)
    if not isinstance(dataset, Dataset):
        raise TaskError(
            f"Task {task.name!r}: `load_data` must return a `spaces.Dataset`, but got "
            f"{type(dataset).__name__}."
        )
    if request.group_by is not None and dataset.group_by != request.group_by:
        raise DataError(
            f"--group-by is for folders of pictures whose splits are drawn by this program, but "
            f"{dataset.name} is no such folder. Leave it out."
        )
    # What code of a user calls the content may be anything; what is cached was computed.
    return dataset if stored_directory(dataset) else dataset.with_true_fingerprint()


def describe_task(
    task: Task,
    ref: str,
    data: str | None,
    dataset: Dataset,
    cache_dir: Path,
    device: Device | None = None,
) -> TaskInfo:
    """Read the joint search space of a task on a data set.

    Args:
        task: The task.
        ref: What the person typed for it.
        data: What ``--data`` named.
        dataset: Its data.
        cache_dir: Where descriptions of models are kept.
        device: What models are for; None if any will do.

    Raises:
        DeviceError: If the device runs none of the schemes that the model can be converted to.
    """
    task = task.adapted_to(dataset)
    described = _describe_model(task, ref, dataset, cache_dir)
    schemes, notes = described.schemes, described.notes
    if device is not None:
        schemes, left_out = runnable_schemes(schemes, device)
        notes = (*notes, *left_out, *([device.note] if device.note else []))
    return TaskInfo(
        name=task.name,
        ref=ref,
        space=joint_space(
            task, described.parameters, schemes, described.prunable, described.settled
        ),
        epochs=task.epochs,
        data_name=dataset.name,
        data_path=data,
        data_fingerprint=dataset.fingerprint,
        generated=dataset.generated,
        class_names=dataset.class_names,
        input_shape=dataset.input_shape,
        n_train=len(dataset.train),
        n_val=len(dataset.val),
        n_test=len(dataset.test),
        notes=(*dataset.notes, *notes),
        baseline=dict(task.baseline),
        baseline_note=task.baseline_note,
        settled=dict(described.settled),
        declared=tuple(each.to_dict() for each in described.declared),
        model_notes=notes,
        class_counts=count_classes(dataset),
        ignored=dict(dataset.ignored),
        group_by=dataset.group_by,
        leaks=dataset.leaks,
        kind=dataset.kind,
        input=describe_network_input(dataset),
    )


def runnable_schemes(
    schemes: Sequence[QuantizationScheme], device: Device
) -> tuple[tuple[QuantizationScheme, ...], tuple[str, ...]]:
    """Return those schemes that a device runs, and a line on those that it does not.

    Raises:
        DeviceError: If it runs none.
    """
    kept = tuple(scheme for scheme in schemes if scheme in device.schemes)
    if not kept:
        raise DeviceError(
            f"Device {device.name!r} runs {_names(device.schemes) or 'nothing'}, but the model "
            f"can be converted to {_names(schemes)} only."
        )
    left_out = tuple(scheme for scheme in schemes if scheme not in kept)
    if not left_out:
        return kept, ()
    ram = " with its RAM known" if isinstance(device, WithArena) else ""
    return kept, (f"{device.name}{ram} runs {_names(kept)}; {_names(left_out)} not searched.",)


def _names(schemes: Iterable[QuantizationScheme]) -> str:
    return ", ".join(scheme.value for scheme in schemes)


def _describe_model(task: Task, ref: str, dataset: Dataset, cache_dir: Path) -> ModelDescription:
    """Run ``build(hp)``, or read what it said last time if the model is one of ours."""
    cached = cache_dir / "described" / f"{_description_key(task, dataset)}.json"
    if is_builtin(ref):
        try:
            return from_plain(ModelDescription, json.loads(cached.read_text()), "description")
        except (OSError, ValueError):
            pass  # not described yet, or a damaged file: describe it again
    from workers.hypermodels.describe import describe_model, load_hypermodel
    from workers.training.keras_compat import configure_tensorflow

    configure_tensorflow(threads=1)
    hypermodel = load_hypermodel(task.model, dataset.input_shape, dataset.n_classes, dataset)
    described = describe_model(hypermodel)
    if is_builtin(ref):
        _write_quietly(cached, json.dumps(to_plain(described)))
    return described


def _description_key(task: Task, dataset: Dataset) -> str:
    """Key that changes with our own code, the libraries, and the shape of the data."""
    digest = hashlib.sha256()
    for floor in (spaces, workers):
        for source in sorted(Path(floor.__path__[0]).rglob("*.py")):
            digest.update(source.read_bytes())
    for package in ("keras-tuner", "tf_keras", "tensorflow-model-optimization"):
        digest.update(version(package).encode())
    shape = (str(task.model), dataset.input_shape, dataset.n_classes)
    digest.update(repr(shape).encode())
    return digest.hexdigest()[:16]


def _write_quietly(path: Path, text: str) -> None:
    """Write a cache file whole or not at all; a cache that cannot be written is no failure."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
