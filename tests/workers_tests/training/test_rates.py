"""Learning-rate schedules: where they begin, where they end, and what they listen to."""

from __future__ import annotations

import numpy as np
import pytest

from spaces.config.training import LR_SCHEDULES
from spaces.config.trial import TrainingConfig
from workers.training.learning_rates import PLATEAU_FACTOR, LearningRates


def rates(schedule: str, epochs: int = 10, n_steps: int = 20) -> LearningRates:
    return LearningRates(TrainingConfig(0.5, 8, lr_schedule=schedule), epochs, n_steps)


def whole(schedule: str, epochs: int = 10, n_steps: int = 20) -> np.ndarray:
    made = rates(schedule, epochs, n_steps)
    return np.concatenate([made.of_epoch(epoch) for epoch in range(epochs)])


@pytest.mark.parametrize("schedule", LR_SCHEDULES)
@pytest.mark.parametrize(("epochs", "n_steps"), [(10, 20), (1, 1), (1, 2), (3, 1)])
def test_every_step_has_a_rate_up_to_the_highest(schedule: str, epochs: int, n_steps: int) -> None:
    found = whole(schedule, epochs, n_steps)
    assert found.shape == (epochs * n_steps,)
    assert found.dtype == np.float32
    assert found.max() == 0.5
    assert found.min() > 0


def test_a_cosine_is_half_down_in_the_middle_and_ends_near_zero() -> None:
    found = whole("cosine")
    assert found[0] == 0.5
    assert found[100] == pytest.approx(0.25)
    assert found[-1] < 1e-4
    assert (np.diff(found) < 0).all()


def test_a_warm_up_rises_for_a_tenth_of_training() -> None:
    found = whole("cosine_warmup")
    assert found.argmax() == 20
    assert (np.diff(found[:21]) > 0).all() and (np.diff(found[20:]) < 0).all()
    assert found[0] < 0.05 and found[-1] < 1e-4


def test_a_constant_rate_is_constant() -> None:
    made = rates("constant")
    for epoch in range(10):
        made.note(1.0)
        np.testing.assert_array_equal(made.of_epoch(epoch), np.full(20, 0.5, np.float32))


@pytest.mark.parametrize(
    ("epochs", "losses", "times_lowered"),
    [
        (10, [1.0, 0.9, 0.8], 0),
        (10, [1.0, 1.0], 1),
        (10, [1.0, 1.1, 1.05, 0.9, 0.8], 2),  # Better than before is not better than the best.
        (30, [1.0, 1.1, 1.1], 0),  # A longer training waits longer.
        (30, [1.0, 1.1, 1.1, 1.1], 1),
        (30, [1.0, 1.1, 1.1, 0.9, 1.1, 1.1], 0),
    ],
)
def test_a_plateau_lowers_the_rate(epochs: int, losses: list[float], times_lowered: int) -> None:
    made = rates("plateau", epochs)
    for loss in losses:
        made.note(loss)
    found = made.of_epoch(len(losses))
    assert found == pytest.approx(0.5 * PLATEAU_FACTOR**times_lowered)
