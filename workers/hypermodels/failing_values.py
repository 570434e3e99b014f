"""Values for which ``build(hp)`` always fails are left out of the space, and said once.

Four poolings of a picture of 16 pixels fail whatever else is chosen: no trial need find that out.
A value is left out if every build with it failed, a few with other values beside it among them.
Of a range of integers, the ends are left out; where they begin, builds in between tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spaces.config.trial import ParamValue
from spaces.space.search_space import Parameter

N_TRIES = 4
"""Builds with other values beside one that failed, before it is left out."""

Values = Mapping[str, ParamValue]


@dataclass(frozen=True)
class Attempt:
    """One build.

    Attributes:
        given: Values that were given; all others are defaults.
        active: Values that it asked for.
        why: Why it failed; empty if it did not.
    """

    given: Values
    active: Values
    why: str = ""


def without_failing(
    parameters: Sequence[Parameter],
    attempts: Sequence[Attempt],
    build: Callable[[Values], Attempt],
) -> tuple[dict[str, Parameter], tuple[str, ...]]:
    """Return those parameters that lose values, without them, and notes.

    Args:
        parameters: All of a model.
        attempts: All builds so far.
        build: Builds with values.
    """
    attempts = list(attempts)
    narrowed: dict[str, Parameter] = {}
    notes: list[str] = []
    explained: set[str] = set()
    for parameter in parameters:
        left_out = _failing(parameter, parameters, attempts, build)
        if not left_out:
            continue
        fewer = _without(parameter, left_out, attempts, build)
        if fewer is None:
            continue
        narrowed[parameter.name] = fewer
        why = next(iter(left_out.values()))
        explained |= set(left_out.values())
        notes.append(
            f"{parameter.name}={_said(parameter, fewer)} is left out, as build(hp) fails with it: "
            f"{why}."
        )
    for attempt in attempts:
        if attempt.why and attempt.why not in explained:
            explained.add(attempt.why)
            at = ", ".join(f"{name}={value!r}" for name, value in attempt.given.items())
            notes.append(f"build(hp) fails at {at}: {attempt.why}.")
    return narrowed, tuple(notes)


def _failing(
    parameter: Parameter,
    parameters: Sequence[Parameter],
    attempts: list[Attempt],
    build: Callable[[Values], Attempt],
) -> dict[ParamValue, str]:
    """Return values of a parameter with which every build fails, and why."""
    name = parameter.name
    good = {a.active[name] for a in attempts if not a.why and name in a.active}
    bad: dict[ParamValue, str] = {}
    for attempt in attempts:
        if attempt.why and name in attempt.given and attempt.given[name] not in good:
            bad.setdefault(attempt.given[name], attempt.why)
    rng = np.random.default_rng(0)
    found = {}
    for value, why in bad.items() if good else ():
        # What brings the parameter up stays as it was.
        given = next(a.given for a in attempts if a.why and a.given.get(name, None) == value)
        for _ in range(N_TRIES):
            others = {p.name: _drawn(p, rng) for p in parameters if p.name not in given}
            attempt = build({**others, **given})
            attempts.append(attempt)
            if not attempt.why:
                break
        else:
            found[value] = why
    return found


def _without(
    parameter: Parameter,
    left_out: Mapping[ParamValue, str],
    attempts: Sequence[Attempt],
    build: Callable[[Values], Attempt],
) -> Parameter | None:
    """Return a parameter without values; None if its kind has no word for that."""
    if parameter.kind == "categorical":
        kept = tuple(each for each in parameter.choices if each not in left_out)
        return replace(
            parameter,
            choices=kept,
            default=parameter.default if parameter.default in kept else kept[0],
        )
    if parameter.kind != "int":
        return None
    values = _integers(parameter)
    name = parameter.name
    good = sorted(int(a.active[name]) for a in attempts if not a.why and name in a.active)
    low, high = values[0], values[-1]
    given = {
        value: next(a.given for a in attempts if a.why and a.given.get(name) == value)
        for value in left_out
    }
    above = [int(value) for value in left_out if int(value) > good[-1]]
    below = [int(value) for value in left_out if int(value) < good[0]]
    if above:
        beside = given[min(above)]
        high = _boundary(values, good[-1], min(above), lambda v: build({**beside, name: v}))
    if below:
        beside = given[max(below)]
        low = _boundary(values, good[0], max(below), lambda v: build({**beside, name: v}))
    if (low, high) == (values[0], values[-1]):
        return None
    default = parameter.default
    if default is not None and not low <= int(default) <= high:
        default = low
    return replace(parameter, low=low, high=high, default=default)


def _boundary(values: Sequence[int], good: int, bad: int, build: Callable[[int], Attempt]) -> int:
    """Return the last value on the way from a good to a bad one with which a model is built."""
    first, last = values.index(good), values.index(bad)
    while abs(last - first) > 1:
        middle = (first + last) // 2
        if build(values[middle]).why:
            last = middle
        else:
            first = middle
    return values[first]


def _integers(parameter: Parameter) -> list[int]:
    assert parameter.low is not None and parameter.high is not None
    return list(range(int(parameter.low), int(parameter.high) + 1, int(parameter.step or 1)))


def _drawn(parameter: Parameter, rng: np.random.Generator) -> ParamValue:
    if parameter.kind == "categorical":
        return parameter.choices[int(rng.integers(len(parameter.choices)))]
    if parameter.kind == "int":
        values = _integers(parameter)
        return values[int(rng.integers(len(values)))]
    assert parameter.low is not None and parameter.high is not None
    return float(rng.uniform(parameter.low, parameter.high))


def _said(parameter: Parameter, fewer: Parameter) -> str:
    if parameter.kind == "categorical":
        return ", ".join(repr(each) for each in parameter.choices if each not in fewer.choices)
    values = _integers(parameter)
    ends = [
        [value for value in values if value < int(fewer.low or 0)],
        [value for value in values if value > int(fewer.high or 0)],
    ]
    return ", ".join(
        f"{end[0]}" if len(end) == 1 else f"{end[0]}..{end[-1]}" for end in ends if end
    )
