"""What a person's ``HyperModel`` class is made with: the shape of the data, and how many classes.

KerasTuner's guides and its own applications name these arguments differently.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

CLASSES_NAMES = ("n_classes", "num_classes", "classes")
"""What people call the number of classes."""

DATA_NAMES = ("input_shape", *CLASSES_NAMES)
"""All that the data says of a model."""


def of_data(input_shape: tuple[int, ...], n_classes: int) -> dict[str, Any]:
    """Return all that the data says, by every name."""
    return {"input_shape": tuple(input_shape), **dict.fromkeys(CLASSES_NAMES, n_classes)}


def accepted(maker: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``arguments`` that a class, or another maker of models, takes by name.

    ``**kwargs`` takes what the class above takes, and what the code reads out of it by name: it
    does not take everything.
    """
    names = _names_taken(maker)
    return {name: value for name, value in arguments.items() if name in names}


def _names_taken(maker: Any) -> set[str]:
    if not inspect.isclass(maker):
        return _parameters(maker)[0]
    names: set[str] = set()
    for base in inspect.getmro(maker):
        init = vars(base).get("__init__")
        if init is None or base is object:
            continue
        own, hands_on = _parameters(init)
        names |= own
        if not hands_on:
            break
        names |= _read_by_name(init)
    return names


def _parameters(function: Any) -> tuple[set[str], bool]:
    """Return what a function takes by name, and whether it takes ``**kwargs`` too."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return set(), False
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = {each.name for each in parameters if each.kind in kinds}
    return names, any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)


def _read_by_name(function: Any) -> set[str]:
    """Return texts in a function's code: ``kwargs["input_shape"]`` holds one."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return {each for each in getattr(code, "co_consts", ()) if isinstance(each, str)}
