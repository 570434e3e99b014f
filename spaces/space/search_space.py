"""A search space as plain data: what may vary, in which range, under which condition.

A model declares its hyperparameters inside ``build(hp)``, which needs TensorFlow; the driver
must not import that. So a worker reads the declaration and hands back a :class:`SearchSpace`,
which is stored with the study and translated onto Optuna trials by :meth:`SearchSpace.suggest`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from spaces.config.documents import UNLESS_DEFAULT, from_plain, to_plain
from spaces.config.trial import ParamValue
from spaces.errors import ConfigError
from spaces.wording import guess

Kind = Literal["int", "float", "categorical"]


class Suggests(Protocol):
    """The part of an Optuna trial that a search space needs."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return an integer in ``[low, high]``."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number in ``[low, high]``."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of ``choices``."""


@dataclass(frozen=True)
class Condition:
    """A parameter is active only while another one holds one of these values."""

    parameter: str
    values: tuple[ParamValue, ...]


@dataclass(frozen=True)
class Parameter:
    """One searched quantity.

    Attributes:
        name: Stable, flat, readable name; a column of the database.
        kind: ``int`` and ``float`` take ``low`` and ``high``; ``categorical`` takes
            ``choices`` (one choice: a fixed value, booleans are two).
        low: Lowest value.
        high: Highest value, included.
        step: Grid of values from ``low`` on; None for a continuous float and for ``log``.
        log: Whether values are spread evenly over the logarithm.
        choices: Values of a categorical parameter.
        default: What a person would take without searching.
        conditions: All must hold for the parameter to be active.
    """

    name: str
    kind: Kind
    low: float | None = field(default=None, metadata=UNLESS_DEFAULT)
    high: float | None = field(default=None, metadata=UNLESS_DEFAULT)
    step: float | None = field(default=None, metadata=UNLESS_DEFAULT)
    log: bool = field(default=False, metadata=UNLESS_DEFAULT)
    choices: tuple[ParamValue, ...] = field(default=(), metadata=UNLESS_DEFAULT)
    default: ParamValue | None = None
    conditions: tuple[Condition, ...] = field(default=(), metadata=UNLESS_DEFAULT)

    def __post_init__(self) -> None:
        if self.kind == "categorical":
            if not self.choices:
                raise ConfigError(f"Parameter {self.name!r}: at least one choice is needed.")
        else:
            low, high = self.low, self.high
            if low is None or high is None or not low <= high:
                raise ConfigError(
                    f"Parameter {self.name!r}: `low <= high` must hold, but got ({low=}, {high=})."
                )
            if self.log and (low <= 0 or self.step is not None):
                raise ConfigError(
                    f"Parameter {self.name!r}: `0 < low` and no step must hold for log=True, but "
                    f"got ({low=}, step={self.step})."
                )
        if self.default is None:
            object.__setattr__(self, "default", self._first())
        elif not self.contains(self.default):
            raise ConfigError(
                f"Parameter {self.name!r}: the default must lie in the range, but got "
                f"{self.default!r}."
            )

    def _first(self) -> ParamValue:
        if self.kind == "categorical":
            return self.choices[0]
        assert self.low is not None
        return int(self.low) if self.kind == "int" else float(self.low)

    def contains(self, value: object) -> bool:
        """Whether ``value`` is one that this parameter can take."""
        if self.kind == "categorical":
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        assert self.low is not None and self.high is not None
        if self.kind == "int" and not isinstance(value, int):
            return False
        if not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        n_steps = (value - self.low) / self.step
        return math.isclose(n_steps, round(n_steps), abs_tol=1e-8)

    @property
    def range_text(self) -> str:
        """The values it can take, for messages."""
        if self.kind == "categorical":
            return f"it is one of {', '.join(str(choice) for choice in self.choices)}"
        steps = "" if self.step is None else f" in steps of {self.step:g}"
        return f"it goes from {self.low:g} to {self.high:g}{steps}"

    def at(self, value: ParamValue) -> Parameter:
        """Return it held at one value that it contains."""
        if self.kind == "categorical":
            return replace(self, choices=(value,), default=value)
        assert not isinstance(value, (bool, str))
        return replace(self, low=value, high=value, step=None, log=False, default=value)

    def typed(self, text: str) -> ParamValue:
        """Return a text as the value that it stands for; as it is if it stands for none."""
        if self.kind == "categorical":
            return next((choice for choice in self.choices if str(choice) == text), text)
        try:
            return int(text) if self.kind == "int" else float(text)
        except ValueError:
            return text

    def nearest(self, value: ParamValue) -> ParamValue:
        """Return the value it can take that is nearest to a number; other values as they are."""
        if self.kind == "categorical" or isinstance(value, (bool, str)) or self.contains(value):
            return value
        assert self.low is not None and self.high is not None
        kept = min(max(value, self.low), self.high)
        if self.step is not None:
            n_steps = int((kept - self.low) / self.step + 0.5)
            kept = self.low + n_steps * self.step
            kept = kept - self.step if kept > self.high else kept
        return int(round(kept)) if self.kind == "int" else float(kept)

    def can_be_one_of(self, values: Iterable[ParamValue]) -> bool:
        """Whether it can take any of some values."""
        return any(self.contains(value) for value in values)

    def suggest(self, trial: Suggests) -> ParamValue:
        """Ask ``trial`` for a value."""
        if self.kind == "categorical":
            value: ParamValue = trial.suggest_categorical(self.name, self.choices)
            return value
        assert self.low is not None and self.high is not None
        if self.kind == "int":
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(
                self.name, int(self.low), int(self.high), step=step, log=self.log
            )
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, without what is not set."""
        data: dict[str, Any] = to_plain(self)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Parameter:
        """Rebuild a parameter from plain data."""
        return from_plain(cls, data, "parameter")


@dataclass(frozen=True)
class SearchSpace:
    """All parameters of a study; parents stand before the parameters they switch.

    Attributes:
        parameters: In the order in which they are suggested.
    """

    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for parameter in self.parameters:
            if parameter.name in seen:
                raise ConfigError(f"Parameter {parameter.name!r} stands twice in a search space.")
            for condition in parameter.conditions:
                if condition.parameter not in seen:
                    raise ConfigError(
                        f"Parameter {parameter.name!r} depends on {condition.parameter!r}, which "
                        f"must stand before it."
                    )
            seen.add(parameter.name)

    def __contains__(self, name: object) -> bool:
        return any(parameter.name == name for parameter in self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(parameter.name for parameter in self.parameters)

    def is_active(self, parameter: Parameter, values: Mapping[str, ParamValue]) -> bool:
        """Whether ``parameter`` is active beside the ``values`` of those before it."""
        return all(
            condition.parameter in values and values[condition.parameter] in condition.values
            for condition in parameter.conditions
        )

    def suggest(self, trial: Suggests) -> dict[str, ParamValue]:
        """Ask an Optuna trial (or a ``FixedTrial``) for every active parameter, and no other."""
        values: dict[str, ParamValue] = {}
        for parameter in self.parameters:
            if self.is_active(parameter, values):
                values[parameter.name] = parameter.suggest(trial)
        return values

    def defaults(self) -> dict[str, ParamValue]:
        """Return the default of every parameter that is active among the defaults."""
        values: dict[str, ParamValue] = {}
        for parameter in self.parameters:
            if self.is_active(parameter, values):
                assert parameter.default is not None
                values[parameter.name] = parameter.default
        return values

    def merged(self, others: Iterable[Parameter]) -> SearchSpace:
        """Return this space with parameters it has not got yet appended.

        A parameter that is known keeps its first declaration: Optuna does not allow
        categorical choices to change within a study.
        """
        added = tuple(parameter for parameter in others if parameter.name not in self)
        return replace(self, parameters=self.parameters + added) if added else self

    def typed(self, values: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
        """Return values that a person gave, texts among them as the parameters hold them.

        Names that are not in the space, and texts that are no number where one is needed, stay
        as they are: :meth:`fixed` refuses them.
        """
        return {
            name: self[name].typed(value) if isinstance(value, str) and name in self else value
            for name, value in values.items()
        }

    def fixed(self, values: Mapping[str, ParamValue]) -> SearchSpace:
        """Return this space with some parameters held at one value each.

        What can no longer be active is left out.

        Raises:
            ConfigError: If there is no such parameter, or it cannot take the value.
        """
        for name, value in values.items():
            if name not in self:
                raise ConfigError(
                    f"Parameter {name!r} cannot be fixed, as it is not searched. Searched are "
                    f"{', '.join(self.names)}.{guess(name, self.names)}"
                )
            if not self[name].contains(value):
                raise ConfigError(
                    f"Parameter {name!r} cannot be fixed at {value!r}: {self[name].range_text}."
                )
        kept: list[Parameter] = []
        for parameter in self.parameters:
            if all(
                any(p.name == c.parameter and p.can_be_one_of(c.values) for p in kept)
                for c in parameter.conditions
            ):
                if parameter.name in values:
                    parameter = parameter.at(values[parameter.name])
                kept.append(parameter)
        return SearchSpace(tuple(kept))

    def completed(self, values: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
        """Return a point of the space: values where they are given, defaults elsewhere.

        Raises:
            ConfigError: If a given value is one that its parameter cannot take, or belongs to a
                parameter that is not active beside the others.
        """
        point: dict[str, ParamValue] = {}
        for parameter in self.parameters:
            if self.is_active(parameter, point):
                assert parameter.default is not None
                value = values.get(parameter.name, parameter.default)
                if not parameter.contains(value):
                    raise ConfigError(
                        f"Parameter {parameter.name!r} cannot be {value!r}: "
                        f"{parameter.range_text}."
                    )
                point[parameter.name] = value
        for name in values:
            if name not in point:
                raise ConfigError(f"Parameter {name!r} is not active{self._beside(name, point)}.")
        return point

    def nearest(self, values: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
        """Return those of some values that the space has, each as near as its parameter can be.

        What is not active beside them is left out; a choice that is none any more stays as it is.
        """
        point: dict[str, ParamValue] = {}
        for parameter in self.parameters:
            if self.is_active(parameter, point):
                assert parameter.default is not None
                value = values.get(parameter.name, parameter.default)
                point[parameter.name] = parameter.nearest(value)
        return {name: point[name] for name in values if name in point}

    def _beside(self, name: str, point: Mapping[str, ParamValue]) -> str:
        """Return the values that keep a parameter from being active, in words."""
        if name not in self:
            return ": there is none here"
        above = dict.fromkeys(condition.parameter for condition in self[name].conditions)
        return " beside " + ", ".join(f"{one}={point[one]}" for one in above if one in point)

    def to_list(self) -> list[dict[str, Any]]:
        """Return plain data for JSON."""
        data: list[dict[str, Any]] = to_plain(self)["parameters"]
        return data

    @classmethod
    def from_list(cls, data: Iterable[Mapping[str, Any]]) -> SearchSpace:
        """Rebuild a space from plain data."""
        return from_plain(cls, {"parameters": data}, "search space")
