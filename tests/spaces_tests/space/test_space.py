"""Search spaces: ranges, conditions, JSON, and how they ask an Optuna trial."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.config.trial import ParamValue
from spaces.errors import ConfigError
from spaces.space.search_space import Condition, Kind, Parameter, SearchSpace


class RecordingTrial:
    """Answers with random values, and remembers what it was asked for."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.asked: dict[str, Any] = {}

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        return int(self._answer(name, self._random.randrange(low, high + 1, step)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        if step is None:
            return float(self._answer(name, self._random.uniform(low, high)))
        n_steps = self._random.randint(0, int((high - low) / step))
        return float(self._answer(name, low + step * n_steps))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._answer(name, self._random.choice(list(choices)))

    def _answer(self, name: str, value: Any) -> Any:
        assert name not in self.asked
        self.asked[name] = value
        return value


BLOCKS = SearchSpace(
    (
        Parameter("blocks", "int", 1, 3),
        Parameter("head", "categorical", choices=("flatten", "average")),
        Parameter("filters_1", "int", 8, 32, step=8),
        Parameter("filters_2", "int", 8, 32, step=8, conditions=(Condition("blocks", (2, 3)),)),
        Parameter("filters_3", "int", 8, 32, step=8, conditions=(Condition("blocks", (3,)),)),
        Parameter(
            "dense_units",
            "int",
            16,
            64,
            log=True,
            conditions=(Condition("head", ("flatten",)), Condition("blocks", (1, 2))),
        ),
        Parameter(
            "dense_dropout", "float", 0, 0.5, conditions=(Condition("dense_units", (16, 64)),)
        ),
    )
)

names = st.text("abcdefg_", min_size=1, max_size=4)
scalars: st.SearchStrategy[ParamValue] = st.one_of(
    st.booleans(), st.integers(-9, 9), st.floats(-1, 1), st.text(max_size=3)
)


@st.composite
def parameters(draw: st.DrawFn, name: str, parents: list[Parameter]) -> Parameter:
    conditions = []
    for parent in draw(st.lists(st.sampled_from(parents), max_size=2)) if parents else ():
        if parent.choices:
            values = draw(st.lists(st.sampled_from(parent.choices), min_size=1, unique=True))
            conditions.append(Condition(parent.name, tuple(values)))
    kinds: list[Kind] = ["int", "float", "categorical"]
    kind = draw(st.sampled_from(kinds))
    if kind == "categorical":
        # Booleans aside, 1 and 1.0 would be one choice to Optuna.
        choices = draw(st.lists(st.text(max_size=3), min_size=1, max_size=4, unique=True))
        return Parameter(name, kind, choices=tuple(choices), conditions=tuple(conditions))
    log = draw(st.booleans())
    if kind == "int":
        low = draw(st.integers(1, 50))
        step = None if log else draw(st.one_of(st.none(), st.integers(1, 5)))
        high = low + draw(st.integers(0, 20)) * (step or 1)
        return Parameter(name, kind, low, high, step=step, log=log, conditions=tuple(conditions))
    low_float = draw(st.floats(0.001, 1))
    high_float = low_float + draw(st.floats(0, 10))
    return Parameter(name, kind, low_float, high_float, log=log, conditions=tuple(conditions))


@st.composite
def search_spaces(draw: st.DrawFn) -> SearchSpace:
    found: list[Parameter] = []
    for name in draw(st.lists(names, max_size=6, unique=True)):
        found.append(draw(parameters(name, found)))
    return SearchSpace(tuple(found))


@given(search_spaces())
def test_json_gives_back_an_equal_space(space: SearchSpace) -> None:
    assert SearchSpace.from_list(json.loads(json.dumps(space.to_list()))) == space


@given(search_spaces(), st.integers(0, 2**32))
def test_what_is_suggested_is_active_and_in_range(space: SearchSpace, seed: int) -> None:
    trial = RecordingTrial(seed)
    values = space.suggest(trial)
    assert values == trial.asked
    for parameter in space.parameters:
        assert (parameter.name in values) == space.is_active(parameter, values)
        if parameter.name in values:
            assert parameter.contains(values[parameter.name])


@given(search_spaces(), st.integers(0, 2**32))
def test_an_optuna_trial_replays_what_was_suggested(space: SearchSpace, seed: int) -> None:
    values = space.suggest(RecordingTrial(seed))
    assert space.suggest(optuna.trial.FixedTrial(dict(values))) == values


@given(search_spaces())
def test_defaults_are_a_point_of_the_space(space: SearchSpace) -> None:
    values = space.defaults()
    assert space.suggest(optuna.trial.FixedTrial(dict(values))) == values


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("head", ["flatten", "average"])
def test_an_inactive_branch_is_never_asked_for(blocks: int, head: str) -> None:
    # FixedTrial raises on a name that it has no value for.
    values = {"blocks": blocks, "head": head, "filters_1": 8}
    values.update({f"filters_{number}": 16 for number in range(2, blocks + 1)})
    if head == "flatten" and blocks < 3:
        values["dense_units"] = 20
    assert BLOCKS.suggest(optuna.trial.FixedTrial(values)) == values


@given(st.integers(0, 2**32))
def test_what_hangs_on_an_inactive_parameter_is_inactive(seed: int) -> None:
    values = BLOCKS.suggest(RecordingTrial(seed))
    assert ("dense_dropout" in values) == (values.get("dense_units") in (16, 64))


def test_optuna_sees_the_declared_distributions() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    space = SearchSpace(
        (
            Parameter("rate", "float", 1e-4, 1e-1, log=True),
            Parameter("width", "int", 8, 64, step=8),
            Parameter("units", "int", 8, 64, log=True),
            Parameter("drop", "float", 0.0, 0.5, step=0.25),
            Parameter("kind", "categorical", choices=(True, False)),
        )
    )
    space.suggest(trial)
    assert trial.distributions == {
        "rate": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
        "width": optuna.distributions.IntDistribution(8, 64, step=8),
        "units": optuna.distributions.IntDistribution(8, 64, log=True),
        "drop": optuna.distributions.FloatDistribution(0.0, 0.5, step=0.25),
        "kind": optuna.distributions.CategoricalDistribution((True, False)),
    }


@pytest.mark.parametrize(
    ("parameter", "value", "contained"),
    [
        (Parameter("p", "int", 8, 32, step=8), 24, True),
        (Parameter("p", "int", 8, 32, step=8), 20, False),
        (Parameter("p", "int", 8, 32), 33, False),
        (Parameter("p", "int", 0, 1), True, False),
        (Parameter("p", "int", 0, 2), 1.0, False),
        (Parameter("p", "float", 0, 1), 1, True),
        (Parameter("p", "float", 0, 0.5, step=0.1), 0.1 + 0.2, True),
        (Parameter("p", "float", 0, 0.5, step=0.1), 0.15, False),
        (Parameter("p", "float", 0, 1), "0.5", False),
        (Parameter("p", "categorical", choices=(1, 2)), 2, True),
        (Parameter("p", "categorical", choices=(1, 2)), True, False),
        (Parameter("p", "categorical", choices=("a",)), "b", False),
    ],
)
def test_contains(parameter: Parameter, value: object, contained: bool) -> None:
    assert parameter.contains(value) is contained


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(kind="categorical"), "at least one choice"),
        (dict(kind="int", low=2, high=1), "low <= high"),
        (dict(kind="float"), "low <= high"),
        (dict(kind="float", low=0.0, high=1.0, log=True), "0 < low"),
        (dict(kind="int", low=1, high=9, step=2, log=True), "no step"),
        (dict(kind="int", low=1, high=9, default=10), "default must lie in the range"),
        (dict(kind="categorical", choices=("a",), default="b"), "default must lie in the range"),
    ],
)
def test_a_parameter_refuses(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Parameter("p", **arguments)


def test_a_space_refuses_a_name_twice_and_a_child_before_its_parent() -> None:
    child = Parameter("child", "int", 1, 2, conditions=(Condition("parent", (1,)),))
    parent = Parameter("parent", "int", 1, 2)
    with pytest.raises(ConfigError, match="stands twice"):
        SearchSpace((parent, parent))
    with pytest.raises(ConfigError, match="must stand before"):
        SearchSpace((child, parent))
    assert SearchSpace((parent, child)).names == ("parent", "child")


def test_merging_appends_what_is_new_and_keeps_what_is_known() -> None:
    space = SearchSpace((Parameter("a", "int", 1, 2),))
    merged = space.merged([Parameter("a", "int", 5, 6), Parameter("b", "int", 1, 2)])
    assert merged.names == ("a", "b")
    assert merged["a"].high == 2
    assert "b" in merged and "b" not in space
    assert space.merged([Parameter("a", "int", 5, 6)]) is space
    with pytest.raises(KeyError):
        space["b"]


def test_a_stored_space_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="Unknown key 'lo'.*Did you mean 'low'"):
        SearchSpace.from_list([{"name": "a", "kind": "int", "low": 1, "high": 2, "lo": 1}])
