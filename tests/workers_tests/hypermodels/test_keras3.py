"""Models of Keras 3 are rebuilt in Keras 2 where both are the same; what cannot be is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spaces.errors import TaskError
from workers.hypermodels.keras3 import is_keras3, to_keras2

pytestmark = pytest.mark.slow

SHAPE = (16, 16, 3)


@pytest.fixture(scope="module")
def k3(keras: Any) -> Any:
    """Keras 3, beside Keras 2 that is set up already."""
    import keras as keras3

    return keras3


def network(k3: Any, middle: Callable[[Any], Any]) -> Any:
    inputs = k3.Input(SHAPE)
    x = middle(inputs)
    x = x if len(x.shape) == 2 else k3.layers.Flatten()(x)
    return k3.Model(inputs, k3.layers.Dense(4, activation="softmax")(x))


def are_equal(model: Any, rebuilt: Any) -> bool:
    images = np.random.default_rng(1).random((3, *SHAPE), dtype=np.float32)
    wanted, found = (np.asarray(each(images, training=False)) for each in (model, rebuilt))
    return bool(np.abs(wanted - found).max() <= 1e-5 * np.abs(wanted).max())


LAYERS: dict[str, Callable[[Any], Any]] = {
    "separable": lambda L: L.SeparableConv2D(8, 3),
    "depthwise": lambda L: L.DepthwiseConv2D(3),
    "transposed": lambda L: L.Conv2DTranspose(4, 3, strides=2),
    "groups": lambda L: L.Conv2D(6, 3, groups=3),
    "renamed": lambda L: L.LeakyReLU(negative_slope=0.1),
    "relu": lambda L: L.ReLU(max_value=6.0, negative_slope=0.1, threshold=0.2),
    "prelu": lambda L: L.PReLU(shared_axes=[1, 2]),
    "layer normalization": lambda L: L.LayerNormalization(),
    "group normalization": lambda L: L.GroupNormalization(3),
    "batch normalization": lambda L: L.BatchNormalization(momentum=0.9, scale=False),
    "upsampling": lambda L: L.UpSampling2D(interpolation="bilinear"),
    "resizing": lambda L: L.Resizing(10, 12),
    "rescaling": lambda L: L.Rescaling(1 / 255.0, offset=-0.5),
    "normalization": lambda L: L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
    "normalization of all": lambda L: L.Normalization(mean=0.5, variance=2.0, axis=None),
    "flipping": lambda L: L.RandomFlip("horizontal"),
    "rotation": lambda L: L.RandomRotation(0.1),
    "dropout": lambda L: L.SpatialDropout2D(0.1),
    "function of TensorFlow": lambda L: L.Conv2D(4, 3, activation=relu6()),
    "function of one's own": lambda L: L.Conv2D(4, 3, activation=lambda x: x * 2),
    "regularized": lambda L: L.Conv2D(
        4, 3, kernel_regularizer="l2", bias_constraint="non_neg", kernel_initializer="he_normal"
    ),
    "lambda": lambda L: L.Lambda(lambda x: x[..., :2] * 3.0),
    "each row": lambda L: L.TimeDistributed(L.Dense(5, activation="relu")),
    "LSTM": lambda L: after(L, L.LSTM(4)),
    "GRU": lambda L: after(L, L.GRU(4)),
    "both ways": lambda L: after(L, L.Bidirectional(L.LSTM(4, return_sequences=True))),
    "cells": lambda L: after(L, L.RNN([L.GRUCell(4), L.LSTMCell(3)])),
    "1-D": lambda L: after(L, L.Conv1D(4, 3, padding="causal")),
    "attention": lambda L: after(L, lambda x: L.MultiHeadAttention(2, 4)(x, x)),
}


def after(layers: Any, layer: Any) -> Callable[[Any], Any]:
    return lambda x: layer(layers.Reshape((16, 48))(x))


def relu6() -> Any:
    import tensorflow as tf

    return tf.nn.relu6


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_the_same(k3: Any, keras: Any, name: str) -> None:
    model = network(k3, LAYERS[name](k3.layers))
    rebuilt, notes = to_keras2(model, SHAPE)
    assert isinstance(rebuilt, keras.Model)
    assert are_equal(model, rebuilt)
    assert notes == ()


ACTIVATIONS = (
    "relu6 hard_sigmoid hard_silu leaky_relu gelu selu mish celu silu squareplus log_sigmoid"
)


@pytest.mark.parametrize("name", ACTIVATIONS.split())
def test_an_activation_is_the_same(k3: Any, name: str) -> None:
    layers = k3.layers
    model = network(k3, lambda x: layers.Activation(name)(layers.Conv2D(4, 3, activation=name)(x)))
    rebuilt, _ = to_keras2(model, SHAPE)
    assert are_equal(model, rebuilt)
    # Whoever loads the model needs nothing of ours.
    again = type(rebuilt).from_config(rebuilt.get_config())
    again.set_weights(rebuilt.get_weights())
    assert are_equal(model, again)


def test_operations_become_layers_where_there_are_any(k3: Any) -> None:
    ops, layers = k3.ops, k3.layers

    def middle(inputs: Any) -> Any:
        x = layers.Conv2D(8, 3)(inputs * 2.0 - 1.0)
        x = x + layers.Conv2D(8, 1)(x)
        x = ops.concatenate([x * ops.sigmoid(x), ops.relu(x)], axis=-1)
        return ops.mean(x, axis=(1, 2))

    model = network(k3, middle)
    rebuilt, _ = to_keras2(model, SHAPE)
    assert are_equal(model, rebuilt)
    kinds = [type(layer).__name__ for layer in rebuilt.layers]
    for kind in ("Add", "Multiply", "Concatenate", "ReLU", "GlobalAveragePooling2D"):
        assert kind in kinds


def test_other_operations_are_functions(k3: Any) -> None:
    ops, layers = k3.ops, k3.layers

    def middle(inputs: Any) -> Any:
        x = layers.Conv2D(8, 3)(inputs)[:, 1:-1, ::2]
        x = ops.reshape(ops.maximum(x, 0.1), (-1, 12 * 7 * 8))
        x = ops.log(ops.abs(ops.clip(x, -1, 1)) + 1.0)
        return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-6)

    model = network(k3, middle)
    assert are_equal(model, to_keras2(model, SHAPE)[0])


def test_models_within_models_and_shared_layers(k3: Any) -> None:
    layers = k3.layers
    block = k3.Sequential(
        [k3.Input((16, 16, 3)), layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()]
    )
    shared = layers.Conv2D(3, 3, padding="same")
    shared.trainable = False
    model = network(k3, lambda x: shared(block(x)) + shared(x))
    rebuilt, _ = to_keras2(model, SHAPE)
    assert are_equal(model, rebuilt)
    assert len(rebuilt.trainable_weights) == len(model.trainable_weights)
    assert len([each for each in rebuilt.layers if each.name == shared.name]) == 1


def test_a_sequential_without_input_takes_that_of_the_data(k3: Any) -> None:
    model = k3.Sequential([k3.layers.Conv2D(4, 3), k3.layers.Flatten(), k3.layers.Dense(2)])
    rebuilt, _ = to_keras2(model, SHAPE)
    assert rebuilt.input_shape == (None, *SHAPE)
    assert are_equal(model, rebuilt)


def test_it_is_compiled_alike(k3: Any, keras: Any) -> None:
    model = network(k3, k3.layers.Conv2D(4, 3))
    rate = k3.optimizers.schedules.CosineDecay(0.1, 100)
    model.compile(
        k3.optimizers.SGD(rate, momentum=0.9, clipnorm=1.0),
        k3.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy", k3.metrics.TopKCategoricalAccuracy(2)],
    )
    rebuilt, _ = to_keras2(model, SHAPE)
    assert isinstance(rebuilt.optimizer, keras.optimizers.SGD)
    assert rebuilt.optimizer.get_config()["momentum"] == 0.9
    assert rebuilt.optimizer.clipnorm == 1.0
    for step in (0, 50, 100):
        assert float(rebuilt.optimizer._learning_rate(step)) == pytest.approx(float(rate(step)))
    assert isinstance(rebuilt.loss, keras.losses.CategoricalCrossentropy)
    labels, found = np.eye(4, dtype=np.float32)[:3], np.full((3, 4), 0.25, np.float32)
    assert float(rebuilt.loss(labels, found)) == pytest.approx(float(model.loss(labels, found)))


def test_a_loss_of_ones_own_is_asked(k3: Any) -> None:
    class Absolute(k3.losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return k3.ops.mean(k3.ops.abs(y_true - y_pred), axis=-1)

    model = network(k3, k3.layers.Conv2D(4, 3))
    model.compile("adam", Absolute())
    rebuilt, _ = to_keras2(model, SHAPE)
    assert rebuilt.loss.__name__ == "Absolute"
    assert np.asarray(rebuilt.loss(np.ones((2, 4)), np.zeros((2, 4)))) == pytest.approx([1, 1])


def test_what_changes_images_in_training_only_is_left_out_and_said(k3: Any) -> None:
    layers = k3.layers
    model = network(k3, lambda x: layers.Conv2D(4, 3)(layers.RandomHue(0.2, (0, 1))(x)))
    rebuilt, notes = to_keras2(model, SHAPE)
    assert are_equal(model, rebuilt)
    (note,) = notes
    assert "RandomHue" in note
    assert "left out" in note


def test_what_cannot_be_is_named_layer_by_layer(k3: Any) -> None:
    class Scaled(k3.layers.Layer):
        def build(self, shape: Any) -> None:
            self.factor = self.add_weight(shape=(1,))

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor

    layers = k3.layers
    model = network(
        k3,
        lambda x: layers.LSTM(4, recurrent_activation="hard_sigmoid")(
            layers.Reshape((16, 48))(layers.RMSNormalization()(Scaled(name="scaled")(x)))
        ),
    )
    with pytest.raises(TaskError) as caught:
        to_keras2(model, SHAPE)
    (line,) = str(caught.value).splitlines()
    assert "Scaled 'scaled' is a class of its own" in line
    assert "RMSNormalization 'rms_normalization" in line
    assert "LSTM 'lstm" in line
    assert "hard_sigmoid" in line
    assert "Reshape" not in line
    assert "Dense" not in line


def test_a_layer_without_weights_is_what_its_call_does(k3: Any) -> None:
    class Doubled(k3.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 2.0

    model = network(k3, Doubled())
    assert are_equal(model, to_keras2(model, SHAPE)[0])


def test_a_subclass_is_told_what_to_return(k3: Any) -> None:
    class Subclass(k3.Model):
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(TaskError, match="subclass of keras.Model.*return `keras.Model"):
        to_keras2(Subclass(), SHAPE)


def test_a_layer_that_answers_otherwise_is_named(k3: Any, monkeypatch: Any) -> None:
    from workers.hypermodels import keras3_layers

    wrong = {"LeakyReLU": {"negative_slope": "nothing"}}
    monkeypatch.setattr(keras3_layers, "RENAMED", wrong)
    model = network(k3, k3.layers.LeakyReLU(negative_slope=0.1))
    with pytest.raises(TaskError, match="LeakyReLU 'leaky_re_lu.*negative_slope=0.1"):
        to_keras2(model, SHAPE)


def test_which_models_are_of_keras_3(k3: Any, keras: Any) -> None:
    assert is_keras3(k3.Sequential([k3.Input(SHAPE)]))
    assert not is_keras3(keras.Sequential([keras.Input(SHAPE)]))
    assert not is_keras3(None)


class TestInAStudy:
    """Described and built as any other model is."""

    def build(self, hp: Any) -> Any:
        import keras

        layers = keras.layers
        inputs = keras.Input(SHAPE)
        x = layers.Conv2D(hp.Int("filters", 4, 8, step=4), 3, activation="relu")(inputs)
        if hp.Boolean("rms", default=False):
            x = layers.RMSNormalization()(x)
        x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
        model = keras.Model(inputs, layers.Dense(4, activation="softmax")(x))
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
        return model

    def test_it_is_described(self, keras: Any) -> None:
        from spaces.config.schemes import QuantizationScheme
        from workers.hypermodels.describe import describe_model, load_hypermodel

        described = describe_model(load_hypermodel(self.build, SHAPE, 4))
        assert [parameter.name for parameter in described.parameters] == ["filters", "rms"]
        assert QuantizationScheme.QAT_INT8 in described.schemes
        assert described.prunable
        assert described.settled["learning_rate"] == 1.0
        (refused,) = [note for note in described.notes if "RMSNormalization" in note]
        assert "rms=True" in refused

    def test_the_same_seed_gives_the_same_weights_and_names(self, keras: Any) -> None:
        from workers.hypermodels.describe import build_model, load_hypermodel
        from workers.training.keras_compat import seed_everything

        hypermodel = load_hypermodel(self.build, SHAPE, 4)
        models = []
        for _ in range(2):
            seed_everything(3)
            models.append(build_model(hypermodel, {"filters": 8})[0])
        one, other = models
        assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            assert np.array_equal(a, b)
        seed_everything(4)
        another = build_model(hypermodel, {"filters": 8})[0]
        assert not np.array_equal(one.get_weights()[0], another.get_weights()[0])
