"""Class weights of models of one's own: searched where classes are uneven."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from spaces.config.schemes import SCHEMES
from spaces.data.dataset import Dataset, Split
from spaces.space.compression import joint_space
from spaces.tasks.keras_tuner_models import task_of_model
from workers.training.compiled import OwnTraining


def dataset(*counts: int) -> Dataset:
    labels = np.repeat(np.arange(len(counts)), counts)
    split = Split(np.zeros((len(labels), 4, 4, 1), np.float32), labels)
    names = tuple("abc"[: len(counts)])
    return Dataset("d", split, split, split, names, "0" * 16)


def build(hp: object) -> object:
    return hp


@pytest.mark.parametrize(
    ("counts", "own", "searched"),
    [
        ((95, 5), OwnTraining(), True),
        ((50, 50), OwnTraining(), False),
        ((95, 5), OwnTraining(loop=lambda data, epochs: None), False),
        ((95, 5), OwnTraining(optimizer=lambda *a: None, weighs_classes=True), False),  # type: ignore[arg-type]
        ((95, 5), OwnTraining(optimizer=lambda *a: None), True),  # type: ignore[arg-type]
    ],
)
def test_class_weights(counts: tuple[int, ...], own: OwnTraining, searched: bool) -> None:
    module = ModuleType("net")
    module.__file__ = "net.py"
    task = task_of_model(module, "build", build)
    assert task is not None
    space = joint_space(task.adapted_to(dataset(*counts)), (), tuple(SCHEMES), False, own.settled)
    assert ("class_weights" in space) is searched
    if searched:
        assert space["class_weights"].choices == ("none", "balanced")
