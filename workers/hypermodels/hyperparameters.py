"""What a model declares with KerasTuner's ``HyperParameters``, as plain data.

Fresh hyperparameters list what one ``build(hp)`` asked for, in order, and hold the values it
was given; so one build is read by looking at them afterwards.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from spaces.config.trial import ParamValue
from spaces.errors import TaskError
from spaces.space.search_space import Condition, Parameter
from workers.hypermodels.keras3 import forget_names
from workers.training.keras_compat import keep_for_good


def new_hyperparameters(values: Mapping[str, ParamValue]) -> Any:
    """Return fresh hyperparameters that give ``values`` to whoever asks for those names."""
    hp = _keras_tuner().HyperParameters()
    hp.values = dict(values)
    return hp


@functools.cache
def _keras_tuner() -> Any:
    """KerasTuner, and with it Keras 3, which collects garbage before every build from now on."""
    import keras_tuner

    keep_for_good()
    return keras_tuner


def build_fresh(hypermodel: Any, hp: Any) -> Any:
    """Run ``build(hp)`` as if nothing had been built before in this process."""
    import tf_keras

    # Layer names are numbered through a process; a deployed file must not depend on that.
    tf_keras.backend.clear_session()
    forget_names()
    return hypermodel.build(hp)


def active_values(hp: Any) -> dict[str, ParamValue]:
    """Return the values that a build asked for, in that order."""
    return {p.name: hp.values[p.name] for p in hp.space if hp.is_active(p)}


def read_parameters(hp: Any) -> dict[str, Parameter]:
    """Return what a build declared, by name, in the order in which it was asked for.

    Raises:
        TaskError: If a name was declared twice with different ranges.
    """
    found: dict[str, list[Parameter]] = {}
    for declared in hp.space:
        found.setdefault(declared.name, []).append(_parameter(declared))
    return {name: _merge(declarations) for name, declarations in found.items()}


def _merge(declarations: list[Parameter]) -> Parameter:
    """Return one parameter for declarations of one name under different conditions.

    A parameter is searched when any declaration is active, so what they have in common decides.
    """
    first = declarations[0]
    if any(replace(p, conditions=()) != replace(first, conditions=()) for p in declarations):
        raise TaskError(
            f"build(hp) declares {first.name!r} twice with different ranges; give each a name of "
            f"its own."
        )
    conditions = []
    for condition in first.conditions:
        same_parent = [
            [c for c in p.conditions if c.parameter == condition.parameter] for p in declarations
        ]
        if all(same_parent):
            values = dict.fromkeys(v for cs in same_parent for c in cs for v in c.values)
            conditions.append(Condition(condition.parameter, tuple(values)))
    return replace(first, conditions=tuple(conditions))


def _parameter(declared: Any) -> Parameter:
    """Translate one KerasTuner hyperparameter.

    A step along a logarithm gives a list of values. ``reverse_log`` without a step, which
    Optuna has no word for, is searched linearly over the same range.
    """
    import keras_tuner

    types = keras_tuner.engine.hyperparameters
    parameter: Parameter
    if isinstance(declared, types.Fixed):
        parameter = Parameter(declared.name, "categorical", choices=(declared.value,))
    elif isinstance(declared, types.Boolean):
        parameter = Parameter(declared.name, "categorical", choices=(False, True))
    elif isinstance(declared, types.Choice):
        choices = tuple(dict.fromkeys(declared.values))
        parameter = Parameter(declared.name, "categorical", choices=choices)
    elif isinstance(declared, (types.Int, types.Float)):
        parameter = _numeric_parameter(declared, whole=isinstance(declared, types.Int))
    else:
        raise TaskError(
            f"build(hp) declares {declared.name!r} as {type(declared).__name__}, which is none of "
            f"Int, Float, Choice, Boolean and Fixed."
        )
    if parameter.contains(declared.default):
        parameter = replace(parameter, default=declared.default)
    conditions = tuple(Condition(c.name, tuple(c.values)) for c in declared.conditions)
    return replace(parameter, conditions=conditions)


def _numeric_parameter(declared: Any, whole: bool) -> Parameter:
    kind = int if whole else float
    low, high, step = declared.min_value, declared.max_value, declared.step
    if declared.sampling != "linear" and step is not None:
        steps = dict.fromkeys(kind(round(value, 12)) for value in declared.values)
        return Parameter(declared.name, "categorical", choices=tuple(steps))
    if step is not None:
        # The last value of the grid, in decimals: 0.1 + 2 * 0.1 is no multiple of 0.1 in binary.
        first, distance = Decimal(str(low)), Decimal(str(step))
        high = kind(first + (Decimal(str(high)) - first) // distance * distance)
    return Parameter(
        declared.name,
        "int" if whole else "float",
        kind(low),
        high,
        step=None if step is None else kind(step),
        log=declared.sampling == "log",
    )
