"""What TPE is shown of many trials."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from search.sampling.trainings import thinned
from search.sampling.window import WINDOW, Window, WindowedStorage

DOMINATED = (0.5, 1e6, 1.0)


def on_front(index: int) -> tuple[float, float, float]:
    """The larger, the more accurate."""
    return (0.6 + index / 10_000, 1000.0 + index, 0.1)


class TestWindow:
    def test_up_to_twice_its_width_it_shows_all(self) -> None:
        window = Window()
        for number in range(2 * WINDOW):
            window.add(number, DOMINATED)
        assert list(window.numbers) == list(range(2 * WINDOW))

    def test_beyond_it_keeps_the_front_and_a_spread_of_the_rest(self) -> None:
        window = Window()
        good = range(0, 40, 2)
        for number in range(2 * WINDOW + 1):
            window.add(number, on_front(number) if number in good else DOMINATED)
        # The first that is dominated only once others are there was on the front, too.
        rest = [n for n in range(2 * WINDOW + 1) if n not in good]
        assert list(window.numbers) == sorted([*good, *thinned(rest, WINDOW - len(good))])
        assert len(window.numbers) == WINDOW

    def test_a_large_front_has_half_of_it_and_its_newest_stay(self) -> None:
        window = Window()
        n = 2 * WINDOW + 1
        for number in range(n):
            window.add(number, on_front(number) if number < 150 else DOMINATED)
        kept_of_front = [number for number in window.numbers if number < 150]
        assert kept_of_front == list(range(150 - WINDOW // 2, 150))
        assert list(window.numbers)[-50:] == list(range(n - 50, n))
        assert len(window.numbers) == WINDOW

    def test_trials_without_values_that_count_are_not_on_the_front(self) -> None:
        window = Window()
        for number in range(2 * WINDOW + 1):
            window.add(number, None)
        assert list(window.numbers) == thinned(range(2 * WINDOW + 1), WINDOW)

    def test_it_goes_on_after_it_was_thinned(self) -> None:
        window = Window()
        for number in range(3 * WINDOW + 1):
            window.add(number, DOMINATED)
        assert len(window.numbers) == 2 * WINDOW
        window.add(3 * WINDOW + 1, DOMINATED)
        assert len(window.numbers) == WINDOW


class TestWindowedStorage:
    @pytest.fixture
    def study(self) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(storage=WindowedStorage())
        ranges: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0)}
        for number in range(4):
            study.add_trial(
                create_trial(params={"x": number / 4}, distributions=ranges, value=float(number))
            )
        study.ask()
        return study

    @staticmethod
    def storage_of(study: optuna.Study) -> WindowedStorage:
        storage = study._storage
        assert isinstance(storage, WindowedStorage)
        return storage

    def test_all_are_shown_at_first(self, study: optuna.Study) -> None:
        assert [t.number for t in study.get_trials()] == [0, 1, 2, 3, 4]

    def test_of_ended_ones_those_are_shown_that_are_to_be(self, study: optuna.Study) -> None:
        self.storage_of(study).shown = {1, 3}
        assert [t.number for t in study.get_trials()] == [1, 3, 4]
        complete = study.get_trials(states=(TrialState.COMPLETE,))
        assert [t.number for t in complete] == [1, 3]

    def test_what_waits_is_found_by_who_asks(self, study: optuna.Study) -> None:
        study.enqueue_trial({"x": 0.5})
        self.storage_of(study).shown = set[int]()
        trial = study.ask()
        assert trial.suggest_float("x", 0.0, 1.0) == 0.5

    def test_copies_are_handed_out_unless_told_otherwise(self, study: optuna.Study) -> None:
        storage = self.storage_of(study)
        storage.shown = {1}
        one, other = (storage.get_all_trials(0)[0] for _ in range(2))
        assert one == other and one is not other
        same = [storage.get_all_trials(0, deepcopy=False)[0] for _ in range(2)]
        assert same[0] is same[1]
