"""``model.onnx``: written where ONNX Runtime answers as LiteRT does, and nowhere else."""

from __future__ import annotations

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
    found, why_not = write(tmp_path, tflite, IMAGES)
    assert (why_not, found is not None) == ("", True)
    assert found is not None
    assert (found["images"], found["labels_differ"]) == (40, 0)
    again = compared((tmp_path / ONNX_NAME).read_bytes(), tflite, IMAGES)
    assert again.is_same and again.max_difference == found["max_difference"]


def test_what_has_no_like_is_not_written_and_an_earlier_file_goes(
    trained: Any, tmp_path: Path
) -> None:
    (tmp_path / ONNX_NAME).write_bytes(b"of an earlier retraining")
    found, why_not = write(tmp_path, converted(trained, "float16"), IMAGES)
    assert found is None and why_not and "\n" not in why_not
    assert not (tmp_path / ONNX_NAME).exists()


def test_a_model_that_answers_otherwise_is_found_out(trained: Any, tmp_path: Path) -> None:
    import tf_keras

    other = tf_keras.models.clone_model(trained)
    other.set_weights([-weight for weight in trained.get_weights()])
    check = compared(onnx_of(converted(other, "float32")), converted(trained, "float32"), IMAGES)
    assert not check.is_same and check.labels_differ > 0


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
