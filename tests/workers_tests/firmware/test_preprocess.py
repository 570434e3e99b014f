"""preprocess.c gives what pictures and readings became for training, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaces.data.pictures import fit_picture, gray_pictures
from spaces.data.samples import Standardization
from tests.workers_tests.firmware.packages import firmware_model, preprocess_program, run
from workers.conversion.runtime import quantize_input
from workers.firmware.model import FirmwareModel

FRAMES_MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "preprocess.h"
int main(int argc, char **argv) {
  int width = atoi(argv[2]), height = atoi(argv[3]), stride = atoi(argv[5]), size, code;
  preprocess_frame_t frame;
  static model_input_t input[MODEL_INPUT_VALUES];
  FILE *file = fopen(argv[1], "rb");
  unsigned char *pixels;
  if (argc != 7 || file == NULL) return 2;
  size = stride * height;
  pixels = malloc((size_t)size);
  if (fread(pixels, 1, (size_t)size, file) != (size_t)size) return 3;
  frame.pixels = pixels;
  frame.width = width;
  frame.height = height;
  frame.stride_bytes = stride;
  frame.format = (preprocess_format_t)atoi(argv[4]);
  code = preprocess_frame(&frame, input);
  printf("%d", code);
  fclose(file);
  file = fopen(argv[6], "wb");
  fwrite(input, sizeof(input[0]), MODEL_INPUT_VALUES, file);
  return fclose(file);
}
"""

RGB888, RGB565_LE, RGB565_BE, GRAY = range(4)


