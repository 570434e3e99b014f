"""Averaged weights: what is validated and kept, as sparse as was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig
from spaces.data.dataset import Dataset
from tests.workers_tests import corners
from workers.training.averaging import Average

PRUNING = PruningConfig("polynomial", 0.7, 0.1, 0.6)
TRAINING = TrainingConfig(0.01, batch_size=32, epochs=3, qat_epochs=1)


def test_it_follows_the_weights_and_leaves_them_alone(keras: Any) -> None:
    import tensorflow as tf

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    (kernel,) = model.variables
    kernel.assign([[1.0], [1.0]])
    mask = tf.Variable([[1.0], [0.0]])
    average = Average(model, ema=0.1, total_steps=200, masks=[(kernel, mask)])  # 20 steps

    expected = 1.0
    for step in range(200):
        kernel.assign(tf.fill([2, 1], float(step)))
        average.update(step)
        share = max(1 - np.exp(-1 / 20), 9 / (step + 10))
        expected += (step - expected) * share
    average.swap_in()
    averaged = kernel.numpy()
    average.swap_out()

    np.testing.assert_allclose(averaged, [[expected], [0.0]], rtol=1e-4)
    assert 175 < expected < 185  # A time constant behind.
    np.testing.assert_array_equal(kernel, [[199.0], [199.0]])


@pytest.mark.slow
def test_a_trial_is_its_averaged_weights(hypermodel: Any, corner_pictures: Dataset) -> None:
    from workers.training.loop import evaluate
    from workers.training.prune import achieved_sparsity
    from workers.trial.train_config import train_config

    def trained(ema: float) -> Any:
        config = corners.make_config(
            QuantizationScheme.QAT_INT8, PRUNING, replace(TRAINING, ema=ema)
        )
        return train_config(hypermodel, corner_pictures, config)

    plain, averaged = trained(0.0), trained(0.1)

    assert averaged.sparsity == plain.sparsity
    assert averaged.sparsity["overall"] == pytest.approx(0.7, abs=0.01)
    accuracy = evaluate(averaged.model, corner_pictures.val)[1]
    assert averaged.history["val_accuracy"][TRAINING.epochs - 1] == accuracy > 0.9
    # Training itself took no notice of its average.
    assert averaged.history["loss"][: TRAINING.epochs] == plain.history["loss"][: TRAINING.epochs]
    assert averaged.history["val_loss"] != plain.history["val_loss"]
    differences = [
        np.abs(one - other).max()
        for one, other in zip(plain.model.get_weights(), averaged.model.get_weights(), strict=True)
    ]
    assert min(differences) > 0  # Normalization's statistics are averaged too.
    kernels = [v.numpy() for v in averaged.qat_model.trainable_variables if v.shape.rank > 1]
    n_zeros = sum(int(np.sum(kernel == 0)) for kernel in kernels)
    assert n_zeros / sum(kernel.size for kernel in kernels) > 0.69
    assert averaged.history["val_accuracy"][-1] > 0.9
    assert achieved_sparsity(averaged.model) == averaged.sparsity
