"""A large network that keeps a limit on sizes once it is pruned: asked for, kept, and pruned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.front.pareto import ReferencePoint, hypervolume
from search.run.driver import Driver
from search.sampling import branching
from search.sampling.branch_costs import Spent
from search.sampling.branch_effects import Values
from search.sampling.branch_kinds import (
    KINDS,
    SPARSEST,
    TRAIN_ON,
    branch_config,
    branch_sparsity,
    kind_of,
    pruning_to,
)
from search.sampling.branching import MIN_NEW, Branch, Brancher
from search.sampling.mirror import Mirror
from search.sampling.outlook import AS_IT_IS, Further, pruned
from search.sampling.prunings import HOPED_STEEPNESS, Prunings
from search.sampling.samplers import make_sampler
from search.storage import attributes
from search.storage.batches import Ending
from search.storage.settings import RunSettings, StudySettings
from search.storage.weights import WeightKeeper
from search.study.create_or_resume import open_study
from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.space.search_space import Parameter, SearchSpace
from tests.search_tests import analytic
from tests.search_tests.sampling.branches import EPOCHS, SPACE, config_of
from tests.search_tests.sampling.landscapes import SEEDS, grid
from tests.search_tests.sampling.landscapes import SPACE as LANDSCAPE
from workers.messages.executor import InlineExecutor
from workers.messages.limits import Limits
from workers.messages.result import EvaluateRequest, TrialResult

REFERENCE = ReferencePoint()
INT8 = QuantizationScheme.INT8
SIZE = 40_000.0


class TestBranches:
    """One training whose only model is of 40 kB, beside a front of small ones."""

    front: tuple[Values, ...] = ((0.6, 5_000.0, 1.0),)

    def brancher(
        self, limits: Limits, accuracy: float = 0.9, space: SearchSpace = SPACE
    ) -> Brancher:
        brancher = Brancher(EPOCHS, space, limits)
        brancher.note(
            0, config_of(), {INT8: (accuracy, SIZE, 1.0)}, gain=0.0, took=Spent(10.0), left=1.0
        )
        for number in range(1, MIN_NEW + 1):
            brancher.note(number, config_of(dropout=0.5), {}, gain=0.0, took=Spent(10.0))
        return brancher

    def hypervolume(self, points: Iterable[Values]) -> float:
        return hypervolume([*self.front, *points], REFERENCE)

    def branch(self, brancher: Brancher) -> Branch | None:
        return brancher.propose((0,), self.hypervolume)

    @pytest.mark.parametrize(
        ("max_size_bytes", "sparsities"),
        [(25_000, {0.65, 0.7, 0.85, 0.93}), (15_000, {0.84, 0.93}), (10_000, {0.93})],
    )
    def test_it_is_pruned_until_it_is_small_enough(
        self, max_size_bytes: float, sparsities: set[float]
    ) -> None:
        """To no more than it takes, too.

        Int8: at 70, 85 and 93 % zeros 52, 30 and 17 % of the weights' bytes are expected to be
        left. 84 % are enough for 15 kB, and much the same as 85.
        """
        brancher = self.brancher(Limits(max_size_bytes=max_size_bytes))
        assert brancher.promise(0, self.hypervolume) > 0
        found = set()
        while (branch := self.branch(brancher)) is not None:
            assert branch.predicted > 0
            found.add(branch.kind.sparsity)
        assert found == sparsities

    def test_what_was_pruned_too_little_is_pruned_a_little_more(self) -> None:
        """As live on CIFAR-10: 85 % zeros gave 25.3 kB, 93 gave 15, where 20 may be had."""
        brancher = Brancher(EPOCHS, SPACE, Limits(max_size_bytes=20_000))
        dense, few = config_of(), pruning_to(0.85)
        sparse = branch_config(dense, few, EPOCHS, SPACE)
        assert sparse is not None
        self.front = ((0.7, 19_000.0, 1.0),)
        brancher.note(0, dense, {INT8: (0.73, 71_000.0, 1.0)}, gain=0.0, took=Spent(10.0))
        points = {INT8: (0.725, 25_300.0, 1.0)}
        brancher.note(1, sparse, points, gain=0.0, took=Spent(5.0), parent=0)
        for number in range(2, MIN_NEW + 2):
            brancher.note(number, config_of(dropout=0.5), {}, gain=0.0, took=Spent(10.0))
        branch = brancher.propose((0, 1), self.hypervolume)
        assert branch is not None and branch.parent == 1
        assert 0.87 <= branch.kind.sparsity <= 0.91
        assert branch.config.pruning.final_sparsity == branch.kind.sparsity
        assert kind_of(branch.config) == branch.kind
        assert branch.predicted > 0

    @pytest.mark.parametrize(("share", "is_first"), [(0.05, True), (4.0, False)])
    def test_pruning_to_fit_is_expected_to_take_as_long_as_other_prunings(
        self, share: float, is_first: bool
    ) -> None:
        """To 65 %; what prunings to 70 % take is not known yet, and nothing else is told."""
        brancher = self.brancher(Limits(max_size_bytes=25_000))
        useless = {INT8: (0.1, SIZE, 1.0)}
        brancher.note(100, config_of(dropout=0.1), useless, gain=0.0, took=Spent(10.0))
        half = branch_config(config_of(dropout=0.1), KINDS[0], EPOCHS, SPACE)
        assert half is not None
        brancher.note(101, half, useless, gain=0.0, took=Spent(10.0 * share), parent=100)
        branch = self.branch(brancher)
        assert branch is not None
        assert (branch.kind == pruning_to(0.65)) == is_first

    def test_without_a_limit_on_sizes_nothing_is_pruned_to_fit(self) -> None:
        brancher = self.brancher(Limits(max_latency_ms=2.0))
        found = set()
        while (branch := self.branch(brancher)) is not None:
            found.add(branch.kind)
        assert {kind for kind in found if kind.sparsity} <= set(KINDS)

    def test_more_is_hoped_of_pruning_than_where_nothing_has_to_be_small(self) -> None:
        """And no more than that, once some prunings told."""
        predicted = {}
        for limits in (Limits(), Limits(max_size_bytes=25_000)):
            for taught in (False, True):
                brancher = self.brancher(limits)
                for number in range(100, 112) if taught else ():
                    before = {INT8: (0.8, SIZE, 1.0)}
                    brancher.note(
                        number, config_of(dropout=0.1), before, gain=0.0, took=Spent(10.0)
                    )
                    config = branch_config(config_of(dropout=0.1), KINDS[1], EPOCHS, SPACE)
                    assert config is not None and config.pruning.final_sparsity == 0.7
                    worse = {INT8: (1 - 0.2 * (1 + 2 * 0.7**5), 22_000.0, 1.0)}
                    brancher.note(
                        1000 + number, config, worse, gain=0.0, took=Spent(4.0), parent=number
                    )
                while (branch := self.branch(brancher)) is not None:
                    if branch.kind.sparsity == 0.85:
                        predicted[limits, taught] = branch.predicted
        anywhere, within = Limits(), Limits(max_size_bytes=25_000)
        assert predicted[within, False] > 1.1 * predicted[anywhere, False]
        assert predicted[within, True] == pytest.approx(predicted[anywhere, True])
        assert predicted[within, True] < predicted[anywhere, False]

    def test_what_no_pruning_makes_small_enough_is_left(self) -> None:
        brancher = self.brancher(Limits(max_size_bytes=6_000))
        assert brancher.promise(0, self.hypervolume) == 0.0
        assert self.branch(brancher) is None

    def test_what_is_not_accurate_enough_at_once_may_be_when_it_is_trained_on(self) -> None:
        self.front = ((0.7, 5_000.0, 1.0),)
        brancher = self.brancher(Limits(max_size_bytes=15_000), accuracy=0.72)
        assert brancher.promise(0, self.hypervolume) > 0
        branch = self.branch(brancher)
        assert branch is not None and branch.kind.sparsity >= 0.84
        assert branch.predicted == 0.0

    def test_nor_is_what_pruning_leaves_no_hope_of(self) -> None:
        self.front = ((0.99, 5_000.0, 1.0),)
        brancher = self.brancher(Limits(max_size_bytes=15_000), accuracy=0.75)
        assert brancher.promise(0, self.hypervolume) == 0.0
        assert self.branch(brancher) is None

    def test_without_training_on_it_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kinds = tuple(kind for kind in KINDS if kind is not TRAIN_ON)
        monkeypatch.setattr(branching, "KINDS", kinds)
        self.front = ((0.7, 5_000.0, 1.0),)
        brancher = self.brancher(Limits(max_size_bytes=15_000), accuracy=0.72)
        assert brancher.promise(0, self.hypervolume) == 0.0
        assert self.branch(brancher) is None

    def test_promises_that_were_not_kept_are_believed_less(self) -> None:
        brancher = self.brancher(Limits(max_size_bytes=25_000))
        before = brancher.promise(0, self.hypervolume)
        for number in range(3):
            config = branch_config(config_of(dropout=0.5), KINDS[1], EPOCHS, SPACE)
            assert config is not None
            failed: dict[str, Any] = {"gain": 0.0, "took": Spent(5.0), "predicted": 0.1}
            brancher.note(100 + number, config, {}, parent=1, **failed)
        assert brancher.promise(0, self.hypervolume) < 0.5 * before

    def test_a_space_without_pruning_promises_none(self) -> None:
        bare = SearchSpace(tuple(p for p in SPACE.parameters if p.name != "final_sparsity"))
        brancher = self.brancher(Limits(max_size_bytes=25_000), space=bare)
        assert brancher.promise(0, self.hypervolume) == 0.0
        assert not any(further.weights_left for further in brancher.outlook())

    def test_of_a_trial_that_is_not_known_nothing_is_promised(self) -> None:
        brancher = self.brancher(Limits(max_size_bytes=25_000))
        assert brancher.promise(99, self.hypervolume) == 0.0

    @pytest.mark.parametrize(
        ("limits", "most"),
        [
            (Limits(), 0.85),
            (Limits(max_latency_ms=1.0), 0.85),
            (Limits(max_size_bytes=1e4), SPARSEST.sparsity),
        ],
    )
    def test_only_a_limit_on_sizes_asks_for_the_sparsest(
        self, limits: Limits, most: float
    ) -> None:
        assert branch_sparsity(config_of(), EPOCHS, SPACE, limits) == most
        assert max(kind.sparsity for kind in KINDS) == 0.85


def test_weights_of_what_can_be_pruned_into_the_limits_are_kept() -> None:
    """Nothing of it is on the front, where all others are: only what it may become."""
    limits = Limits(max_size_bytes=4_000)
    settings = StudySettings(
        "s", analytic.task_info(), seed=1, sampler="random", limits=limits, n_start=1, race=False
    )
    trained: list[TrialConfig] = []

    def evaluate(request: EvaluateRequest) -> TrialResult:
        trained.append(request.config)
        result = analytic.make_result(request)
        if request.config.lineage[0] == trained[0] or result.point is None:
            return result
        point, *siblings = (
            replace(point, accuracy=0.6) for point in (result.point, *result.siblings)
        )
        return replace(result, point=point, siblings=tuple(siblings))

    study = open_study(InMemoryStorage(), settings, weights=WeightKeeper(max_count=2))
    Driver(study, InlineExecutor(evaluate), analytic.make_config, RunSettings(30)).run()
    first, *others = trained
    sizes = [
        analytic.make_point(first.with_quantization(scheme)).size_bytes
        for scheme in POST_TRAINING_SCHEMES
    ]
    assert min(sizes) > 4_000
    assert [
        one.pruning.final_sparsity
        for one in others
        if one.branched_from == first.with_quantization(QuantizationScheme.FLOAT32)
    ]


class TestOutlook:
    def test_only_a_limit_on_sizes_has_trainings_judged_by_what_is_pruned(self) -> None:
        for limits in (Limits(), Limits(max_latency_ms=1.0), Limits(min_accuracy=0.5)):
            outlook = Brancher(EPOCHS, SPACE, limits).outlook()
            assert len(outlook) > 1 and not any(one.weights_left for one in outlook)
        outlook = Brancher(EPOCHS, SPACE, Limits(max_size_bytes=1e4)).outlook()
        found = [one for one in outlook if one.weights_left]
        assert found
        for one in found:
            assert one.cost > 1 and one.slack(20_000) > 0
        assert outlook[0] == AS_IT_IS[0]

    def test_each_pruning_comes_after_some_lengths_of_training(self) -> None:
        brancher = Brancher(EPOCHS, SPACE, Limits(max_size_bytes=1e4))
        outlook = brancher.outlook()
        as_it_is, *later = (one for one in outlook if not one.weights_left)
        found = [one for one in outlook if one.weights_left]
        prunings = Prunings(HOPED_STEEPNESS)
        expected = [
            (further.error * prunings.error(sparsity), further.cost + 0.5)
            for sparsity in (0.7, 0.85, 0.93)
            for further in (as_it_is, *later[:2])
        ]
        told = sorted((one.error, one.cost) for one in found)
        assert np.array(told) == pytest.approx(np.array(sorted(expected)))

    def test_what_is_pruned_has_the_errors_of_both(self) -> None:
        plain = Further(0.8, 2.0, {"none": 0.9, "flip": 0.7})
        prunings = Prunings()
        both = pruned(plain, prunings, 0.85, 0.4)
        more = prunings.error(0.85)
        assert both.cost == pytest.approx(2.4)
        assert both.error_of({"augmentation": "new"}) == pytest.approx(0.8 * more)
        assert both.error_of({}) == pytest.approx(0.9 * more)
        assert both.error_of({"augmentation": "flip"}) == pytest.approx(0.7 * more)
        assert both.weights_left["int8"] == prunings.weights_left(INT8, 0.85)

    def test_tables_stay_as_they_are(self) -> None:
        smaller = Further(weights_left={"int8": 0.5, "float32": 0.25})
        sizes = np.array([[2_000.0, 2_000.0, 2_000.0], [13_000.0, 43_000.0, 9_000.0]])
        expected = [[2_000.0, 2_000.0, 2_000.0], [8_000.0, 13_000.0, 9_000.0]]
        assert smaller.sizes(sizes, ("int8", "float32", "unheard")).tolist() == expected
        assert Further().sizes(sizes, ("a", "b", "c")) is sizes
        assert np.exp(smaller.slack(20_000)) * 20_000 == pytest.approx(3_000 + 17_000 / 0.5)
        assert smaller.slack(2_000) == Further().slack(20_000) == 0.0

    def test_what_is_pruned_from_the_start_is_not_pruned_again(self) -> None:
        smaller = Further(weights_left={"int8": 0.5})
        assert smaller.is_of({}) and smaller.is_of({"final_sparsity": 0.0})
        assert not smaller.is_of({"final_sparsity": 0.5})
        assert Further().is_of({"final_sparsity": 0.5})

    def proposals(
        self,
        seed: int,
        limits: Limits,
        may_prune: bool,
        n: int = 1,
        space: SearchSpace = LANDSCAPE,
    ) -> list[float]:
        """Where the next ones lie, if accuracy and size grow with x and 20 kB are x = 0.5."""
        outlook: tuple[Further, ...] = AS_IT_IS
        if may_prune:
            # Of the one scheme that there is in a space without any.
            outlook = (*AS_IT_IS, Further(error=1.1, cost=1.2, weights_left={"": 0.2}))
        reference = ReferencePoint(error=1 - (limits.min_accuracy or 0.0))
        sampler = make_sampler("gp", seed, limits=limits, reference=reference)
        mirror = Mirror(sampler, seed, limits=limits, reference=reference)
        least = limits.min_accuracy or 0.0
        for x in grid(14):
            size = 20_000 * 10 ** (2 * (x - 0.5))
            values = (1 - 0.5 * 0.2**x, size, 1.0)
            proposal = mirror.propose(space, fixed={"x": x, "kind": "a"})
            excess = [0.0, size / 20_000 - 1, 0.0, least - values[0] if least else 0.0]
            ending = Ending(
                TrialState.COMPLETE, values, system_attrs={attributes.CONSTRAINTS: excess}
            )
            mirror.end(proposal.handle, ending)
        found = []
        for _ in range(n):
            proposal = mirror.propose(space, outlook=outlook)
            mirror.discard(proposal.handle)
            found.append(float(proposal.params["x"]))
        return found

    @pytest.mark.parametrize("may_prune", [False, True])
    def test_the_sampler_proposes_what_may_be_pruned_into_them(self, may_prune: bool) -> None:
        limits = Limits(max_size_bytes=20_000)
        found = [self.proposals(seed, limits, may_prune)[0] for seed in SEEDS]
        assert all((x > 0.5) == may_prune for x in found), found

    def test_what_breaks_another_limit_is_not_saved_by_pruning(self) -> None:
        """Which one was broken is not learned, only by how much."""
        limits = Limits(max_size_bytes=20_000, max_latency_ms=100.0)
        found = [self.proposals(seed, limits, True)[0] for seed in SEEDS]
        assert all(x < 0.55 for x in found), found

    @pytest.mark.parametrize("may_prune", [False, True])
    def test_so_it_does_while_nothing_is_accurate_enough(self, may_prune: bool) -> None:
        """What is small enough as it is has 77.6 % at most."""
        limits = Limits(max_size_bytes=20_000, min_accuracy=0.82)
        found = [x for seed in SEEDS for x in self.proposals(seed, limits, may_prune, n=8)]
        assert any(x > 0.6 for x in found) == may_prune, sorted(found)

    def test_nor_is_it_then_if_it_is_pruned_already(self) -> None:
        limits = Limits(max_size_bytes=20_000, min_accuracy=0.82)
        pruned_anyway = Parameter("final_sparsity", "categorical", choices=(0.5,))
        space = SearchSpace((*LANDSCAPE.parameters, pruned_anyway))
        found = [x for seed in SEEDS for x in self.proposals(seed, limits, True, 8, space)]
        assert all(x < 0.6 for x in found), sorted(found)