def picture(width: int, height: int, seed: int = 0, noise: float = 0.3) -> np.ndarray:
    """A frame with edges, gradients, noise and both ends of the range."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = 0.5 + 0.5 * np.sin(9 * np.stack([x, y, x * y], axis=-1) * np.pi)
    blocks = random.integers(0, 2, (height, width, 3))
    kind = random.random((height, width, 1))
    mixed = np.where(kind < noise, blocks, waves)
    return np.asarray((255 * mixed).round(), np.uint8)


def preprocessed(
    program: Path, folder: Path, frame: np.ndarray, form: int, model: FirmwareModel
) -> tuple[int, np.ndarray]:
    """What the C code makes of a frame, whose rows have a gap of five bytes."""
    height, width = frame.shape[:2]
    rows = frame.reshape(height, -1).view(np.uint8)
    padded = np.concatenate([rows, np.full((height, 5), 77, np.uint8)], axis=1)
    (folder / "frame").write_bytes(padded.tobytes())
    out = folder / "input"
    code = run(program, folder / "frame", str(width), str(height), str(form),
               str(padded.shape[1]), out)  # fmt: skip
    found = np.frombuffer(out.read_bytes(), np.dtype(model.input["tflite_dtype"]))
    return int(code), found.reshape(model.shape)


def expected(frame: np.ndarray, model: FirmwareModel) -> np.ndarray:
    """What training makes of the same frame."""
    height, width, channels = model.shape
    fitted = fit_picture(Image.fromarray(frame), height, width)
    images = fitted if channels == 3 else gray_pictures(fitted)
    details = {
        "dtype": np.dtype(model.input["tflite_dtype"]),
        "quantization": (model.input["tflite_scale"], model.input["tflite_zero_point"]),
    }
    return np.asarray(quantize_input(images, details))


# At least as wide for their height as the input: those of cameras, as a rule.
SIZES = [(160, 120), (96, 72), (100, 71), (131, 97), (40, 30), (200, 33), (640, 480), (2, 1)]


@pytest.mark.parametrize("dtype", ["int8", "float32", "uint8", "int16"])
def test_frames_become_what_training_saw(tmp_path: Path, dtype: str) -> None:
    quantization = {"int8": (0.0041, -119), "uint8": (1 / 255, 0)}.get(dtype, (3e-5, 0))
    model = firmware_model((48, 64, 3), dtype, input_quantization=quantization)
    program = preprocess_program(model, tmp_path, FRAMES_MAIN)
    for number, (width, height) in enumerate(SIZES):
        frame = picture(width, height, number)
        code, found = preprocessed(program, tmp_path, frame, RGB888, model)
        assert code == 0
        np.testing.assert_array_equal(found, expected(frame, model), err_msg=f"{width}x{height}")


@pytest.mark.parametrize("size", [(96, 96), (97, 131), (33, 200), (480, 640)])
def test_narrow_frames_may_differ_by_the_rounding_between_the_two_passes(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    model = firmware_model((48, 64, 3), "uint8", input_quantization=(1 / 255, 0))
    program = preprocess_program(model, tmp_path, FRAMES_MAIN)
    frame = picture(*size, noise=0.0)
    code, found = preprocessed(program, tmp_path, frame, RGB888, model)
    assert code == 0
    assert abs(found.astype(int) - expected(frame, model)).max() <= 1


def test_two_bytes_a_pixel_are_unpacked_in_either_order(tmp_path: Path) -> None:
    model = firmware_model((32, 32, 3))
    program = preprocess_program(model, tmp_path, FRAMES_MAIN)
    colours = picture(80, 60)
    red, green, blue = (colours[..., i].astype(np.uint16) for i in range(3))
    packed = red >> 3 << 11 | green >> 2 << 5 | blue >> 3
    # The upper bits repeated below, so that black is 0 and white is 255.
    r5, g6, b5 = packed >> 11, packed >> 5 & 63, packed & 31
    levels = [r5 << 3 | r5 >> 2, g6 << 2 | g6 >> 4, b5 << 3 | b5 >> 2]
    unpacked = np.stack(levels, axis=-1).astype(np.uint8)
    for form, order in ((RGB565_LE, "<u2"), (RGB565_BE, ">u2")):
        code, found = preprocessed(program, tmp_path, packed.astype(order), form, model)
        assert code == 0
        np.testing.assert_array_equal(found, expected(unpacked, model))


def test_gray_models_see_colours_in_gray(tmp_path: Path) -> None:
    model = firmware_model((28, 28, 1))
    program = preprocess_program(model, tmp_path, FRAMES_MAIN)
    frame = picture(120, 90)
    _, found = preprocessed(program, tmp_path, frame, RGB888, model)
    difference = found.astype(int) - expected(frame, model)
    assert abs(difference).max() <= 1  # A gray level halfway between two, as said in the header.
    assert (difference != 0).mean() < 0.01


@pytest.mark.parametrize("channels", [1, 3])
def test_gray_frames_are_taken(tmp_path: Path, channels: int) -> None:
    model = firmware_model((28, 28, channels))
    program = preprocess_program(model, tmp_path, FRAMES_MAIN)
    gray = picture(120, 90)[..., 0]
    code, found = preprocessed(program, tmp_path, gray, GRAY, model)
    assert code == 0
    np.testing.assert_array_equal(found, expected(np.stack([gray] * 3, axis=-1), model))


def test_a_frame_that_is_too_large_is_refused_and_more_memory_helps(tmp_path: Path) -> None:
    model = firmware_model((28, 28, 1))
    frame = np.full((600, 800, 3), 200, np.uint8)
    program = preprocess_program(model, tmp_path, FRAMES_MAIN)
    code, found = preprocessed(program, tmp_path, frame, RGB888, model)
    assert (code, found.max()) == (-2, 0)
    program = preprocess_program(model, tmp_path, FRAMES_MAIN, "-DPREPROCESS_MAX_SCALE=22")
    code, found = preprocessed(program, tmp_path, frame, RGB888, model)
    assert code == 0
    np.testing.assert_array_equal(found, expected(frame, model))


VALUES_MAIN = """
#include <stdio.h>
#include "preprocess.h"
int main(int argc, char **argv) {
  static float readings[MODEL_INPUT_VALUES];
  static model_input_t input[MODEL_INPUT_VALUES];
  FILE *file = fopen(argv[argc - 2], "rb");
  if (fread(readings, sizeof(readings), 1, file) != 1) return 3;
  preprocess_values(readings, input);
  file = fopen(argv[argc - 1], "wb");
  fwrite(input, sizeof(input), 1, file);
  return fclose(file);
}
"""


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@pytest.mark.parametrize("is_standardized", [True, False])
def test_readings_become_what_training_saw(
    tmp_path: Path, dtype: str, is_standardized: bool
) -> None:
    random = np.random.default_rng(1)
    scaling = Standardization((9.81, -0.25, 1 / 3), (0.017, 12.0, 1.5))
    standardization = {"mean": scaling.mean, "deviation": scaling.deviation}
    model = firmware_model(
        (1, 64, 3),
        dtype,
        input_quantization=(0.031, 4),
        kind="signal",
        scale=None,
        dtype="float32",
        range=[-4.0, 4.0],
        standardization=standardization if is_standardized else None,
    )
    spread = np.array(scaling.deviation) if is_standardized else np.ones(3)
    centre = np.array(scaling.mean) if is_standardized else np.zeros(3)
    readings = (random.normal(size=(1, 64, 3)) * 3 * spread + centre).astype(np.float32)
    program = preprocess_program(model, tmp_path, VALUES_MAIN)
    (tmp_path / "readings").write_bytes(readings.tobytes())
    run(program, tmp_path / "readings", tmp_path / "input")
    found = np.frombuffer((tmp_path / "input").read_bytes(), np.dtype(dtype))
    seen = scaling(readings[np.newaxis])[0] if is_standardized else readings
    details = {"dtype": np.dtype(dtype), "quantization": (0.031, 4)}
    np.testing.assert_array_equal(found.reshape(readings.shape), quantize_input(seen, details))
