"""Trainings that start from weights of a file: frozen first, then at a rate of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spaces.config.training import TrainingConfig
from spaces.errors import ConfigError, TrialFailedError
from tests.workers_tests.corners import SHAPE, make_config, make_dataset
from workers.training.hooks import Hooks
from workers.training.start_weights import (
    describe_match,
    remember,
    taken_variables,
    weighted_layers,
)
from workers.training.weight_files import WeightFile, read_weight_file
from workers.trial.train_config import build, train_config

pytestmark = pytest.mark.slow

USUAL = TrainingConfig(0.01, batch_size=32, epochs=4)


@pytest.fixture(scope="module")
def hypermodel(keras: Any) -> Any:
    from spaces.networks.families import ConvNet

    return ConvNet(SHAPE, 4)


@pytest.fixture(scope="module")
def file(hypermodel: Any, tmp_path_factory: pytest.TempPathFactory) -> WeightFile:
    """Weights of a network with another head."""
    model, _ = build(hypermodel, make_config(seed=5, head="average"))
    path = tmp_path_factory.mktemp("weights") / "mine.h5"
    model.save(path)
    found = read_weight_file(path)
    remember(found)
    return found


def first_kernel(model: Any) -> np.ndarray:
    return np.array(model.get_layer("conv_1").get_weights()[0])


def test_layers_that_match_start_from_the_file(hypermodel: Any, file: WeightFile) -> None:
    # With as many units as the file's network has maps, the logits would fit too.
    random, _ = build(hypermodel, make_config(dense_units=32))
    started = make_config(training=replace(USUAL, weights=file.sha256), dense_units=32)
    model, _ = build(hypermodel, started)
    in_file = {layer.name: layer.arrays for layer in file.layers}
    for layer in weighted_layers(model):
        found = layer.layer.get_weights()
        is_taken = layer.name in ("conv_1", "norm_1", "conv_2", "norm_2")
        expected = in_file[layer.name] if is_taken else random.get_layer(layer.name).get_weights()
        for array, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(array, other)
    assert len(taken_variables(model)) == 6  # Two kernels, and scale and shift of two norms.
    assert describe_match(model, file) == (
        "4 of its 6 layers with weights start from mine.h5, which has 5; not dense, logits."
    )
    assert taken_variables(random) == []


def test_they_are_frozen_first_and_fine_tuned_then(hypermodel: Any, file: WeightFile) -> None:
    dataset = make_dataset(160)

    def kernels(**changes: Any) -> list[np.ndarray]:
        config = make_config(training=replace(USUAL, weights=file.sha256, **changes))
        built = build(hypermodel, config)
        seen = [first_kernel(built[0])]

        def on_epoch(epoch: int, metrics: Any) -> bool:
            seen.append(first_kernel(built[0]))
            return True

        train_config(hypermodel, dataset, config, hooks=Hooks(on_epoch), built=built)
        return seen

    half = kernels(frozen_share=0.5)
    assert [np.array_equal(one, half[0]) for one in half] == [True, True, True, False, False]
    assert not np.array_equal(kernels()[1], half[0])
    moved = [
        np.abs(kernels(fine_tuning_factor=factor)[-1] - half[0]).mean() for factor in (1.0, 0.05)
    ]
    assert moved[1] < 0.2 * moved[0]


def test_the_same_configuration_gives_the_same_weights(hypermodel: Any, file: WeightFile) -> None:
    training = replace(USUAL, weights=file.sha256, frozen_share=0.3, fine_tuning_factor=0.3)
    config = make_config(training=training)
    dataset = make_dataset(160)
    first = train_config(hypermodel, dataset, config).model.get_weights()
    again = train_config(hypermodel, dataset, config).model.get_weights()
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_not_at_hand_is_said(hypermodel: Any) -> None:
    config = make_config(training=replace(USUAL, weights="f" * 64))
    with pytest.raises(TrialFailedError, match="the weights ffffffffffff to start from"):
        build(hypermodel, config)


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": "mine.h5"},
        {"frozen_share": 1.0},
        {"frozen_share": -0.1},
        {"fine_tuning_factor": 0.0},
        {"fine_tuning_factor": 1.5},
    ],
)
def test_rules(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        replace(USUAL, **wrong)


def test_configurations_without_are_what_they_were() -> None:
    config = make_config(training=USUAL)
    stored = config.to_dict()["training"]
    assert not {"weights", "frozen_share", "fine_tuning_factor"} & set(stored)
    changed = replace(config, training=replace(USUAL, weights="a" * 64))
    assert changed.hash != config.hash
    assert type(config).from_dict(changed.to_dict()) == changed
