"""What samplers are told of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import pytest
from optuna.samplers import BaseSampler, NSGAIISampler
from optuna.trial import FrozenTrial, TrialState

from search.front.pareto import SIGNS, ReferencePoint, gains
from search.sampling.foresight import Foresight
from search.sampling.gp_sampler import SurrogateSampler
from search.sampling.mirror import Mirror
from search.sampling.samplers import make_sampler
from search.sampling.space_moves import Params
from search.sampling.window import WINDOW
from search.storage import attributes
from search.storage.batches import Ending, new_trial
from spaces.config.trial import ParamValue
from spaces.space.search_space import Parameter, SearchSpace
from workers.messages.limits import Limits
from workers.messages.race import LEAST_ERROR

SPACE = SearchSpace(
    (
        Parameter("width", "int", 1, 64),
        Parameter("quantization", "categorical", choices=("float32", "int8")),
    )
)
LIMITS = Limits(max_size_bytes=10_000.0)
KEPT, BROKEN = [0.0, -0.5, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0]
GOOD = (0.9, 5_000.0, 0.5)


def new_mirror(
    sampler: str = "random", limits: Limits | None = None, reference: ReferencePoint | None = None
) -> Mirror:
    made = make_sampler(sampler, 1, limits=limits, reference=reference)
    return Mirror(made, 1, limits=limits, reference=reference)


def at(width: int, scheme: str = "float32") -> Params:
    return {"width": width, "quantization": scheme}


def tell(mirror: Mirror, params: Mapping[str, ParamValue], ending: Ending) -> FrozenTrial:
    """Tell of a trial, and return what samplers see of it."""
    proposal = mirror.propose(SPACE, fixed=params)
    mirror.end(proposal.handle, ending, number=proposal.handle.number)
    return mirror.study.trials[proposal.handle.number]


def ended(params: Mapping[str, ParamValue], ending: Ending) -> FrozenTrial:
    """A trial of the study itself, as an earlier run left it."""
    proposal = new_mirror().propose(SPACE, fixed=params)
    return new_trial(
        7,
        proposal.params,
        proposal.distributions,
        user_attrs=dict(ending.user_attrs),
        system_attrs=dict(ending.system_attrs),
        state=ending.state,
        values=ending.values,
    )


def added(mirror: Mirror, params: Mapping[str, ParamValue], ending: Ending) -> FrozenTrial:
    """Add a trial of an earlier run, and return what samplers see of it."""
    mirror.add(ended(params, ending))
    return mirror.study.trials[-1]


def complete(
    constraints: list[float] = KEPT, user_attrs: Mapping[str, Any] | None = None
) -> Ending:
    return Ending(
        TrialState.COMPLETE,
        GOOD,
        user_attrs=user_attrs or {},
        system_attrs={attributes.CONSTRAINTS: constraints},
    )


WAYS = pytest.mark.parametrize("way", [tell, added], ids=["of this run", "of an earlier one"])


@WAYS
class TestOfEveryTrial:
    """The same, whether it ends now or is read from an earlier run."""

    @pytest.mark.parametrize("sampler", ["gp", "random", "nsga2"])
    def test_values_are_natural(self, way: Any, sampler: str) -> None:
        seen = way(new_mirror(sampler), at(8), complete())
        assert tuple(seen.values) == GOOD
        assert seen.params == at(8)
        assert seen.state == TrialState.COMPLETE

    def test_tpe_gets_what_the_hypervolume_counts(self, way: Any) -> None:
        reference = ReferencePoint(error=0.5)
        seen = way(new_mirror("tpe", reference=reference), at(8), complete())
        assert seen.values == pytest.approx(gains([GOOD], reference)[0] * -SIGNS)

    def test_constraints_are_told_where_one_is_broken(self, way: Any) -> None:
        mirror = new_mirror()
        assert not way(mirror, at(8), complete(KEPT)).constraints
        found = way(mirror, at(9), complete(BROKEN)).constraints
        assert list(found.values()) == BROKEN

    def test_seconds_are_told_of_whole_trainings(self, way: Any) -> None:
        told: dict[str, Any] = {attributes.SECONDS: {"train": 3.0, "convert": 1.5}}
        seen = way(new_mirror(), at(8), complete(user_attrs=told))
        assert seen.user_attrs[attributes.SECONDS] == 4.5
        for ending in (
            complete(user_attrs={attributes.SECONDS: {}}),
            complete(),
            complete(user_attrs={**told, attributes.DERIVED_FROM: 0}),
            Ending(TrialState.PRUNED, user_attrs=told),
        ):
            assert attributes.SECONDS not in way(new_mirror(), at(8), ending).user_attrs

    @pytest.mark.parametrize(
        ("curve", "bar", "error"),
        [
            ([0.2, 0.6, 0.5], 0.9, math.sqrt(0.4 * 0.1)),
            ([0.6], 1.5, math.sqrt(0.4 * LEAST_ERROR)),
            ([1.0], 1.0, LEAST_ERROR),
            ([0.6], 0.5, 0.4),
            ([0.6], None, None),
            ([], 0.9, None),
        ],
    )
    def test_stopped_ones_hint_at_an_error(
        self, way: Any, curve: list[float], bar: float | None, error: float | None
    ) -> None:
        """In the middle between where they stood and their bar, by logarithms."""
        gate = {
            "size_bytes": 2000.0,
            "latency_ms": 0.2,
            "schemes": {"int8": [900.0, 0.1, None], "float32": [2100.0, 0.3, None]},
        }
        stopped = {attributes.GATE: gate, attributes.CURVE: curve, attributes.BAR: bar}
        seen = way(new_mirror(), at(8), Ending(TrialState.PRUNED, user_attrs=stopped))
        hint = seen.user_attrs[attributes.HINT]
        assert hint["int8"] == [None, 900.0, 0.1]
        assert hint["float32"] == [pytest.approx(error), 2000.0, 0.2]

    def test_others_hint_at_nothing(self, way: Any) -> None:
        gate = {attributes.GATE: {"size_bytes": 2000.0, "latency_ms": 0.2}}
        for ending in (complete(user_attrs=gate), Ending(TrialState.PRUNED)):
            seen = way(new_mirror(), at(8), ending)
            assert attributes.HINT not in seen.user_attrs

    def test_what_keeps_the_limits_is_noted(self, way: Any) -> None:
        mirror = new_mirror(limits=LIMITS)
        assert not mirror.has_feasible
        way(mirror, at(8), complete(BROKEN))
        way(mirror, at(9), Ending(TrialState.PRUNED))
        way(mirror, at(9), Ending(TrialState.FAIL))
        assert not mirror.has_feasible
        way(mirror, at(10), complete(KEPT))
        assert mirror.has_feasible

    def test_foresight_learns_what_was_measured(self, way: Any) -> None:
        mirror = new_mirror(limits=LIMITS)
        foresight = foresight_of(mirror)
        for index in range(10):
            ending = complete([0.0, 2.0 + index / 100, 0.0, 0.0, 0.0])
            way(mirror, at(20 + index), ending)
        assert len(foresight.nearest(20)) == 10
        means, _ = foresight.log_ratios([at(24)])
        assert means[0] == pytest.approx(math.log(3.0), abs=0.1)
        assert mirror.is_surely_over(at(24))

    @pytest.mark.parametrize(
        ("state", "learns"), [(TrialState.PRUNED, True), (TrialState.FAIL, False)]
    )
    def test_and_what_the_gate_knew(self, way: Any, state: TrialState, learns: bool) -> None:
        mirror = new_mirror(limits=LIMITS)
        foresight = foresight_of(mirror)
        schemes = {"float32": [90_000.0, 1.0, None], "int8": [25_000.0, 1.0, None]}
        gate = {attributes.GATE: {"schemes": schemes}}
        way(mirror, at(8), Ending(state, user_attrs=gate))
        assert foresight.knows_something is learns
        if learns:
            means, _ = foresight.log_ratios([at(8)])
            assert means == pytest.approx([math.log(2.5)])


def foresight_of(mirror: Mirror) -> Foresight:
    mirror.discard(mirror.propose(SPACE).handle)  # It learns the space when one asks.
    assert mirror.foresight is not None
    return mirror.foresight


def test_only_limits_known_before_training_are_foreseen() -> None:
    assert new_mirror().foresight is None
    assert new_mirror(limits=Limits(min_accuracy=0.5)).foresight is None
    assert not new_mirror().is_surely_over(at(8))
    mirror = new_mirror("gp", LIMITS)
    sampler: BaseSampler = mirror.study.sampler
    assert isinstance(sampler, SurrogateSampler)
    assert sampler.foresight is mirror.foresight is not None


@pytest.mark.parametrize("fan_out", [True, False])
def test_foresight_tells_schemes_apart_without_fan_out(fan_out: bool) -> None:
    mirror = Mirror(make_sampler("random", 1), 1, limits=LIMITS, fan_out=fan_out)
    foresight = foresight_of(mirror)
    for scheme in ("float32", "int8"):
        tell(mirror, at(8, scheme), complete())
    assert len(foresight.nearest(9)) == (1 if fan_out else 2)


def test_the_limits_of_the_study_are_kept_with_fan_out_unless_told_otherwise() -> None:
    mirror = new_mirror(limits=LIMITS)
    foresight = foresight_of(mirror)
    for scheme in ("float32", "int8"):
        tell(mirror, at(8, scheme), complete())
    assert foresight.nearest(9) == [{"width": 8}]


def test_what_is_turned_down_is_ignored() -> None:
    mirror = new_mirror()
    handle = mirror.propose(SPACE).handle
    mirror.discard(handle)
    assert mirror.study.trials[handle.number].state == TrialState.FAIL


def test_a_point_without_a_number_is_one_of_no_training() -> None:
    mirror = new_mirror(limits=LIMITS)
    mirror.end(mirror.propose(SPACE).handle, complete())
    assert not mirror.has_feasible


@pytest.mark.parametrize("at_random", [True, False])
def test_proposals_at_random_are_no_samplers(at_random: bool) -> None:
    """Only widths around 48 are any good, and the sampler knows it."""
    mirror = new_mirror("tpe")
    for width in range(1, 65):
        off = abs(width - 48) / 64
        values = (0.95 - off, 1_000.0 * 10 ** (3 * off), 10.0**off)
        tell(mirror, at(width), Ending(TrialState.COMPLETE, values))
    found = [int(mirror.propose(SPACE, at_random=at_random).params["width"]) for _ in range(30)]
    assert (fmean(abs(width - 48) < 12 for width in found) < 0.7) is at_random


@pytest.mark.parametrize("is_branch", [True, False])
def test_branches_are_marked(is_branch: bool) -> None:
    mirror = new_mirror()
    proposal = mirror.propose(SPACE, is_branch=is_branch)
    seen = mirror.study.trials[proposal.handle.number]
    assert (attributes.BRANCHED_FROM in seen.user_attrs) is is_branch
    of_earlier = {attributes.BRANCHED_FROM: 3} if is_branch else {}
    again = added(mirror, at(8), complete(user_attrs=of_earlier))
    assert (attributes.BRANCHED_FROM in again.user_attrs) is is_branch


def test_generations_are_nsga2s_alone() -> None:
    generation = {attributes.GENERATION: 3}
    mirror = new_mirror("nsga2")
    assert mirror.propose(SPACE).system_attrs == {attributes.GENERATION: 0}
    assert mirror.propose(SPACE, fixed=at(8)).system_attrs == {attributes.GENERATION: 0}
    seen = added(mirror, at(8), Ending(TrialState.COMPLETE, GOOD, system_attrs=generation))
    assert seen.system_attrs[attributes.GENERATION] == 3
    assert new_mirror("gp").propose(SPACE).system_attrs == {}


def test_nsga2_breeds_from_what_it_has_not_proposed_itself() -> None:
    """A study may have begun with another sampler, and a person may bring measured points."""
    mirror = new_mirror("nsga2")
    for width in range(1, 51):
        off = abs(width - 40) / 64
        values = (0.95 - off, 1_000.0 * 10 ** (3 * off), 10.0**off)
        added(mirror, at(width), Ending(TrialState.COMPLETE, values))
    found = [mirror.propose(SPACE) for _ in range(30)]
    assert all(one.system_attrs == {attributes.GENERATION: 1} for one in found)
    assert fmean(abs(int(one.params["width"]) - 40) < 16 for one in found) > 0.7


def test_proposals_at_random_do_not_repeat_those_of_the_sampler() -> None:
    found = []
    for at_random in (True, False):
        mirror = new_mirror("random")
        found.append([mirror.propose(SPACE, at_random=at_random).params for _ in range(8)])
    assert found[0] != found[1]


def test_a_study_of_many_generations_can_be_resumed() -> None:
    """Optuna alone finds their parents one inside the other, and had no stack for 600 of them."""
    mirror = Mirror(NSGAIISampler(seed=1, population_size=2), 1)
    for number in range(1_200):
        generation = {attributes.GENERATION: number // 2}
        ending = Ending(TrialState.COMPLETE, GOOD, system_attrs=generation)
        mirror.add(ended(at(1 + number % 64), ending))
    found = mirror.propose(SPACE)
    assert found.system_attrs == {attributes.GENERATION: 600}
    assert set(found.params) == {"width", "quantization"}


class TestTpe:
    @staticmethod
    def sibling(width: int, parent: int, constraints: list[float] = KEPT) -> FrozenTrial:
        return ended(at(width, "int8"), complete(constraints, {attributes.DERIVED_FROM: parent}))

    def test_a_training_is_seen_by_its_first_point_that_keeps_the_limits(self) -> None:
        mirror = new_mirror("tpe", LIMITS)
        tell(mirror, at(8), complete(BROKEN))
        n = len(mirror.study.trials)
        mirror.add(self.sibling(8, n - 1, BROKEN))
        assert len(mirror.study.trials) == n
        mirror.add(self.sibling(8, n - 1))
        assert len(mirror.study.trials) == n + 1
        mirror.add(self.sibling(8, n - 1))
        assert len(mirror.study.trials) == n + 1

    def test_others_see_them_all(self) -> None:
        mirror = new_mirror("nsga2", LIMITS)
        tell(mirror, at(8), complete())
        for constraints in (KEPT, BROKEN, KEPT):
            mirror.add(self.sibling(8, 0, constraints))
        assert len(mirror.study.trials) == 4

    def test_of_many_it_is_shown_some_and_never_failed_ones(self) -> None:
        """What is shown counts when it asks; who looks afterwards sees all."""
        shown: list[int] = []

        class Looking(type(make_sampler("tpe", 1))):  # type: ignore[misc]
            def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
                shown.append(len(study.get_trials(deepcopy=False)))
                return super().sample_relative(study, trial, search_space)

        mirror = Mirror(Looking(seed=1, multivariate=True), 1)
        for index in range(30):
            tell(mirror, at(1 + index % 64), Ending(TrialState.FAIL))
        mirror.propose(SPACE)
        assert shown[-1] == 1  # The one that is asked for.
        handle = mirror.propose(SPACE, fixed=at(3)).handle
        mirror.discard(handle)
        one = ended(at(1), complete())
        for _ in range(2 * WINDOW + 1):
            mirror.add(one)
        mirror.propose(SPACE)
        assert shown[-1] == WINDOW + 2  # And the one that was asked for before.
        assert len(mirror.study.trials) > 2 * WINDOW + 30

    def test_what_breaks_a_limit_is_not_on_the_front_that_it_is_shown(self) -> None:
        mirror = new_mirror("tpe", LIMITS)
        one = ended(at(1), complete())
        for index in range(2 * WINDOW + 1):
            one.values = [0.9, 1_000.0, 0.1] if index == 30 else [0.5 + index / 10_000, 1e4, 1.0]
            one.system_attrs[attributes.CONSTRAINTS] = BROKEN if index == 30 else KEPT
            mirror.add(one)
        assert 30 not in mirror._window.numbers
        assert 2 * WINDOW in mirror._window.numbers
