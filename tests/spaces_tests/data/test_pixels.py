"""Pixels as people's files hold them: bits, signs, alpha, formats; and what is odd about them."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spaces.data import pictures
from spaces.data.dataset import Dataset
from spaces.data.image_folder import load_image_folder
from spaces.data.pictures import MEGAPIXELS_VARIABLE, read_picture
from spaces.data.pixel_checks import check_pixels
from spaces.data.pixel_values import FLOATS, INTEGERS, Values, usual_scales
from spaces.data.request import DataRequest
from spaces.errors import ConfigError, DataError

SIDE = 8
Array = npt.NDArray[Any]


def ramp(high: float, channels: int = 1) -> Array:
    """Return ``[8, 8, channels]`` values from 0 to ``high``, other ones in each channel."""
    steps = np.linspace(0, 1, SIDE * SIDE * channels).reshape(SIDE, SIDE, channels)
    return steps * high


def save(path: Path, array: Array) -> None:
    """Write an array as it is: PNG and TIFF of 8 and 16 bits, TIFF of int32 and floats."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if array.dtype in (np.int32, np.float32) and array.shape[2] == 1:
        Image.fromarray(array[..., 0]).save(path)
    else:
        assert cv2.imwrite(
            str(path), array if array.shape[2] == 1 else array[..., [2, 1, 0, 3][: array.shape[2]]]
        )


def load_arrays(root: Path, arrays: list[Array], name: str = "x.png") -> tuple[Dataset, Array]:
    """Load pictures of these values as one class; return the data set and them in order."""
    for number, array in enumerate(arrays):
        save(root / "d" / "train" / "a" / f"{number}{name[1:]}", array)
        save(root / "d" / "test" / "a" / f"{number}{name[1:]}", array)
    for split in ("train", "test"):
        for number in range(3):
            (root / "d" / split / "b").mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            Image.fromarray(noise).save(root / "d" / split / "b" / f"{number}.png")
    dataset = load_image_folder(root / "d", DataRequest(None, root / "cache"), image_size=SIDE)
    return dataset, dataset.test.images[dataset.test.labels == 0]


def as_rgb(array: Array) -> Array:
    return np.broadcast_to(array[..., :3], (SIDE, SIDE, 3))


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("extension", [".png", ".tif"])
def test_bits_that_are_there_are_found(
    tmp_path: Path, bits: int, channels: int, extension: str
) -> None:
    values = np.floor(ramp(2**bits - 1, channels)).astype(np.uint16)
    if channels == 4:
        values[..., 3] = 65535  # Alpha is of 16 bits, whatever the colours are.
    dark = values // 3
    if channels == 4:
        dark[..., 3] = 65535
    dataset, images = load_arrays(tmp_path, [values, dark, dark], f"x{extension}")
    # One scale for all: the dark ones stay as dark as they are.
    np.testing.assert_array_equal(images[0], as_rgb(values >> (bits - 8)))
    np.testing.assert_array_equal(images[1], as_rgb(dark >> (bits - 8)))
    assert dataset.scales == {INTEGERS: (0.0, 2.0**bits - 1)}
    (note,) = (note for note in dataset.notes if "more than 8 bits" in note)
    assert f"{bits}-bit" in note and note.startswith("6 pictures")


def test_gray_with_alpha_of_sixteen_bits(tmp_path: Path) -> None:
    gray = np.floor(ramp(4095)).astype(np.uint16)
    Image.new("LA", (SIDE, SIDE)).save(tmp_path / "x.png")
    data = _png_16(np.dstack([gray, np.full_like(gray, 65535)]), colour_type=4)
    image = read_picture(BytesIO(data), SIDE)
    np.testing.assert_array_equal(image, as_rgb(gray >> 4))


def _png_16(array: Array, colour_type: int) -> bytes:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("dtype", "low", "high", "scale"),
    [
        (np.int32, 0, 255, (0, 255)),
        (np.int32, 0, 4095, (0, 4095)),
        (np.int32, 0, 65535, (0, 65535)),
        (np.int32, 0, 10**6, (0, 2**20 - 1)),
        (np.int32, -1024, 3071, (-1024, 3071)),
        (np.float32, 0, 1, (0, 1)),
        (np.float32, 0, 0.4, (0, 1)),
        (np.float32, 0, 255, (0, 255)),
        (np.float32, -1, 1, (-1, 1)),
        (np.float32, -5, 20, (-5, 20)),
    ],
)
def test_wide_pixels_are_spread_by_their_range(
    tmp_path: Path, dtype: Any, low: float, high: float, scale: tuple[float, float]
) -> None:
    values = (ramp(high - low) + low).astype(dtype)
    dataset, images = load_arrays(tmp_path, [values] * 3, "x.tif")
    expected = (values.astype(np.float64) - scale[0]) * 255 / (scale[1] - scale[0])
    assert np.abs(images[0] - as_rgb(expected)).max() <= 1
    kind = INTEGERS if dtype is np.int32 else FLOATS
    assert dataset.scales[kind] == pytest.approx(scale)


