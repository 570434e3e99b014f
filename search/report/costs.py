"""What a quantization scheme, or pruning, costs in accuracy, and what it saves.

Two questions with two answers. *The same training* under another scheme: how much less accurate,
smaller and faster is that file than its float32 one? *The same bytes*: how much less accurate is
the best model of this kind than the best of any kind that is no larger? A scheme that loses
accuracy may still win at equal size, as its bytes hold a wider network.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.report.models import Model, best_so_far
from spaces.config.schemes import SCHEMES

PLAIN = "float32"
"""What the files of a training are compared with."""

_GRID = 200


@dataclass(frozen=True)
class Cost:
    """What one kind of models costs and saves.

    Attributes:
        name: Of the kind: a scheme, or a range of sparsity.
        n_models: Models of it.
        n_on_front: Those of them on the front.
        n_pairs: Trainings that have a file of it and one in float32.
        accuracy_change: Median change of accuracy of those, as a fraction; None without pairs.
        size_ratio: Median of float32's size over its size.
        latency_ratio: Median of float32's latency over its latency.
        cost_at_equal_size: Mean distance in accuracy to the best model of any kind that is no
            larger, over the (logarithmic) sizes from its smallest model to the largest of all;
            None where it has a single size.
        best: Its models that are more accurate than all its smaller ones, the smallest first.
    """

    name: str
    n_models: int
    n_on_front: int
    n_pairs: int
    accuracy_change: float | None
    size_ratio: float | None
    latency_ratio: float | None
    cost_at_equal_size: float | None
    best: tuple[Model, ...]


def scheme_costs(models: Sequence[Model]) -> list[Cost]:
    """Return what each quantization scheme costs, in the order in which schemes are listed."""
    order = [scheme.value for scheme in SCHEMES]
    kinds = _grouped(models, lambda model: model.point.quantization)
    plain = {_training(m): m for m in models if m.point.quantization == PLAIN}
    names = sorted(kinds, key=lambda name: (order.index(name) if name in order else 99, name))
    return [_cost(name, kinds[name], models, {} if name == PLAIN else plain) for name in names]


SPARSITIES = ("dense", "up to 50 % zeros", "50 to 80 % zeros", "over 80 % zeros")


def sparsity_costs(models: Sequence[Model]) -> list[Cost]:
    """Return what each range of sparsity costs at equal size; empty if nothing was pruned."""
    known = [model for model in models if model.point.sparsity is not None]
    kinds = _grouped(known, lambda model: _sparsity_range(model.point.sparsity or 0.0))
    if set(kinds) <= {SPARSITIES[0]}:
        return []
    return [_cost(name, kinds[name], known, {}) for name in SPARSITIES if name in kinds]


def _sparsity_range(sparsity: float) -> str:
    # A few weights are zero by chance, and more in a network that died.
    if sparsity < 0.02:
        return SPARSITIES[0]
    return SPARSITIES[1 + sum(sparsity > bound for bound in (0.5, 0.8))]


def _cost(
    name: str, models: Sequence[Model], among: Sequence[Model], plain: Mapping[int, Model]
) -> Cost:
    pairs = [(m, plain[_training(m)]) for m in models if _training(m) in plain]
    return Cost(
        name=name,
        n_models=len(models),
        n_on_front=sum(model.is_on_front for model in models),
        n_pairs=len(pairs),
        accuracy_change=_median(own.score - other.score for own, other in pairs),
        size_ratio=_median(
            other.point.size_bytes / own.point.size_bytes
            for own, other in pairs
            if own.point.size_bytes
        ),
        latency_ratio=_median(
            other.point.latency_ms / own.point.latency_ms
            for own, other in pairs
            if own.point.latency_ms
        ),
        cost_at_equal_size=cost_at_equal_size(models, among),
        best=tuple(best_so_far(models, "size")),
    )


def cost_at_equal_size(models: Sequence[Model], among: Sequence[Model]) -> float | None:
    """Return how much less accurate the best of some models is than the best of any, by size.

    Args:
        models: Of one kind.
        among: All.
    """
    smallest = min(model.point.size_bytes for model in models)
    largest = max(model.point.size_bytes for model in among)
    if not 0 < smallest < largest:
        return None
    sizes = np.geomspace(smallest, largest, _GRID)
    gap = _best_within(among, sizes) - _best_within(models, sizes)
    return float(gap.mean())


def _best_within(models: Sequence[Model], sizes: np.ndarray) -> np.ndarray:
    best = best_so_far(models, "size")
    # A grid's ends are powers that may be off by a rounding.
    index = np.searchsorted([m.point.size_bytes for m in best], sizes * (1 + 1e-9), "right") - 1
    return np.array([model.score for model in best])[np.maximum(index, 0)]


def _training(model: Model) -> int:
    point = model.point
    return point.trial if point.derived_from is None else point.derived_from


def _grouped(models: Iterable[Model], kind: Callable[[Model], str]) -> dict[str, list[Model]]:
    groups: defaultdict[str, list[Model]] = defaultdict(list)
    for model in models:
        groups[kind(model)].append(model)
    return dict(groups)


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None
