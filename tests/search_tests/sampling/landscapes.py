"""Landscapes of two parameters, and studies whose own sampler has seen some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from optuna.trial import TrialState

from search.front.pareto import ReferencePoint
from search.sampling.mirror import Mirror
from search.sampling.samplers import make_sampler
from search.storage import attributes
from search.storage.batches import Ending
from spaces.space.search_space import Parameter, SearchSpace
from workers.messages.limits import Limits

SPACE = SearchSpace(
    (
        Parameter("x", "float", 0.0, 1.0),
        Parameter("kind", "categorical", choices=("a", "b")),
    )
)
SEEDS = range(6)

Values = tuple[float, float, float]
Measure = Callable[[float], Values]


def new_mirror(
    seed: int, limits: Limits | None = None, reference: ReferencePoint | None = None
) -> Mirror:
    """A study whose sampler knows its limits and no other part of the search does."""
    return Mirror(make_sampler("gp", seed, limits=limits, reference=reference), seed)


def tell(
    mirror: Mirror,
    x: float,
    values: Values,
    *,
    kind: str = "a",
    is_branch: bool = False,
    **user_attrs: Any,
) -> None:
    proposal = mirror.propose(SPACE, fixed={"x": x, "kind": kind}, is_branch=is_branch)
    mirror.end(proposal.handle, Ending(TrialState.COMPLETE, values, user_attrs=user_attrs))


def tell_many(mirror: Mirror, measure: Measure, at: Iterable[float]) -> None:
    for index, x in enumerate(at):
        tell(mirror, x, measure(x), kind="ab"[index % 2])


def grid(n: int, low: float = 0.0, high: float = 1.0) -> list[float]:
    return [low + (high - low) * (i + 0.5) / n for i in range(n)]


def next_x(mirror: Mirror, **kwargs: Any) -> float:
    """Return where the next proposal lies, which is then forgotten."""
    proposal = mirror.propose(SPACE, **kwargs)
    mirror.discard(proposal.handle)
    return float(proposal.params["x"])


def tell_constrained(
    mirror: Mirror, measure: Measure, at: Iterable[float], limits: Limits
) -> None:
    """Tell trainings, those that break a limit with the constraint that says so."""
    for index, x in enumerate(at):
        accuracy, size, latency = values = measure(x)
        excess = [
            0.0,
            size / limits.max_size_bytes - 1 if limits.max_size_bytes else 0.0,
            latency / limits.max_latency_ms - 1 if limits.max_latency_ms else 0.0,
            1 - accuracy / limits.min_accuracy if limits.min_accuracy else 0.0,
        ]
        proposal = mirror.propose(SPACE, fixed={"x": x, "kind": "ab"[index % 2]})
        system_attrs: Mapping[str, Any] = {attributes.CONSTRAINTS: excess}
        mirror.end(proposal.handle, Ending(TrialState.COMPLETE, values, system_attrs=system_attrs))
