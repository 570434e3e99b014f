"""A whole package of a trained model: what each of its ways to a label says of real pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spaces.config.schemes import QuantizationScheme
from spaces.data.dataset import Dataset
from spaces.data.network_input import describe_network_input
from spaces.data.request import no_progress
from spaces.errors import ExportError
from tests.workers_tests.corners import make_config
from tests.workers_tests.firmware.packages import (
    C_FLAGS,
    CPP_FLAGS,
    compiler,
    preprocess_program,
    run,
)
from tests.workers_tests.firmware.test_preprocess import FRAMES_MAIN, RGB888, picture, preprocessed
from workers.conversion.convert import quantize_variant, representative_images
from workers.conversion.number_formats import input_format, output_format
from workers.deploy.package_model import package_model_job
from workers.firmware import package
from workers.firmware.model import FirmwareModel
from workers.firmware.package import micro_fit, package_files, write_package

pytestmark = pytest.mark.slow

S = QuantizationScheme
SCHEMES = (S.INT8, S.FLOAT32)

SOURCE = os.environ.get("TFLITE_MICRO_BUILD")
"""Flags for g++ with which a program that uses tflite-micro compiles and links, where there is a
source of it: ``-isystem .../tflite-micro -isystem .../flatbuffers/include .../libtflm.a``."""


@pytest.fixture(scope="module")
def models(
    float_model: bytes, corner_pictures: Dataset
) -> dict[QuantizationScheme, FirmwareModel]:
    """The session's network under two schemes, with what tflite-micro says of each."""
    images = representative_images(corner_pictures.train, seed=0, n=50)
    found = {}
    for scheme in SCHEMES:
        tflite = quantize_variant(float_model, scheme, images)
        fit = micro_fit(tflite, scheme)
        found[scheme] = FirmwareModel(
            tflite=tflite,
            class_names=corner_pictures.class_names,
            input={**describe_network_input(corner_pictures), **input_format(tflite)},
            output={"values": "probabilities", "units": 4, "classes": 4, **output_format(tflite)},
            arena_bytes=fit.arena_bytes,
            why_not=fit.why_not,
        )
    return found


def frames(dataset: Dataset) -> list[np.ndarray]:
    """Pictures of the data set in several sizes, wide ones, as a camera sends them; and noise."""
    found = []
    for number, image in enumerate(dataset.test.images[:6]):
        colours = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
        size = (40 + 13 * number, 40)
        found.append(np.asarray(Image.fromarray(colours).resize(size)))
    return [*found, picture(64, 48)]


def predicted(folder: Path, pictures: list[np.ndarray]) -> list[str]:
    """The labels of predict.py, run where none of our packages can be imported."""
    paths = []
    for number, frame in enumerate(pictures):
        paths.append(folder / f"{number}.png")
        Image.fromarray(frame).save(paths[-1])
    printed = run(sys.executable, "-I", folder / "predict.py", *paths)
    return [line.split("\t")[1] for line in printed.splitlines()]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_c_python_and_the_microcontroller_say_the_same(
    models: dict[QuantizationScheme, FirmwareModel],
    corner_pictures: Dataset,
    tmp_path: Path,
    scheme: QuantizationScheme,
) -> None:
    runtime = pytest.importorskip("tflite_micro").runtime
    model = models[scheme]
    (tmp_path / "model.tflite").write_bytes(model.tflite)
    write_package(model, tmp_path)
    pictures = frames(corner_pictures)
    expected = predicted(tmp_path, pictures)
    assert len(set(expected)) > 1
    program = preprocess_program(model, tmp_path, FRAMES_MAIN)
    interpreter = runtime.Interpreter.from_bytes(model.tflite, arena_size=1 << 20)
    found = []
    for frame in pictures:
        code, values = preprocessed(program, tmp_path, frame, RGB888, model)
        assert code == 0
        interpreter.set_input(values[np.newaxis], 0)
        interpreter.invoke()
        found.append(model.class_names[int(interpreter.get_output(0)[0].argmax())])
    assert found == expected


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_program_of_tflite_micro_prints_the_same_labels(
    models: dict[QuantizationScheme, FirmwareModel],
    corner_pictures: Dataset,
    tmp_path: Path,
    scheme: QuantizationScheme,
) -> None:
    if not SOURCE:
        pytest.skip("TFLITE_MICRO_BUILD is not set: main.cc is linked with a stub elsewhere")
    model = models[scheme]
    (tmp_path / "model.tflite").write_bytes(model.tflite)
    write_package(model, tmp_path)
    pictures = frames(corner_pictures)
    expected = predicted(tmp_path, pictures)
    run(compiler("gcc"), *C_FLAGS, "-c", tmp_path / "preprocess.c", "-o", tmp_path / "p.o")
    program = tmp_path / "main"
    run(compiler("g++"), *CPP_FLAGS, tmp_path / "main.cc", tmp_path / "model_data.cc",
        tmp_path / "p.o", *SOURCE.split(), "-o", program)  # fmt: skip
    for frame, label in zip(pictures, expected, strict=True):
        path = tmp_path / "frame.ppm"
        Image.fromarray(frame).save(path)
        assert run(program, path) == f"{label}\n"


