"""Find the parameters of all branches of a ``build(hp)`` by running it with other values."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from spaces.config.trial import ParamValue
from spaces.errors import TaskError, TrialFailedError
from spaces.space.search_space import Condition, Parameter
from spaces.wording import kind_and_line
from workers.hypermodels.failing_values import Attempt, without_failing
from workers.hypermodels.hyperparameters import (
    active_values,
    build_fresh,
    new_hyperparameters,
    read_parameters,
)
from workers.hypermodels.layers import layer_names
from workers.training.compiled import OwnTraining, own_training

MAX_BUILDS = 100
"""Models built to find the branches of one ``build(hp)``; 50 to 100 ms each."""

MAX_LISTED = 4
"""An integer of at most so many values is tried with each; a longer one with its ends first."""


@dataclass(frozen=True)
class _Built:
    """One build: what was declared, and what was active."""

    declared: Mapping[str, Parameter]
    active: Mapping[str, ParamValue]
    why_failed: str = ""

    @property
    def failed(self) -> bool:
        """Whether it gave no model."""
        return bool(self.why_failed)

    def stands_before(self, first: str, second: str) -> bool:
        """Whether ``first`` was asked for before ``second``."""
        order = list(self.declared)
        return first in order and second in order and order.index(first) < order.index(second)


class BranchExplorer:
    """Finds the parameters of all branches by changing one value at a time.

    From a build with defaults, every parameter with few values is set to each of them. What
    is asked for under some values and not under others hangs on that parameter. Parameters
    which show up that way are explored in turn, beside the values that brought them up.
    """

    def __init__(self, hypermodel: Any, max_builds: int) -> None:
        self._hypermodel = hypermodel
        self._max_builds = max_builds
        self._builds: dict[tuple[tuple[str, ParamValue], ...], _Built] = {}
        self._found: dict[str, Parameter] = {}
        self._order: list[str] = []
        self._lost: dict[str, list[Condition]] = {}  # was there by default, and can go
        self._gained: dict[str, list[Condition]] = {}  # was not there, and can come
        self.layer_names: dict[str, None] = {}
        self.variants: list[tuple[dict[str, ParamValue], tuple[str, ...], OwnTraining]] = []
        self.notes: list[str] = []
        self.narrowed: dict[str, Parameter] = {}

    def explore(self) -> None:
        """Build until all branches are found, or enough is enough."""
        base = self._built({})
        contexts: deque[tuple[dict[str, ParamValue], str]] = deque(({}, n) for n in base.active)
        seen = set(base.active)
        while contexts:
            context, name = contexts.popleft()
            for variant_context, variant in self._vary(context, name):
                for new in variant.active:
                    if new not in seen:
                        seen.add(new)
                        contexts.append((variant_context, new))
            if len(self._builds) >= self._max_builds:
                self._note(
                    f"The model's parameters were read from {len(self._builds)} builds; others "
                    f"join the search when they are seen."
                )
                break

    def leave_out_failures(self) -> None:
        """Find values that always fail; :meth:`parameters` then leaves them out."""
        attempts = [
            Attempt(dict(given), built.active, built.why_failed)
            for given, built in self._builds.items()
        ]
        if not any(attempt.why for attempt in attempts):
            return
        self.narrowed, notes = without_failing(
            [self._found[name] for name in self._order], attempts, self._attempt
        )
        for note in notes:
            self._note(note)

    def _attempt(self, values: Mapping[str, ParamValue]) -> Attempt:
        built = self._built(dict(values))
        return Attempt(dict(values), built.active, built.why_failed)

    def parameters(self) -> tuple[Parameter, ...]:
        """Return all parameters with their conditions, without values that always fail."""
        return tuple(
            replace(parameter, **self._kept(parameter.name)) for parameter in self.declared()
        )

    def _kept(self, name: str) -> dict[str, Any]:
        fewer = self.narrowed.get(name)
        if fewer is None:
            return {}
        return {each: getattr(fewer, each) for each in ("choices", "low", "high", "default")}

    def declared(self) -> tuple[Parameter, ...]:
        """Return all parameters with their declared and their inferred conditions."""
        result: dict[str, Parameter] = {}
        for name in self._order:
            parameter = self._found[name]
            inferred = list(self._lost.get(name, ()))
            # What several parents bring up alone is an "or", which conditions cannot say.
            if len(self._gained.get(name, ())) == 1:
                inferred += self._gained[name]
            # What already hangs on the parent of this parameter need not be said again.
            inherited = [
                c
                for condition in (*parameter.conditions, *inferred)
                if condition.parameter in result
                for c in result[condition.parameter].conditions
            ]
            conditions = (*parameter.conditions, *(c for c in inferred if c not in inherited))
            known = tuple(
                c
                for c in conditions
                if c.parameter in result and not _always_holds(c, result[c.parameter])
            )
            result[name] = replace(parameter, conditions=known)
        return tuple(result.values())

    def _vary(
        self, context: dict[str, ParamValue], name: str
    ) -> list[tuple[dict[str, ParamValue], _Built]]:
        """Build with every value of one parameter, and note what comes and goes with it."""
        default = self._built(context).active.get(name)
        values, is_all = _values_to_try(self._found[name], default)
        variants = self._variants(context, name, values)
        if not is_all and self._differ(name, list(variants.values())):
            values, is_all = _all_values(self._found[name]), True
            variants = self._variants(context, name, values)
        # Unless the builds ran out, all values were seen.
        if is_all and len(variants) == len(values):
            self._infer(name, default, variants)
        return [({**context, name: value}, built) for value, built in variants.items()]

    def _variants(
        self, context: dict[str, ParamValue], name: str, values: list[ParamValue]
    ) -> dict[ParamValue, _Built]:
        variants = {}
        default = self._built(context).active.get(name)
        for value in values:
            if value == default:
                variants[value] = self._built(context)
            elif len(self._builds) < self._max_builds:
                variants[value] = self._built({**context, name: value})
        return variants

    def _hangs_on(self, name: str, parent: str) -> bool:
        """Whether a condition between the two is declared."""
        return any(c.parameter == parent for c in self._found[name].conditions)

    def _differ(self, name: str, variants: list[_Built]) -> bool:
        names = {n for built in variants for n in built.active if not self._hangs_on(n, name)}
        return any(n not in built.active for built in variants for n in names)

    def _infer(
        self, name: str, default: ParamValue | None, variants: dict[ParamValue, _Built]
    ) -> None:
        for child in dict.fromkeys(n for built in variants.values() for n in built.active):
            present = tuple(
                value for value, built in variants.items() if built.failed or child in built.active
            )
            if len(present) == len(variants) or self._hangs_on(child, name):
                continue
            if not any(built.stands_before(name, child) for built in variants.values()):
                continue
            kind = self._lost if default in present else self._gained
            kind.setdefault(child, []).append(Condition(name, present))

    def _built(self, values: dict[str, ParamValue]) -> _Built:
        """Build with ``values`` beside defaults, unless that was done already."""
        key = tuple(sorted(values.items()))
        if key not in self._builds:
            self._builds[key] = self._build(values)
        return self._builds[key]

    def _build(self, values: dict[str, ParamValue]) -> _Built:
        hp = new_hyperparameters(values)
        why_failed = ""
        try:
            model = build_fresh(self._hypermodel, hp)
        except TaskError:
            raise
        except Exception as error:
            # What is raised on purpose says what failed.
            is_ours = isinstance(error, TrialFailedError)
            what, why = ("", str(error)) if is_ours else ("build(hp) failed", kind_and_line(error))
            if not values:
                raise TaskError(
                    f"{why}, with the default values."
                    if is_ours
                    else f"{what} with its default values: {why}."
                ) from error
            why_failed = why
        else:
            names = layer_names(model)
            self.layer_names.update(dict.fromkeys(names))
            self.variants.append((dict(active_values(hp)), names, own_training(model)))
        declared = read_parameters(hp)
        self._remember(declared)
        return _Built(declared, active_values(hp), why_failed)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _remember(self, declared: Mapping[str, Parameter]) -> None:
        """Keep new parameters, each behind the one it was asked for after."""
        position = 0
        for name, parameter in declared.items():
            known = self._found.get(name)
            if known is not None:
                position = self._order.index(name) + 1
                if _range(parameter) != _range(known):
                    self._note(
                        f"The range of {name!r} changes with other values; the one it has among "
                        f"the defaults is searched."
                    )
                continue
            self._found[name] = parameter
            self._order.insert(position, name)
            position += 1


def _values_to_try(
    parameter: Parameter, default: ParamValue | None
) -> tuple[list[ParamValue], bool]:
    """Return values that may switch a branch, and whether these are all there are."""
    if parameter.kind == "categorical":
        return list(parameter.choices), True
    if parameter.kind == "float" or default is None:
        return [], False
    values = _all_values(parameter)
    if len(values) <= MAX_LISTED:
        return values, True
    return list(dict.fromkeys((default, values[0], values[-1]))), False


def _range(parameter: Parameter) -> Parameter:
    return replace(parameter, default=None, conditions=())


def _always_holds(condition: Condition, parent: Parameter) -> bool:
    if parent.kind == "float" or parent.conditions:
        return False
    values = parent.choices if parent.kind == "categorical" else _all_values(parent)
    return set(values) <= set(condition.values)


def _all_values(parameter: Parameter) -> list[ParamValue]:
    assert parameter.low is not None and parameter.high is not None
    return list(range(int(parameter.low), int(parameter.high) + 1, int(parameter.step or 1)))
