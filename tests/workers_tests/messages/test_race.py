"""The race: bars, what may still be expected, and verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
from workers.messages.race import CHANCE, MIN_CURVES, Curve, Race, curve_recipe, settled_from

FRONT = ((0.80, 1000.0, 0.1), (0.90, 2000.0, 0.2), (0.95, 4000.0, 0.1), (0.97, 9000.0, 0.9))
HALVING = tuple(Curve((1 - e, 1 - e / 2, 1 - e / 4)) for e in (0.1, 0.2, 0.3, 0.4) * 2)
"""Trainings of three epochs; the error halves after each."""

fractions = st.floats(0, 1)


@pytest.mark.parametrize(
    ("models", "bar"),
    [
        ([(2000.0, 0.2)], 0.90),  # Itself counts: no larger, no slower.
        ([(2001.0, 0.19)], 0.80),  # Faster than that one.
        ([(999.0, 1.0)], 0.0),  # Smaller than all.
        ([(1e6, 0.09)], 0.0),  # Faster than all.
        ([(1e6, 10.0)], 0.97),
        ([(1e6, 10.0), (2000.0, 0.2)], 0.90),  # One model that matters is enough.
        ([], 0.0),
    ],
)
def test_a_bar_is_the_best_of_those_no_larger_and_no_slower(
    models: list[tuple[float, float]], bar: float
) -> None:
    assert Race(FRONT).bar(models) == bar


@pytest.mark.parametrize(
    ("best", "models", "is_hopeless"),
    [
        (1.0, [(4000.0, 0.1)], True),  # As small and as fast as the one without mistakes.
        (1.0, [(9000.0, 0.9), (4001.0, 0.2)], True),
        (1.0, [(9000.0, 0.9), (3999.0, 0.2)], False),  # One model is smaller.
        (1.0, [(9000.0, 0.09)], False),  # Faster.
        (1.0, [], False),
        (0.9999, [(9000.0, 0.9)], False),  # There is something left to gain.
    ],
)
def test_where_nothing_can_be_gained(
    best: float, models: list[tuple[float, float]], is_hopeless: bool
) -> None:
    race = Race((*FRONT, (best, 4000.0, 0.1)))
    assert bool(race.hopeless(models)) is is_hopeless
    assert race.can_judge is (best == 1.0)


def test_what_is_expected_is_how_others_went_on() -> None:
    race = Race(FRONT, HALVING)
    assert race.expected([0.8], 3) == pytest.approx(0.95)
    assert race.expected([0.6, 0.9], 3) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("accuracies", "n_epochs", "settled", "curves"),
    [
        ([], 3, 0, HALVING),  # Nothing is known of it.
        ([0.1, 0.2, 0.3], 3, 0, HALVING),  # It is over.
        ([0.1], 3, 2, HALVING),  # In the pruning ramp.
        ([0.1], 3, 0, HALVING[: MIN_CURVES - 1]),
        ([0.1], 4, 0, HALVING),  # Trainings of another length.
        ([0.1], 3, 0, tuple(Curve(c.accuracies, 2) for c in HALVING)),  # All still in the ramp.
    ],
)
def test_like_is_compared_with_like_or_not_at_all(
    accuracies: list[float], n_epochs: int, settled: int, curves: tuple[Curve, ...]
) -> None:
    race = Race(FRONT, curves)
    assert race.expected(accuracies, n_epochs, settled) == 1.0
    assert race.verdict(accuracies, n_epochs, settled, bar=0.99) == ""


def test_below_its_bar_a_training_is_stopped_and_the_verdict_says_why() -> None:
    race = Race(FRONT, HALVING)
    assert race.verdict([0.8], 3, 0, bar=0.95) == ""
    verdict = race.verdict([0.8], 3, 0, bar=0.96)
    assert "epoch 1 of 3" in verdict
    assert "0.8000" in verdict and "0.9520" in verdict and "0.9600" in verdict


@pytest.mark.parametrize(
    ("n_images", "bar", "is_stopped"),
    [
        (0, 0.96, True),
        (38, 0.98, False),  # 0.952 is to be expected, and the error of 0.98 is 0.033.
        (38, 0.99, True),
        (10_000, 0.96, True),
    ],
)
def test_within_the_error_of_few_pictures_nothing_is_known_to_be_worse(
    n_images: int, bar: float, is_stopped: bool
) -> None:
    race = Race(FRONT, HALVING, n_images=n_images)
    assert bool(race.verdict([0.8], 3, 0, bar=bar)) is is_stopped
    # What breaks a limit is measured on these pictures, and breaks it.
    assert "limit on accuracy" in race.verdict([0.8], 3, 0, bar=0.0, floor=0.96)


@given(
    finals=st.lists(st.tuples(fractions, fractions), min_size=MIN_CURVES, max_size=30),
    accuracy=fractions,
    quantile=st.floats(0.5, 1),
)
def test_a_higher_quantile_expects_more(
    finals: list[tuple[float, float]], accuracy: float, quantile: float
) -> None:
    curves = tuple(Curve(pair) for pair in finals)
    low = Race((), curves, quantile=0.5).expected([accuracy], 2)
    high = Race((), curves, quantile=quantile).expected([accuracy], 2)
    assert high >= low


@given(
    finals=st.lists(st.tuples(fractions, fractions), min_size=MIN_CURVES, max_size=30),
    accuracy=fractions,
)
def test_at_quantile_one_no_repetition_of_a_training_is_stopped(
    finals: list[tuple[float, float]], accuracy: float
) -> None:
    curves = tuple(Curve(pair) for pair in finals)
    race = Race((), curves, quantile=1.0)
    for first, last in finals[:3]:
        # Its own curve is among the nearest, unless many others started at the same point.
        same = [c for c in curves if c.accuracies[0] == first]
        if len(same) <= MIN_CURVES:
            assert race.verdict([first], 2, 0, bar=last - CHANCE) == ""


@pytest.mark.parametrize(("end", "epochs", "after"), [(0.5, 10, 5), (0.71, 10, 8), (0.9, 1, 1)])
def test_masks_are_final_after_the_ramp(end: float, epochs: int, after: int) -> None:
    config = TrialConfig(
        task="t",
        data_fingerprint="f",
        hyperparameters=(),
        training=TrainingConfig(0.01, 32, epochs=epochs),
        pruning=PruningConfig("polynomial", 0.5, 0.1, end),
    )
    assert settled_from(config) == after


def test_curves_of_another_recipe_are_not_compared() -> None:
    changed: list[dict[str, Any]] = [
        {}, {"lr_schedule": "constant"}, {"ema": 0.1}, {"label_smoothing": 0.1}
    ]  # fmt: skip
    training = TrainingConfig(0.01, 32, epochs=3)
    recipes = [
        curve_recipe(TrialConfig("t", "0", (), replace(training, **changes)))
        for changes in changed
    ]
    assert recipes[0] == recipes[3] == Curve(()).recipe
    assert len(set(recipes)) == 3
    others = tuple(replace(curve, recipe=recipes[1]) for curve in HALVING)
    race = Race(FRONT, (*HALVING, *others))
    assert race.expected([0.8], 3, recipe=recipes[1]) == pytest.approx(0.95)
    assert race.expected([0.8], 3, recipe=recipes[2]) == 1.0
    assert race.verdict([0.1], 3, 0, bar=0.99, recipe=recipes[2]) == ""
    assert race.verdict([0.1], 3, 0, bar=0.99, recipe=recipes[1])


@pytest.mark.parametrize(
    ("bar", "floor", "useful", "cause"),
    [
        (0.90, 0.92, 0.99, "and what is not above 0.9900 counts nothing"),
        (0.96, 0.00, 0.99, "and models no larger and no slower reach 0.9600"),
        (0.90, 0.92, 0.93, ""),
    ],
)
def test_what_can_only_be_of_no_use_is_stopped(
    bar: float, floor: float, useful: float, cause: str
) -> None:
    race = Race(FRONT, HALVING, useful=useful)
    verdict = race.verdict([0.8], 3, 0, bar=bar, floor=floor)
    assert verdict.endswith(cause)
    assert bool(verdict) is bool(cause)


def test_no_mistake_foretells_no_more_than_a_picture_can_show() -> None:
    """All of 40 right is half a picture wrong: no promise of an error near 0."""
    race = Race((), falling_by(*[0.0] * MIN_CURVES), least_error=0.5 / 40)
    assert race.expected([0.6], 2) == pytest.approx(1 - 0.5 / 40)


@pytest.mark.parametrize(
    ("bar", "floor", "cause"),
    [
        (0.90, 0.99, "and the limit on accuracy (--min-accuracy) is 0.9900"),
        (0.96, 0.99, "and models no larger and no slower reach 0.9600"),  # Enough by itself.
        (0.96, 0.00, "and models no larger and no slower reach 0.9600"),
        (0.00, 0.96, "and the limit on accuracy (--min-accuracy) is 0.9600"),
        (0.90, 0.95, ""),
    ],
)
def test_a_verdict_names_what_causes_it(bar: float, floor: float, cause: str) -> None:
    verdict = Race(FRONT, HALVING).verdict([0.8], 3, 0, bar=bar, floor=floor)
    assert verdict.endswith(cause)
    assert bool(verdict) is bool(cause)


@pytest.mark.parametrize(
    ("hope", "least", "cause"),
    [
        (1.0, 0.97, "(--min-accuracy) is 0.9700"),
        (0.9, 0.9667, "is 0.9700, where training on is expected to get from 0.9667"),
        (0.5, 0.94, ""),
        (0.01, 0.0, ""),
    ],
)
def test_a_limit_on_accuracy_may_be_reached_by_training_on(
    hope: float, least: float, cause: str
) -> None:
    """From 80 % most of these trainings get to 95 %."""
    race = Race((), HALVING, hope=hope)
    assert race.least(0.97) == pytest.approx(least, abs=5e-5)
    verdict = race.verdict([0.8], 3, 0, bar=0.0, floor=0.97)
    assert verdict.endswith(cause)
    assert bool(verdict) is bool(cause)
    # What others reach that were not trained on either has to be reached without.
    assert "no larger and no slower" in race.verdict([0.8], 3, 0, bar=0.97, floor=0.97)


def test_so_may_what_counts_anything() -> None:
    found = [Race((), HALVING, useful=0.97, hope=h).verdict([0.8], 3, 0, 0.0) for h in (1, 0.5)]
    assert "counts nothing" in found[0] and found[1] == ""


def falling_by(*ratios: float, error: float = 0.4, settled: int = 0) -> tuple[Curve, ...]:
    """Trainings of two epochs that stood at one error, and whose error then fell by a ratio."""
    return tuple(Curve((1 - error, 1 - error * ratio), settled) for ratio in ratios)


def test_it_judges_from_as_many_trainings_as_it_takes() -> None:
    assert Race((), falling_by(*[0.5] * MIN_CURVES)).can_judge
    assert not Race((), falling_by(*[0.5] * (MIN_CURVES - 1))).can_judge
    assert not Race().can_judge


@pytest.mark.parametrize(("quantile", "ratio"), [(0.0, 0.4), (0.5, 0.2), (1.0, 0.1)])
def test_the_quantile_is_of_how_far_others_got(quantile: float, ratio: float) -> None:
    """All thirty stood alike; of the nearest third those that got furthest come first."""
    ratios = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9]
    race = Race((), falling_by(*ratios, *ratios, *ratios), quantile)
    assert race.expected([0.6], 2) == pytest.approx(1 - 0.4 * ratio)


def test_only_the_nearest_third_is_compared() -> None:
    near = falling_by(*[0.9] * 10, error=0.4)
    far = falling_by(*[0.1] * 20, error=0.05)
    assert Race((), (*near, *far)).expected([0.6], 2) == pytest.approx(1 - 0.4 * 0.9)


def test_a_settled_mask_is_compared_from_that_epoch_on() -> None:
    race = Race((), falling_by(*[0.5] * MIN_CURVES, settled=1))
    assert race.expected([0.6], 2, settled_from=1) == pytest.approx(0.8)
    assert race.expected([0.6], 2, settled_from=2) == 1.0
    unpruned = Race((), tuple(Curve((0.6, 0.8)) for _ in range(MIN_CURVES)))
    assert unpruned.expected([0.6], 2) == pytest.approx(0.8)


def test_what_just_reaches_its_bar_goes_on() -> None:
    race = Race((), falling_by(*[0.5] * MIN_CURVES))
    reached = race.expected([0.6], 2) + CHANCE
    assert race.verdict([0.6], 2, 0, reached) == ""
    assert "reach" in race.verdict([0.6], 2, 0, reached + 1e-9)


def test_what_just_reaches_a_bar_is_not_stopped_by_it() -> None:
    """The verdict names the next cause, the one that did stop the training."""
    race = Race((), falling_by(*[0.5] * MIN_CURVES), useful=0.99)
    reached = race.expected([0.6], 2) + CHANCE
    assert "--min-accuracy" in race.verdict([0.6], 2, 0, bar=reached, floor=0.95)
    assert "counts nothing" in race.verdict([0.6], 2, 0, bar=0.0, floor=reached)


def test_of_few_trainings_the_one_that_got_furthest_tells() -> None:
    """The usual quantile of eight: none is left out."""
    ratios = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    assert Race((), falling_by(*ratios)).expected([0.6], 2) == pytest.approx(1 - 0.4 * 0.1)


def test_recipes_have_names_that_stay() -> None:
    training = TrainingConfig(1e-3, 32, "adam", 0.0, 3)
    config = TrialConfig("fruit", "0" * 16, (), training)
    assert curve_recipe(config) == "cosine"
    averaged = replace(config, training=replace(training, ema=0.1))
    assert curve_recipe(averaged) == "cosine, averaged"
    assert settled_from(config) == 0
