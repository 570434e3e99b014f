"""Inputs as people write them, and images as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spaces.errors import TaskError
from workers.hypermodels.fitting import fitted

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 1)


def network(keras: Any, **how: Any) -> Any:
    layers = keras.layers
    inputs = keras.Input(**how)
    x = layers.Lambda(lambda numbers: numbers * 1.0)(keras.backend.cast(inputs, "float32"))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(x))
    return keras.Model(inputs, layers.Dense(2)(x))


@pytest.mark.parametrize(
    "how",
    [
        {"shape": SHAPE, "batch_size": 16},
        {"shape": (None, None, 1)},
        {"batch_shape": (1, None, 8, 1)},
    ],
)
def test_a_batch_and_sizes_become_free(keras: Any, how: dict[str, Any]) -> None:
    model = network(keras, **how)
    rebuilt = fitted(model, SHAPE)
    assert rebuilt.input_shape == (None, *SHAPE)
    n = how.get("batch_size") or 1
    images = np.random.default_rng(0).random((n, *SHAPE), dtype=np.float32)
    assert np.array_equal(model(images), rebuilt(images))
    assert rebuilt(np.zeros((3, *SHAPE), np.float32)).shape == (3, 2)


def test_a_sequential_with_batch_input_shape(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [layers.Conv2D(3, 3, batch_input_shape=(32, *SHAPE)), layers.Flatten(), layers.Dense(2)]
    )
    rebuilt = fitted(model, SHAPE)
    assert rebuilt.input_shape == (None, *SHAPE)
    assert rebuilt(np.zeros((3, *SHAPE), np.float32)).shape == (3, 2)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (
            lambda keras: network(keras, shape=SHAPE, dtype="int32"),
            "input is int32.*without dtype",
        ),
        (
            lambda keras: keras.Sequential(
                [
                    keras.layers.Reshape((8, 8), batch_input_shape=(4, *SHAPE)),
                    keras.layers.LSTM(2, stateful=True),
                ]
            ),
            "stateful=False",
        ),
        (
            lambda keras: keras.Sequential(
                [
                    keras.Input(SHAPE, batch_size=4),
                    keras.layers.Lambda(lambda x: keras.backend.reshape(x, (4, 64))),
                    keras.layers.Dense(2),
                ]
            ),
            "without a batch size",
        ),
    ],
)
def test_what_cannot_be_free_is_said(keras: Any, build: Any, says: str) -> None:
    with pytest.raises(TaskError, match=says) as caught:
        fitted(build(keras), SHAPE)
    assert "\n" not in str(caught.value)


def test_what_fits_stays_itself(keras: Any) -> None:
    model = network(keras, shape=SHAPE)
    assert fitted(model, SHAPE) is model
    assert fitted(model, (9, 9, 1)) is model
