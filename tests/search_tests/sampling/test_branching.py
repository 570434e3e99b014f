"""Branches: which there are, and when they are worth more than a new training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from search.front.pareto import ReferencePoint, hypervolume
from search.run.driver import Driver
from search.sampling.branch_kinds import (
    KINDS,
    MAX_LINEAGE,
    QAT,
    SPARSITIES,
    TRAIN_ON,
    Kind,
    branch_config,
    branch_sparsity,
    is_trained_on,
    kind_of,
)
from search.sampling.branching import MIN_NEW, Branch, Brancher, Values
from search.sampling.training_on import Further
from search.storage import attributes
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study
from spaces.config.schemes import POST_TRAINING_SCHEMES, QuantizationScheme
from spaces.config.trial import TrialConfig
from spaces.space.compression import params_from_config
from spaces.space.search_space import SearchSpace
from tests.search_tests import analytic
from workers.messages.executor import InlineExecutor
from workers.messages.result import EvaluateRequest

SPACE = analytic.analytic_space()
EPOCHS = 5
REFERENCE = ReferencePoint()
S = QuantizationScheme


def config_of(**changes: Any) -> TrialConfig:
    params = {**SPACE.defaults(), "pruning_schedule": "none", **changes}
    names = {"final_sparsity", "pruning_begin", "pruning_end", "pruning_frequency"}
    return analytic.make_config({k: v for k, v in params.items() if k not in names - set(changes)})


def points_of(config: TrialConfig) -> dict[QuantizationScheme, Values]:
    return {
        scheme: analytic.make_point(config.with_quantization(scheme)).values
        for scheme in POST_TRAINING_SCHEMES
    }


class TestConfig:
    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
    def test_a_branch_is_a_point_of_the_space(self, kind: object) -> None:
        parent = config_of()
        branch = branch_config(parent, kind, EPOCHS, SPACE)  # type: ignore[arg-type]
        assert branch is not None
        assert branch.branched_from == parent
        assert branch.lineage == (parent, branch)
        assert branch.training.epochs <= parent.training.epochs
        assert branch.hash != parent.hash
        params = params_from_config(branch, SPACE)
        assert all(SPACE[name].contains(value) for name, value in params.items())

    def test_quantization_aware_training_keeps_what_was_pruned(self) -> None:
        parent = branch_config(config_of(), KINDS[1], EPOCHS, SPACE)
        assert parent is not None
        branch = branch_config(parent, QAT, EPOCHS, SPACE)
        assert branch is not None
        assert branch.pruning == parent.pruning
        assert branch.quantization is S.QAT_INT8

    def test_training_on_takes_as_many_epochs_again_and_keeps_what_was_pruned(self) -> None:
        pruned = branch_config(config_of(), KINDS[1], EPOCHS, SPACE)
        assert pruned is not None
        branch = branch_config(pruned, TRAIN_ON, EPOCHS, SPACE)
        assert branch is not None
        assert branch.training == replace(pruned.training, epochs=EPOCHS)
        assert branch.pruning.final_sparsity == pruned.pruning.final_sparsity
        assert branch.quantization is S.FLOAT32
        again = branch_config(branch, TRAIN_ON, EPOCHS, SPACE)
        assert again is not None and again.hash != branch.hash

    def test_weights_that_were_only_quantized_anew_are_not_trained_on(self) -> None:
        parent = branch_config(config_of(), QAT, EPOCHS, SPACE)
        assert parent is not None
        assert branch_config(parent, TRAIN_ON, EPOCHS, SPACE) is None

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
    @pytest.mark.parametrize("parent_kind", [None, KINDS[0], TRAIN_ON])
    def test_a_configuration_says_of_which_kind_it_is(
        self, kind: Kind, parent_kind: Kind | None
    ) -> None:
        parent: TrialConfig | None = config_of()
        if parent_kind is not None:
            assert parent is not None
            parent = branch_config(parent, parent_kind, EPOCHS, SPACE)
        assert parent is not None
        branch = branch_config(parent, kind, EPOCHS, SPACE)
        if branch is None:
            assert kind.sparsity == KINDS[0].sparsity  # Pruned so far already.
        else:
            assert kind_of(branch) == kind

    def test_pruning_only_goes_on(self) -> None:
        parent = branch_config(config_of(), KINDS[1], EPOCHS, SPACE)
        assert parent is not None
        assert branch_config(parent, KINDS[0], EPOCHS, SPACE) is None
        assert branch_config(parent, KINDS[1], EPOCHS, SPACE) is None
        assert branch_config(parent, KINDS[2], EPOCHS, SPACE) is not None

    def test_a_lineage_has_an_end(self) -> None:
        config = config_of()
        for kind in (*KINDS[: MAX_LINEAGE - 1],):
            longer = branch_config(config, kind, EPOCHS, SPACE)
            assert longer is not None
            config = longer
        assert all(branch_config(config, kind, EPOCHS, SPACE) is None for kind in KINDS)

    def test_what_is_not_searched_is_not_branched(self) -> None:
        names = ("quantization", "learning_rate", "batch_size", "optimizer", "n_blocks")
        bare = SearchSpace(tuple(p for p in SPACE.parameters if p.name in names))
        without_qat = SearchSpace(
            tuple(
                replace(p, choices=("float32", "int8")) if p.name == "quantization" else p
                for p in bare.parameters
            )
        )
        parent = config_of()
        assert branch_config(parent, KINDS[0], EPOCHS, bare) is None
        assert branch_config(parent, QAT, EPOCHS, bare) is not None
        assert branch_config(parent, QAT, EPOCHS, without_qat) is None

    def test_how_far_a_branch_could_prune(self) -> None:
        config = config_of()
        assert branch_sparsity(config, EPOCHS, SPACE) == max(SPARSITIES)
        while (longer := branch_config(config, TRAIN_ON, EPOCHS, SPACE)) is not None:
            config = longer
        assert len(config.lineage) == MAX_LINEAGE
        assert branch_sparsity(config, EPOCHS, SPACE) == 0.0

    def test_kinds_in_words(self) -> None:
        assert [kind.words for kind in KINDS] == [
            "pruned to 50 %",
            "pruned to 70 %",
            "pruned to 85 %",
            "trained on",
            "trained quantization-aware",
        ]


class TestBrancher:
    """One good training, and what it is compared with."""

    def brancher(self, gain_of_new: float, n_new: int = MIN_NEW) -> Brancher:
        brancher = Brancher(EPOCHS, SPACE)
        parent = config_of()
        self.front = list(points_of(parent).values())
        brancher.note(0, parent, points_of(parent), gain=0.05, seconds=10.0)
        for number in range(1, n_new):
            brancher.note(number, config_of(filters_1=8 * number), {}, gain=0.0, seconds=10.0)
        for number in range(n_new, 2 * n_new):
            brancher.note(number, config_of(dropout=0.5), {}, gain=gain_of_new, seconds=10.0)
        return brancher

    def hypervolume(self, points: Iterable[Values]) -> float:
        return hypervolume([*self.front, *points], REFERENCE)

    def propose(self, brancher: Brancher, kept: tuple[int, ...] = (0,)) -> object:
        return brancher.propose(kept, lambda number: 1.0, self.hypervolume)

    def test_not_before_something_is_known(self) -> None:
        brancher = Brancher(EPOCHS, SPACE)
        self.front = list(points_of(config_of()).values())
        brancher.note(0, config_of(), points_of(config_of()), gain=0.05, seconds=10.0)
        assert self.propose(brancher) is None

    @pytest.mark.parametrize("n_new", [MIN_NEW - 1, MIN_NEW])
    def test_the_first_branch_comes_after_some_trainings(self, n_new: int) -> None:
        brancher = Brancher(EPOCHS, SPACE)
        self.front = list(points_of(config_of()).values())
        for number in range(n_new):
            config = config_of(dropout=number / 100)
            brancher.note(number, config, points_of(config), gain=0.0, seconds=10.0)
        assert (self.propose(brancher) is not None) == (n_new >= MIN_NEW)

    def test_what_is_predicted_is_what_earlier_branches_did(self) -> None:
        """Half of the errors, a third of the sizes, a quarter of the latencies."""
        brancher = self.brancher(gain_of_new=0.0)
        for number in range(100, 112):
            config = config_of(dropout=number / 1000)
            brancher.note(number, config, points_of(config), gain=0.0, seconds=10.0)
            branch = branch_config(config, KINDS[0], EPOCHS, SPACE)
            assert branch is not None
            after = {
                s: (1 - (1 - a) / 2, b / 3, c / 4) for s, (a, b, c) in points_of(config).items()
            }
            brancher.note(1000 + number, branch, after, gain=0.0, seconds=1.0, parent=number)
        proposed = self.propose(brancher)
        assert isinstance(proposed, Branch) and proposed.kind == KINDS[0]
        expected = [(1 - (1 - a) / 2, b / 3, c / 4) for a, b, c in points_of(config_of()).values()]
        added = self.hypervolume(expected) - self.hypervolume([])
        assert proposed.predicted == pytest.approx(added)

    def test_what_was_tried_leaves_other_kinds_to_try(self) -> None:
        brancher = self.brancher(gain_of_new=0.0)
        tried = branch_config(config_of(), KINDS[0], EPOCHS, SPACE)
        assert tried is not None
        brancher.note(900, tried, {}, gain=0.0, seconds=1.0, parent=0)
        branch = self.propose(brancher)
        assert isinstance(branch, Branch) and branch.kind != KINDS[0]

    def test_when_new_trainings_buy_nothing_branches_do(self) -> None:
        brancher = self.brancher(gain_of_new=0.0)
        branch = self.propose(brancher)
        assert branch is not None
        assert branch.parent == 0  # type: ignore[attr-defined]
        assert branch.predicted > 0  # type: ignore[attr-defined]

    def test_when_new_trainings_buy_much_branches_wait(self) -> None:
        assert self.propose(self.brancher(gain_of_new=0.5)) is None

    def test_without_weights_there_is_nothing_to_start_from(self) -> None:
        assert self.propose(self.brancher(gain_of_new=0.0), kept=()) is None

    def test_no_branch_is_proposed_twice(self) -> None:
        brancher = self.brancher(gain_of_new=0.0)
        seen = []
        for _ in range(20):
            branch = self.propose(brancher)
            if branch is not None:
                seen.append(branch.config.hash)  # type: ignore[attr-defined]
        assert len(seen) == len(set(seen)) > 1

    def test_a_front_that_has_grown_is_predicted_for_anew(self) -> None:
        expected = []
        for grows_before in (False, True):
            brancher = self.brancher(gain_of_new=1e6)
            assert self.propose(brancher) is None  # What branches would add is known now.
            if grows_before:
                self.front += [(min(1.0, a + 0.1), s * 0.4, t) for a, s, t in self.front]
            for number in range(100, 112):
                brancher.note(number, config_of(dropout=0.4), {}, gain=0.0, seconds=10.0)
            branch = self.propose(brancher)
            expected.append(branch.predicted if isinstance(branch, Branch) else 0.0)
        assert expected[1] < expected[0]

    def test_a_space_that_has_grown_has_more_branches(self) -> None:
        bare = SearchSpace(tuple(p for p in SPACE.parameters if p.name == "learning_rate"))
        brancher = self.brancher(gain_of_new=0.0)
        brancher.space = bare
        found = self.propose(brancher), self.propose(brancher)
        assert [one.kind for one in found if isinstance(one, Branch)] == [TRAIN_ON]
        brancher.space = SPACE
        branch = self.propose(brancher)
        assert isinstance(branch, Branch) and branch.kind is not TRAIN_ON

    def test_the_branch_of_a_cheap_training_goes_before_that_of_a_dear_one(self) -> None:
        """Costs seen on a small network say little of a large one's, but as shares of it."""
        brancher = self.brancher(gain_of_new=0.0)
        dear, cheap = config_of(dropout=0.21), config_of(dropout=0.2)
        for number, config, seconds in ((100, dear, 1000.0), (101, cheap, 1.0)):
            brancher.note(number, config, points_of(config), gain=0.0, seconds=seconds)
        on = branch_config(config_of(), TRAIN_ON, EPOCHS, SPACE)
        assert on is not None
        brancher.note(200, on, points_of(on), gain=0.01, seconds=10.0, parent=0)
        branch = self.propose(brancher, (100, 101))
        assert branch is not None and branch.parent == 101  # type: ignore[attr-defined]

    def test_what_training_on_gains_is_learned(self) -> None:
        """It did nothing at all time and again: nothing is trained on any more."""
        brancher = self.brancher(gain_of_new=1e-4)
        parents = {n: config_of(dropout=n / 1000) for n in range(100, 112)}
        for number, config in parents.items():
            brancher.note(number, config, points_of(config), gain=1e-4, seconds=10.0)
            on = branch_config(config, TRAIN_ON, EPOCHS, SPACE)
            assert on is not None
            same = {scheme: values for scheme, values in points_of(config).items()}
            brancher.note(1000 + number, on, same, gain=0.0, seconds=10.0, parent=number)
        kinds = set()
        for _ in range(12):
            branch = self.propose(brancher)
            if branch is not None:
                kinds.add(branch.kind)  # type: ignore[attr-defined]
        assert TRAIN_ON not in kinds

    def behind_a_long_training(self, n_trained_on: int) -> Brancher:
        """A training a quarter of whose errors another one makes, in an eighth of its size."""
        brancher = self.brancher(gain_of_new=0.0)
        config: TrialConfig | None = config_of(dropout=0.25)
        for _ in range(n_trained_on):
            assert config is not None
            config = branch_config(config, TRAIN_ON, EPOCHS, SPACE)
        assert config is not None
        points = points_of(config_of())
        self.front = [(1 - (1 - a) / 4, b / 8, c / 8) for a, b, c in points.values()]
        brancher.note(500, config, points, gain=0.0, seconds=10.0)
        return brancher

    def learned(self, brancher: Brancher, factor: float, cost: float = 10.0) -> Brancher:
        """Let it see what training on does, many times."""
        for number in range(800, 812):
            config = config_of(learning_rate=number * 1e-6)
            branch = branch_config(config, TRAIN_ON, EPOCHS, SPACE)
            assert branch is not None
            before = points_of(config)
            after = {s: (1 - (1 - a) * factor, b, c) for s, (a, b, c) in before.items()}
            brancher.note(number, config, before, gain=0.0, seconds=10.0)
            args: dict[str, Any] = {"gain": 0.0, "seconds": cost, "parent": number}
            brancher.note(1000 + number, branch, after, **args)
        return brancher

    @pytest.mark.parametrize(
        ("factor", "n_trained_on", "is_promising"),
        [
            (0.6, 0, True),  # 0.6 to the third is less than a quarter.
            (0.9, 0, False),  # Even five times leave it behind.
            (0.6, MAX_LINEAGE - 2, False),  # But once is all that is left.
        ],
    )
    def test_what_lies_behind_may_be_trained_on_until_it_leads(
        self, factor: float, n_trained_on: int, is_promising: bool
    ) -> None:
        brancher = self.learned(self.behind_a_long_training(n_trained_on), factor)
        branch = self.propose(brancher, kept=(500,))
        assert (branch is not None) == is_promising
        if is_promising:
            assert isinstance(branch, Branch) and branch.kind is TRAIN_ON
            assert branch.predicted == pytest.approx(0.0, abs=1e-12)  # At once it adds nothing.

    def test_a_branch_for_what_comes_later_is_no_broken_promise(self) -> None:
        """It was to add nothing at once, and did: the next one is believed as much."""
        brancher = self.learned(self.behind_a_long_training(0), 0.6)
        first = self.propose(brancher, kept=(500,))
        assert isinstance(first, Branch)
        args: dict[str, Any] = {"gain": 0.0, "seconds": 10.0, "parent": 500}
        points = points_of(config_of())
        better = {s: (1 - (1 - a) * 0.6, b, c) for s, (a, b, c) in points.items()}
        brancher.note(501, first.config, better, predicted=first.predicted, **args)
        for number in range(2 * MIN_NEW):  # New trainings have lately bought a little.
            brancher.note(900 + number, config_of(dropout=0.5), {}, gain=1e-3, seconds=10.0)
        again = self.propose(brancher, kept=(501,))
        assert isinstance(again, Branch) and again.kind is TRAIN_ON

    def test_a_new_training_s_outlook_is_what_training_on_did(self) -> None:
        brancher = self.brancher(gain_of_new=0.0)
        first = brancher.outlook()
        assert first[0] == Further(1.0, 1.0)
        assert [one.cost for one in first] == [1.0, 2.0, 4.0, 6.0]
        assert [one.error for one in first[1:]] == pytest.approx([0.85, 0.85**3, 0.85**5])
        later = self.learned(brancher, 0.6, cost=5.0).outlook()
        assert [one.cost for one in later] == [1.0, 1.5, 2.5, 3.5]
        assert [one.error for one in later] == pytest.approx([1.0, 0.6, 0.6**3, 0.6**5])
        worse = self.learned(self.brancher(gain_of_new=0.0), 1.3).outlook()
        assert all(further.error <= 1.0 for further in worse)

    def test_predictions_that_do_not_come_true_are_believed_less(self) -> None:
        brancher = self.brancher(gain_of_new=0.01)
        first = self.propose(brancher)
        assert first is not None
        parents = {n: config_of(dropout=n / 100) for n in range(100, 100 + 12)}
        for number, config in parents.items():
            brancher.note(number, config, points_of(config), gain=0.01, seconds=10.0)
        disappointed = self.propose(brancher, tuple(parents))
        assert disappointed is not None
        for number in parents:
            failed = branch_config(parents[number], KINDS[0], EPOCHS, SPACE)
            assert failed is not None
            brancher.note(
                1000 + number, failed, {}, gain=0.0, seconds=10.0, parent=0, predicted=1.0
            )
        assert self.propose(brancher, tuple(parents)) is None


