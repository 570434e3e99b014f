"""What a model takes and gives is seen by looking at it, whatever its layers are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

SHAPE = (6, 6, 3)
N_CLASSES = 3


def ended(*layers: Any, units: int = N_CLASSES, activation: Any = None) -> Any:
    import tf_keras

    k = tf_keras.layers
    return tf_keras.Sequential(
        [tf_keras.Input(SHAPE), k.Flatten(), k.Dense(units, activation=activation), *layers]
    )


def average_of_two() -> Any:
    import tf_keras

    k = tf_keras.layers
    inputs = tf_keras.Input(SHAPE)
    flat = k.Flatten()(inputs)
    branches = [k.Dense(N_CLASSES, activation="softmax")(flat) for _ in range(2)]
    return tf_keras.Model(inputs, k.Average()(branches))


def pooled_maps() -> Any:
    import tf_keras

    k = tf_keras.layers
    return tf_keras.Sequential(
        [
            tf_keras.Input(SHAPE),
            k.Conv2D(N_CLASSES, 6),
            k.Softmax(),
            k.GlobalAveragePooling2D(),
        ]
    )


def layer(name: str, *args: Any, **kwargs: Any) -> Any:
    import tf_keras

    return getattr(tf_keras.layers, name)(*args, **kwargs)


def tf_nn(name: str) -> Any:
    import tensorflow as tf

    return getattr(tf.nn, name)


ENDINGS: list[tuple[str, Callable[[], Any], bool]] = [
    ("softmax", lambda: ended(activation="softmax"), False),
    ("Softmax layer", lambda: ended(layer("Softmax")), False),
    ("Activation", lambda: ended(layer("Activation", "softmax")), False),
    ("tf.nn.softmax", lambda: ended(activation=tf_nn("softmax")), False),
    ("then Flatten", lambda: ended(layer("Flatten"), activation="softmax"), False),
    ("then Reshape", lambda: ended(layer("Reshape", (N_CLASSES,)), activation="softmax"), False),
    ("then Dropout", lambda: ended(layer("Dropout", 0.2), activation="softmax"), False),
    (
        "then Lambda",
        lambda: ended(layer("Lambda", lambda x: 1.0 * x), activation="softmax"),
        False,
    ),
    ("Lambda softmax", lambda: ended(layer("Lambda", lambda x: tf_nn("softmax")(x))), False),
    ("average", average_of_two, False),
    ("pooled", pooled_maps, False),
    ("sigmoids", lambda: ended(activation="sigmoid"), False),
    ("one sigmoid", lambda: ended(units=1, activation="sigmoid"), False),
    ("one tf sigmoid", lambda: ended(units=1, activation=tf_nn("sigmoid")), False),
    ("linear", lambda: ended(), True),
    ("one linear", lambda: ended(units=1), True),
    ("then Flatten, linear", lambda: ended(layer("Flatten")), True),
    ("log softmax", lambda: ended(activation=tf_nn("log_softmax")), True),
    ("tanh", lambda: ended(activation="tanh"), True),
    ("relu", lambda: ended(activation="relu"), True),
    (
        "zeros",
        lambda: ended(
            layer("Dense", 1, kernel_initializer="zeros", bias_initializer="ones"),
            layer("Flatten"),
        ),
        True,
    ),
    (
        "sigmoids at zero",  # They add up to 1 by chance.
        lambda: ended(
            layer("Dense", 2, kernel_initializer="zeros", activation="tanh"), layer("Flatten")
        ),
        True,
    ),
]


@pytest.mark.parametrize(
    ("build", "are_logits"), [each[1:] for each in ENDINGS], ids=[e[0] for e in ENDINGS]
)
def test_logits_are_told_from_probabilities(
    build: Callable[[], Any], are_logits: bool, keras: Any
) -> None:
    from workers.training.interface import observed

    model = build()
    before = model.get_weights()
    assert observed(model).are_logits == are_logits
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def after(*first: Any, inside: bool = False) -> Any:
    import tf_keras

    k = tf_keras.layers
    net = tf_keras.Sequential([tf_keras.Input(SHAPE), *first, k.Conv2D(2, 3), k.Flatten()])
    if not inside:
        return tf_keras.Sequential([tf_keras.Input(SHAPE), *net.layers, k.Dense(2)])
    return tf_keras.Sequential([tf_keras.Input(SHAPE), net, k.Dense(2)])


def arithmetic(change: Callable[[Any], Any]) -> Any:
    import tf_keras

    inputs = tf_keras.Input(SHAPE)
    x = tf_keras.layers.Conv2D(2, 3)(change(inputs))
    return tf_keras.Model(inputs, tf_keras.layers.Dense(2)(tf_keras.layers.Flatten()(x)))


def preprocessed(application: str) -> Any:
    import tf_keras

    return arithmetic(getattr(tf_keras.applications, application).preprocess_input)


def layer_of_ones_own() -> Any:
    import tf_keras

    class ToUnit(tf_keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs / 127.5 - 1.0

    return after(ToUnit())


RANGES: list[tuple[str, Callable[[], Any], bool]] = [
    ("nothing", lambda: after(), False),
    ("1/255", lambda: after(layer("Rescaling", 1 / 255)), True),
    ("-1 to 1", lambda: after(layer("Rescaling", 1 / 127.5, offset=-1)), True),
    ("from 0..1", lambda: after(layer("Rescaling", 2.0, offset=-1)), False),
    ("in a model", lambda: after(layer("Rescaling", 1 / 255), inside=True), True),
    ("no model's", lambda: after(inside=True), False),
    ("Lambda", lambda: after(layer("Lambda", lambda x: x / 255)), True),
    (
        "after a flip",
        lambda: after(layer("RandomFlip"), layer("Rescaling", 1 / 255)),
        True,
    ),
    (
        "Normalization of pixels",
        lambda: after(layer("Normalization", mean=[120.0] * 3, variance=[3600.0] * 3)),
        True,
    ),
    (
        "of unit pixels",
        lambda: after(layer("Normalization", mean=[0.48] * 3, variance=[0.05] * 3)),
        False,
    ),
    ("not adapted", lambda: after(layer("Normalization")), False),
    ("BatchNormalization", lambda: after(layer("BatchNormalization")), False),
    ("arithmetic", lambda: arithmetic(lambda x: (x - 127.5) / 127.5), True),
    ("caffe", lambda: preprocessed("resnet50"), True),
    ("tf", lambda: preprocessed("mobilenet_v2"), True),
    ("torch", lambda: preprocessed("densenet"), True),
    ("a layer of one's own", layer_of_ones_own, True),
]


@pytest.mark.parametrize(
    ("build", "expected"), [each[1:] for each in RANGES], ids=[e[0] for e in RANGES]
)
def test_pixels_are_taken_as_the_model_wants_them(
    build: Callable[[], Any], expected: bool, keras: Any
) -> None:
    from workers.training.interface import takes_bytes

    assert takes_bytes(build()) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0"])
def test_applications_with_a_rescaling_inside_take_pixels(name: str, keras: Any) -> None:
    from workers.training.interface import takes_bytes

    base = getattr(keras.applications, name)(
        input_shape=(32, 32, 3), weights=None, include_top=False, pooling="avg"
    )
    top = keras.layers.Dense(2)
    assert takes_bytes(keras.Sequential([keras.Input((32, 32, 3)), base, top]))
    inputs = keras.Input((32, 32, 3))
    assert takes_bytes(keras.Model(inputs, top(base(inputs, training=False))))
