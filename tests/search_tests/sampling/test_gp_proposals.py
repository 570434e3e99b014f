"""What our own sampler goes by: each of its parts changes what it proposes.

Landscapes of two parameters on which one part alone decides, so that a sampler without it
proposes something else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean
from typing import Any

import pytest
from optuna.trial import TrialState

from search.front.pareto import ReferencePoint
from search.sampling.mirror import Proposal
from search.storage import attributes
from search.storage.batches import Ending
from tests.search_tests.sampling.landscapes import (
    SEEDS,
    SPACE,
    Measure,
    Values,
    grid,
    new_mirror,
    next_x,
    tell,
    tell_constrained,
    tell_many,
)
from workers.messages.limits import Limits


def test_trainings_under_way_repel_new_ones() -> None:
    """The front has two gaps: while a training fills one of them, the next fills the other."""

    def trade_off(x: float) -> Values:
        return 1 - 0.7 * 10**-x, 2_000.0 * 10**x, 0.1 * 10**x

    def is_left(proposal: Proposal) -> bool:
        return float(proposal.params["x"]) < 0.5

    n_other = {True: 0, False: 0}
    for seed in SEEDS:
        for is_under_way in n_other:
            mirror = new_mirror(seed)
            tell_many(mirror, trade_off, [*grid(4, 0, 0.15), *grid(4, 0.45, 0.55)])
            tell_many(mirror, trade_off, grid(4, 0.85, 1.0))
            first = mirror.propose(SPACE)
            if not is_under_way:
                mirror.discard(first.handle)
            second = mirror.propose(SPACE)
            n_other[is_under_way] += is_left(first) is not is_left(second)
    assert n_other[True] == len(SEEDS)
    assert n_other[False] < len(SEEDS) / 2


def test_what_promises_the_same_in_less_time_is_proposed() -> None:
    kinds: list[str] = []
    for seed in SEEDS:
        mirror = new_mirror(seed)
        for index, x in enumerate(grid(20)):
            kind = "ab"[index % 2]
            seconds = {"train": 1.0 if kind == "a" else 100.0}
            values = (0.9 - 0.2 * x, 5_000 * (1.5 - x), 1.0)
            told: dict[str, Any] = {attributes.SECONDS: seconds}
            tell(mirror, x, values, kind=kind, **told)
        for _ in range(4):
            proposal = mirror.propose(SPACE)
            mirror.discard(proposal.handle)
            kinds.append(str(proposal.params["kind"]))
    assert kinds.count("a") >= 0.9 * len(kinds)


def test_what_may_be_better_than_expected_is_worth_trying() -> None:
    """Errors were seen on the left only, where they go up and down: beyond, who knows."""
    found: list[float] = []
    for seed in SEEDS:
        mirror = new_mirror(seed)
        for index, x in enumerate(grid(40, 0.0, 0.4)):
            error = 0.2 * math.exp(0.5 * math.sin(25 * x))
            tell(mirror, x, (1 - error, 10_000.0, 1.0), kind="ab"[index % 2])
        found.append(next_x(mirror))
    assert fmean(found) > 0.42


def test_branches_do_not_teach_what_a_new_training_gives() -> None:
    """However good branches are that are dominated anyway, the next proposal is the same."""

    def proposals(seed: int, error_of_branches: float) -> list[float]:
        mirror = new_mirror(seed)
        tell_many(mirror, lambda x: (0.9 - 0.3 * x, 5_000 * (1 + x), 1.0), grid(14))
        for index, x in enumerate(grid(8, 0.5, 1.0)):
            values = (1 - error_of_branches, 90_000.0, 9.0)
            tell(mirror, x, values, kind="ab"[index % 2], is_branch=True)
        return [next_x(mirror) for _ in range(3)]

    for seed in SEEDS:
        assert proposals(seed, 0.15) == proposals(seed, 0.8)


def test_stopped_trainings_tell_where_not_to_go() -> None:
    """They stood low and had a high bar; no complete training says anything of that side."""
    found = []
    for seed in SEEDS:
        mirror = new_mirror(seed)
        tell_many(
            mirror,
            lambda x: (1 - 0.2 * math.exp(0.5 * math.sin(25 * x)), 10_000.0, 1.0),
            grid(40, 0.0, 0.4),
        )
        for index, x in enumerate(grid(10, 0.4, 1.0)):
            stopped = {
                attributes.GATE: {"size_bytes": 10_000.0, "latency_ms": 1.0},
                attributes.CURVE: [0.2],
                attributes.BAR: 0.5,
            }
            fixed: dict[str, bool | int | float | str] = {"x": x, "kind": "ab"[index % 2]}
            proposal = mirror.propose(SPACE, fixed=fixed)
            mirror.end(proposal.handle, Ending(TrialState.PRUNED, user_attrs=stopped))
        found.append(next_x(mirror))
    assert max(found) < 0.45


def proposals_with(reference: ReferencePoint, measure: Measure, n: int = 3) -> list[float]:
    """Return what is proposed, with several seeds, where this is what counts."""
    found: list[float] = []
    for seed in SEEDS:
        mirror = new_mirror(seed, reference=reference)
        tell_many(mirror, measure, grid(14))
        found.extend(next_x(mirror) for _ in range(n))
    return found


def test_a_halved_error_counts_at_the_accurate_end_too() -> None:
    """Size doubles as errors halve; by plain errors only the first halvings are worth it."""

    def wider_is_better(x: float) -> Values:
        return 1 - 0.3 * 10 ** (-2 * x), 2_000.0 * 10 ** (2 * x), 1.0

    by_logarithm = proposals_with(ReferencePoint(0.5, least_error=1e-4), wider_is_better)
    plain = proposals_with(ReferencePoint(0.5, least_error=None), wider_is_better)
    assert fmean(by_logarithm) > fmean(plain) + 0.1


def test_what_is_of_no_use_is_not_proposed_however_small() -> None:
    def wider_is_better(x: float) -> Values:
        return 1 - 0.8 * 2 ** (-2 * x), 1_000.0 * 10 ** (4 * x), 0.001 * 10 ** (5 * x)

    useful = proposals_with(ReferencePoint(error=0.5), wider_is_better)
    anything = proposals_with(ReferencePoint(error=1.0), wider_is_better)
    assert all(wider_is_better(x)[0] > 0.47 for x in useful)
    assert fmean(wider_is_better(x)[0] < 0.47 for x in anything) > 0.5


def test_as_long_as_nothing_is_of_use_what_may_become_so_is_proposed() -> None:
    """Every second proposal is drawn; the others lie where errors are lowest."""

    def wider_is_better(x: float) -> Values:
        return 0.1 + 0.3 * x, 1_000.0 * 10 ** (3 * x), 0.01 * 10 ** (2 * x)

    found = proposals_with(ReferencePoint(error=0.3), wider_is_better, n=8)
    assert sum(x > 0.8 for x in found) > 0.4 * len(found)
    assert len({round(x, 3) for x in found}) > len(found) / 2


@pytest.mark.parametrize(
    ("limits", "is_kept"),
    [
        (Limits(max_size_bytes=5_000), lambda v: v[1] <= 5_000 * 1.05),
        (Limits(max_latency_ms=0.5), lambda v: v[2] <= 0.5 * 1.05),
        (Limits(min_accuracy=0.8), lambda v: v[0] >= 0.8 - 0.01),
    ],
    ids=["size", "latency", "accuracy"],
)
def test_what_breaks_a_limit_is_worth_nothing(
    limits: Limits, is_kept: Callable[[Values], bool]
) -> None:
    """Where the best of the hypervolume lies beyond the limit, proposals stay before it."""
    wants_more = limits.min_accuracy is None

    def measure(x: float) -> Values:
        gain = x if wants_more else 1 - x
        return 0.5 + 0.45 * gain, 1_000.0 + 9_000.0 * gain, 0.1 + 0.9 * gain

    with_limits: list[bool] = []
    without: list[bool] = []
    for seed in SEEDS:
        for found, known in ((with_limits, limits), (without, None)):
            mirror = new_mirror(seed, known)
            tell_constrained(mirror, measure, grid(14), limits)
            found.extend(is_kept(measure(next_x(mirror))) for _ in range(3))
    assert all(with_limits)
    assert not all(without)
