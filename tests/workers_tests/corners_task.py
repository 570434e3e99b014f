"""A task file as a user writes it: pictures with one bright corner, and a network for them.

Tests copy it to a folder of their own and name it by its path.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras

from spaces import DataRequest, Dataset, Split, Task, fingerprint_arrays

NAMES = ("top left", "top right", "bottom left", "bottom right")


def load_data(request: DataRequest) -> Dataset:
    """Noise, one quarter of which is brighter; ``--data`` names a file with another seed."""
    rng = np.random.default_rng(int(request.path.read_text()) if request.path else 0)

    def split(n: int) -> Split:
        labels = rng.integers(0, 4, n)
        images = rng.integers(0, 140, (n, 12, 12, 1), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label), 2)
            image[6 * row : 6 * row + 6, 6 * column : 6 * column + 6] += 60
        return Split(images, labels)

    splits = (split(480), split(200), split(60))
    return Dataset("corners", *splits, NAMES, fingerprint_arrays(NAMES, splits))


def build(hp: Any) -> tf_keras.Model:
    """Two convolutions; ``units`` of a dense layer are searched."""
    layers = tf_keras.layers
    inputs = x = tf_keras.Input((12, 12, 1))
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.8)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(hp.Int("units", 8, 32, step=8), activation="relu")(x)
    x = layers.Dense(4)(x)
    if hp.Boolean("exotic", default=False):
        import tensorflow as tf

        x = layers.Lambda(tf.math.erfinv)(x)
    return tf_keras.Model(inputs, layers.Softmax()(x))


TASK = Task(name="corners", description="bright corners", model=build, load_data=load_data)
