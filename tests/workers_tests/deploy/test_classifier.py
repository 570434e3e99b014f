"""Deployed classifiers: prepared as in training, probabilities by hand, what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from spaces.data.image_folder import load_image_folder
from spaces.data.pictures import RESIZE_RULE, gray_pictures
from spaces.data.request import DataRequest
from spaces.errors import ModelError
from tests.colour_model import colour_model, compiled_model, expected, unlabelled_model
from workers.deploy.classifier import Classifier, load_classifier
from workers.deploy.model_input import describe_input

LABELS = "red\ngreen\nblue\n"


def deploy(folder: Path, tflite: bytes, labels: str = LABELS, metrics: Any = None) -> Path:
    """Write what ``search retrain`` leaves, as far as it matters here."""
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_bytes(tflite)
    (folder / "labels.txt").write_text(labels, encoding="utf-8")
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def pictures(n: int, height: int = 8, width: int = 8) -> npt.NDArray[np.uint8]:
    """Pictures whose three channels are of different brightness."""
    noise = np.random.default_rng(0).integers(0, 256, (n, height, width, 3))
    brightness = np.random.default_rng(1).random((n, 1, 1, 3))
    return (noise * brightness).astype(np.uint8)


def read(classifier: Classifier, path: Path) -> npt.NDArray[np.uint8]:
    with open(path, "rb") as file:
        return classifier.read(file)


class TestProbabilities:
    # One run for batches and their rest, and one for models that take one picture at a time.
    @pytest.mark.parametrize("any_batch", [True, False])
    @pytest.mark.parametrize("softmax", [True, False])
    @pytest.mark.parametrize(("int8", "tolerance"), [(False, 1e-6), (True, 0.02)])
    def test_are_those_computed_by_hand(
        self, tmp_path: Path, any_batch: bool, softmax: bool, int8: bool, tolerance: float
    ) -> None:
        tflite = colour_model(any_batch=any_batch, softmax=softmax, int8=int8)
        images = pictures(23)
        found = load_classifier(deploy(tmp_path, tflite)).probabilities(images)
        np.testing.assert_allclose(found, expected(images), atol=tolerance)

    def test_stated_scale_is_followed_and_can_be_overruled(self, tmp_path: Path) -> None:
        images = pictures(3)
        folder = deploy(tmp_path, colour_model(), metrics={"input": {"scale": 510.0}})
        found = load_classifier(folder).probabilities(images)
        np.testing.assert_allclose(found, expected(images, 510), atol=1e-6)
        found = load_classifier(folder, scale=100).probabilities(images)
        np.testing.assert_allclose(found, expected(images, 100), atol=1e-6)

    def test_are_not_finite_where_the_model_computes_nothing_finite(self, tmp_path: Path) -> None:
        folder = deploy(tmp_path, colour_model(gain=float("nan"), softmax=False))
        assert np.isnan(load_classifier(folder).probabilities(pictures(1))).all()


class TestPreparation:
    def test_pictures_are_read_as_for_training(self, tmp_path: Path) -> None:
        """Turned, transparent, gray, animated and wide ones, byte for byte."""
        noise = pictures(6, 30, 40)
        data = tmp_path / "data"
        for name in ("a", "b"):
            (data / name).mkdir(parents=True)
        plain = Image.fromarray(noise[0])
        exif = Image.Exif()
        exif[0x0112] = 6
        plain.save(data / "a" / "1.jpg", exif=exif)
        plain.convert("RGBA").rotate(20).save(data / "a" / "2.png")
        plain.convert("L").save(data / "a" / "3.png")
        others = [Image.fromarray(picture) for picture in noise[1:3]]
        plain.save(data / "b" / "1.gif", save_all=True, append_images=others)
        others[0].resize((400, 90)).save(data / "b" / "2.bmp")
        others[1].resize((90, 400)).save(data / "b" / "3.webp")
        request = DataRequest(data, tmp_path / "cache")
        trained = load_image_folder(data, request, image_size=8)
        seen = {
            image.tobytes()
            for split in (trained.train, trained.val, trained.test)
            for image in split.images
        }
        classifier = load_classifier(deploy(tmp_path / "deploy", colour_model()))
        found = {read(classifier, path).tobytes() for path in data.glob("*/*")}
        assert len(found) == 6
        assert found == seen

    def test_twelve_bits_are_read_as_for_training(self, tmp_path: Path) -> None:
        """A dark picture alone looks like one of fewer bits."""
        light = np.random.default_rng(0).integers(0, 4096, (8, 8)).astype(np.uint16)
        light[0, 0] = 4095
        for name in ("a", "b"):
            (tmp_path / "data" / name).mkdir(parents=True)
            for number in range(3):
                picture = light // (1 + 9 * number)
                Image.fromarray(picture).save(tmp_path / "data" / name / f"{number}.png")
        request = DataRequest(tmp_path / "data", tmp_path / "cache")
        trained = load_image_folder(tmp_path / "data", request, image_size=8)
        stated = describe_input(trained, colour_model())
        classifier = load_classifier(
            deploy(tmp_path / "deploy", colour_model(), metrics={"input": stated})
        )
        found = read(classifier, tmp_path / "data" / "a" / "2.png")
        np.testing.assert_array_equal(found[..., 0], light // 19 >> 4)

    def test_frames_are_prepared_like_pictures(self, tmp_path: Path) -> None:
        image = Image.fromarray(pictures(1, 30, 40)[0])
        file = io.BytesIO()
        image.save(file, "PNG")
        file.seek(0)
        classifier = load_classifier(deploy(tmp_path, colour_model()))
        np.testing.assert_array_equal(classifier.fit(image), classifier.read(file))

    def test_oblong_inputs_are_filled_without_distortion(self, tmp_path: Path) -> None:
        """Three stripes: of a tall input, only the middle one is left."""
        stripes = np.zeros((8, 24, 3), np.uint8)
        stripes[:, :8], stripes[:, 8:16], stripes[:, 16:] = (9, 0, 0), (0, 200, 0), (0, 0, 9)
        Image.fromarray(stripes).save(tmp_path / "stripes.png")
        classifier = load_classifier(deploy(tmp_path / "deploy", colour_model(8, 4)))
        found = read(classifier, tmp_path / "stripes.png")
        assert found.shape == (8, 4, 3)
        np.testing.assert_array_equal(found, np.broadcast_to((0, 200, 0), (8, 4, 3)))

    def test_gray_models_see_gray_pictures_unchanged(self, tmp_path: Path) -> None:
        digit = pictures(1)[0, :, :, 0]
        Image.fromarray(digit).save(tmp_path / "digit.png")
        folder = deploy(tmp_path / "deploy", colour_model(channels=1))
        found = read(load_classifier(folder), tmp_path / "digit.png")
        np.testing.assert_array_equal(found, digit[..., np.newaxis])


class TestLoad:
    def test_takes_the_folder_or_the_file(self, tmp_path: Path) -> None:
        folder = deploy(tmp_path, colour_model())
        for path in (folder, folder / "model.tflite"):
            found = load_classifier(path)
            assert (found.labels, found.input_shape) == (("red", "green", "blue"), (8, 8, 3))
            assert found.scale == 255

    def test_takes_what_retraining_states(self, tmp_path: Path) -> None:
        stated = {"shape": [8, 8, 3], "scale": 255.0, "resize": RESIZE_RULE}
        found = load_classifier(deploy(tmp_path, colour_model(), metrics={"input": stated}))
        assert (list(found.input_shape), found.scale) == (stated["shape"], stated["scale"])

    @pytest.mark.parametrize(
        "labels", ["rot\ngrün\r\nblau", "\ufeffrot\ngrün\nblau\n", "rot\ngrün\nblau\n\n"]
    )
    def test_labels_may_come_from_any_editor(self, tmp_path: Path, labels: str) -> None:
        folder = deploy(tmp_path, colour_model(), labels)
        assert load_classifier(folder).labels == ("rot", "grün", "blau")

    @pytest.mark.parametrize(
        ("stated", "words"),
        [
            ({"shape": [9, 9, 3]}, ["[8, 8, 3]", "[9, 9, 3]"]),
            ({"scale": None}, ["--scale"]),
            ({"scale": None, "range": [-2.1, 2.6]}, ["-2.1 to 2.6", "--scale"]),
            ({"scale": 0}, ["scale > 0"]),
            ({"resize": "stretch"}, ["'stretch'", RESIZE_RULE]),
            ({"value_ranges": {"integers": 3}}, ["two numbers"]),
        ],
    )
    def test_refuses_what_contradicts_the_model(
        self, tmp_path: Path, stated: Any, words: list[str]
    ) -> None:
        folder = deploy(tmp_path, colour_model(), metrics={"input": stated})
        with pytest.raises(ModelError) as caught:
            load_classifier(folder)
        assert all(word in str(caught.value) for word in words)

    @pytest.mark.parametrize(
        ("found", "scale", "offset"),
        [
            ([-1.0, 1.0], 127.5, -1.0),
            ([-0.992, 1], 127.5, -1.0),
            ([0.0, 1.0], 255.0, 0.0),
            ([0.004, 0.996], 255.0, 0.0),
            ([0.0, 255.0], 1.0, 0.0),
        ],
    )
    def test_the_range_of_arrays_says_what_pixels_become(
        self, tmp_path: Path, found: list[float], scale: float, offset: float
    ) -> None:
        stated = {"input": {"scale": None, "range": found}}
        folder = deploy(tmp_path, colour_model(), metrics=stated)
        classifier = load_classifier(folder)
        assert (classifier.scale, classifier.offset) == (scale, offset)
        assert f"{found[0]:g} to {found[1]:g}" in classifier.note
        # White is the range's end, however it came to that.
        white = np.full((1, 8, 8, 3), 255, np.uint8)
        same = load_classifier(folder, scale=255 / (255 / scale + offset))
        np.testing.assert_allclose(
            classifier.probabilities(white), same.probabilities(white), atol=1e-6
        )
        assert same.note == ""

    def test_gray_is_what_training_saw(self, tmp_path: Path) -> None:
        classifier = Classifier(tmp_path, ("a", "b"), (8, 8, 1), 255.0, b"", True, 2)
        for picture in pictures(50):
            found = classifier.fit(Image.fromarray(picture))
            np.testing.assert_array_equal(found, gray_pictures(picture[None])[0])

    def test_a_scale_given_settles_what_training_left_open(self, tmp_path: Path) -> None:
        folder = deploy(tmp_path, colour_model(), metrics={"input": {"scale": None}})
        assert load_classifier(folder, scale=1).scale == 1

    @pytest.mark.parametrize(
        ("tflite", "words"),
        [
            (unlabelled_model(), "must be an image classifier"),
            (colour_model()[:600], "cannot be used"),
            (b"hello", "is another file"),
            (b"", "is another file"),
        ],
    )
    def test_refuses_what_is_no_classifier(
        self, tmp_path: Path, tflite: bytes, words: str
    ) -> None:
        with pytest.raises(ModelError, match=words):
            load_classifier(deploy(tmp_path, tflite))

    @pytest.mark.parametrize(("labels", "n"), [("", 0), ("red\ngreen\n", 2), (LABELS * 2, 6)])
    def test_refuses_labels_of_another_model(self, tmp_path: Path, labels: str, n: int) -> None:
        with pytest.raises(ModelError, match=rf"labels.txt .* 3 classes, but has {n}\."):
            load_classifier(deploy(tmp_path, colour_model(), labels))

    def test_says_what_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="No such model"):
            load_classifier(tmp_path / "nowhere")
        with pytest.raises(ModelError, match=r"must hold a model\.tflite"):
            load_classifier(tmp_path)
        deploy(tmp_path, colour_model())
        (tmp_path / "labels.txt").write_bytes(b"\xff\xfe")
        with pytest.raises(ModelError, match="UTF-8"):
            load_classifier(tmp_path)
        (tmp_path / "labels.txt").unlink()
        with pytest.raises(ModelError, match=r"labels\.txt .* not there"):
            load_classifier(tmp_path)
        deploy(tmp_path, colour_model())
        (tmp_path / "metrics.json").write_text("{")
        with pytest.raises(ModelError, match=r"metrics\.json is no JSON"):
            load_classifier(tmp_path)

    def test_points_from_another_file_to_the_model(self, tmp_path: Path) -> None:
        deploy(tmp_path, colour_model())
        with pytest.raises(ModelError, match=r"Did you mean .*model\.tflite\?"):
            load_classifier(tmp_path / "labels.txt")

    def test_refuses_what_is_compiled_for_an_accelerator(self, tmp_path: Path) -> None:
        deploy(tmp_path, colour_model())
        (tmp_path / "model_compiled.tflite").write_bytes(compiled_model())
        with pytest.raises(ModelError, match=r"Ethos-U .* model\.tflite"):
            load_classifier(tmp_path / "model_compiled.tflite")