def test_floats_that_are_no_numbers_are_broken() -> None:
    array = np.full((SIDE, SIDE), np.nan, np.float32)
    file = BytesIO()
    Image.fromarray(array).save(file, "TIFF")
    with pytest.raises(ValueError, match="no numbers"):
        read_picture(BytesIO(file.getvalue()), SIDE)


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5))
def test_a_scale_holds_every_value_and_wastes_little(highs: list[int]) -> None:
    low, high = usual_scales([Values(INTEGERS, 0, h) for h in highs])[INTEGERS]
    assert low == 0 and max(highs) <= high
    assert high == 255 or high < 4 * max(highs) + 4


@pytest.mark.parametrize("name", ["x.ppm", "x.pgm", "x.pbm", "x.tga", "x.jp2", "x.tiff", "x.gif"])
def test_formats_of_all_kinds_are_read(tmp_path: Path, name: str) -> None:
    mode = {"x.pgm": "L", "x.pbm": "1"}.get(name, "RGB")
    value = {"L": 90, "1": 255}.get(mode, (200, 100, 50))
    image = Image.new(mode, (SIDE, SIDE), value)
    folder = tmp_path / "d"
    for class_name in ("a", "b"):
        (folder / class_name).mkdir(parents=True)
        for number in range(3):
            image.save(folder / class_name / f"{number}{name[1:]}")
    dataset = load_image_folder(folder, DataRequest(None, tmp_path / "cache"), image_size=SIDE)
    expected = np.broadcast_to(np.array(value), (SIDE, SIDE, 3))
    assert np.abs(dataset.train.images[0].astype(int) - expected).max() <= 6


def test_a_gray_map_says_its_highest_value(tmp_path: Path) -> None:
    values = np.floor(ramp(1000)).astype(">u2")
    data = b"P5\n8 8\n4095\n" + values.tobytes()
    image = read_picture(BytesIO(data), SIDE)
    assert np.abs(image.astype(int) - as_rgb(values.astype(int) >> 4)).max() <= 1


def test_a_colour_map_of_sixteen_bits_may_hold_twelve() -> None:
    values = np.floor(ramp(4095, 3)).astype(np.uint16)
    data = b"P6\n8 8\n65535\n" + values.astype(">u2").tobytes()
    np.testing.assert_array_equal(read_picture(BytesIO(data), SIDE), values >> 4)
    with pytest.raises(ValueError):
        read_picture(BytesIO(data[:99]), SIDE)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tiff_that_is_not_read_says_what_would_be(dtype: Any) -> None:
    channels = 3 if dtype is np.float32 else 1
    written, data = cv2.imencode(".tif", ramp(1, channels).astype(dtype))
    assert written
    with pytest.raises(ValueError, match="TIFF of a kind that is not read; save it as PNG"):
        read_picture(BytesIO(data.tobytes()), SIDE)


def test_a_gray_map_says_nothing_of_other_pictures(tmp_path: Path) -> None:
    values = np.floor(ramp(4095)).astype(np.uint16)
    (tmp_path / "d" / "train" / "a").mkdir(parents=True)
    data = b"P5\n8 8\n1023\n" + np.floor(ramp(1023)).astype(">u2").tobytes()
    (tmp_path / "d" / "train" / "a" / "x.pgm").write_bytes(data)
    dataset, images = load_arrays(tmp_path, [values] * 3)
    np.testing.assert_array_equal(images[0], as_rgb(values >> 4))
    assert dataset.scales == {INTEGERS: (0.0, 4095.0)}


def test_text_that_is_called_tga_is_broken() -> None:
    with pytest.raises(ValueError):
        read_picture(BytesIO(b"no picture at all, only text"), SIDE, name="x.tga")


def test_colours_of_lab_and_of_an_unused_alpha_are_kept(tmp_path: Path) -> None:
    lab = Image.new("LAB", (SIDE, SIDE), (128, 128, 128))
    file = BytesIO()
    lab.save(file, "TIFF")
    (gray,) = {tuple(p) for p in read_picture(BytesIO(file.getvalue()), SIDE).reshape(-1, 3)}
    assert max(gray) - min(gray) <= 4 and 100 < gray[0] < 140
    clear = np.floor(ramp(255, 4)).astype(np.uint8)
    clear[..., 3] = 0
    dataset, images = load_arrays(tmp_path, [clear] * 3)
    np.testing.assert_array_equal(images[0], clear[..., :3])
    assert any("6 pictures are transparent everywhere" in note for note in dataset.notes)


