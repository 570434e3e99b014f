"""Weights of layers made of others, and of networks within networks, from every kind of file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spaces.config.training import TrainingConfig
from spaces.errors import DataError
from workers.training.start_weights import describe_match, remember, start_from, weighted_layers
from workers.training.weight_files import read_weight_file

pytestmark = pytest.mark.slow

MAKERS: dict[str, Callable[[Any], Any]] = {
    "lstm": lambda L: L.LSTM(3, name="inner"),
    "cells": lambda L: L.RNN([L.LSTMCell(3), L.LSTMCell(3), L.GRUCell(3)], name="inner"),
    "both directions": lambda L: L.Bidirectional(L.LSTM(3), name="inner"),
    "in time": lambda L: L.TimeDistributed(L.Dense(3), name="inner"),
}


def network(keras: Any, middle: Callable[[Any], Any]) -> Any:
    inputs = keras.Input((6, 4))
    x = keras.layers.Conv1D(4, 2, name="first")(inputs)
    x = middle(keras.layers)(x)
    x = x if len(x.shape) == 2 else keras.layers.Flatten(name="flat")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="last")(x))


def attentive(keras: Any) -> Any:
    inputs = keras.Input((6, 4))
    x = keras.layers.Conv1D(4, 2, name="first")(inputs)
    x = keras.layers.MultiHeadAttention(2, 3, name="inner")(x, x)
    return keras.Model(inputs, keras.layers.Dense(2, name="last")(keras.layers.Flatten()(x)))


def nested(keras: Any) -> Any:
    """Networks within networks; names repeat where Keras lets them."""
    layers = keras.layers
    tail = keras.Sequential(
        [keras.Input((5, 4)), layers.Conv1D(4, 2, name="conv"), layers.BatchNormalization()],
        name="tail",
    )
    inner = keras.Input((6, 4))
    x = layers.Conv1D(4, 2, name="stem")(inner)
    body = keras.Model(inner, tail(layers.BatchNormalization(name="norm")(x)), name="body")
    outer = keras.Input((6, 4))
    x = layers.Conv1D(4, 1, name="conv")(outer)
    x = layers.TimeDistributed(keras.Sequential([layers.Dense(4), layers.Dense(3)]))(body(x))
    return keras.Model(outer, layers.Dense(2, name="last")(layers.Flatten()(x)))


def filled(model: Any, seed: int) -> Any:
    """Give a network numbers that no other array has: order matters."""
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(size=w.shape).astype("f4") for w in model.get_weights()])
    return model


def started(model: Any, path: Path) -> tuple[Any, str]:
    """Start a network from a file; return it and what is said of it."""
    file = read_weight_file(path)
    remember(file)
    start_from(model, replace(TrainingConfig(0.01, batch_size=8, epochs=1), weights=file.sha256))
    return model, describe_match(model, file)


FILES = ["all.keras", "all.h5", "weights only.h5", "all.weights.h5"]


def saved(model: Any, folder: Path, name: str) -> Path:
    path = folder / name
    if name in ("all.keras", "all.h5"):
        model.save(path)
    else:
        model.save_weights(path)
    return path


def assert_same(found: Any, expected: Any) -> None:
    for layer, other in zip(weighted_layers(found), weighted_layers(expected), strict=True):
        for array, wanted in zip(layer.layer.weights, other.layer.weights, strict=True):
            np.testing.assert_array_equal(np.asarray(array), np.asarray(wanted), layer.name)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", [*MAKERS, "attention", "nested"])
def test_all_that_keras_2_keeps_comes_back(
    keras: Any, kind: str, name: str, tmp_path: Path
) -> None:
    def made() -> Any:
        if kind in MAKERS:
            return network(keras, MAKERS[kind])
        return attentive(keras) if kind == "attention" else nested(keras)

    model = filled(made(), 1)
    found, says = started(filled(made(), 2), saved(model, tmp_path, name))
    assert_same(found, model)
    n = len(weighted_layers(model))
    assert says == f"{n} of its {n} layers with weights start from {name}, which has {n}."
    assert n == (7 if kind == "nested" else 3)


@pytest.mark.parametrize("name", ["all.keras", "all.h5", "all.weights.h5"])
@pytest.mark.parametrize("kind", [*MAKERS, "attention", "nested"])
def test_what_keras_3_keeps_comes_into_keras_2(
    keras: Any, kind: str, name: str, tmp_path: Path
) -> None:
    import keras as keras3

    def made(library: Any) -> Any:
        if kind in MAKERS:
            return network(library, MAKERS[kind])
        return attentive(library) if kind == "attention" else nested(library)

    theirs = filled(made(keras3), 1)
    found, says = started(filled(made(keras), 2), saved(theirs, tmp_path, name))
    expected = made(keras)
    expected.set_weights(theirs.get_weights())
    assert_same(found, expected)
    n = len(weighted_layers(expected))
    assert says.startswith(f"{n} of its {n} layers")


def unnamed(keras: Any, levels: int) -> Any:
    """A network around others, whose layers all have the names that Keras gives."""
    layers = keras.layers
    x = [layers.Conv1D(4, 2), layers.BatchNormalization(), layers.Conv1D(5, 2)]
    backbone = keras.Sequential([keras.Input((6, 4)), *x])
    for _ in range(levels - 1):
        backbone = keras.Sequential([keras.Input((6, 4)), backbone, layers.Conv1D(5, 1)])
    pool = layers.GlobalAveragePooling1D()
    return keras.Sequential([keras.Input((6, 4)), backbone, pool, layers.Dense(2)])


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning")
@pytest.mark.parametrize(
    ("by", "name"),
    [("Keras 2", name) for name in FILES]
    + [("Keras 3", name) for name in FILES if name != "weights only.h5"],  # It writes none.
)
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_networks_whose_layers_nobody_named(
    keras: Any, levels: int, by: str, name: str, tmp_path: Path
) -> None:
    import keras as keras3

    theirs = filled(unnamed(keras if by == "Keras 2" else keras3, levels), 1)
    found, says = started(filled(unnamed(keras, levels), 2), saved(theirs, tmp_path, name))
    expected = unnamed(keras, levels)
    expected.set_weights(theirs.get_weights())
    assert_same(found, expected)
    n = 3 + levels
    assert says == f"{n} of its {n} layers with weights start from {name}, which has {n}."


@pytest.mark.parametrize("name", ["all.keras", "all.h5"])
def test_a_part_of_a_network_takes_its_layers_out_of_the_whole(
    keras: Any, name: str, tmp_path: Path
) -> None:
    whole = filled(nested(keras), 1)
    path = saved(whole, tmp_path, name)
    inputs = keras.Input((6, 4))
    x = keras.layers.BatchNormalization(name="norm")(
        keras.layers.Conv1D(4, 2, name="stem")(inputs)
    )
    x = keras.layers.Flatten()(x)
    part = keras.Model(inputs, keras.layers.Dense(7, name="last")(x))
    found, says = started(part, path)
    body = whole.get_layer("body")
    for layer in ("stem", "norm"):
        for array, wanted in zip(
            found.get_layer(layer).get_weights(), body.get_layer(layer).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(array, wanted)
    assert says == f"2 of its 3 layers with weights start from {name}, which has 7; not last."


def test_another_inside_is_no_match(keras: Any, tmp_path: Path) -> None:
    one = network(keras, lambda L: L.Bidirectional(L.LSTM(3), name="inner"))
    other = network(keras, lambda L: L.Bidirectional(L.SimpleRNN(12), name="inner"))
    _, says = started(other, saved(one, tmp_path, "all.keras"))
    assert says.endswith("which has 3; not inner, last.")


def test_a_preprocessing_layer_has_whole_numbers(keras: Any, tmp_path: Path) -> None:
    model = network(keras, lambda L: L.Normalization(name="inner"))
    model.get_layer("inner").adapt(np.random.default_rng(0).random((20, 5, 4), np.float32))
    made = network(keras, lambda L: L.Normalization(name="inner"))
    model.save(tmp_path / "all.keras")
    found, _ = started(made, tmp_path / "all.keras")
    assert_same(found, model)


def test_a_file_that_goes_round_in_circles_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "round.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("layers/lstm/cell")
        file["layers/lstm/cell/cell"] = file["layers/lstm"]
    with pytest.raises(DataError, match="must stand in it once"):
        read_weight_file(path)
    with h5py.File(path, "w") as file:
        file.create_group("layers/functional/layers")
        file["layers/functional/layers/functional"] = file["layers/functional"]
    with pytest.raises(DataError, match=r"round\.weights\.h5"):
        read_weight_file(path)
