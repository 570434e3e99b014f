"""What our own sampler goes by: each of its parts changes what it proposes.

Landscapes of two parameters on which one part alone decides, so that a sampler without it
proposes something else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean
from typing import Any

import pytest
from optuna.trial import TrialState

from search.front.pareto import ReferencePoint
from search.sampling.mirror import Mirror, Proposal
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


# --- Schemes ------------------------------------------------------------------------------

SCHEMED = SearchSpace(
    (
        Parameter("x", "float", 0.0, 1.0),
        Parameter("quantization", "categorical", choices=("float32", "int8", "qat_int8")),
    )
)


def schemed_mirror(seed: int, *, fan_out: bool, best: str) -> Mirror:
    """A study in which one scheme gives the better models, wherever it is seen."""
    mirror = Mirror(make_sampler("gp", seed, points_per_trial=6 if fan_out else 1), seed)
    for index, x in enumerate(grid(18)):
        own = ("float32", "int8", "qat_int8")[index % 3]
        others = [s for s in ("float32", "int8") if s != own] if fan_out else []
        for scheme in (own, *others):
            better = scheme == best
            values = (0.95 if better else 0.7, 2_000.0 if better else 9_000.0, 2.0 - x)
            proposal = mirror.propose(SCHEMED, fixed={"x": x, "quantization": scheme})
            mirror.end(proposal.handle, Ending(TrialState.COMPLETE, values))
    return mirror


def proposed_schemes(*, fan_out: bool, best: str) -> list[str]:
    found = []
    for seed in range(3):
        mirror = schemed_mirror(seed, fan_out=fan_out, best=best)
        for _ in range(3):
            proposal = mirror.propose(SCHEMED)
            mirror.discard(proposal.handle)
            found.append(str(proposal.params["quantization"]))
    return found


def test_without_fan_out_a_trial_gives_its_own_scheme_alone() -> None:
    assert set(proposed_schemes(fan_out=False, best="int8")) == {"int8"}


def test_with_fan_out_any_trial_gives_all_that_need_no_training() -> None:
    assert set(proposed_schemes(fan_out=True, best="int8")) > {"int8"}


def test_what_trains_quantization_aware_is_given_by_those_trials_alone() -> None:
    assert set(proposed_schemes(fan_out=True, best="qat_int8")) == {"qat_int8"}


# --- As long as nothing is of use ---------------------------------------------------------


def drawn_and_others(mirror: Mirror, n: int = 12) -> list[float]:
    """Return proposals of which every second is drawn at random."""
    return [next_x(mirror) for _ in range(n)]


def test_what_may_turn_out_well_is_hopeful() -> None:
    """Errors were seen on the left only, none of which counts anything: beyond, who knows."""
    found: list[float] = []
    for seed in SEEDS:
        mirror = new_mirror(seed, reference=ReferencePoint(error=0.5))
        for index, x in enumerate(grid(40, 0.0, 0.4)):
            error = 0.7 * math.exp(0.25 * math.sin(25 * x))
            tell(mirror, x, (1 - error, 10_000.0, 1.0), kind="ab"[index % 2])
        found += drawn_and_others(mirror)
    assert fmean(x > 0.45 for x in found) > 0.65


@pytest.mark.parametrize(
    "limits",
    [Limits(max_size_bytes=1_500), Limits(max_latency_ms=0.15), Limits(min_accuracy=0.88)],
    ids=["size", "latency", "accuracy"],
)
def test_what_comes_nearest_to_the_limits_is_proposed(limits: Limits) -> None:
    """All that was seen breaks the limit, by the less the smaller its x is."""

    def measure(x: float) -> Values:
        return 0.9 - 0.4 * x, 1_000.0 * 10 ** (2 * x), 0.1 * 10 ** (2 * x)

    found: list[float] = []
    for seed in SEEDS:
        mirror = new_mirror(seed, limits)
        tell_constrained(mirror, measure, grid(14, 0.3, 1.0), limits)
        found += drawn_and_others(mirror)
    assert fmean(x < 0.15 for x in found) > 0.4


# --- Limits that only the foresight knows of ----------------------------------------------

RAM = Limits(max_ram_bytes=1_000.0)


def ram_mirror(seed: int, at: Iterable[float], slope: float = 2_000.0) -> Mirror:
    """Wider is better throughout, and takes RAM of ``slope`` times its x."""
    mirror = Mirror(make_sampler("gp", seed, limits=RAM), seed, limits=RAM)
    for index, x in enumerate(at):
        excess = [0.0, 0.0, 0.0, 0.0, slope * x / 1_000.0 - 1]
        proposal = mirror.propose(SPACE, fixed={"x": x, "kind": "ab"[index % 2]})
        values = (0.5 + 0.45 * x, 9_000.0, 1.0)
        system_attrs: Mapping[str, Any] = {attributes.CONSTRAINTS: excess}
        mirror.end(proposal.handle, Ending(TrialState.COMPLETE, values, system_attrs=system_attrs))
    return mirror


def test_what_takes_too_much_ram_is_not_worth_its_time() -> None:
    found = [next_x(ram_mirror(seed, grid(16))) for seed in SEEDS]
    assert all(0.2 < x < 0.56 for x in found)


def test_even_of_few_trainings_the_foresight_learns() -> None:
    """What is drawn before anything is modelled is drawn from what is expected to keep limits."""
    found = []
    for seed in SEEDS:
        mirror = ram_mirror(seed, grid(6))
        found += [next_x(mirror) for _ in range(4)]
    assert fmean(x < 0.6 for x in found) > 0.9


def test_where_all_takes_too_much_what_takes_the_least_is_proposed() -> None:
    found: list[float] = []
    for seed in SEEDS:
        mirror = ram_mirror(seed, grid(14, 0.3, 1.0), slope=10_000.0)
        found += [next_x(mirror) for _ in range(4)]
    assert fmean(x < 0.2 for x in found) > 0.9


# --- Candidates ---------------------------------------------------------------------------

WHOLE = SearchSpace((Parameter("n", "int", 1, 12),))


def whole_mirror(seed: int, tried: Iterable[int]) -> Mirror:
    mirror = Mirror(make_sampler("gp", seed), seed)
    for n in tried:
        proposal = mirror.propose(WHOLE, fixed={"n": n})
        values = (0.9 - 0.001 * n, 1_000.0 * (13 - n), 1.0)
        mirror.end(proposal.handle, Ending(TrialState.COMPLETE, values))
    return mirror


def test_what_was_tried_is_not_proposed_again() -> None:
    for seed in SEEDS:
        for left in (1, 7, 12):
            mirror = whole_mirror(seed, [n for n in range(1, 13) if n != left])
            assert mirror.propose(WHOLE).params == {"n": left}


def test_what_failed_is_not_proposed_again_whatever_it_promises() -> None:
    """The larger, the smaller and as accurate: the largest failed."""
    for seed in SEEDS:
        mirror = whole_mirror(seed, range(1, 11))
        failed = mirror.propose(WHOLE, fixed={"n": 12})
        mirror.end(failed.handle, Ending(TrialState.FAIL))
        assert mirror.propose(WHOLE).params == {"n": 11}


def test_once_all_was_tried_anything_is_proposed() -> None:
    mirror = whole_mirror(1, range(1, 13))
    assert WHOLE["n"].contains(mirror.propose(WHOLE).params["n"])


@pytest.mark.parametrize(("n", "models"), [(7, False), (8, True)])
def test_it_models_from_the_eighth_training_on(n: int, models: bool) -> None:
    """Until then it draws at random, whatever it sees."""
    found = []
    for seed in range(12):
        mirror = new_mirror(seed)
        tell_many(mirror, lambda x: (0.9, 1_000.0 * 10 ** (3 * x), 10 ** (2 * x)), grid(n))
        found.append(next_x(mirror))
    assert (fmean(x < 0.2 for x in found) > 0.7) is models


def test_networks_that_learned_nothing_do_not_hide_the_others() -> None:
    """A quarter did, anywhere; they count as just above the median, or all others look alike."""
    reference = ReferencePoint(error=0.5, least_error=1e-5)
    found = []
    for seed in SEEDS:
        mirror = new_mirror(seed, reference=reference)
        for index, x in enumerate(grid(24)):
            error = 0.98 if index % 4 == 2 else 0.001 * 10 ** (1.5 * x)
            tell(mirror, x, (1 - error, 9_000.0, 1.0), kind="ab"[index % 2])
        found.append(next_x(mirror))
    assert max(found) < 0.15
