"""Limits of a study, and whether a training can keep them in any of its models.

One training gives a model for every scheme that needs none of its own, and a limit that its
float32 model breaks is often kept by its int8 one. So what is known before training is judged
for all of them together: a configuration is refused only if none of its models keeps the limits.

Pure functions on plain data: the gate asks them in a worker, the driver when it reads a study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spaces.config.schemes import SCHEMES, QuantizationScheme

SIZE_TOLERANCE = 0.10
"""How far over a limit a predicted size must be before it counts: trained weights compress a
little better or worse than random ones."""

INTEGER_SIZE_TOLERANCE = 0.60
"""The same where weights are whole numbers and what counts is compressed. Random weights use all
of a channel's 256 steps; trained ones crowd around zero, the more so with weight decay. Of 49
recorded trainings (``benchmarks/data``) the smallest int8 file had 0.64 bytes a weight."""

LATENCY_TOLERANCE = 0.25
"""The same for a latency, which is noisy while other workers train. Between the limit and the
limit plus tolerance a trial is trained and judged by what it really measures."""

RAM_TOLERANCE = 0.05
"""The same for RAM, of devices whose figures depend on weights. Elsewhere an untrained network
tells it, to within some bytes less: biases that are still zero share one tensor."""


@dataclass(frozen=True)
class Limits:
    """What a feasible model must keep; None for no limit.

    Attributes:
        max_size_bytes: Largest ``size_bytes``.
        max_latency_ms: Largest ``latency_ms``.
        min_accuracy: Lowest ``accuracy``, a fraction.
        max_ram_bytes: Most RAM that an inference takes.
    """

    max_size_bytes: float | None = None
    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    max_ram_bytes: float | None = None

    @property
    def are_known_early(self) -> bool:
        """Whether there is a limit that an untrained network can break."""
        return bool(self.max_size_bytes or self.max_latency_ms or self.max_ram_bytes)


@dataclass(frozen=True)
class Foreseen:
    """What is known of one model before its training.

    Attributes:
        size_bytes: Size by the study's metric.
        latency_ms: Latency on the study's device.
        ram_bytes: RAM of an inference, where the device tells.
    """

    size_bytes: float
    latency_ms: float
    ram_bytes: float | None = None

    def ratios(self, limits: Limits) -> dict[str, float]:
        """Return each figure as a multiple of its limit: ``size``, ``latency``, ``RAM``."""
        pairs = {
            "size": (self.size_bytes, limits.max_size_bytes),
            "latency": (self.latency_ms, limits.max_latency_ms),
            "RAM": (self.ram_bytes, limits.max_ram_bytes),
        }
        return {
            name: value / limit
            for name, (value, limit) in pairs.items()
            if limit and value is not None
        }

    def furthest(self, limits: Limits) -> float:
        """Return the largest of its ratios: up to 1 where all limits are kept; 0 without any."""
        return max(self.ratios(limits).values(), default=0.0)


Tolerances = Mapping[str, float]
"""How far over a limit a figure must be before it counts, by the names of ``Foreseen.ratios``."""

NO_TOLERANCES: Tolerances = {}


def tolerances(
    scheme: QuantizationScheme, *, is_compressed: bool, depends_on_weights: bool
) -> Tolerances:
    """Return how far the figures of an untrained network may be off.

    Args:
        scheme: What it is converted to.
        is_compressed: Whether its size is that of compressed weights.
        depends_on_weights: Whether the device's figures depend on the values of weights.
    """
    is_integer = SCHEMES[scheme].weight_bits <= 8
    size = INTEGER_SIZE_TOLERANCE if is_compressed and is_integer else SIZE_TOLERANCE
    return {
        "size": size,
        "latency": LATENCY_TOLERANCE,
        "RAM": RAM_TOLERANCE if depends_on_weights else 0.0,
    }


def may_keep(foreseen: Foreseen, limits: Limits, tolerated: Tolerances = NO_TOLERANCES) -> bool:
    """Whether a model may keep all limits once it is trained."""
    ratios = foreseen.ratios(limits)
    return all(ratio <= 1 + tolerated.get(name, 0.0) for name, ratio in ratios.items())


def nearest(
    models: Mapping[QuantizationScheme, Foreseen], limits: Limits
) -> tuple[QuantizationScheme, Foreseen] | None:
    """Return the model that comes nearest to keeping all limits; None if there is none."""
    return min(models.items(), key=lambda pair: pair[1].furthest(limits), default=None)


def refusal(
    models: Mapping[QuantizationScheme, Foreseen], limits: Limits, n_schemes: int | None = None
) -> str:
    """Say why none of a training's models would keep the limits, and how near the nearest came.

    Args:
        models: What is known of each; at least one, all of which break a limit.
        limits: The limits.
        n_schemes: Schemes that it would have been measured under; None for those of ``models``.
    """
    found = nearest(models, limits)
    assert found is not None
    scheme, foreseen = found
    ratios = foreseen.ratios(limits)
    worst = max(ratios, key=ratios.__getitem__)
    texts = {
        "size": f"size {foreseen.size_bytes:.0f} bytes exceeds the limit of "
        f"{limits.max_size_bytes or 0:.0f}",
        "latency": f"latency {foreseen.latency_ms:.3g} ms exceeds the limit of "
        f"{limits.max_latency_ms or 0:.3g}",
        "RAM": f"RAM {foreseen.ram_bytes or 0:.0f} bytes exceeds the limit of "
        f"{limits.max_ram_bytes or 0:.0f}",
    }
    n = len(models) if n_schemes is None else n_schemes
    whose = f" under {scheme}, the nearest of {n} schemes" if n > 1 else ""
    return f"{texts[worst]}{whose}"