class TestInAStudy:
    def settings(self, **changes: object) -> StudySettings:
        info = analytic.task_info()
        return replace(StudySettings("analytic", info, sampler="random", seed=3), **changes)  # type: ignore[arg-type]

    def run(self, storage: InMemoryStorage, n_trials: int = 60, **changes: object) -> list:  # type: ignore[type-arg]
        requests: list[EvaluateRequest] = []

        def evaluate(request: EvaluateRequest):  # type: ignore[no-untyped-def]
            requests.append(request)
            return analytic.make_result(request)

        study = open_study(storage, self.settings(**changes))
        settings = RunSettings(n_trials)
        Driver(study, InlineExecutor(evaluate), analytic.make_config, settings).run()
        return requests

    def test_branches_tell_where_they_come_from(self) -> None:
        storage = InMemoryStorage()
        requests = self.run(storage)
        trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
        branches = [t for t in trials if attributes.BRANCHED_FROM in t.user_attrs]
        assert branches
        for trial in branches:
            parent = trials[trial.user_attrs[attributes.BRANCHED_FROM]]
            config = TrialConfig.from_dict(trial.user_attrs[attributes.CONFIG])
            start = TrialConfig.from_dict(parent.user_attrs[attributes.CONFIG])
            assert config.branched_from == start.with_quantization(S.FLOAT32)
            assert trial.params == params_from_config(config, SPACE)
            if attributes.DERIVED_FROM not in trial.user_attrs:
                assert attributes.PREDICTED_GAIN in trial.user_attrs
                assert attributes.GAIN in trial.user_attrs
        sent = [r for r in requests if r.config.branched_from is not None]
        assert all(r.start_weights is not None for r in sent)
        assert all(r.race is None for r in sent)

    def test_switched_off_there_are_none(self) -> None:
        storage = InMemoryStorage()
        requests = self.run(storage, branch=False)
        assert all(r.config.branched_from is None and not r.keep_weights for r in requests)

    @pytest.mark.parametrize("n_runs", [1, 2])
    def test_trainings_are_raced_against_what_was_trained_for_as_long(self, n_runs: int) -> None:
        storage = InMemoryStorage()
        requests = [one for run in range(n_runs) for one in self.run(storage, 40 * (run + 1))]
        trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
        configs = [TrialConfig.from_dict(t.user_attrs[attributes.CONFIG]) for t in trials]
        longer = {
            tuple(trial.values)
            for trial, config in zip(trials, configs, strict=True)
            if trial.values is not None and is_trained_on(config)
        }
        rivals = {point for one in requests if one.race is not None for point in one.race.front}
        assert longer and rivals
        assert not rivals & longer

    def test_the_race_stops_and_says_so(self) -> None:
        storage = InMemoryStorage()
        self.run(storage, branch=False)
        trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
        stopped = [t for t in trials if t.user_attrs[attributes.OUTCOME] == "stopped"]
        assert stopped
        for trial in stopped:
            assert trial.values is None
            assert 0 < trial.user_attrs[attributes.EPOCHS_TRAINED] < EPOCHS
            assert len(trial.user_attrs[attributes.CURVE]) < EPOCHS
            assert "to be expected" in trial.user_attrs[attributes.REASON]
            assert trial.user_attrs[attributes.BAR] > 0

    def test_without_the_race_all_go_to_their_end(self) -> None:
        storage = InMemoryStorage()
        requests = self.run(storage, race=False)
        assert all(r.race is None for r in requests)
        trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
        assert not [t for t in trials if t.user_attrs[attributes.OUTCOME] == "stopped"]

    def test_the_next_run_knows_what_the_last_one_knew(self) -> None:
        storage = InMemoryStorage()
        self.run(storage, 40)
        requests = self.run(storage, 60)
        races = [r.race for r in requests if r.race is not None]
        assert races and all(race.can_judge for race in races)
        assert races[0].front

    def test_interrupted_branches_are_tried_again_as_branches(self) -> None:
        storage = InMemoryStorage()
        self.run(storage, 30)
        study = open_study(storage, self.settings())
        asked = []
        for _ in range(40):
            one = study.ask(analytic.make_config)
            assert one is not None
            asked.append(one)
        study.interrupt("interrupted: test")
        again = [study.ask(analytic.make_config) for _ in asked]
        assert {a.config.hash for a in again if a} == {a.config.hash for a in asked}
