"""Pictures with one bright corner, and small networks for them: learned within a second."""

from __future__ import annotations

from typing import Any

import numpy as np

from spaces.config.schemes import QuantizationScheme
from spaces.config.trial import PruningConfig, TrainingConfig, TrialConfig
from spaces.data.dataset import Dataset, Split

SHAPE = (16, 16, 1)
NAMES = ("top left", "top right", "bottom left", "bottom right")
FINGERPRINT = "0123456789abcdef"


def make_split(n: int, seed: int) -> Split:
    """Noise, one quarter of which is brighter than the rest."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    images = rng.integers(0, 140, (n, *SHAPE), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 60
    for array in (images, labels):
        array.setflags(write=False)  # As a worker gets them.
    return Split(images, labels)


def make_dataset(n_train: int = 600) -> Dataset:
    """The same pictures every time, in every process."""
    return Dataset(
        "corners",
        train=make_split(n_train, 0),
        val=make_split(240, 1),
        test=make_split(60, 2),
        class_names=NAMES,
        fingerprint=FINGERPRINT,
    )


def make_config(
    quantization: QuantizationScheme = QuantizationScheme.FLOAT32,
    pruning: PruningConfig | None = None,
    training: TrainingConfig | None = None,
    task: str = "corners",
    seed: int = 0,
    **hyperparameters: Any,
) -> TrialConfig:
    """A configuration of :class:`~spaces.networks.families.ConvNet` with two small blocks."""
    values = {
        "blocks": 2,
        "filters_1": 8,
        "filters_2": 16,
        "head": "flatten",
        "dense_units": 16,
        "dropout": 0.0,
        **hyperparameters,
    }
    return TrialConfig(
        task=task,
        data_fingerprint=FINGERPRINT,
        hyperparameters=tuple(values.items()),
        training=training or TrainingConfig(0.01, batch_size=32, epochs=3, qat_epochs=1),
        pruning=pruning or PruningConfig(),
        quantization=quantization,
        seed=seed,
    )


def load_model() -> Any:
    """The hypermodel, as a worker loads it."""
    from workers.hypermodels.describe import load_hypermodel

    return load_hypermodel("spaces.networks.families:ConvNet", SHAPE, len(NAMES))
