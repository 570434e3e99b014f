"""What branches take: their training grows with its length, what comes besides does not."""

from __future__ import annotations

import pytest

from search.sampling import branching
from search.sampling.branch_costs import BranchCosts, Spent, spent
from search.sampling.branch_kinds import KINDS, QAT, TRAIN_ON, branch_config, pruning_to
from tests.search_tests.sampling.branches import EPOCHS, SPACE, OneTraining, config_of, points_of

FIRST = Spent(training=2.0, besides=1.5)
PRUNING = next(kind for kind in KINDS if kind.sparsity)


def test_stages_that_train_are_told_from_the_others() -> None:
    stages = {"gate": 0.3, "build": 0.1, "train": 2.0, "qat": 0.5, "convert": 0.2, "latency": 0.4}
    took = spent(stages)
    assert (took.training, took.besides) == pytest.approx((2.5, 1.0))
    assert took.all == pytest.approx(3.5)
    assert spent({}) == Spent(0.0)


@pytest.mark.parametrize(("times", "seconds"), [(1, 3.5), (2, 5.5), (16, 33.5)])
def test_training_on_for_longer_converts_and_measures_once(times: int, seconds: float) -> None:
    costs = BranchCosts()
    assert costs.of(TRAIN_ON, FIRST, times) == pytest.approx(seconds)
    costs.note(TRAIN_ON, FIRST, FIRST, times=1)
    assert costs.of(TRAIN_ON, FIRST, times) == pytest.approx(seconds)


def test_training_on_again_and_again_converts_and_measures_each_time() -> None:
    costs = BranchCosts()
    assert costs.of_training_on(FIRST, 1.0, 3) == pytest.approx(2 * (1 + 2 + 4) + 3 * 1.5)
    # From what was trained for twice as long already.
    assert costs.of_training_on(FIRST, 2.0, 2) == pytest.approx(2 * (2 + 4) + 2 * 1.5)


def test_what_branches_took_is_learned_part_by_part() -> None:
    costs = BranchCosts()
    large = Spent(training=20.0, besides=4.0)
    for _ in range(3):
        costs.note(PRUNING, Spent(training=6.0, besides=2.0), large, times=1)
    assert costs.of(PRUNING, FIRST, 1) == pytest.approx(0.3 * 2.0 + 0.5 * 1.5)
    # Prunings to fit a limit take as long as others.
    assert costs.of(pruning_to(0.62), FIRST, 1) == costs.of(PRUNING, FIRST, 1)
    # Quantization-aware training is known by itself, and was not seen.
    assert costs.of(QAT, FIRST, 1) == BranchCosts().of(QAT, FIRST, 1)


def test_new_trainings_tell_what_is_typical() -> None:
    costs = BranchCosts()
    assert costs.typical() == Spent(1.0)
    for took in (Spent(9.0, 1.0), Spent(3.0, 3.0)):
        costs.note_new(took)
    assert costs.typical().training == pytest.approx(12 / 16)
    assert costs.typical().all == pytest.approx(1.0)


class TestWithinTheTimeLeft(OneTraining):
    """What is begun in the time left, and what new trainings may still become in it."""

    @pytest.mark.parametrize(("seconds_left", "is_begun"), [(45.0, True), (35.0, False)])
    def test_a_long_training_on_is_expected_to_convert_once(
        self, monkeypatch: pytest.MonkeyPatch, seconds_left: float, is_begun: bool
    ) -> None:
        """Sixteen times 2 s of training and once 8 s; as shares of all it would be 160 s."""
        monkeypatch.setattr(branching, "KINDS", (TRAIN_ON,))
        brancher = self.brancher(gain_of_new=0.0)
        config, number = config_of(dropout=0.2), 100
        for took in (Spent(2.0, 8.0), *(Spent(2.0 * times, 8.0) for times in (1, 2, 4, 8))):
            parent = None if number == 100 else number - 1
            brancher.note(number, config, points_of(config), gain=0.0, took=took, parent=parent)
            longer = branch_config(config, TRAIN_ON, EPOCHS, SPACE)
            assert longer is not None
            config, number = longer, number + 1
        assert config.training.epochs == 16 * EPOCHS
        begun = brancher.propose((number - 1,), self.hypervolume, seconds_left)
        assert (begun is not None) is is_begun

    def test_new_trainings_become_nothing_for_which_there_is_no_time(self) -> None:
        brancher = self.brancher(gain_of_new=0.0)
        assert [one.cost for one in brancher.outlook()] == [1.0, 2.0, 8.0, 32.0]
        for seconds_left, costs in ((400.0, 4), (100.0, 3), (25.0, 2), (5.0, 1)):
            assert len(brancher.outlook(seconds_left)) == costs
