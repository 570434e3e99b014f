"""Tasks: what a declaration may hold, and that it costs nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from spaces.data.dataset import Dataset
from spaces.data.request import DataRequest, no_progress
from spaces.errors import SearchError, TaskError
from spaces.tasks.task import Task


def load_nothing(request: DataRequest) -> Dataset:
    raise NotImplementedError


def make_task(**changes: Any) -> Task:
    arguments: dict[str, Any] = dict(
        name="net", description="a net", model="package.module:Net", load_data=load_nothing
    )
    return Task(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": ""}, "one word"),
        ({"name": "my task"}, "one word"),
        ({"name": "../task"}, "one word"),
        ({"epochs": 0}, "1 <= epochs"),
        ({"learning_rate": (0.1, 0.01)}, "0 < low <= high"),
        ({"learning_rate": (0.0, 0.01)}, "0 < low <= high"),
        ({"max_sparsity": 1.0}, "max_sparsity < 1"),
        ({"augmentations": ("none", "spin")}, "'net', augmentations: .* some of"),
        ({"augmentations": "flip"}, "augmentations must be a tuple"),
        ({"emas": ()}, "emas must be a tuple of one or more"),
        ({"lr_schedules": ("step",)}, "lr_schedule in"),
        ({"label_smoothings": (0.0, 1.0)}, "label_smoothing < 1"),
    ],
)
def test_a_task_refuses(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TaskError, match=complaint) as caught:
        make_task(**changes)
    assert caught.value.exit_code == 2
    assert isinstance(caught.value, SearchError)


def test_a_declared_task_holds_its_defaults() -> None:
    task = make_task(epochs=3)
    assert task.epochs == 3
    no_progress("drawing", 1, 2)  # It takes what a display takes.


def test_spaces_imports_nothing_heavy() -> None:
    code = (
        "import sys, spaces.tasks.task, spaces.space.compression; "
        "import spaces.config.trial, spaces.space.search_space; "
        "heavy = {'tensorflow', 'tf_keras', 'keras', 'keras_tuner', 'ray', 'optuna', 'PIL'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert answer.stdout.strip() == "[]"
