"""What is trained on and on: what it gains, what it costs, and whether there is time for it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from search.sampling.branch_costs import Spent
from search.sampling.branch_kinds import KINDS, MAX_LINEAGE, TRAIN_ON, branch_config
from search.sampling.branching import MIN_NEW, Branch, Brancher
from spaces.config.trial import TrialConfig
from tests.search_tests.sampling.branches import (
    EPOCHS,
    SPACE,
    OneTraining,
    config_of,
    points_of,
)


class TestLineages(OneTraining):
    """A training and what was trained on from it."""

    def lineage(
        self, brancher: Brancher, first: int, seconds: tuple[float, ...], **changes: Any
    ) -> None:
        """Let it see a training and what was trained on from it, one after the other."""
        config: TrialConfig | None = config_of(**changes)
        for number, took in enumerate(seconds, first):
            assert config is not None
            parent = None if number == first else number - 1
            points = points_of(config_of(**changes))
            brancher.note(number, config, points, gain=0.0, took=Spent(took), parent=parent)
            config = branch_config(config, TRAIN_ON, EPOCHS, SPACE)

    def behind_a_long_training(self, n_trained_on: int) -> Brancher:
        """A training a third of whose errors another one makes, in an eighth of its size."""
        brancher = self.brancher(gain_of_new=0.0)
        config: TrialConfig | None = config_of(dropout=0.25)
        for _ in range(n_trained_on):
            assert config is not None
            config = branch_config(config, TRAIN_ON, EPOCHS, SPACE)
        assert config is not None
        points = points_of(config_of())
        self.front = [(1 - (1 - a) / 3, b / 8, c / 8) for a, b, c in points.values()]
        brancher.note(500, config, points, gain=0.0, took=Spent(10.0))
        return brancher

    def learned(self, brancher: Brancher, factor: float, cost: float = 10.0) -> Brancher:
        """Let it see what training on does, many times."""
        for number in range(800, 812):
            config = config_of(learning_rate=number * 1e-6)
            branch = branch_config(config, TRAIN_ON, EPOCHS, SPACE)
            assert branch is not None
            before = points_of(config)
            after = {s: (1 - (1 - a) * factor, b, c) for s, (a, b, c) in before.items()}
            brancher.note(number, config, before, gain=0.0, took=Spent(10.0))
            args: dict[str, Any] = {"gain": 0.0, "took": Spent(cost), "parent": number}
            brancher.note(1000 + number, branch, after, **args)
        return brancher

    def added_a_second(self, factor: float, steps: Iterable[int], step_s: float) -> float:
        """What training on adds behind a long training, for each second, if it goes on best."""
        found = []
        for n in steps:
            points = points_of(config_of()).values()
            after = [(1 - (1 - a) * factor**n, b, c) for a, b, c in points]
            added = self.hypervolume(after) - self.hypervolume([])
            found.append(added / (step_s * (2.0**n - 1)))
        assert found[0] == 0.0  # One step is not enough.
        return max(found)

    @pytest.mark.parametrize(
        ("predicted", "is_believed"),
        [(None, True), (0.0, True), (-1e-16, True), (1.0, False)],
    )
    def test_where_nothing_was_predicted_no_promise_is_broken(
        self, predicted: float | None, is_believed: bool
    ) -> None:
        brancher = self.learned(self.behind_a_long_training(0), 0.6)
        pruned = branch_config(config_of(), KINDS[0], EPOCHS, SPACE)
        assert pruned is not None
        args: dict[str, Any] = {"gain": 0.0, "took": Spent(10.0), "parent": 0}
        brancher.note(600, pruned, {}, predicted=predicted, **args)
        rate = 0.95 * self.added_a_second(0.6, (1, 3, 5), step_s=10.0)
        for number in range(900, 912):
            config = config_of(dropout=0.5)
            brancher.note(number, config, {}, gain=10.0 * rate, took=Spent(10.0))
        assert (self.propose(brancher, kept=(500,)) is not None) == is_believed

    def test_what_a_branch_costs_is_a_share_of_its_lineage_s_first_training(self) -> None:
        """Training on took half as long an epoch as the first training, each time."""
        brancher = self.brancher(gain_of_new=0.0)
        self.lineage(brancher, 700, (10.0, 5.0, 10.0, 20.0))
        assert [one.cost for one in brancher.outlook()] == [1.0, 1.5, 4.5, 16.5]

    @pytest.mark.parametrize(("first_s", "of_the_branch"), [(1000.0, False), (2.0, True)])
    def test_branches_of_a_branch_cost_what_its_lineage_does(
        self, first_s: float, of_the_branch: bool
    ) -> None:
        """A branch that took a second, of a training that took long, beside one of 10 s."""
        brancher = self.brancher(gain_of_new=0.0)
        self.lineage(brancher, 600, (10.0,), dropout=0.21)
        self.lineage(brancher, 700, (first_s, 1.0), dropout=0.2)
        branch = self.propose(brancher, kept=(600, 701))
        assert isinstance(branch, Branch)
        assert (branch.parent == 701) == of_the_branch

    def test_what_training_on_gains_is_learned(self) -> None:
        """It did nothing at all time and again: nothing is trained on any more."""
        brancher = self.brancher(gain_of_new=1e-4)
        parents = {n: config_of(dropout=n / 1000) for n in range(100, 112)}
        for number, config in parents.items():
            brancher.note(number, config, points_of(config), gain=1e-4, took=Spent(10.0))
            on = branch_config(config, TRAIN_ON, EPOCHS, SPACE)
            assert on is not None
            same = {scheme: values for scheme, values in points_of(config).items()}
            brancher.note(1000 + number, on, same, gain=0.0, took=Spent(10.0), parent=number)
        kinds = set()
        for _ in range(12):
            branch = self.propose(brancher)
            if branch is not None:
                kinds.add(branch.kind)  # type: ignore[attr-defined]
        assert TRAIN_ON not in kinds

    @pytest.mark.parametrize(
        ("factor", "n_trained_on", "is_promising"),
        [
            (0.6, 0, True),  # Five times: 0.6 to the power of 5 is less than a third.
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

    @pytest.mark.parametrize("n_trained_on", [0, 1, 3])
    def test_training_on_gains_as_much_each_time(self, n_trained_on: int) -> None:
        """What others gained by their second training says what the next one is to bring."""
        brancher = self.learned(self.behind_a_long_training(n_trained_on), 0.6)
        self.front = []
        predicted = []
        while isinstance(branch := self.propose(brancher, kept=(500,)), Branch):
            predicted += [branch.predicted] if branch.kind is TRAIN_ON else []
        after = [(1 - (1 - a) * 0.6, b, c) for a, b, c in points_of(config_of()).values()]
        assert predicted == [pytest.approx(self.hypervolume(after))]

    def test_what_is_no_doubling_gains_less(self) -> None:
        """Models whose own code may end a training are trained on for as long each time."""
        brancher = self.learned(self.brancher(gain_of_new=0.0), 0.6)
        config = config_of(dropout=0.25)
        config = replace(config, training=replace(config.training, from_model=True))
        for number in (600, 601):
            brancher.note(number, config, points_of(config_of()), gain=0.0, took=Spent(10.0))
            on = branch_config(config, TRAIN_ON, EPOCHS, SPACE)
            assert on is not None
            config = on
        self.front = []
        found = (self.propose(brancher, kept=(601,)) for _ in range(20))
        (branch,) = [b for b in found if isinstance(b, Branch) and b.kind is TRAIN_ON]
        points = points_of(config_of()).values()
        after = [(1 - (1 - a) * 0.6 ** math.log2(3 / 2), b, c) for a, b, c in points]
        assert branch.predicted == pytest.approx(self.hypervolume(after))

    def test_what_was_trained_for_long_is_trained_on_last(self) -> None:
        """Each time takes twice the seconds of the one before, and gains as much."""
        brancher = self.learned(self.brancher(gain_of_new=0.0), 0.6)
        self.lineage(brancher, 600, (10.0, 10.0, 20.0), dropout=0.21)
        self.lineage(brancher, 700, (10.0,), dropout=0.2)
        self.front = list(points_of(config_of()).values())
        found = (self.propose(brancher, kept=(602, 700)) for _ in range(20))
        branches = [one for one in found if isinstance(one, Branch) and one.kind is TRAIN_ON]
        assert [one.parent for one in branches] == [700, 602]
        assert branches[0].predicted == pytest.approx(branches[1].predicted, rel=0.05)

    @pytest.mark.parametrize("seconds_left", [9.0, 11.0, 35.0, 71.0])
    def test_what_does_not_end_in_time_is_not_begun(self, seconds_left: float) -> None:
        """Also not for what it would lead to: the first of three times is worth nothing alone."""
        brancher = self.learned(self.behind_a_long_training(0), 0.6)
        found = brancher.propose((500,), self.hypervolume, seconds_left)
        assert (found is not None) == (seconds_left > 10.0 * (1 + 2 + 4))

    def test_a_new_training_does_not_take_the_place_of_a_branch_that_ends_sooner(self) -> None:
        brancher = self.learned(self.brancher(gain_of_new=0.0), 0.6)
        self.lineage(brancher, 700, (10.0,), dropout=0.2)
        found = brancher.propose((700,), self.hypervolume, 0.0)
        assert isinstance(found, Branch)

    def test_a_branch_that_failed_does_not_say_that_it_costs_nothing(self) -> None:
        brancher = self.brancher(gain_of_new=0.0)
        self.lineage(brancher, 700, (10.0, 10.0), dropout=0.2)
        failed = branch_config(config_of(dropout=0.2), TRAIN_ON, EPOCHS, SPACE)
        assert failed is not None
        for number in range(800, 806):
            brancher.note(number, failed, {}, gain=0.0, took=Spent(0.0), parent=700)
        assert [one.cost for one in brancher.outlook()] == [1.0, 2.0, 8.0, 32.0]

    @pytest.mark.parametrize(("share", "is_worth_it"), [(0.95, True), (1.05, False)])
    def test_what_takes_several_branches_takes_the_seconds_of_all(
        self, share: float, is_worth_it: bool
    ) -> None:
        brancher = self.learned(self.behind_a_long_training(0), 0.6)
        rate = share * self.added_a_second(0.6, (1, 3, 5), step_s=10.0)
        for number in range(900, 912):  # What new trainings have lately bought.
            config = config_of(dropout=0.5)
            brancher.note(number, config, {}, gain=10.0 * rate, took=Spent(10.0))
        assert (self.propose(brancher, kept=(500,)) is not None) == is_worth_it

    def test_a_branch_for_what_comes_later_is_no_broken_promise(self) -> None:
        """It was to add nothing at once, and did: the next one is believed as much."""
        brancher = self.learned(self.behind_a_long_training(0), 0.6)
        first = self.propose(brancher, kept=(500,))
        assert isinstance(first, Branch)
        args: dict[str, Any] = {"gain": 0.0, "took": Spent(10.0), "parent": 500}
        points = points_of(config_of())
        better = {s: (1 - (1 - a) * 0.6, b, c) for s, (a, b, c) in points.items()}
        brancher.note(501, first.config, better, predicted=first.predicted, **args)
        for number in range(2 * MIN_NEW):  # New trainings have lately bought a little.
            brancher.note(900 + number, config_of(dropout=0.5), {}, gain=1e-3, took=Spent(10.0))
        again = self.propose(brancher, kept=(501,))
        assert isinstance(again, Branch) and again.kind is TRAIN_ON

    def test_a_new_training_s_outlook_is_what_training_on_did(self) -> None:
        brancher = self.brancher(gain_of_new=0.0)
        first = brancher.outlook()
        assert (first[0].error, first[0].cost) == (1.0, 1.0)
        assert [one.cost for one in first] == [1.0, 2.0, 8.0, 32.0]
        times = (0, 1, 3, 5)
        assert [one.error for one in first] == pytest.approx([0.85**n for n in times])
        later = self.learned(brancher, 0.6, cost=5.0).outlook()
        assert [one.cost for one in later] == [1.0, 1.5, 4.5, 16.5]
        assert [one.error for one in later] == pytest.approx([0.6**n for n in times])
        worse = self.learned(self.brancher(gain_of_new=0.0), 1.3).outlook()
        assert all(further.error <= 1.0 for further in worse)