def test_what_tflite_micro_does_not_run_has_no_program(
    models: dict[QuantizationScheme, FirmwareModel], tmp_path: Path
) -> None:
    model = models[S.INT8]
    write_package(model, tmp_path)
    assert {"main.cc", "model_resolver.h"} <= {path.name for path in tmp_path.iterdir()}
    fit = micro_fit(model.tflite, S.DYNAMIC_INT4)
    assert (fit.arena_bytes, "dynamic_int4" in fit.why_not) == (None, True)
    refused = FirmwareModel(
        model.tflite, model.class_names, model.input, model.output, why_not=fit.why_not
    )
    names = write_package(refused, tmp_path)
    assert not {"main.cc", "model_resolver.h"} & {*names, *(p.name for p in tmp_path.iterdir())}
    assert "MODEL_ARENA_BYTES" not in (tmp_path / "model_data.h").read_text()


def test_a_measured_file_becomes_the_same_package_without_training(
    models: dict[QuantizationScheme, FirmwareModel], corner_pictures: Dataset, tmp_path: Path
) -> None:
    model, config = models[S.INT8], make_config(S.INT8)
    (tmp_path / "kept").write_bytes(model.tflite)
    out_dir = tmp_path / "deploy"
    out_dir.mkdir()
    export = {
        "study": "corners",
        "task": "corners.py",
        "device": "host",
        "config": config.to_dict(),
        "data": {
            "class_names": list(corner_pictures.class_names),
            "input": describe_network_input(corner_pictures),
        },
    }
    where = {"tflite_path": str(tmp_path / "kept"), "out_dir": str(out_dir), "cache_dir": "none"}
    found = package_model_job(no_progress, export, **where)
    assert found["micro"]["arena_bytes"] == model.arena_bytes
    assert found["input"] == model.input
    assert (out_dir / "model.tflite").read_bytes() == model.tflite
    for name, text in package_files(model).items():
        assert (out_dir / name).read_text() == text
    export["data"] = {
        "class_names": list(corner_pictures.class_names)
    }  # As studies of earlier versions have it.
    with pytest.raises(ExportError, match="begun by an earlier version"):
        package_model_job(no_progress, export, **where)


def test_an_arena_that_nobody_measured_is_large_enough_and_says_so(
    models: dict[QuantizationScheme, FirmwareModel],
) -> None:
    model = models[S.INT8]
    assert model.arena_bytes is not None
    files = package_files(
        FirmwareModel(model.tflite, model.class_names, model.input, model.output)
    )
    header = files["model_data.h"]
    n_bytes = int(header.partition("#define MODEL_ARENA_BYTES ")[2].split()[0])
    assert "Not measured" in header and n_bytes > model.arena_bytes
    assert "Measured" in package_files(model)["model_data.h"]


def test_the_rule_is_said_as_data_and_in_words(
    models: dict[QuantizationScheme, FirmwareModel],
) -> None:
    rule: dict[str, Any] = json.loads(package_files(models[S.INT8])["preprocess.json"])
    assert rule["picture"]["resize"] == "centre_fit_bicubic"
    assert rule["input"]["dtype"] == "int8"
    words = " ".join(rule["in_words"])
    for said in ("bicubic", "in the middle", "halves away from zero", "divided by 255"):
        assert said in words


def test_predict_refuses_what_would_take_all_memory(tmp_path: Path) -> None:
    """One line, before anything is decoded; and for what is no picture."""
    template = Path(package.__file__).with_name("templates") / "predict.py"
    code = template.read_text()
    (tmp_path / "preprocess.json").write_text('{"picture": {}, "input": {"shape": [8, 8, 3]}}')
    Image.new("1", (10_001, 10_000)).save(tmp_path / "bomb.png")
    (tmp_path / "text.png").write_text("no picture")
    for name, said in (("bomb.png", "10001x10000 pixels"), ("text.png", "cannot be read")):
        call = f"\nread_picture({str(tmp_path / name)!r})\n"
        script = tmp_path / "script.py"
        script.write_text(code.replace('if __name__ == "__main__":', "if False:") + call)
        done = subprocess.run([sys.executable, script], capture_output=True, text=True)
        assert done.returncode == 1
        assert said in done.stderr and len(done.stderr.splitlines()) == 1
