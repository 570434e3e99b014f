"""Saved networks load without our packages: in Keras 2, and converted in Keras 3."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workers.deploy.plain_keras import plain_model, save_keras3

pytestmark = pytest.mark.slow

LOAD = """
import sys
for package in ("spaces", "workers", "search"):
    sys.modules[package] = None  # As if it were not installed.
import numpy as np, {keras}
model = {keras}.models.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


def network(keras: Any) -> Any:
    """With all layers of our own, and the usual ones."""
    from spaces.networks.dropblock import DropBlock
    from spaces.networks.layers import averaging, convolution, hidden_dense, normalization

    inputs = x = keras.Input((16, 16, 3))
    x = averaging(2, 3, "halve")(x)
    x = normalization("n1")(convolution(8, 1, False, "c1")(x))
    x = DropBlock(0.3)(keras.layers.ReLU()(x))
    y = normalization("n2")(convolution(8, 1, True, "c2")(x))
    x = keras.layers.Add()([x, keras.layers.ReLU(6.0)(y)])
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = keras.layers.MaxPooling2D()(x)
    x = hidden_dense(12, "hidden")(keras.layers.GlobalAveragePooling2D()(x))
    x = keras.layers.Softmax()(keras.layers.Dense(4)(keras.layers.Dropout(0.2)(x)))
    return keras.Model(inputs, x)


def test_a_saved_network_loads_where_our_packages_are_not(keras: Any, tmp_path: Path) -> None:
    model = network(keras)
    random = np.random.default_rng(0)
    model.set_weights([0.3 * random.normal(size=w.shape) ** 2 for w in model.get_weights()])
    samples = random.random((5, 16, 16, 3), np.float32)
    expected = model.predict(samples, verbose=0)
    plain = plain_model(model)
    plain.save(tmp_path / "two.keras")
    assert save_keras3(plain, tmp_path / "three.keras", samples) == ""
    np.save(tmp_path / "samples.npy", samples)
    for package, name in (("tf_keras", "two.keras"), ("keras", "three.keras")):
        answers = tmp_path / f"{package}.npy"
        done = subprocess.run(
            [
                *(sys.executable, "-c", LOAD.format(keras=package)),
                *(tmp_path / name, tmp_path / "samples.npy", answers),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        np.testing.assert_allclose(np.load(answers), expected, atol=1e-4)


def test_what_keras_3_lacks_is_said_and_not_written(keras: Any, tmp_path: Path) -> None:
    class Own(keras.layers.Layer):
        """A person's own layer."""

        def call(self, inputs: Any) -> Any:
            """Return the inputs."""
            return inputs

    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, Own()(inputs))
    why = save_keras3(plain_model(model), tmp_path / "m.keras", np.zeros((1, 4, 4, 1), "f4"))
    assert "Own" in why
    assert not (tmp_path / "m.keras").exists()
