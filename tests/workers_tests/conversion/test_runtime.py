"""Loading models into LiteRT, and putting images into their number format."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from spaces.config.schemes import QuantizationScheme
from spaces.data.dataset import Dataset
from spaces.errors import ConversionError
from workers.conversion.convert import quantize_variant, representative_images
from workers.conversion.runtime import load, network_input, outputs, quantize_input, runtime_name

SCALES = st.floats(2**-20, 4.0, width=32)


def reference(value: np.float32, scale: float, zero_point: int, limits: np.iinfo[Any]) -> int:
    """What TFLite's own kernel computes, in plain words."""
    scaled = float(value / np.float32(scale))
    rounded = math.copysign(math.floor(abs(scaled) + 0.5), scaled)  # Halves away from zero.
    return int(min(max(rounded + zero_point, limits.min), limits.max))


@st.composite
def integer_inputs(draw: st.DrawFn) -> dict[str, Any]:
    """Details of an integer input, as the interpreter gives them."""
    dtypes: list[type[np.signedinteger[Any] | np.unsignedinteger[Any]]] = [
        np.int8,
        np.uint8,
        np.int16,
    ]
    dtype = draw(st.sampled_from(dtypes))
    limits = np.iinfo(dtype)
    zero_point = 0 if dtype is np.int16 else draw(st.integers(limits.min, limits.max))
    return {"dtype": dtype, "quantization": (draw(SCALES), zero_point)}


@settings(deadline=None)
@given(
    integer_inputs(),
    npst.arrays(np.float32, (2, 3, 2, 1), elements=st.floats(-(2**20), 2**20, width=32)),
)
def test_floats_are_rounded_half_away_from_zero_and_clipped(
    details: dict[str, Any], images: np.ndarray[Any, Any]
) -> None:
    quantized = quantize_input(images, details)
    assert quantized.dtype == details["dtype"]
    assert quantized.shape == images.shape
    limits = np.iinfo(details["dtype"])
    scale, zero_point = details["quantization"]
    expected = [reference(value, scale, zero_point, limits) for value in images.ravel()]
    assert quantized.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, 1), (1.5, 2), (2.5, 3), (-0.5, -1), (-2.5, -3), (0.49999997, 0), (-0.49999997, 0)]
    + [(127.5, 127), (1e9, 127), (-1e9, -128)],
)
def test_rounding_and_clipping_by_hand(value: float, expected: int) -> None:
    image = np.full((1, 1, 1, 1), value, np.float32)
    assert quantize_input(image, {"dtype": np.int8, "quantization": (1.0, 0)}).item() == expected


@settings(deadline=None)
@given(integer_inputs(), npst.arrays(np.uint8, (2, 4, 4, 1)))
def test_pictures_are_quantized_as_the_numbers_that_networks_see(
    details: dict[str, Any], pictures: np.ndarray[Any, Any]
) -> None:
    from_bytes = quantize_input(pictures, details)
    np.testing.assert_array_equal(from_bytes, quantize_input(network_input(pictures), details))
    assert from_bytes.dtype == details["dtype"]


def test_a_float_input_takes_pictures_divided_by_255_and_floats_as_they_are() -> None:
    details = {"dtype": np.float32, "quantization": (0.0, 0)}
    pictures = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)
    floats = np.array([-3.5, 0.0, 700.0], np.float32).reshape(1, 1, 3, 1)
    np.testing.assert_array_equal(
        quantize_input(pictures, details).ravel(), np.array([0, 0.2, 1], np.float32)
    )
    np.testing.assert_array_equal(quantize_input(floats, details), floats)


@pytest.mark.parametrize("content", [b"", b"no model", bytes(1000), b"\x1c\0\0\0TFL3" + b"x" * 50])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ConversionError, match="LiteRT cannot run the model") as error:
        load(content)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("length", [7, 100, 5000])
def test_a_model_cut_short_is_refused(float_model: bytes, length: int) -> None:
    with pytest.raises(ConversionError, match="LiteRT cannot run the model"):
        load(float_model[:length])


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [QuantizationScheme.FLOAT32, QuantizationScheme.INT8])
@pytest.mark.parametrize("batch_size", [1, 7, 60, 100])
def test_every_image_gets_its_output_whatever_the_batches(
    float_model: bytes, corner_pictures: Dataset, scheme: QuantizationScheme, batch_size: int
) -> None:
    calibration = representative_images(corner_pictures.train, seed=0, n=50)
    tflite = quantize_variant(float_model, scheme, calibration)
    images = corner_pictures.test.images
    one_by_one = np.concatenate([outputs(tflite, image[None]) for image in images])
    found = outputs(tflite, images, batch_size)
    assert found.shape == (len(images), 4)
    assert found.dtype == one_by_one.dtype
    np.testing.assert_allclose(found, one_by_one, atol=1e-6)


@pytest.mark.slow
def test_outputs_are_those_of_the_network_on_scaled_pictures(
    trained: Any, float_model: bytes, corner_pictures: Dataset
) -> None:
    pictures = corner_pictures.test.images
    scaled = pictures.astype(np.float32) / 255
    expected = trained.model.predict(scaled, verbose=0)
    np.testing.assert_allclose(outputs(float_model, pictures), expected, atol=1e-5)
    np.testing.assert_array_equal(outputs(float_model, scaled), outputs(float_model, pictures))


def test_the_runtime_names_its_version() -> None:
    from importlib.metadata import version

    assert version("ai-edge-litert") in runtime_name()
