"""What a sample is: a picture, or a row of sensor readings; its shape, and what it is called.

Everywhere a sample is ``[height, width, channels]``, as networks for small devices take it. A
signal of ``time`` steps and ``channels`` is ``[1, time, channels]``, and a row of features is
``[1, 1, features]``: kernels of one row are one-dimensional, and conversion, pruning and
quantization know nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.errors import DataError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class SampleKind:
    """A kind of sample.

    Attributes:
        name: Stored with data, studies and models.
        noun: One of them, as people are told.
        is_picture: Whether it can be shown, shifted, and read from a picture file.
    """

    name: str
    noun: str
    is_picture: bool

    @property
    def nouns(self) -> str:
        """Several of them."""
        return f"{self.noun}s"


IMAGE = SampleKind("image", "image", True)
SIGNAL = SampleKind("signal", "sample", False)
KINDS = {kind.name: kind for kind in (IMAGE, SIGNAL)}


def sample_kind(name: object) -> SampleKind:
    """Return a kind by its stored name; what is older than kinds is of pictures."""
    return KINDS.get(str(name), IMAGE)


@dataclass(frozen=True)
class Standardization:
    """What became of sensor readings before a network saw them: ``(x - mean) / deviation``.

    Both are of the training split, one number a channel (of features: one each).

    Attributes:
        mean: What is subtracted.
        deviation: What is divided by, above 0.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, samples: Array) -> Standardization:
        """Return that of a training split ``[n, 1, time, channels]``; constants stay unscaled."""
        values = samples.reshape(-1, samples.shape[-1]).astype(np.float64)
        deviation = values.std(axis=0)
        deviation[deviation < 1e-12] = 1.0
        return cls(tuple(values.mean(axis=0).tolist()), tuple(deviation.tolist()))

    def __call__(self, samples: Array) -> npt.NDArray[np.float32]:
        """Return what a network sees."""
        mean, deviation = np.array(self.mean), np.array(self.deviation)
        found: npt.NDArray[np.float32] = (samples.astype(np.float64) - mean) / deviation
        return found.astype(np.float32)


def as_signals(samples: Array, rule: str) -> Array:
    """Return readings as ``[n, 1, time, channels]`` of float32.

    Args:
        samples: ``[n, features]``, ``[n, time, channels]``, or ``[n, height, width, channels]``
            such as spectrograms, which keep their shape.
        rule: What they are called in an error.

    Raises:
        DataError: If they have another shape, or are no finite numbers.
    """
    shaped: dict[int, Callable[[], Array]] = {
        2: lambda: samples[:, np.newaxis, np.newaxis, :],
        3: lambda: samples[:, np.newaxis, :, :],
        4: lambda: samples,
    }
    if samples.ndim not in shaped or 0 in samples.shape:
        raise DataError(
            f"{rule} must be [n, features], [n, time, channels] or [n, height, width, channels], "
            f"but its shape is {samples.shape}."
        )
    if samples.dtype.kind not in "fbiu":
        raise DataError(f"{rule} must be numbers, but its type is {samples.dtype}.")
    with np.errstate(over="ignore"):  # Too large for float32: infinite, and refused.
        found = shaped[samples.ndim]().astype(np.float32)
    if not np.isfinite(found).all():
        raise DataError(f"{rule} must be finite numbers, but some are NaN or infinite.")
    return found