def test_sixteen_bits_keep_their_orientation() -> None:
    values = np.zeros((SIDE, SIDE), np.uint16)
    values[0, 0] = 4095
    exif = Image.Exif()
    exif[0x0112] = 3
    file = BytesIO()
    Image.fromarray(values).save(file, "PNG", exif=exif)
    image = read_picture(BytesIO(file.getvalue()), SIDE)
    assert image[7, 7, 0] == 255 and image[0, 0, 0] == 0


HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_photos_of_phones_say_what_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_known_formats", lambda: ("JPEG", "PNG"))
    for name in ("a", "b"):
        (tmp_path / "d" / name).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "d" / name / f"{number}.HEIC").write_bytes(HEIC_HEAD)
    with pytest.raises(DataError, match="6 of 6") as caught:
        load_image_folder(tmp_path / "d", DataRequest(None, tmp_path / "cache"))
    assert "pip install 'litefront[heic]'" in str(caught.value)
    assert "may be sound" in str(caught.value)


def test_photos_of_phones_are_read(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    file = BytesIO()
    Image.new("RGB", (64, 64), (200, 100, 50)).save(file, "HEIF", quality=95)
    image = read_picture(BytesIO(file.getvalue()), SIDE)
    assert np.abs(image.astype(int) - (200, 100, 50)).max() <= 8


def test_a_huge_photo_is_no_attack() -> None:
    file = BytesIO()
    image = Image.new("L", (13_600, 13_600), 40)
    image.paste(200, (0, 0, 13_600, 6_800))
    image.save(file, "JPEG")
    limit = Image.MAX_IMAGE_PIXELS
    decoded = read_picture(BytesIO(file.getvalue()), SIDE)
    assert abs(int(decoded[0, 0, 0]) - 200) <= 3 and abs(int(decoded[7, 0, 0]) - 40) <= 3
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_limit_of_pixels_says_how_to_raise_it(monkeypatch: pytest.MonkeyPatch) -> None:
    file = BytesIO()
    Image.new("L", (2000, 1000), 40).save(file, "PNG")
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, "1.5")
    with pytest.raises(ValueError, match="2000x1000 are 2 megapixels.*set SEARCH_MAX_MEGAPIXELS"):
        read_picture(BytesIO(file.getvalue()), SIDE)
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, "2")
    assert read_picture(BytesIO(file.getvalue()), SIDE).max() == 40
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, "many")
    with pytest.raises(ConfigError, match="number of megapixels, but is 'many'"):
        read_picture(BytesIO(file.getvalue()), SIDE)


def noise(seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)


def flat(level: int) -> Array:
    return np.full((SIDE, SIDE, 3), level, np.uint8)


def nearly(level: int, spread: int) -> Array:
    image = flat(level)
    image[0, 0, 1] += spread
    return image


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        (lambda: flat(0), "1 picture is of one colour, every pixel alike (1 of 3 of a): a/1"),
        (lambda: flat(255), "1 picture is of one colour"),
        (lambda: nearly(80, 4), "1 picture is nearly of one colour"),
        (lambda: nearly(0, 15), "1 picture is nearly black"),
        (lambda: nearly(80, 5), ""),
        (lambda: nearly(0, 16), ""),
        (lambda: noise(7), ""),
    ],
)
def test_odd_pictures_are_named(odd: Callable[[], Array], text: str) -> None:
    images = np.stack([noise(0), odd(), noise(1), noise(2), noise(3)])
    notes = check_pixels(images, ["a", "a", "a", "b", "b"], [f"a/{n}" for n in range(5)])
    assert len(notes) == bool(text)
    assert all(text in note for note in notes)


def test_classes_of_nothing_are_told_once_with_counts() -> None:
    images = np.stack([flat(9)] * 40 + [noise(n) for n in range(5)] + [noise(99)] * 7)
    classes = ["black"] * 40 + ["fine"] * 5 + ["same"] * 7
    notes = check_pixels(images, classes, [f"{n}.png" for n in range(52)])
    assert notes == (
        "40 pictures are of one colour, every pixel alike (all of black): 0.png, 1.png, 2.png, "
        "...",
        "All pictures of a class are alike, pixel by pixel: black (40), same (7).",
    )
