"""Limits as Optuna's constraints: one vector, at most 0 where kept.

==========  =============================================================
position    what it says
==========  =============================================================
0           1 if the model cannot be converted or built, else 0
1           ``size_bytes / max_size_bytes - 1``
2           ``latency_ms / max_latency_ms - 1``
3           ``1 - accuracy / min_accuracy``
4           ``ram_bytes / max_ram_bytes - 1``
==========  =============================================================

Ratios, so that samplers may add them up: Optuna ranks what breaks a limit by the sum of its
violations. Without a limit the entry is 0. What is not known, as the accuracy of a trial that
the gate stopped, is 0 too: nothing is known against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.storage import attributes
from workers.messages.result import Limits


def constraint_values(
    limits: Limits,
    *,
    size_bytes: float | None,
    latency_ms: float | None,
    accuracy: float | None,
    ram_bytes: float | None = None,
    is_infeasible: bool = False,
) -> list[float]:
    """Return the constraint vector of a trial.

    Args:
        limits: Limits of the study.
        size_bytes: Size, where known.
        latency_ms: Latency, where known.
        accuracy: Accuracy, where known.
        ram_bytes: RAM of an inference, where known.
        is_infeasible: Whether the gate stopped it. If no known figure breaks a limit, then the
            model could not be built or converted.
    """
    values = [
        0.0,
        _excess(size_bytes, limits.max_size_bytes),
        _excess(latency_ms, limits.max_latency_ms),
        -_excess(accuracy, limits.min_accuracy),
        _excess(ram_bytes, limits.max_ram_bytes),
    ]
    if is_infeasible and max(values) <= 0:
        values[0] = 1.0
    return values


def is_feasible(system_attrs: Mapping[str, Any]) -> bool:
    """Whether a trial keeps all limits; one that plain Optuna stored has none to break."""
    return all(value <= 0 for value in system_attrs.get(attributes.CONSTRAINTS) or ())


def early_ratio(system_attrs: Mapping[str, Any], limits: Limits) -> float | None:
    """Return how many times a trial is over the limit it breaks most: up to 1 if it keeps all.

    Args:
        system_attrs: Of the trial.
        limits: Limits of the study; that on accuracy does not count, as only training tells.

    Returns:
        The ratio; None if nothing of it is known.
    """
    found = system_attrs.get(attributes.CONSTRAINTS)
    if not found or found[0] > 0:
        return None
    early = ((1, limits.max_size_bytes), (2, limits.max_latency_ms), (4, limits.max_ram_bytes))
    ratios = [1 + found[i] for i, limit in early if limit and i < len(found)]
    return max(ratios, default=None)


def _excess(value: float | None, limit: float | None) -> float:
    # An accuracy of at least 0 is no limit either.
    return 0.0 if value is None or not limit else value / limit - 1
