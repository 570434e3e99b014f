"""Values for which no model can be built: found, left out, and told once."""

from __future__ import annotations

from typing import Any

import pytest

from spaces.errors import TrialFailedError
from workers.hypermodels.describe import (
    ModelDescription,
    build_model,
    describe_model,
    load_hypermodel,
)


@pytest.fixture(autouse=True)
def keras_2(keras: Any) -> None:
    """User code is imported after TensorFlow was set up, as in every process of ours."""


def describe(build: Any) -> ModelDescription:
    return describe_model(load_hypermodel(build, (16, 16, 3), 2))


def pooled(n_pools: int, size: int = 3) -> Any:
    import tf_keras

    layers = tf_keras.layers
    model = tf_keras.Sequential([tf_keras.Input((16, 16, 3))])
    for _ in range(n_pools):
        model.add(layers.Conv2D(2, size))
        model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(2))
    return model


def test_too_many_poolings_are_left_out() -> None:
    found = describe(lambda hp: pooled(hp.Int("pools", 1, 9)))
    (pools,) = found.parameters
    assert (pools.low, pools.high) == (1, 2)  # 16, 7, 2: there is no third.
    (declared,) = found.declared
    assert declared.high == 9
    (note,) = [note for note in found.notes if "pools" in note]
    assert note.startswith("pools=3..9 is left out, as build(hp) fails with it: ValueError")
    assert "fails at" not in " ".join(found.notes)


def test_a_choice_that_always_fails_is_left_out() -> None:
    def build(hp: Any) -> Any:
        kind = hp.Choice("kind", ["plain", "fancy", "none"])
        hp.Int("units", 1, 3)
        if kind == "fancy":
            raise RuntimeError("not written yet")
        return pooled(1)

    found = describe(build)
    kind, units = found.parameters
    assert kind.choices == ("plain", "none") and kind.default == "plain"
    assert (units.low, units.high) == (1, 3)
    (note,) = [note for note in found.notes if "fails" in note]
    assert "kind='fancy' is left out" in note and "not written yet" in note


def test_a_value_that_fails_beside_some_others_stays() -> None:
    """It is told, and such a trial fails before it trains."""

    def build(hp: Any) -> Any:
        return pooled(hp.Int("pools", 1, 2), hp.Choice("size", [3, 1, 9]))

    found = describe(build)
    assert {p.name: p.choices or (p.low, p.high) for p in found.parameters} == {
        "pools": (1, 2),
        "size": (3, 1, 9),
    }
    hypermodel = load_hypermodel(build, (16, 16, 3), 2)
    with pytest.raises(TrialFailedError, match=r"build\(hp\) failed: ValueError"):
        build_model(hypermodel, {"pools": 2, "size": 9})


def test_low_ends_and_other_reasons() -> None:
    def build(hp: Any) -> Any:
        units = hp.Int("units", 0, 8, step=2, default=6)
        if units < 3:
            raise ValueError(f"{units} units are too few")
        return pooled(1)

    found = describe(build)
    (units,) = found.parameters
    assert (units.low, units.high, units.default) == (4, 8, 6)
    (note,) = [note for note in found.notes if "fails" in note]
    assert "units=0..2 is left out" in note
