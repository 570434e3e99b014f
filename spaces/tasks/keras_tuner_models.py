"""KerasTuner models as tasks: ``search run net.py:MyHyperModel --data DIR``.

What a person wrote for KerasTuner's own tuners holds no data. It comes from ``--data``: an
``.npz`` as it is, or a folder of pictures in the size and with the channels that the model's
first layer asks for. Models are only built here where KerasTuner and TensorFlow are set up, as
user code always is (``workers.trial.prepare``).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from spaces.config.metrics import is_uneven
from spaces.data.cache import cached_dataset, content_key
from spaces.data.dataset import Dataset, Split, fingerprint_arrays
from spaces.data.image_folder import load_image_folder
from spaces.data.npz import is_npz
from spaces.data.pictures import gray_pictures
from spaces.data.request import DataRequest
from spaces.errors import DataError, TaskError
from spaces.tasks.constructor_arguments import CLASSES_NAMES, DATA_NAMES, accepted
from spaces.tasks.task import Task
from spaces.wording import kind_and_line

USUAL_SIZE = 96
"""Pixels of pictures, for models that take any size."""

GRAY_VERSION = "1"  # To be raised when the same pictures come to mean other grays.


def task_of_model(module: ModuleType, name: str, model: object) -> Task | None:
    """Return a task around a KerasTuner model; None if the object is none.

    Args:
        module: Where it was found.
        name: Its name there.
        model: A ``HyperModel``, its class, or a function ``build(hp)``.
    """
    if not is_hypermodel(model):
        return None
    file = Path(module.__file__).stem if module.__file__ else module.__name__.rpartition(".")[2]
    # `build` says nothing of what it builds.
    own_name = inspect.isclass(model) or not name.lower().startswith(("build", "model", "make"))
    return Task(
        name=name if own_name else file,
        description=f"KerasTuner model {name} of {file}.py",
        model=model,
        load_data=_LoadData(model, name),
        data_help="--data: folder of class folders, or .npz",
        adapt=weigh_uneven_classes,
    )


def weigh_uneven_classes(task: Task, dataset: Dataset) -> Task:
    """Return the task with class weights searched, where its training images are uneven."""
    if not is_uneven(np.bincount(dataset.train.labels, minlength=dataset.n_classes).tolist()):
        return task
    return replace(task, class_weights=("none", "balanced"))


def is_hypermodel(model: object) -> bool:
    """Whether an object can build models from hyperparameters, as far as its looks tell."""
    if _is_of_keras(model):
        return False
    if inspect.isclass(model):
        return callable(getattr(model, "build", None))
    return inspect.isfunction(model) or callable(getattr(model, "build", None))


def _is_of_keras(model: object) -> bool:
    """Whether it is a Keras model or layer, whose ``build`` means something else."""
    bases = inspect.getmro(model if inspect.isclass(model) else type(model))
    return any(base.__module__.partition(".")[0] in ("keras", "tf_keras") for base in bases)


class _LoadData:
    """Loads what ``--data`` names as the model wants it."""

    def __init__(self, model: Any, name: str) -> None:
        self._model = model
        self._name = name

    def __call__(self, request: DataRequest) -> Dataset:
        """Return the data set.

        Raises:
            DataError: If there is none, or it cannot be used.
            TaskError: If the model cannot be built.
        """
        if request.path is None:
            raise DataError(
                f"Model {self._name} has no data of its own: name a folder of class folders, or "
                f"an .npz, with --data."
            )
        if is_npz(request.path):
            return load_image_folder(request.path, request)
        shape = wanted_shape(self._model)
        size, is_gray = _picture(shape, self._name)
        dataset = load_image_folder(request.path, request, image_size=size)
        if shape is None:
            note = (
                f"Model {self._name} takes pictures of any size; they are {size}x{size}. Start it "
                f"with an Input to say another."
            )
            return replace(dataset, notes=(*dataset.notes, note))
        return _gray(dataset, request) if is_gray else dataset


def wanted_shape(model: Any) -> tuple[int | None, ...] | None:
    """Return the input shape that a model asks for, without the batch; None if it is open.

    Raises:
        TaskError: If it cannot be built with its defaults.
    """
    import keras_tuner

    target = model
    if inspect.isclass(target) or (inspect.isfunction(target) and not _takes_hp(target)):
        if accepted(target, {"input_shape": None}):
            return None
        # How many classes there are is not known yet, and is not what is asked.
        target = made(target, accepted(target, dict.fromkeys(CLASSES_NAMES, 2)))
    build = target.build if hasattr(target, "build") else target
    try:
        built = build(keras_tuner.HyperParameters())
    except Exception as error:
        raise TaskError(
            f"build(hp) failed with its default values: {kind_and_line(error)}."
        ) from error
    shape = getattr(built, "input_shape", None) if getattr(built, "built", False) else None
    return tuple(shape[1:]) if isinstance(shape, tuple) else None


def made(maker: Any, arguments: Mapping[str, Any]) -> Any:
    """Return what a class, or another maker of models, gives for arguments.

    Raises:
        TaskError: If it needs others.
    """
    name = getattr(maker, "__name__", type(maker).__name__)
    try:
        return maker(**arguments)
    except (TypeError, ValueError, KeyError) as error:
        raise TaskError(
            f"{name}(...) may only need input_shape, n_classes, num_classes or classes, but got: "
            f"{error}. "
            f"Make one with its arguments in the file, `MODEL = {name}(...)`, and name MODEL."
        ) from error


def _takes_hp(function: Any) -> bool:
    """Whether it is ``build(hp)`` itself, and no maker of something with ``build(hp)``."""
    return not set(DATA_NAMES) & set(inspect.signature(function).parameters)


def _picture(shape: tuple[int | None, ...] | None, name: str) -> tuple[int, bool]:
    """Return side and whether pictures are gray, for a model's input shape."""
    if shape is None:
        return USUAL_SIZE, False
    height, width, channels = (*shape, 1) if len(shape) == 2 else (*shape, None, None, None)[:3]
    if len(shape) not in (2, 3) or height != width or channels not in (1, 3, None):
        raise DataError(
            f"Pictures from a folder are square, with 3 channels or 1, but the input of model "
            f"{name} is {shape}. Give an .npz of that shape, or change the input."
        )
    return height or USUAL_SIZE, channels == 1


def _gray(dataset: Dataset, request: DataRequest) -> Dataset:
    """Return a data set of RGB pictures in gray, ``[n, height, width, 1]``."""

    def make() -> Dataset:
        splits = tuple(
            Split(gray_pictures(split.images), split.labels)
            for split in (dataset.train, dataset.val, dataset.test)
        )
        train, val, test = splits
        fingerprint = fingerprint_arrays(dataset.class_names, (train, val, test))
        return replace(dataset, train=train, val=val, test=test, fingerprint=fingerprint)

    key = content_key("gray", GRAY_VERSION, dataset.name, dataset.fingerprint, *dataset.notes)
    return replace(cached_dataset(key, request.cache_dir, make), ignored=dataset.ignored)
