"""Tasks and search spaces as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from spaces.config.objectives import OBJECTIVES
from spaces.config.schemes import QuantizationScheme
from spaces.data.class_counts import describe_classes
from spaces.space.compression import joint_space
from spaces.space.search_space import Parameter
from spaces.tasks.registry import builtin_tasks
from spaces.tasks.task import Task

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from workers.messages.result import TaskInfo


_FITTED = ", or more or fewer: they and the batch sizes follow from the data"


def builtin_task_rows() -> list[dict[str, Any]]:
    """Return what is known of the built-in tasks without building a network, as plain data."""
    return [_task_row(task) for task in builtin_tasks().values()]


def task_info_row(info: TaskInfo) -> dict[str, Any]:
    """Return all there is to know of a task on its data, as plain data."""
    return {
        "task": info.name,
        "objectives": _objectives(),
        "data": info.data_name,
        "generated_pictures": info.generated,
        "n_train": info.n_train,
        "n_val": info.n_val,
        "n_test": info.n_test,
        "input_shape": list(info.input_shape),
        "class_names": list(info.class_names),
        "class_counts": {split: list(counts) for split, counts in info.class_counts.items()},
        "ignored": dict(info.ignored),
        "epochs": info.epochs,
        "notes": list(info.notes),
        "parameters": info.space.to_list(),
    }


def print_tasks(console: Console, rows: Iterable[dict[str, Any]]) -> None:
    """Print the overview of several tasks."""
    for row in rows:
        table = _grid()
        table.add_row("data", row["data"])
        table.add_row("epochs", f"{row['epochs']} a training{_FITTED if row['adapts'] else ''}")
        if row["families"]:
            table.add_row("families", ", ".join(row["families"]))
        if row["baseline_note"]:
            table.add_row("baseline", row["baseline_note"])
        table.add_row(
            "network", f"{row['model']}; `search tasks {row['task']}` reads what it varies"
        )
        parameters = [Parameter.from_dict(parameter) for parameter in row["parameters"]]
        _add_parameters(table, parameters)
        console.print(f"{row['task']}: {row['description']}", style="bold", markup=False)
        console.print(table)
        console.print()
    _print_objectives(console)


def print_task(console: Console, row: dict[str, Any]) -> None:
    """Print one task with its whole search space."""
    from rich.text import Text

    table = _grid()
    counts = f"{row['n_train']:,} training, {row['n_val']:,} validation, {row['n_test']:,} test"
    table.add_row("data", f"{row['data']}: {counts} images")
    table.add_row("input", "x".join(str(size) for size in row["input_shape"]))
    lines = describe_classes(row["class_names"], row["class_counts"], row["ignored"])
    table.add_row("classes", Text("\n".join(lines)))
    for note in row["notes"]:
        table.add_row("note", note)
    table.add_row("epochs", f"{row['epochs']} a training")
    _add_parameters(table, [Parameter.from_dict(parameter) for parameter in row["parameters"]])
    console.print(row["task"], style="bold", markup=False)
    console.print(table)
    console.print()
    _print_objectives(console)


def format_range(parameter: Parameter) -> str:
    """Return the values that a parameter can take, and when it is there at all."""
    if parameter.kind == "categorical":
        text = ", ".join(_value(choice) for choice in parameter.choices)
    else:
        text = f"{_value(parameter.low)} to {_value(parameter.high)}"
        if parameter.log:
            text += ", logarithmic"
        elif parameter.step is not None and (parameter.kind, parameter.step) != ("int", 1):
            text += f" in steps of {_value(parameter.step)}"
    for condition in parameter.conditions:
        values = [_value(value) for value in condition.values]
        several = f"{', '.join(values[:-1])} or {values[-1]}" if len(values) > 1 else values[0]
        text += f" (if {condition.parameter} is {several})"
    return text


def _task_row(task: Task) -> dict[str, Any]:
    # Schemes and pruning are all in until the network was read, which takes TensorFlow.
    space = joint_space(task, (), tuple(QuantizationScheme), prunable=True)
    return {
        "task": task.name,
        "description": task.description,
        "objectives": _objectives(),
        "data": task.data_help,
        "model": str(task.model),
        "epochs": task.epochs,
        "adapts": task.adapt is not None,
        "families": list(task.families),
        "baseline": dict(task.baseline),
        "baseline_note": task.baseline_note,
        "parameters": space.to_list(),
    }


def _objectives() -> list[dict[str, str]]:
    return [{"name": o.name, "direction": o.direction, "meaning": o.meaning} for o in OBJECTIVES]


def _grid() -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    return table


def _add_parameters(table: Table, parameters: Iterable[Parameter]) -> None:
    for parameter in parameters:
        table.add_row(parameter.name, format_range(parameter))


def _print_objectives(console: Console) -> None:
    table = _grid()
    for objective in OBJECTIVES:
        table.add_row(objective.name, f"{objective.direction}: {objective.meaning}")
    console.print("Objectives of every task", style="bold")
    console.print(table)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
