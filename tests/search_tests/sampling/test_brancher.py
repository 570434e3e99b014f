"""When a branch is worth more than a new training, and which."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from search.front.pareto import ReferencePoint, hypervolume
from search.sampling.branch_costs import Spent
from search.sampling.branch_effects import Values
from search.sampling.branch_kinds import KINDS, TRAIN_ON, branch_config
from search.sampling.branching import MIN_NEW, Branch, Brancher
from spaces.config.schemes import SCHEMES, QuantizationScheme
from spaces.space.search_space import SearchSpace
from tests.search_tests.sampling.branches import (
    EPOCHS,
    SPACE,
    OneTraining,
    config_of,
    points_of,
)
from workers.messages.limits import Limits


class TestBrancher(OneTraining):
    """Beside what new trainings buy."""

    def test_not_before_something_is_known(self) -> None:
        brancher = Brancher(EPOCHS, SPACE)
        self.front = list(points_of(config_of()).values())
        brancher.note(0, config_of(), points_of(config_of()), gain=0.05, took=Spent(10.0))
        assert self.propose(brancher) is None

    @pytest.mark.parametrize("n_new", [MIN_NEW - 1, MIN_NEW])
    def test_the_first_branch_comes_after_some_trainings(self, n_new: int) -> None:
        brancher = Brancher(EPOCHS, SPACE)
        self.front = list(points_of(config_of()).values())
        for number in range(n_new):
            config = config_of(dropout=number / 100)
            brancher.note(number, config, points_of(config), gain=0.0, took=Spent(10.0))
        assert (self.propose(brancher) is not None) == (n_new >= MIN_NEW)

    def test_what_is_predicted_is_what_earlier_branches_did(self) -> None:
        """A tenth more errors, 0.7 of the bytes that may go, four fifths of the latencies."""
        powers = {32: 1.25, 16: 1.4, 8: 1.85, 4: 2.9}

        def pruned(scheme: QuantizationScheme, values: Values) -> Values:
            accuracy, size, latency = values
            gone = 0.7 * 0.5 ** powers[SCHEMES[scheme].weight_bits]
            return 1 - (1 - accuracy) * 1.1, size - gone * (size - 3000), latency * 0.8

        brancher = self.brancher(gain_of_new=0.0)
        for number in range(100, 112):
            config = config_of(dropout=number / 1000)
            brancher.note(number, config, points_of(config), gain=0.0, took=Spent(10.0))
            branch = branch_config(config, KINDS[0], EPOCHS, SPACE)
            assert branch is not None
            after = {s: pruned(s, values) for s, values in points_of(config).items()}
            brancher.note(1000 + number, branch, after, gain=0.0, took=Spent(1.0), parent=number)
        proposed = self.propose(brancher)
        assert isinstance(proposed, Branch) and proposed.kind == KINDS[0]
        expected = [pruned(*point) for point in points_of(config_of()).items()]
        added = self.hypervolume(expected) - self.hypervolume([])
        assert proposed.predicted == pytest.approx(added)

    def test_prunings_that_cost_nothing_promise_more_of_sparser_ones(self) -> None:
        predicted = []
        for is_taught in (False, True):
            brancher = self.brancher(gain_of_new=0.0)
            for number in range(100, 112) if is_taught else ():
                config = config_of(dropout=number / 1000)
                brancher.note(number, config, points_of(config), gain=0.0, took=Spent(10.0))
                branch = branch_config(config, KINDS[0], EPOCHS, SPACE)
                assert branch is not None
                after = {s: (a, 0.6 * b, c) for s, (a, b, c) in points_of(config).items()}
                brancher.note(
                    1000 + number, branch, after, gain=0.0, took=Spent(1.0), parent=number
                )
            for kind in (kind for kind in KINDS if kind.sparsity != 0.85):
                tried = branch_config(config_of(), kind, EPOCHS, SPACE)
                if tried is not None:
                    brancher.note(900, tried, {}, gain=0.0, took=Spent(1.0), parent=0)
            proposed = self.propose(brancher)
            assert isinstance(proposed, Branch) and proposed.kind.sparsity == 0.85
            predicted.append(proposed.predicted)
        assert predicted[1] > 1.2 * predicted[0]

    def test_what_was_tried_leaves_other_kinds_to_try(self) -> None:
        brancher = self.brancher(gain_of_new=0.0)
        tried = branch_config(config_of(), KINDS[0], EPOCHS, SPACE)
        assert tried is not None
        brancher.note(900, tried, {}, gain=0.0, took=Spent(1.0), parent=0)
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

    def test_what_new_trainings_once_bought_soon_counts_no_more(self) -> None:
        """The first ones of a study gain far more than any later one."""
        brancher = self.brancher(gain_of_new=0.0)
        brancher.note(50, config_of(dropout=0.3), {}, gain=0.5, took=Spent(10.0))
        assert self.propose(brancher) is None
        for number in range(60, 67):
            brancher.note(number, config_of(dropout=0.4), {}, gain=0.0, took=Spent(10.0))
        assert self.propose(brancher) is not None

    def test_without_weights_there_is_nothing_to_start_from(self) -> None:
        assert self.propose(self.brancher(gain_of_new=0.0), kept=()) is None

    def test_of_many_kept_none_is_overlooked(self) -> None:
        """As long as nothing counts, no part of the front tells them apart."""
        limits = Limits(min_accuracy=0.95)
        reference = ReferencePoint(error=0.05)
        brancher = Brancher(EPOCHS, SPACE, limits)
        points = points_of(config_of())
        for number in range(30):
            accuracy = 0.94 if number == 20 else 0.5
            values = {s: (accuracy, size, latency) for s, (_, size, latency) in points.items()}
            config = config_of(dropout=number / 100)
            brancher.note(number, config, values, gain=0.0, took=Spent(10.0))

        def measured(added: Iterable[Values]) -> float:
            return hypervolume(list(added), reference)

        promised = {number: brancher.promise(number, measured) for number in range(30)}
        assert max(promised, key=promised.__getitem__) == 20
        assert promised[19] == 0.0 < promised[20]
        branch = brancher.propose(range(30), measured)
        assert branch is not None and (branch.parent, branch.kind) == (20, TRAIN_ON)

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
            for number in range(100, 160):
                brancher.note(number, config_of(dropout=0.4), {}, gain=0.0, took=Spent(10.0))
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
            brancher.note(number, config, points_of(config), gain=0.0, took=Spent(seconds))
        on = branch_config(config_of(), TRAIN_ON, EPOCHS, SPACE)
        assert on is not None
        brancher.note(200, on, points_of(on), gain=0.01, took=Spent(10.0), parent=0)
        branch = self.propose(brancher, (100, 101))
        assert branch is not None and branch.parent == 101  # type: ignore[attr-defined]

    def test_predictions_that_do_not_come_true_are_believed_less(self) -> None:
        brancher = self.brancher(gain_of_new=0.002)
        first = self.propose(brancher)
        assert first is not None
        parents = {n: config_of(dropout=n / 100) for n in range(100, 100 + 12)}
        for number, config in parents.items():
            brancher.note(number, config, points_of(config), gain=0.002, took=Spent(10.0))
        disappointed = self.propose(brancher, tuple(parents))
        assert disappointed is not None
        for number in parents:
            failed = branch_config(parents[number], KINDS[0], EPOCHS, SPACE)
            assert failed is not None
            brancher.note(
                1000 + number, failed, {}, gain=0.0, took=Spent(10.0), parent=0, predicted=1.0
            )
        assert self.propose(brancher, tuple(parents)) is None
