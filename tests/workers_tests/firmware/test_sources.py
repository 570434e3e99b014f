"""The C and C++ sources compile, hold the model's bytes, and print the right label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spaces.errors import ConversionError
from tests.workers_tests.firmware.packages import (
    C_FLAGS,
    CPP_FLAGS,
    NASTY_NAMES,
    compiler,
    firmware_model,
    run,
    write_stub_of_tflite_micro,
)
from workers.firmware import c_sources
from workers.firmware.c_text import c_note, c_string
from workers.firmware.model import FirmwareModel

ARENA = c_sources.Arena(4096, "*/ of nobody /* \\")
METHODS = ("AddConv2D", "AddFullyConnected", "AddSoftmax")

LIST_MAIN = """
#include <cstdio>
#include "model_data.h"
int main() {
  for (int i = 0; i < MODEL_CLASSES; i++) std::printf("%s%c", model_labels[i], 0);
  std::fwrite(model_data, 1, sizeof(model_data), stdout);
  return reinterpret_cast<unsigned long>(model_data) % 16 != 0;
}
"""


def write_sources(model: FirmwareModel, folder: Path) -> None:
    """Write a package's C sources, with operators of the test's own."""
    (folder / "model_data.h").write_text(c_sources.model_data_h(model, ARENA))
    (folder / "model_data.cc").write_text(c_sources.model_data_cc(model))
    (folder / "model_resolver.h").write_text(c_sources.model_resolver_h(METHODS))
    (folder / "preprocess.h").write_text(c_sources.preprocess_h(model))
    (folder / "preprocess.c").write_text(c_sources.preprocess_c(model))
    (folder / "main.cc").write_text(c_sources.main_cc(model))


def test_names_and_bytes_arrive_whatever_they_are(tmp_path: Path) -> None:
    tflite = bytes(range(256)) * 3 + b"\0"
    model = firmware_model(class_names=NASTY_NAMES, tflite=tflite)
    write_sources(model, tmp_path)
    (tmp_path / "list.cc").write_text(LIST_MAIN)
    program = tmp_path / "list"
    run(compiler("g++"), *CPP_FLAGS, tmp_path / "list.cc", tmp_path / "model_data.cc",
        "-o", program)  # fmt: skip
    *names, data = run(program, text=False).split(b"\0", len(NASTY_NAMES))
    assert [name.decode() for name in names] == list(NASTY_NAMES)
    assert data == tflite


@pytest.mark.parametrize("channels", [1, 3])
def test_preprocessing_is_plain_c_and_cpp(tmp_path: Path, channels: int) -> None:
    write_sources(firmware_model((32, 24, channels)), tmp_path)
    for command in ((compiler("gcc"), *C_FLAGS), (compiler("g++"), *CPP_FLAGS, "-x", "c++")):
        run(*command, "-c", tmp_path / "preprocess.c", "-o", tmp_path / "preprocess.o")


def build_main(model: FirmwareModel, folder: Path) -> Path:
    """Compile and link the program against a stub of tflite-micro."""
    write_sources(model, folder)
    write_stub_of_tflite_micro(folder / "stub")
    run(compiler("gcc"), *C_FLAGS, "-c", folder / "preprocess.c", "-o", folder / "preprocess.o")
    program = folder / "main"
    run(compiler("g++"), *CPP_FLAGS, f"-I{folder / 'stub'}", f"-I{folder}", folder / "main.cc",
        folder / "model_data.cc", folder / "preprocess.o", "-o", program, "-lm")  # fmt: skip
    return program


@pytest.mark.parametrize("number_format", ["int8", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_gets_the_label_that_the_model_gives(
    tmp_path: Path, channels: int, number_format: str
) -> None:
    names = ("dark */", "light\n", "other")
    model = firmware_model((8, 8, channels), number_format, class_names=names)
    program = build_main(model, tmp_path)
    for kind, planes in (("P6", 3), ("P5", 1)):
        for level, label in ((30, "dark */\n"), (220, "light\n\n")):
            pixels = np.full((20, 30, planes), level, np.uint8)
            picture = tmp_path / "picture"
            picture.write_bytes(f"{kind}\n30 20\n255\n".encode() + pixels.tobytes())
            assert run(program, picture) == label


@pytest.mark.parametrize(
    "content", [b"", b"P6\n30 20\n255\n", b"P3\n2 2\n255\n1 2 3", b"P6 0 0 255\n"]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    program = build_main(firmware_model((8, 8, 3)), tmp_path)
    (tmp_path / "picture").write_bytes(content)
    assert "cannot be read" in run(program, tmp_path / "picture", code=1)
    assert "Usage" in run(program, code=2)


def test_readings_get_a_label_too(tmp_path: Path) -> None:
    model = firmware_model(
        (1, 4, 2),
        class_names=("low", "high"),
        kind="signal",
        scale=None,
        range=[0.0, 1.0],
        standardization={"mean": [10.0, 20.0], "deviation": [1.0, 2.0]},
    )
    program = build_main(model, tmp_path)
    for rows, label in (([10, 20.2], "low\n"), ([10.9, 21.8], "high\n")):
        (tmp_path / "readings.csv").write_text("\n".join(f"{a},{b}" for a, b in [rows] * 4))
        assert run(program, tmp_path / "readings.csv") == label
    (tmp_path / "readings.csv").write_text("1,2,3")
    assert "cannot be read" in run(program, tmp_path / "readings.csv", code=1)


@pytest.mark.parametrize(("values", "level", "label"), [
    ("probabilities", 200, "yes\n"),
    ("probabilities", 100, "no\n"),
    ("logits", 200, "yes\n"),
])  # fmt: skip
def test_one_unit_stands_for_the_second_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: str, level: int, label: str
) -> None:
    monkeypatch.setattr("workers.firmware.model.gives_probabilities", lambda tflite: False)
    model = firmware_model((8, 8, 1), "float32", class_names=("no", "yes"), units=1, values=values)
    program = build_main(model, tmp_path)
    pixels = np.full((9, 9), level, np.uint8)
    (tmp_path / "picture").write_bytes(b"P5\n9 9\n255\n" + pixels.tobytes())
    assert run(program, tmp_path / "picture") == label


def test_strings_and_comments_cannot_be_left() -> None:
    assert c_string('a"b\\c\n?') == r'"a\042b\134c\012\077"'
    assert c_string("1é2") == r'"1\303\2512"'
    for text in ("*/ int x;", "a */ b /* c", "/*/", "end \\"):
        comment = c_note(text)
        assert comment.count("*/") == comment.count("/*") == 1


def test_a_model_with_an_unknown_operator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.firmware import micro_operators

    monkeypatch.setattr(micro_operators, "operator_names", lambda tflite: ("CONV_2D", "RFFT2D"))
    with pytest.raises(ConversionError, match="no kernel for RFFT2D"):
        micro_operators.resolver_methods(b"")
