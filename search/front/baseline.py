"""The configuration that a person made by hand, which every front of a task is read against.

A task names the values it knows; everything else has its default, which is no pruning and, as a
rule, float32. A study begins with it: it is trial 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spaces.config.trial import ParamValue
from spaces.errors import ConfigError
from spaces.space.search_space import SearchSpace
from workers.messages.result import TaskInfo


@dataclass(frozen=True)
class Baseline:
    """What became of a study's baseline.

    Attributes:
        trial: Number of its trial.
        values: Accuracy, size in bytes and latency in milliseconds; None if it has none.
        reason: Why it has none; empty while it runs.
        note: Where the configuration comes from.
    """

    trial: int
    values: tuple[float, float, float] | None
    reason: str = ""
    note: str = ""


def baseline_point(space: SearchSpace, task: TaskInfo) -> dict[str, ParamValue] | None:
    """Return the parameters of a task's baseline; None if it names none.

    Raises:
        ConfigError: If it is no point of the space.
    """
    return space.completed(task.baseline) if task.baseline else None


def fitted(space: SearchSpace, task: TaskInfo) -> tuple[dict[str, ParamValue], str]:
    """Return a task's baseline as it is possible on its data, and a line on what that changed.

    A baseline is made for inputs of one size. Networks for smaller ones may have fewer layers:
    then it has as many of them as there can be.

    Args:
        space: All of what the task's model declares on these data.
        task: The task.
    """
    values = space.nearest(task.baseline)
    changes = [
        f"no {name}" if name not in values else f"{name} {values[name]} for {value}"
        for name, value in task.baseline.items()
        if values.get(name) != value
    ]
    if not changes:
        return values, ""
    size = "x".join(str(n) for n in task.input_shape)
    return values, (
        f"The baseline of task {task.name!r} follows the input of {size}: {', '.join(changes)}."
    )


def why_not(space: SearchSpace, task: TaskInfo) -> str:
    """Return why the baseline is no point of the space, in one line; empty if it is one."""
    try:
        baseline_point(space, task)
    except ConfigError as error:
        return f"The baseline of task {task.name!r} is not tried: {error}"
    return ""


def smallest_as_accurate(
    baseline: Baseline, points: Sequence[tuple[float, float, float]]
) -> int | None:
    """Return the index of the smallest point that is at least as accurate; None without one.

    Args:
        baseline: With values.
        points: Accuracy, size and latency of each.
    """
    assert baseline.values is not None
    found = [i for i, point in enumerate(points) if point[0] >= baseline.values[0]]
    return min(found, key=lambda i: points[i][1], default=None)
