"""Executors on Ray, which are shut down when a test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import Evaluator

pytest.register_assert_rewrite("tests.workers_tests.executors.contract")


@pytest.fixture
def make_ray() -> Iterator[Callable[..., RayExecutor]]:
    made: list[RayExecutor] = []

    def start(
        make_evaluator: Callable[[Any], Evaluator], payload: Any = None, **options: Any
    ) -> RayExecutor:
        made.append(RayExecutor(make_evaluator, payload, **{"n_workers": 1, **options}))
        return made[-1]

    yield start
    for executor in made:
        executor.shutdown()
