"""Steps within a search space: at random, from point to point, and onto numbers.

What samplers of our own need of a :class:`~spaces.space.search_space.SearchSpace`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random

from spaces.config.trial import ParamValue
from spaces.space.search_space import Parameter, SearchSpace

Params = dict[str, ParamValue]

_SHARE_FAR = 0.1
_N_STEPS = 5


def to_unit(parameter: Parameter, value: ParamValue) -> float:
    """Return where a number lies in its range: 0 lowest, 1 highest, logarithmic where it is."""
    low, high, at = _scale(parameter, float(value))
    return (at - low) / (high - low) if high > low else 0.5


def from_unit(parameter: Parameter, unit: float) -> ParamValue:
    """Return the value of a range nearest to a place in it."""
    assert parameter.low is not None and parameter.high is not None
    low, high, _ = _scale(parameter, float(parameter.low))
    value = low + min(max(unit, 0.0), 1.0) * (high - low)
    if parameter.log:
        value = math.exp(value)
    step = parameter.step or (1 if parameter.kind == "int" and not parameter.log else None)
    if step is not None:
        n_steps = math.floor((parameter.high - parameter.low) / step + 1e-9)
        value = parameter.low + min(round((value - parameter.low) / step), n_steps) * step
    value = float(f"{value:.12g}")  # exp(log(0.003)) is 0.0029999999999999996.
    value = min(max(value, parameter.low), parameter.high)
    return int(round(value)) if parameter.kind == "int" else float(value)


def _scale(parameter: Parameter, value: float) -> tuple[float, float, float]:
    assert parameter.low is not None and parameter.high is not None
    low, high = float(parameter.low), float(parameter.high)
    if parameter.log:
        return math.log(low), math.log(high), math.log(value)
    return low, high, value


def draw(parameter: Parameter, random: Random) -> ParamValue:
    """Return a value at random; every step of a grid is as likely as the others."""
    if parameter.kind == "categorical":
        return random.choice(parameter.choices)
    if parameter.kind == "int" and not parameter.log:
        assert parameter.low is not None and parameter.high is not None
        step = int(parameter.step or 1)
        return int(parameter.low) + step * random.randint(
            0, int(parameter.high - parameter.low) // step
        )
    return from_unit(parameter, random.random())


def draw_params(space: SearchSpace, random: Random) -> Params:
    """Return a point of the space at random."""
    params: Params = {}
    for parameter in space.parameters:
        if space.is_active(parameter, params):
            params[parameter.name] = draw(parameter, random)
    return params


def vary(
    space: SearchSpace,
    parent: Mapping[str, ParamValue],
    other: Mapping[str, ParamValue] | None,
    random: Random,
    *,
    n_changes: float,
    distance: float,
) -> Params:
    """Return a point near another.

    Args:
        space: Where they lie.
        parent: The other point.
        other: A second parent, of which about half of the values come; None for one parent.
        random: Decides.
        n_changes: Values changed on average.
        distance: Standard deviation of a changed number, in parts of its range.
    """
    rate = n_changes / max(1, len(parent))
    params: Params = {}
    for parameter in space.parameters:
        if not space.is_active(parameter, params):
            continue
        name = parameter.name
        source = parent
        if other is not None and name in other and random.random() < 0.5:
            source = other
        if name not in source or not parameter.contains(source[name]):
            params[name] = draw(parameter, random)
        elif random.random() < rate:
            params[name] = _moved(parameter, source[name], random, distance)
        else:
            params[name] = source[name]
    return params


def _moved(parameter: Parameter, value: ParamValue, random: Random, distance: float) -> ParamValue:
    if parameter.kind == "categorical" or random.random() < _SHARE_FAR:
        return draw(parameter, random)
    at = to_unit(parameter, value)
    moved = value
    for _ in range(_N_STEPS):  # A step may be too short for a coarse grid.
        moved = from_unit(parameter, at + random.gauss(0.0, distance))
        if moved != value:
            break
    return moved


def as_numbers(space: SearchSpace, params: Mapping[str, ParamValue]) -> list[float]:
    """Return a point as numbers, of which near points have similar ones.

    A number is its place in its range, and the middle where it is not active; a choice is one
    number for each, all zero where it is not active.
    """
    numbers: list[float] = []
    for parameter in space.parameters:
        value = params.get(parameter.name)
        if parameter.kind == "categorical":
            numbers.extend(_CHOSEN if value == choice else 0.0 for choice in parameter.choices)
        else:
            numbers.append(0.5 if value is None else to_unit(parameter, value))
    return numbers


_CHOSEN = math.sqrt(0.5)  # Two different choices are 1 apart.
