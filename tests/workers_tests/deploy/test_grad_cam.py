"""Which images are shown, and where a network is said to have looked."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spaces.data.dataset import Split
from workers.deploy.grad_cam import grad_cam, last_feature_map, pick_images

NAN = float("nan")


def test_wrong_ones_come_first_and_the_surest_of_them() -> None:
    scores = np.array(
        [
            [0.6, 0.4, 0.0],  # Right.
            [0.7, 0.3, 0.0],  # Wrong.
            [0.0, 0.9, 0.1],  # Wrong, and surer.
            [0.8, 0.1, 0.1],  # Right, the second of its class.
            [NAN, 0.1, 0.1],  # No answer at all.
            [0.1, 0.8, 0.1],  # Right.
        ]
    )
    labels = np.array([0, 1, 0, 0, 0, 1])
    assert pick_images(scores, labels, are_logits=False) == [2, 1, 0, 5, 3]


def test_a_handful_is_no_more() -> None:
    labels = np.repeat(np.arange(10), 30)
    scores = np.eye(10)[np.where(np.arange(300) % 2, labels, (labels + 1) % 10)]
    picked = pick_images(scores, labels, are_logits=False)
    assert len(picked) == 12
    assert all(index % 2 == 0 for index in picked[:6])
    assert labels[picked[6:]].tolist() == [0, 1, 2, 3, 4, 5]


def spot_network(keras: Any, ending: str) -> Any:
    """A network that says by hand-made weights whether the left or the right is brighter."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(2, 3, padding="same", use_bias=False, name="conv")(inputs)
    x = layers.ReLU(name="relu")(x)
    x = layers.Flatten()(x)
    last = layers.Dense(2, "softmax" if ending == "activation" else None, name="last")
    x = last(x)
    model = keras.Model(inputs, layers.Softmax()(x) if ending == "layer" else x)
    kernel = np.zeros((3, 3, 1, 2))
    kernel[1, 1, 0, 0] = 1
    model.get_layer("conv").set_weights([kernel])
    weights = np.zeros((8, 8, 2, 2))
    weights[:, :4, 0, 0] = weights[:, 4:, 0, 1] = 50  # So sure that a softmax has no gradient.
    last.set_weights([weights.reshape(-1, 2), np.zeros(2)])
    return model


@pytest.mark.parametrize("ending", ["activation", "layer", "logits"])
def test_it_points_at_what_spoke_for_the_answer(keras: Any, ending: str) -> None:
    model = spot_network(keras, ending)
    images = np.zeros((2, 8, 8, 1), np.uint8)
    images[0, 2:4, 1:3] = 255
    images[1, 5:7, 5:7] = 255
    split = Split(images, np.array([0, 0]))
    scores = model.predict(images / 255.0, verbose=0)
    found = grad_cam(model, split, scores, are_logits=ending == "logits")
    assert (found["layer"], found["note"]) == ("relu", "")
    wrong, right = found["images"]
    assert (wrong["index"], wrong["label"], wrong["predicted"]) == (1, 0, 1)
    assert (right["index"], right["label"], right["predicted"]) == (0, 0, 0)
    for row, (top, left) in ((wrong, (5, 5)), (right, (2, 1))):
        heat = np.asarray(Image.open(io.BytesIO(base64.b64decode(row["heatmap"]))), np.float64)
        picture = Image.open(io.BytesIO(base64.b64decode(row["picture"])))
        assert picture.size == (112, 112) and heat.shape == (112, 112, 3)
        yellow = heat[:, :, 0]
        inside = yellow[14 * top : 14 * top + 28, 14 * left : 14 * left + 28]
        assert inside.min() > yellow.mean() + 50
    # The network is left as it was.
    np.testing.assert_array_equal(model.predict(images / 255.0, verbose=0), scores)


def test_a_network_without_convolutions_says_so(keras: Any) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.build((None, 4, 4, 1))
    split = Split(np.random.default_rng(0).random((3, 4, 4, 1), np.float32), np.array([0, 1, 0]))
    scores = model.predict(split.images, verbose=0)
    found = grad_cam(model, split, scores, are_logits=False)
    assert found["layer"] is None and "no convolution" in found["note"]
    assert len(found["images"]) == 3
    assert all(row["heatmap"] is None and row["picture"] for row in found["images"])


def test_a_feature_map_of_one_pixel_says_nothing(keras: Any) -> None:
    layers = keras.layers
    inputs = keras.Input((4, 4, 1))
    x = layers.Conv2D(2, 3, name="small")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(2, 1)(x)
    model = keras.Model(inputs, layers.Softmax()(layers.Flatten()(x)))
    found = last_feature_map(model)
    assert found is not None and found.name == "norm"


def test_a_network_that_does_as_it_likes_does_not_end_the_report(keras: Any) -> None:
    class Odd:
        @property
        def layers(self) -> Any:
            raise RuntimeError("no such thing")

    split = Split(np.zeros((1, 4, 4, 1), np.uint8), np.array([0]))
    found = grad_cam(Odd(), split, np.array([[0.9, 0.1]]), are_logits=False)
    assert found["layer"] is None and "no such thing" in found["note"]
