"""What our own sampler chooses among: schemes, what keeps limits, what was not tried yet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

import pytest
from optuna.trial import TrialState

from search.front.pareto import ReferencePoint
from search.sampling.mirror import Mirror
from search.sampling.outlook import AS_IT_IS, Further
from search.sampling.samplers import make_sampler
from search.storage import attributes
from search.storage.batches import Ending
from spaces.space.search_space import Parameter, SearchSpace
from tests.search_tests.sampling.landscapes import (
    SEEDS,
    SPACE,
    Values,
    grid,
    new_mirror,
    next_x,
    tell,
    tell_constrained,
    tell_many,
)
from workers.messages.limits import Limits

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


# --- What trainings may become ------------------------------------------------------------


def beside_a_long_training(seed: int) -> Mirror:
    """Larger is more accurate; the largest was trained on until no other comes near it."""
    mirror = new_mirror(seed)
    tell_many(mirror, lambda x: (0.6 + 0.32 * x, 1_000.0 * 10**x, 1.0), grid(14))
    tell(mirror, 0.9, (0.97, 1_000.0 * 10**0.9, 1.0), is_branch=True)
    return mirror


@pytest.mark.parametrize(
    ("outlook", "goes_there"),
    [
        (AS_IT_IS, False),
        ((Further(), Further(error=0.25, cost=3.0)), True),
        ((Further(), Further(error=0.25, cost=1e6)), False),  # Not worth its seconds.
        ((Further(), Further(error=0.9, cost=3.0)), False),  # Not far enough.
    ],
)
def test_a_training_is_worth_what_it_may_become(
    outlook: tuple[Further, ...], goes_there: bool
) -> None:
    found = [next_x(beside_a_long_training(seed), outlook=outlook) for seed in SEEDS]
    assert (fmean(x > 0.7 for x in found) > 0.6) == goes_there


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


@pytest.mark.parametrize(
    ("outlook", "is_nearest"),
    [
        (AS_IT_IS, True),
        ((Further(), Further(error=0.25, cost=3.0)), False),
        ((Further(), Further(error=0.9, cost=3.0)), True),  # Not far enough.
    ],
)
def test_what_training_on_may_bring_within_the_limits_is_hopeful(
    outlook: tuple[Further, ...], is_nearest: bool
) -> None:
    """None is accurate enough as it is, and the least wide comes nearest to it."""
    limits = Limits(min_accuracy=0.9)

    def measure(x: float) -> Values:
        return 0.8 - 0.1 * min(1.0, 4 * x), 9_000.0, 1.0

    found: list[float] = []
    for seed in SEEDS:
        mirror = new_mirror(seed, limits)
        tell_constrained(mirror, measure, grid(14), limits)
        found += [next_x(mirror, outlook=outlook) for _ in range(12)]
    assert (fmean(x < 0.1 for x in found) > 0.4) == is_nearest


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


@pytest.mark.parametrize(("n", "models"), [(3, False), (4, True)])
def test_it_models_from_the_fourth_training_on(n: int, models: bool) -> None:
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
