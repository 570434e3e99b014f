"""Models and compilers for the tests of firmware packages."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any, Literal, overload

import pytest

from workers.firmware import c_sources
from workers.firmware.model import FirmwareModel

FLAGS = ("-Wall", "-Wextra", "-Werror")
C_FLAGS = (*FLAGS, "-std=c99", "-pedantic", "-O2")
CPP_FLAGS = (*FLAGS, "-std=c++17", "-pedantic", "-O1")

NASTY_NAMES = (
    'say "x"',
    "two\nlines",
    "*/ end",
    "back\\slash",
    "what??/",
    "größe 苹果",
    "\u202eturned",
)


def firmware_model(
    shape: tuple[int, int, int] = (96, 96, 3),
    number_format: str = "int8",
    *,
    class_names: tuple[str, ...] = ("apple", "pear"),
    tflite: bytes = b"....TFL3 no model, but bytes that firmware holds",
    input_quantization: tuple[float, int] = (1 / 255, -128),
    values: str = "probabilities",
    units: int | None = None,
    **stated: Any,
) -> FirmwareModel:
    """A model of pictures, of which nothing is run; ``stated`` replaces what its input says."""
    is_float = number_format == "float32"
    scale, zero_point = (None, None) if is_float else input_quantization
    return FirmwareModel(
        tflite=tflite,
        class_names=class_names,
        input={
            "shape": list(shape),
            "dtype": "uint8",
            "scale": 255.0,
            "range": [0.0, 1.0],
            "resize": "centre_fit_bicubic",
            "kind": "image",
            "standardization": None,
            "value_ranges": {},
            "tflite_dtype": number_format,
            "tflite_scale": scale,
            "tflite_zero_point": zero_point,
            **stated,
        },
        output={
            "values": values,
            "classes": len(class_names),
            "units": len(class_names) if units is None else units,
            "tflite_dtype": number_format,
            "tflite_scale": None if is_float else 1 / 256,
            "tflite_zero_point": None if is_float else -128,
        },
    )


def compiler(name: str) -> str:
    """The system's compiler."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@overload
def run(*command: str | Path, code: int = 0) -> str: ...
@overload
def run(*command: str | Path, code: int = 0, text: Literal[False]) -> bytes: ...
def run(*command: str | Path, code: int = 0, text: bool = True) -> str | bytes:
    """Run a command that ends with ``code``; return what it printed, of a failure the errors."""
    done = subprocess.run([str(part) for part in command], capture_output=True)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == code, f"{command}\n{done.stdout!r}\n{said}"
    printed = done.stdout if code == 0 else done.stderr
    return printed.decode() if text else printed


STUB = {
    "tensorflow/lite/c/common.h": """
        #pragma once
        #include <cstddef>
        typedef enum { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
        #define TF_LITE_ENSURE_STATUS(a) do { \
            const TfLiteStatus s = (a); if (s != kTfLiteOk) return s; } while (0)
        typedef union { char *raw; const char *raw_const; } TfLitePtrUnion;
        typedef struct { TfLitePtrUnion data; size_t bytes; } TfLiteTensor;
    """,
    "tensorflow/lite/schema/schema_generated.h": """
        #pragma once
        namespace tflite {
        struct Model {};
        inline const Model *GetModel(const void *data) { return static_cast<const Model *>(data); }
        }
    """,
    "tensorflow/lite/micro/system_setup.h": """
        #pragma once
        namespace tflite { inline void InitializeTarget() {} }
    """,
    "tensorflow/lite/micro/micro_mutable_op_resolver.h": """
        #pragma once
        #include "tensorflow/lite/c/common.h"
        namespace tflite {
        template <unsigned n> class MicroMutableOpResolver {
         public:
          TfLiteStatus AddConv2D() { return Add(); }
          TfLiteStatus AddFullyConnected() { return Add(); }
          TfLiteStatus AddSoftmax() { return Add(); }
         private:
          TfLiteStatus Add() { return ++added_ > n ? kTfLiteError : kTfLiteOk; }
          unsigned added_ = 0;
        };
        }
    """,
    # Its model is the mean of the input: below one half the first class, above the second.
    "tensorflow/lite/micro/micro_interpreter.h": """
        #pragma once
        #include <cstdint>
        #include "model_data.h"
        #include "tensorflow/lite/c/common.h"
        #include "tensorflow/lite/schema/schema_generated.h"
        namespace tflite {
        class MicroInterpreter {
         public:
          template <typename Resolver>
          MicroInterpreter(const Model *, const Resolver &, uint8_t *arena, size_t size) {
            input_.data.raw = reinterpret_cast<char *>(arena);
            output_.data.raw = reinterpret_cast<char *>(arena + 1024);
            fits_ = size >= 2048;
          }
          TfLiteStatus AllocateTensors() { return fits_ ? kTfLiteOk : kTfLiteError; }
          TfLiteTensor *input(size_t) { return &input_; }
          TfLiteTensor *output(size_t) { return &output_; }
          TfLiteStatus Invoke() {
            const model_input_t *in = reinterpret_cast<model_input_t *>(input_.data.raw);
            model_output_t *out = reinterpret_cast<model_output_t *>(output_.data.raw);
            float mean = 0;
            for (int i = 0; i < MODEL_INPUT_VALUES; i++) mean += static_cast<float>(in[i]);
            mean = (mean / MODEL_INPUT_VALUES - MODEL_INPUT_ZERO_POINT) * MODEL_INPUT_SCALE;
            float scores[MODEL_CLASSES] = {1 - mean, mean};
            if (MODEL_OUTPUT_UNITS == 1) scores[0] = mean - (MODEL_OUTPUT_IS_LOGITS ? 0.5f : 0.f);
            for (int i = 0; i < MODEL_OUTPUT_UNITS; i++) {
              out[i] = static_cast<model_output_t>(scores[i] / MODEL_OUTPUT_SCALE +
                                                   MODEL_OUTPUT_ZERO_POINT);
            }
            return kTfLiteOk;
          }
         private:
          TfLiteTensor input_, output_;
          bool fits_;
        };
        }
    """,
}
"""As much of tflite-micro as main.cc uses, by header."""


def write_stub_of_tflite_micro(folder: Path) -> None:
    """Write headers to compile and link a program against that uses tflite-micro."""
    for name, text in STUB.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def preprocess_program(model: FirmwareModel, folder: Path, main: str, *flags: str) -> Path:
    """Compile preprocess.c with a main() of the test's own."""
    (folder / "model_data.h").write_text(c_sources.model_data_h(model, None))
    (folder / "preprocess.h").write_text(c_sources.preprocess_h(model))
    (folder / "preprocess.c").write_text(c_sources.preprocess_c(model))
    (folder / "test_main.c").write_text(main)
    program = folder / "program"
    sources = [folder / "preprocess.c", folder / "test_main.c"]
    run(compiler("gcc"), *C_FLAGS, *flags, *sources, "-o", program, "-lm")
    return program
