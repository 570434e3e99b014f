"""Stored JSON and the classes it stands for: all of it comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace

from spaces.config.documents import from_plain, to_plain
from spaces.config.schemes import QuantizationScheme as S
from spaces.space.search_space import Condition, Parameter, SearchSpace
from tests.search_tests import analytic
from workers.hypermodels.describe import ModelDescription
from workers.messages.result import TaskInfo

SPACE = SearchSpace(
    (
        Parameter("a", "int", 1, 8, log=True),
        Parameter("c", "categorical", choices=(True, "x", 3), default="x"),
        Parameter("b", "float", 0.1, 1.0, conditions=(Condition("c", ("x", True)),)),
    )
)


def test_a_space_comes_back() -> None:
    assert SearchSpace.from_list(json.loads(json.dumps(SPACE.to_list()))) == SPACE


def test_a_task_comes_back() -> None:
    info = replace(
        analytic.task_info(), space=SPACE, declared=(SPACE["a"].to_dict(),), notes=("one",),
        class_counts={"val": [1, 2]}, code={"task": {"a.py": "ff"}}, baseline={"a": 3, "z": "q"},
    )  # fmt: skip
    assert from_plain(TaskInfo, json.loads(json.dumps(to_plain(info))), "task") == info


def test_a_description_comes_back() -> None:
    found = ModelDescription(SPACE.parameters, (S.INT8, S.FLOAT32), True, ("n",), {"epochs": 3})
    plain = json.loads(json.dumps(to_plain(found)))
    assert from_plain(ModelDescription, plain, "description") == found
