"""A small trained network and its files, shared by the tests of conversion and measuring."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.data.dataset import Split


class Converted(NamedTuple):
    """A trained network, what it was trained on, and what became of it."""

    keras: Any  # The module.
    model: Any
    train: Split
    val: Split
    representative: npt.NDArray[np.float32]
    float_model: bytes
    files: Mapping[QuantizationScheme, bytes]  # By every scheme without training of its own.


def make_split(n: int, seed: int) -> Split:
    """Noisy pictures of 12x12 with one brighter quadrant, which is the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    images = rng.integers(0, 120, (n, 12, 12, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = 6 * (label // 2), 6 * (label % 2)
        image[row : row + 6, column : column + 6] += 60
    return Split(images, labels)


@cache
def convert_trained_network() -> Converted:
    """Train for a second or two, once a process; what is returned is not to be changed."""
    from workers.conversion.convert import float_tflite, quantize_variant, representative_images
    from workers.training.keras_compat import configure_tensorflow, seed_everything

    configure_tensorflow(threads=1)
    import tf_keras as keras

    train, val = make_split(1000, seed=0), make_split(250, seed=1)
    seed_everything(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(),
            layers.SeparableConv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.legacy.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(train.images / np.float32(255), train.labels, epochs=4, verbose=0)
    representative = representative_images(train, seed=0, n=50)
    float_model = float_tflite(model)
    files = {
        scheme: quantize_variant(float_model, scheme, representative)
        for scheme in POST_TRAINING_SCHEMES
    }
    return Converted(keras, model, train, val, representative, float_model, files)
