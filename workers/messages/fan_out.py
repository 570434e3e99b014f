"""Which schemes of a training are worth converting, judged before any of them is.

One training gives a point for every scheme that needs none of its own. For a small network that
costs next to nothing. One of 15 million parameters takes ten to twenty seconds a scheme, and as a
rule nothing comes of it: what is known of a model before it is converted already says that others,
no larger and no slower, are more accurate. And where too little is known, what costs much must
promise much: converting may take a share of what training took.

Pure functions on plain data: a worker asks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from spaces.config.schemes import SCHEMES, QuantizationScheme
from workers.messages.limits import INTEGER_SIZE_TOLERANCE, Foreseen
from workers.messages.race import CHANCE, Race

PASSED_OVER = "not converted: "
"""What reasons of schemes begin with that were not worth it: nothing that went wrong."""

SECONDS_PER_MB = 0.3
"""What quantizing takes for each megabyte of the float file: 0.18 to 0.44 with 61 MB."""

FLOAT_SECONDS, FLOAT_SECONDS_PER_MB = 0.3, 0.085
"""What making the float file took there: by how much longer it takes, all else will too."""

COSTLY_SECONDS = 1.0
"""What is quantized in less is not thought about before training."""

SHARE_OF_TRAINING = 0.1
MIN_SECONDS = 2.0
"""Converting all but a trial's own scheme may take a tenth of what training took, or 2 seconds."""

TIMES_FASTER = 8.0
"""How many times faster than the float32 model a quantized one may be: 5.2 were seen, of a network
whose weights do not fit the cache."""

CHANCE_IMAGES = 2.0
"""How many more validation images than the float network a converted one gets right, by chance."""

PROMISE = (
    QuantizationScheme.INT8,
    QuantizationScheme.DYNAMIC_INT4,
    QuantizationScheme.DYNAMIC_RANGE,
    QuantizationScheme.FLOAT16,
    QuantizationScheme.FLOAT32,
    QuantizationScheme.INT16X8,
)
"""Schemes in the order in which they are converted where not all can be: the fast and the small
first, and last the one that runs on reference kernels."""


def conversion_seconds(
    float_bytes: int, scheme: QuantizationScheme, float_s: float = 0.0
) -> float:
    """Return how long quantizing is expected to take.

    Args:
        float_bytes: Size of the float32 file.
        scheme: To be converted to.
        float_s: Seconds that it took to make the float32 file; 0 if not known.
    """
    if scheme is QuantizationScheme.FLOAT32:
        return 0.0
    megabytes = float_bytes / 1e6
    slowness = float_s / (FLOAT_SECONDS + FLOAT_SECONDS_PER_MB * megabytes)
    return SECONDS_PER_MB * megabytes * max(1.0, slowness)


def is_costly(float_bytes: int, scheme: QuantizationScheme) -> bool:
    """Whether converting an untrained network, only to look at it, takes too long."""
    return conversion_seconds(float_bytes, scheme) > COSTLY_SECONDS


def estimated(float32: Foreseen, scheme: QuantizationScheme) -> Foreseen:
    """Return what a model is like that is not converted, by its float32 one: as fast, at least.

    Args:
        float32: Of the same network.
        scheme: The model's.
    """
    return Foreseen(float32.size_bytes * SCHEMES[scheme].weight_bits / 32, float32.latency_ms)


def at_best(float32: Foreseen, scheme: QuantizationScheme) -> Foreseen:
    """Return what a model that is not converted may be like at best."""
    found = estimated(float32, scheme)
    if scheme is QuantizationScheme.FLOAT32:
        return found
    return Foreseen(
        found.size_bytes / (1 + INTEGER_SIZE_TOLERANCE), found.latency_ms / TIMES_FASTER
    )


def passed_over(
    schemes: Iterable[QuantizationScheme],
    *,
    float_bytes: int,
    float_s: float,
    train_s: float,
    foreseen: Mapping[QuantizationScheme, Foreseen],
    race: Race | None,
    accuracy: float,
    n_images: int,
) -> dict[QuantizationScheme, str]:
    """Return the schemes that are not worth converting, and why.

    Args:
        schemes: That a training could be converted to, beside its own.
        float_bytes: Size of the float32 file.
        float_s: Seconds that it took to make it.
        train_s: Seconds that the training took.
        foreseen: What models are like at best, as far as it is known.
        race: The front that they are to get onto; None without one.
        accuracy: Of the float network.
        n_images: That accuracies are of.
    """
    reasons: dict[QuantizationScheme, str] = {}
    highest = accuracy + max(CHANCE, CHANCE_IMAGES / n_images)
    budget_s = max(MIN_SECONDS, SHARE_OF_TRAINING * train_s)
    spent_s = 0.0
    for scheme in sorted(schemes, key=PROMISE.index):
        found = foreseen.get(scheme)
        if race is not None and found is not None:
            bar = race.bar([(found.size_bytes, found.latency_ms)])
            if highest < bar:
                reasons[scheme] = (
                    f"{PASSED_OVER}at most {highest:.4f} was to be expected, and models no larger "
                    f"and no slower reach {bar:.4f}"
                )
                continue
        seconds = conversion_seconds(float_bytes, scheme, float_s)
        if spent_s + seconds > budget_s:
            reasons[scheme] = (
                f"{PASSED_OVER}it would take {seconds:.0f} s, and all schemes of a training of "
                f"{train_s:.0f} s may take {budget_s:.0f} s"
            )
            continue
        spent_s += seconds
    return reasons
