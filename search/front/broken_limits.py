"""Which limit keeps a study from having any point, how often, and how near the nearest came.

Counted are trainings and not models: one training gives a model for every scheme, and it breaks a
limit if all of them do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.storage import attributes
from search.units import format_accuracy, format_latency, format_size
from workers.messages.limits import Limits

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_OPTIONS = {
    "size": "--max-size",
    "latency": "--max-latency",
    "RAM": "--max-ram",
    "accuracy": "--min-accuracy",
}


@dataclass(frozen=True)
class BrokenLimit:
    """A limit that trainings break with all of their models.

    Attributes:
        name: ``size``, ``latency``, ``RAM`` or ``accuracy``.
        limit: The limit: bytes, milliseconds or a fraction.
        n_broken: Trainings, begun or refused, that break it.
        n_known: Trainings of which the figure is known.
        nearest: The figure of the model that comes nearest to it.
        trial: Number of that model's trial.
    """

    name: str
    limit: float
    n_broken: int
    n_known: int
    nearest: float
    trial: int

    def __str__(self) -> str:
        form = {"latency": format_latency, "accuracy": format_accuracy}.get(self.name, format_size)
        return (
            f"{_OPTIONS[self.name]} {form(self.limit)} is broken by {self.n_broken:,} of "
            f"{self.n_known:,}; the nearest has {form(self.nearest)} (trial {self.trial})"
        )


def broken_limits(trials: Iterable[FrozenTrial], limits: Limits) -> tuple[BrokenLimit, ...]:
    """Return the limits that some trainings break with all of their models, the worst first.

    Args:
        trials: Of one study, derived ones too.
        limits: Of the study.
    """
    wanted = {
        "size": limits.max_size_bytes,
        "latency": limits.max_latency_ms,
        "RAM": limits.max_ram_bytes,
        "accuracy": limits.min_accuracy,
    }
    # By training the figure nearest to each limit, as a multiple that is above 1 where it breaks.
    nearest: defaultdict[str, dict[int, tuple[float, float, int]]] = defaultdict(dict)
    for trial in trials:
        training = int(trial.user_attrs.get(attributes.DERIVED_FROM, trial.number))
        for name, figure in _figures(trial):
            limit = wanted[name]
            if not limit or figure is None:
                continue
            ratio = limit / max(figure, 1e-9) if name == "accuracy" else figure / limit
            found = (ratio, figure, trial.number)
            nearest[name][training] = min(found, nearest[name].get(training, found))
    broken = []
    for name, of in nearest.items():
        n_broken = sum(ratio > 1 for ratio, _, _ in of.values())
        limit = wanted[name]
        if n_broken and limit:
            _, figure, trial_number = min(of.values())
            broken.append(BrokenLimit(name, limit, n_broken, len(of), figure, trial_number))
    return tuple(sorted(broken, key=lambda one: -one.n_broken / one.n_known))


def _figures(trial: FrozenTrial) -> Iterator[tuple[str, float | None]]:
    """Return what is known of a trial's own model, or of all models that the gate saw."""
    stored = trial.user_attrs
    if stored.get(attributes.OUTCOME) == "complete" and trial.values is not None:
        accuracy, size_bytes, latency_ms = trial.values
        yield from (("accuracy", accuracy), ("size", size_bytes), ("latency", latency_ms))
        yield "RAM", stored.get(attributes.LEDGER, {}).get("arena_bytes")
    elif stored.get(attributes.OUTCOME) == "infeasible":
        gate = stored.get(attributes.GATE, {})
        own = [gate.get("size_bytes"), gate.get("latency_ms"), gate.get("ram_bytes")]
        for figures in gate.get("schemes", {"": own}).values():
            yield from zip(("size", "latency", "RAM"), figures, strict=True)
