"""``model.onnx``: written where ONNX Runtime answers as LiteRT does, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ExportError
from workers.deploy import onnx_model
from workers.deploy.onnx_model import ONNX_NAME, OnnxCheck, check_onnx_extra, compared, onnx_of
from workers.deploy.onnx_model import write_onnx as write

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(3).integers(0, 256, (40, 12, 12, 3), np.uint8)


@pytest.fixture(scope="module")
def trained() -> Any:
    tf_keras = pytest.importorskip("tf_keras")
    tf_keras.utils.set_random_seed(1)
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            layers.Input((12, 12, 3)),
            layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def converted(model: Any, scheme: str) -> bytes:
    from workers.conversion.convert import float_tflite, quantize_variant

    if scheme == "float32":
        return float_tflite(model)
    images = IMAGES.astype(np.float32) / np.float32(255)
    return quantize_variant(float_tflite(model), QuantizationScheme(scheme), images)


@pytest.mark.parametrize("scheme", ["float32", "int8", "dynamic_range"])
def test_what_has_its_like_is_written_and_says_the_same(
    trained: Any, scheme: str, tmp_path: Path
) -> None:
    tflite = converted(trained, scheme)
    found, why_not = write(tmp_path, tflite, IMAGES, are_logits=False)
    assert (why_not, found is not None) == ("", True)
    assert found is not None
    assert (found["images"], found["labels_differ"]) == (40, 0)
    again = compared((tmp_path / ONNX_NAME).read_bytes(), tflite, IMAGES, are_logits=False)
    assert again.is_same and again.max_difference == found["max_difference"]


def test_what_has_no_like_is_not_written_and_an_earlier_file_goes(
    trained: Any, tmp_path: Path
) -> None:
    (tmp_path / ONNX_NAME).write_bytes(b"of an earlier retraining")
    found, why_not = write(tmp_path, converted(trained, "float16"), IMAGES, are_logits=False)
    assert found is None and why_not and "\n" not in why_not
    assert not (tmp_path / ONNX_NAME).exists()


def changed(model: Any, change: Callable[[list[np.ndarray]], list[np.ndarray]]) -> bytes:
    """The same network with other weights, as float32."""
    import tf_keras

    other = tf_keras.models.clone_model(model)
    other.set_weights(change(model.get_weights()))
    return converted(other, "float32")


def negative(weights: list[np.ndarray]) -> list[np.ndarray]:
    return [-weight for weight in weights]


def test_a_model_that_answers_otherwise_is_found_out(trained: Any) -> None:
    other, tflite = onnx_of(changed(trained, negative)), converted(trained, "float32")
    check = compared(other, tflite, IMAGES, are_logits=False)
    assert not check.is_same and check.labels_differ > 0


def test_what_answers_otherwise_is_not_written(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = onnx_of(changed(trained, negative))
    monkeypatch.setattr(onnx_model, "onnx_of", lambda tflite: other)
    found, why_not = write(tmp_path, converted(trained, "float32"), IMAGES, are_logits=False)
    assert found is None and list(tmp_path.iterdir()) == []
    assert re.fullmatch(
        r"of 40 images ONNX Runtime labels \d+ differently, by up to 0\.\d+", why_not
    )


@pytest.mark.parametrize("units", [4, 1])
def test_logits_are_compared_as_the_probabilities_that_they_are(units: int) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    tf_keras.utils.set_random_seed(2)
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [layers.Input((12, 12, 3)), layers.Flatten(), layers.Dense(units, use_bias=True)]
    )
    kernel = model.get_weights()[0]
    # A hundred units of probability in logits, where the surest answers are.
    model.set_weights([40 * kernel, np.zeros(units, np.float32)])
    # Nothing changes but logits of what is sure: by far less than rounding does in probability.
    added = np.full(units, 0.5 if units > 1 else 1e-4, np.float32)
    more = onnx_of(changed(model, lambda weights: [weights[0], weights[1] + added]))
    tflite = converted(model, "float32")
    assert compared(more, tflite, IMAGES, are_logits=True).is_same
    other = onnx_of(changed(model, negative))
    assert not compared(other, tflite, IMAGES, are_logits=True).is_same


def test_probabilities_that_all_round_to_zero_are_the_same(tmp_path: Path) -> None:
    """Of 600 classes that are about as likely, each is less than half of a 256th."""
    tf_keras = pytest.importorskip("tf_keras")
    layers = tf_keras.layers
    small = tf_keras.initializers.RandomNormal(stddev=1e-3, seed=1)
    head = layers.Dense(600, activation="softmax", kernel_initializer=small)
    model = tf_keras.Sequential([layers.Input((12, 12, 3)), layers.Flatten(), head])
    found, why_not = write(tmp_path, converted(model, "int8"), IMAGES, are_logits=False)
    assert why_not == "" and found is not None
    assert (found["labels_differ"], found["max_difference"]) == (0, 0.0)


@pytest.mark.parametrize(
    ("labels_differ", "max_difference", "is_same"),
    [(0, 0.0, True), (0, 0.02, True), (0, 0.021, False), (1, 0.0, False)],
)
def test_what_counts_as_the_same(labels_differ: int, max_difference: float, is_same: bool) -> None:
    assert OnnxCheck(100, labels_differ, max_difference, "onnxruntime").is_same == is_same


def test_a_missing_extra_is_told_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_onnx_extra()

    def gone(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(onnx_model, "version", gone)
    with pytest.raises(ExportError, match=r"pip install 'litefront\[onnx\]'"):
        check_onnx_extra()
