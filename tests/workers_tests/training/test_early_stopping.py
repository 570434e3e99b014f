"""Early stopping of a training in full: when it ends, and with which weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig
from spaces.data.dataset import Dataset
from spaces.errors import ConfigError
from tests.workers_tests import corners
from workers.training.early_stopping import BestWeights, EarlyStopping
from workers.training.hooks import Hooks
from workers.training.loop import evaluate


def history(*accuracies: float) -> dict[str, list[float]]:
    return {"val_accuracy": list(accuracies), "val_loss": [1 - a for a in accuracies]}


@pytest.mark.parametrize("monitor", ["val_accuracy", "val_loss"])
@pytest.mark.parametrize(
    ("accuracies", "settled_from", "best", "is_over"),
    [
        ((), 0, None, False),
        ((0.5,), 0, 0, False),
        ((0.5, 0.6, 0.5), 0, 1, False),
        ((0.5, 0.6, 0.5, 0.5), 0, 1, True),
        ((0.5, 0.6, 0.5, 0.6), 0, 1, True),  # As good is no better.
        ((0.5, 0.6, 0.5, 0.7), 0, 3, False),
        ((0.9, 0.8, 0.7), 4, None, False),  # Nothing counts before the mask is final.
        ((0.9, 0.8, 0.7), 3, 2, False),
        ((0.9, 0.8, 0.7, 0.6), 3, 2, False),
        ((0.9, 0.8, 0.7, 0.6, 0.6), 3, 2, True),
    ],
)
def test_it_waits_for_a_better_epoch(
    monitor: str,
    accuracies: tuple[float, ...],
    settled_from: int,
    best: int | None,
    is_over: bool,
) -> None:
    rule = EarlyStopping(2, monitor, settled_from)
    assert rule.best_epoch(history(*accuracies)) == best
    assert rule.is_over(history(*accuracies)) == is_over


@pytest.mark.parametrize(
    ("arguments", "complaint"), [((0,), "1 <= patience"), ((1, "accuracy"), "monitor in")]
)
def test_it_refuses(arguments: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        EarlyStopping(*arguments)


class Weights:
    """A model that is nothing but its weights."""

    def __init__(self) -> None:
        self.value = 0

    def get_weights(self) -> list[int]:
        return [self.value]

    def set_weights(self, weights: list[int]) -> None:
        (self.value,) = weights


@pytest.mark.parametrize(
    ("accuracies", "settled_from", "restored"),
    [((0.5, 0.7, 0.6), 0, 2), ((0.5, 0.6, 0.7), 0, 3), ((0.9, 0.5, 0.4), 2, 2)],
)
def test_the_best_weights_come_back(
    accuracies: tuple[float, ...], settled_from: int, restored: int
) -> None:
    model = Weights()
    best = BestWeights(model, EarlyStopping(9, settled_from=settled_from))
    for epoch in range(len(accuracies)):
        model.value = epoch + 1
        assert not best.is_over(history(*accuracies[: epoch + 1]))
    best.restore(len(accuracies))
    assert model.value == restored


@pytest.mark.slow
@pytest.mark.parametrize("ema", [0.0, 0.1])
def test_a_training_ends_early_as_sparse_as_asked_for_and_goes_on_to_quantization(
    hypermodel: Any, corner_pictures: Dataset, ema: float
) -> None:
    from workers.training.prune import achieved_sparsity
    from workers.trial.train_config import train_config

    config = corners.make_config(
        QuantizationScheme.QAT_INT8,
        PruningConfig("polynomial", 0.6, 0.1, 0.3),
        replace(
            TrainingConfig(0.02, batch_size=32, epochs=10, qat_epochs=1), ema=ema, optimizer="sgd"
        ),
    )

    trained = train_config(
        hypermodel, corner_pictures, config, hooks=Hooks(early_stopping=EarlyStopping(1))
    )

    assert trained.best_epoch is not None
    n_float = len(trained.history["val_accuracy"]) - 1  # One more is quantization-aware.
    accuracies = trained.history["val_accuracy"][:n_float]
    assert 3 <= n_float < 10
    assert trained.best_epoch == n_float - 2 >= 2
    assert accuracies[trained.best_epoch] == max(accuracies[2:])
    assert evaluate(trained.model, corner_pictures.val)[1] == accuracies[trained.best_epoch]
    assert achieved_sparsity(trained.model)["overall"] == pytest.approx(0.6, abs=0.01)
    assert trained.qat_model is not None
    np.testing.assert_allclose(trained.sparsity["overall"], 0.6, atol=0.01)
