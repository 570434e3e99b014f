"""A training that is broken off and goes on gives the same weights as one that is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.config.trial import PruningConfig, TrialConfig
from spaces.data.dataset import Dataset
from spaces.errors import StorageError
from tests.workers_tests import corners
from workers.training.checkpoint import Resume, TrainingState
from workers.training.hooks import Hooks

pytestmark = pytest.mark.slow

PRUNING = PruningConfig("polynomial", final_sparsity=0.6, begin=0.1, end=0.7)


def train(
    hypermodel: Any, pictures: Dataset, config: TrialConfig, resume: Resume, stop_after: int = 99
) -> tuple[Any, TrainingState, list[int]]:
    """Train; return what came out, where it stood after the last epoch, and all epochs."""
    from workers.trial.train_config import train_config

    states: list[TrainingState] = []
    epochs: list[int] = []

    def on_epoch(epoch: int, metrics: Mapping[str, float]) -> bool:
        state = resume.state()
        assert state is not None
        states.append(state)
        epochs.append(epoch)
        return epoch + 1 < stop_after

    trained = train_config(hypermodel, pictures, config, hooks=Hooks(on_epoch, resume=resume))
    return trained, states[-1], epochs


@pytest.mark.parametrize(
    ("dropout", "pruning", "trained_anew"),
    # Where dropout stands, TensorFlow does not tell: training is replayed.
    [(0.0, PRUNING, [2]), (0.3, PruningConfig(), [0, 1, 2])],
)
def test_going_on_gives_the_same_weights(
    hypermodel: Any,
    corner_pictures: Dataset,
    tmp_path: Path,
    dropout: float,
    pruning: PruningConfig,
    trained_anew: list[int],
) -> None:
    config = corners.make_config(pruning=pruning, dropout=dropout)
    unbroken, _, _ = train(hypermodel, corner_pictures, config, Resume(config.hash))
    _, state, _ = train(hypermodel, corner_pictures, config, Resume(config.hash), stop_after=2)
    state.save(tmp_path)
    state = TrainingState.load(tmp_path)
    assert state.epochs == 2
    resume = Resume(config.hash, state)
    broken, _, epochs = train(hypermodel, corner_pictures, config, resume)
    assert epochs == trained_anew
    assert resume.n_replayed == (2 if dropout else 0)
    assert broken.history == unbroken.history
    for one, other in zip(broken.model.get_weights(), unbroken.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Another learning rate goes on from the weights, as population-based training wants it.
    training = replace(config.training, learning_rate=0.02)
    mutated = replace(config, training=training)
    resume = Resume(mutated.hash, state)
    _, _, epochs = train(hypermodel, corner_pictures, mutated, resume)
    assert (epochs, resume.problem) == ([2], "")
    # Another network cannot, and begins anew.
    wider = corners.make_config(pruning=pruning, dropout=dropout, filters_1=16)
    resume = Resume(wider.hash, state)
    _, _, epochs = train(hypermodel, corner_pictures, wider, resume)
    assert epochs == [0, 1, 2]
    assert "another shape" in resume.problem


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(StorageError, match="checkpoint"):
        TrainingState.load(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "fits"),
    [
        ([np.ones((2, 3), np.float32), np.ones((), np.int64)], True),
        ([np.ones((3, 2), np.float32), np.ones((), np.int64)], False),
        ([np.ones((2, 3), np.float64), np.ones((), np.int64)], False),
        ([np.ones((2, 3), np.float32), np.ones((), np.int32)], False),
        ([np.ones((2, 3), np.float32)], False),
    ],
    ids=["same", "shape", "precision", "width", "fewer"],
)
def test_only_arrays_of_the_same_shapes_and_types_are_taken(
    keras: Any, arrays: list[np.ndarray[Any, Any]], fits: bool
) -> None:
    import tensorflow as tf

    weights, step = tf.Variable(np.zeros((2, 3), np.float32)), tf.Variable(np.int64(0))
    rows = ((0.5, 0.5, 0.5, 0.5),)
    resume = Resume("1" * 16, TrainingState("0" * 16, rows, tuple(arrays)))
    assert resume.begin([weights, step], None) == (list(rows) if fits else [])
    assert bool(resume.problem) != fits
    assert (float(weights[0, 0]), int(step)) == ((1.0, 1) if fits else (0.0, 0))
