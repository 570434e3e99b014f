"""Models as a stranger writes them for KerasTuner: nothing in them knows of this program.

They follow KerasTuner's own guide: a perceptron with conditional layers, a ``fit`` that tunes
training, and a training loop of its own.
"""

from __future__ import annotations

from typing import Any

import keras_tuner
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

SIDE = 8
N_CLASSES = 2


def build_perceptron(hp: Any) -> Any:
    """As many layers as asked for, each with a width of its own, and no Input."""
    model = keras.Sequential([layers.Flatten()])
    for number in range(hp.Int("depth", 1, 2)):
        width = hp.Int(f"width_{number}", 8, 16, step=8)
        model.add(layers.Dense(width, activation=hp.Choice("activation", ["relu", "tanh"])))
    if hp.Boolean("dropout"):
        model.add(layers.Dropout(0.25))
    model.add(layers.Dense(N_CLASSES, activation="softmax"))
    rate = hp.Float("lr", 1e-3, 1e-1, sampling="log", default=1e-2)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", ["accuracy"])
    return model


class TunedFit(keras_tuner.HyperModel):  # it has no types
    """Tunes what goes into ``model.fit``."""

    def build(self, hp: Any) -> Any:
        model = keras.Sequential([layers.Flatten(), layers.Dense(N_CLASSES)])
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
        model.compile("sgd", loss, ["accuracy", "AUC"])
        return model

    def fit(self, hp: Any, model: Any, x: Any, y: Any, **kwargs: Any) -> Any:
        if hp.Boolean("normalize"):
            x = layers.Normalization()(x)
        history = model.fit(
            x,
            y,
            batch_size=hp.Choice("images_a_step", [16, 32]),
            shuffle=hp.Boolean("shuffle"),
            epochs=hp.Int("rounds", 2, 5),
            class_weight={0: 1.0, 1: 2.0},
            validation_data=kwargs["validation_data"],
        )
        return max(history.history["val_accuracy"])


class OwnLoop(keras_tuner.HyperModel):  # it has no types
    """Trains by itself, on pictures without an axis of channels."""

    def build(self, hp: Any) -> Any:
        inputs = keras.Input((SIDE, SIDE))
        x = layers.Dense(hp.Choice("width", [8, 16]), activation="relu")(layers.Flatten()(inputs))
        return keras.Model(inputs, layers.Dense(N_CLASSES)(x))

    def fit(
        self, hp: Any, model: Any, x: Any, y: Any, validation_data: Any, callbacks: Any = None
    ) -> float:
        batches = tf.data.Dataset.from_tensor_slices((x, y))
        batches = batches.batch(hp.Int("batch_size", 16, 32, step=16))
        optimizer = keras.optimizers.Adam(hp.Float("learning_rate", 1e-3, 1e-1, default=3e-2))
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        @tf.function  # type: ignore[untyped-decorator, unused-ignore]
        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                loss = loss_of(labels, model(images, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

        for _ in range(4):
            for images, labels in batches:
                step(images, labels)
        return float(loss_of(validation_data[1], model(validation_data[0])))
