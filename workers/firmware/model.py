"""What a firmware package is written of: a model, and what is known of its ends."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.conversion.flatbuffer import gives_probabilities
from workers.conversion.pixel_scaling import USUAL, PixelScaling, usual_scaling
from workers.conversion.runtime import quantize_input


@dataclass(frozen=True)
class FirmwareModel:
    """A model that is to run on a microcontroller.

    Attributes:
        tflite: The file as converted.
        class_names: In the order of its outputs.
        input: As :func:`workers.deploy.model_input.describe_input` returns.
        output: As :func:`workers.deploy.model_input.describe_output` returns.
        arena_bytes: What tflite-micro's interpreter needs for it; None if not known.
        why_not: Why tflite-micro cannot run it; empty if it can, or if nobody knows.
        compiled: What goes on the device instead of ``tflite``, where it has a compiler.
        compiled_ram_bytes: What that compiler says an inference takes.
    """

    tflite: bytes = field(repr=False)
    class_names: tuple[str, ...]
    input: Mapping[str, Any]
    output: Mapping[str, Any]
    arena_bytes: int | None = None
    why_not: str = ""
    compiled: bytes | None = field(default=None, repr=False)
    compiled_ram_bytes: int | None = None

    @property
    def deployed(self) -> bytes:
        """The file that firmware holds."""
        return self.tflite if self.compiled is None else self.compiled

    @property
    def sha256(self) -> str:
        """Hash of the file that firmware holds."""
        return hashlib.sha256(self.deployed).hexdigest()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the input."""
        height, width, channels = self.input["shape"]
        return int(height), int(width), int(channels)

    @property
    def is_gray(self) -> bool:
        """Whether it takes pictures of one channel."""
        return self.pixels is not None and self.shape[2] == 1

    @property
    def pixels(self) -> PixelScaling | None:
        """What a picture's levels become; None where it takes no pictures, or nobody knows."""
        if self.input.get("kind", "image") != "image" or self.shape[2] not in (1, 3):
            return None
        if self.input["scale"] is not None:
            return USUAL._replace(divide_by=float(self.input["scale"]))
        low, high = self.input["range"]
        return usual_scaling(low, high)

    @property
    def are_logits(self) -> bool:
        """Whether it gives logits; the file itself knows better than the network it is of."""
        return self.output["values"] == "logits" and not gives_probabilities(self.tflite)

    def input_levels(self) -> npt.NDArray[Any] | None:
        """Return what each level of a picture, 0 to 255, is in the model's number format.

        Returns:
            256 integers; None for floats, which are computed.
        """
        scaling = self.pixels
        dtype = np.dtype(self.input["tflite_dtype"])
        if scaling is None or not np.issubdtype(dtype, np.integer):
            return None
        levels = np.arange(256).astype(np.float32) / np.float32(scaling.divide_by)
        details = {
            "dtype": dtype,
            "quantization": (self.input["tflite_scale"], self.input["tflite_zero_point"]),
        }
        return np.asarray(quantize_input(levels + np.float32(scaling.add), details))
