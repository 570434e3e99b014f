"""What training on is expected to bring: the less, the better training pictures are known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.front.pareto import ReferencePoint, hypervolume
from search.run.driver import Driver
from search.sampling.branch_costs import Spent
from search.sampling.branch_kinds import TRAIN_ON, is_trained_on
from search.sampling.branching import MIN_NEW, Brancher
from search.sampling.mirror import Mirror
from search.sampling.outlook import Further, trained_on
from search.sampling.samplers import make_sampler
from search.sampling.training_on import (
    USUAL_OF_TRAINING_ON,
    TrainingOn,
    lasts,
    left_to_learn,
)
from search.storage.batches import Ending
from search.storage.settings import RunSettings
from search.storage.weights import WeightKeeper
from search.study.create_or_resume import open_study
from spaces.config.trial import ParamValue, TrialConfig
from spaces.space.search_space import Parameter, SearchSpace
from tests.search_tests import analytic
from tests.search_tests.sampling.landscapes import SEEDS, Values, grid
from tests.search_tests.study.asked import SETTINGS
from workers.messages.executor import InlineExecutor
from workers.messages.result import EvaluateRequest, TrialResult

MANY = 30


@pytest.mark.parametrize(
    ("train", "val", "left"),
    [
        (1.0, 0.9, 0.0),
        (0.95, 0.9, 0.5),
        (0.9, 0.9, 1.0),
        (0.7, 0.9, 1.0),  # Pictures that are changed at random are harder than others.
        (None, 0.9, 1.0),
        (0.9, None, 1.0),
        (1.0, 1.0, 1.0),  # No mistake was seen that could tell.
    ],
)
def test_what_is_left_to_learn(train: float | None, val: float | None, left: float) -> None:
    assert left_to_learn(train, val) == pytest.approx(left)


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_is_left_is_a_part(train: float, val: float) -> None:
    assert 0 <= left_to_learn(train, val) <= 1


@pytest.mark.parametrize(
    ("left", "n", "error"),
    [
        (1.0, 1, 0.85),
        (1.0, 3, 0.85**3),
        (0.5, 1, 0.85 ** (2 / 3)),
        (0.5, 3, 0.85**2),
        (0.0, 1, 0.85 ** (1 / 3)),
        (0.0, 3, 0.85),
    ],
)
def test_as_long_as_little_is_known(left: float, n: int, error: float) -> None:
    assert pytest.approx(0.85) == USUAL_OF_TRAINING_ON
    assert TrainingOn().error(left, n) == pytest.approx(error)


def test_what_some_networks_gained_tells_of_others_that_have_more_left() -> None:
    learned = TrainingOn()
    for _ in range(MANY):
        learned.learn(0.8, 0.5)
    assert learned.error(0.5) == pytest.approx(0.8)
    assert learned.error(1.0) == pytest.approx(0.8**1.5)
    assert learned.error(0.0) == pytest.approx(0.8**0.5)  # What is known by heart gains less.


@pytest.mark.parametrize("seen_after", [1, 2, 5])
def test_each_doubling_of_all_epochs_takes_as_much_off_the_errors(seen_after: int) -> None:
    """Whatever was seen; studies of before trained on for always as long as the first time."""
    learned = TrainingOn()
    for _ in range(8 * MANY):
        doublings = math.log2((seen_after + 1) / seen_after)
        learned.learn(0.8**doublings, 1.0, doublings)
    assert [learned.error(1.0, n) for n in range(4)] == pytest.approx([1, 0.8, 0.64, 0.512])


@pytest.mark.parametrize("trained", [0.5, 3.0, 40.0])
def test_each_time_lasts_as_long_as_all_before(trained: float) -> None:
    total = trained
    for n in range(1, 6):
        total += lasts(total)
        assert total == trained + lasts(trained, n) == trained * 2**n


def test_a_network_that_makes_no_mistakes_any_more_teaches_no_endless_gain() -> None:
    learned = TrainingOn()
    for _ in range(MANY):
        learned.learn(0.0, 1.0)
    assert 0 < learned.error(1.0) < 0.01


def test_a_network_that_had_little_left_tells_little() -> None:
    """A tenth of nothing is noise, and noise times ten would be believed."""
    learned = TrainingOn()
    for _ in range(MANY):
        learned.learn(0.5, 0.01)
        learned.learn(1.5, 0.0)
    assert learned.error(1.0) == pytest.approx(0.85)


def test_nobody_expects_harm() -> None:
    learned = TrainingOn()
    for _ in range(MANY):
        learned.learn(1.4, 1.0)
    assert learned.error(1.0) == 1.0


def test_an_augmentation_that_nobody_tried_may_bring_all() -> None:
    learned = TrainingOn()
    for left in (0.1,) * MANY:
        learned.note("none", left)
    learned.note("flip", 0.9)
    further = trained_on(learned, 1, 0.5)
    assert further.cost == 1.5
    none, flip, new = (
        further.error_of({"augmentation": name}) for name in ("none", "flip", "shift")
    )
    none_left, flip_left = (MANY * 0.1 + 1) / (MANY + 1), (0.9 + 1) / 2
    assert none == pytest.approx(0.85 ** (1 / 3 + 2 / 3 * none_left))
    assert flip == pytest.approx(0.85 ** (1 / 3 + 2 / 3 * flip_left))
    assert new == pytest.approx(0.85)
    assert further.error_of({}) == none, "What names no augmentation has none."


AUGMENTED = SearchSpace(
    (
        Parameter("x", "float", 0.0, 1.0),
        Parameter("augmentation", "categorical", choices=("none", "flip")),
    )
)


@pytest.mark.parametrize(("stuck", "free"), [("none", "flip"), ("flip", "none")])
def test_the_sampler_tries_what_leaves_more_to_learn(stuck: str, free: str) -> None:
    """Beside a long training, whatever is stuck after its first one is worth nothing.

    It is a little better after that first one, as networks are whose pictures stay the same.
    """
    outlook = (Further(), Further(error=0.25, cost=3.0, errors={stuck: 1.0}))
    found: list[str] = []
    for seed in SEEDS:
        mirror = Mirror(make_sampler("gp", seed), seed)

        def tell(x: float, name: str, values: Values, is_branch: bool, mirror: Mirror) -> None:
            fixed: dict[str, ParamValue] = {"x": x, "augmentation": name}
            proposal = mirror.propose(AUGMENTED, fixed=fixed, is_branch=is_branch)
            mirror.end(proposal.handle, Ending(TrialState.COMPLETE, values))

        for index, x in enumerate(grid(14)):
            name = (stuck, free)[index % 2]
            ahead = 0.03 if name == stuck else 0.0
            tell(x, name, (0.6 + 0.32 * x + ahead, 1_000.0 * 10**x, 1.0), False, mirror)
        tell(0.9, stuck, (0.97, 1_000.0 * 10**0.9, 1.0), True, mirror)
        params = mirror.propose(AUGMENTED, outlook=outlook).params
        found.append(str(params["augmentation"]))
    assert set(found) == {free}


@pytest.mark.parametrize("n_runs", [1, 2])
def test_networks_that_know_their_pictures_by_heart_wait(n_runs: int) -> None:
    """In one run, and where the next one has only what the study stores."""
    firsts = [first_trained_on(seed, n_runs) for seed in range(8)]
    assert sum(knows_by_heart(one) for one in firsts) <= 2


def knows_by_heart(config: TrialConfig) -> bool:
    """Half of all networks do."""
    return int(config.lineage[0].hash[:4], 16) % 2 == 0


def first_trained_on(seed: int, n_runs: int) -> TrialConfig:
    """Return the first network that a study trained on; the last of its runs alone may branch."""
    storage, weights = InMemoryStorage(), WeightKeeper()
    asked: list[TrialConfig] = []

    def evaluate(request: EvaluateRequest) -> TrialResult:
        asked.append(request.config)
        result = analytic.make_result(request)
        curve: Sequence[float] = result.history.get("val_accuracy", ())
        seen = curve if not knows_by_heart(request.config) else (1.0,) * len(curve)
        return replace(result, history={**result.history, "accuracy": tuple(seen)})

    for run in range(n_runs):
        settings = replace(SETTINGS, n_start=MIN_NEW, seed=seed)
        study = open_study(storage, settings, weights=weights)
        target = RunSettings(MIN_NEW if run == 0 and n_runs == 2 else 30)
        Driver(study, InlineExecutor(evaluate), analytic.make_config, target).run()
    return next(config for config in asked if is_trained_on(config))


def test_what_new_trainings_leave_to_learn_is_in_the_outlook() -> None:
    brancher = Brancher(analytic.EPOCHS, analytic.analytic_space())
    config = analytic.make_config(analytic.analytic_space().defaults())
    points = {config.quantization: analytic.make_point(config).values}
    assert brancher.outlook()[1].error_of({}) == pytest.approx(0.85)
    for number in range(MANY):
        brancher.note(number, config, points, gain=0.0, took=Spent(1.0), left=0.0)
    left = 1 / (MANY + 1)
    expected = pytest.approx(0.85 ** (1 / 3 + 2 / 3 * left))
    assert brancher.outlook()[1].error_of({}) == expected
    assert brancher.outlook()[1].error_of({"augmentation": "flip"}) == pytest.approx(0.85)


@pytest.mark.parametrize(("left", "expected"), [(1.0, 0.7), (0.5, 0.7 ** (2 / 3))])
def test_training_on_is_hoped_for_before_it_is_known(left: float, expected: float) -> None:
    """More is expected than it mostly brings, so that it is tried soon."""
    space = analytic.analytic_space()
    brancher = Brancher(analytic.EPOCHS, space)
    config = analytic.make_config(space.defaults())
    accuracy, size, latency = values = analytic.make_point(config).values
    for number in range(MIN_NEW):
        points = {config.quantization: values} if number == 0 else {}
        brancher.note(number, config, points, gain=0.0, took=Spent(1.0), left=left)

    def measured(points: Iterable[Values]) -> float:
        return hypervolume([values, *points], ReferencePoint())

    better = (1 - (1 - accuracy) * expected, size, latency)
    predicted = []
    while (branch := brancher.propose((0,), measured)) is not None:
        predicted += [branch.predicted] if branch.kind is TRAIN_ON else []
    assert predicted == [pytest.approx(measured([better]) - measured([]))]
