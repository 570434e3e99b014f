"""Seconds per epoch and per first step: the training loop of ``workers.train`` and ``model.fit``.

Run it from the checkout; it needs no data:

    python -m benchmarks.training_speed [--images 12000] [--epochs 4] [--filters 8 16]

Both train the same network on the same generated pictures of 28x28, with Adam, plain and while
pruning (``fit`` with TFMOT's wrappers and callback, as its guide has it). The first epoch of
each holds the tracing and is not counted; of the others the fastest counts, since a busy
machine only ever adds. The price of a first step is an epoch of one step minus a later one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spaces.config import PruningConfig, TrainingConfig
from spaces.dataset import Split
from workers.keras_compat import configure_tensorflow, seed_everything, versions

BATCH_SIZES = (32, 128)
N_CLASSES = 10
PRUNING = PruningConfig("polynomial", 0.8, begin=0.1, end=0.9)

EpochSeconds = Callable[[Split, int, int, bool], list[float]]
"""Takes images, batch size, epochs and whether to prune; gives the seconds of each epoch."""


def build(filters: Sequence[int]) -> Any:
    """Blocks of convolution, normalization, ReLU and pooling, and a dense head."""
    import tf_keras

    seed_everything(0)
    layers = tf_keras.layers
    inputs = x = tf_keras.Input((28, 28, 1))
    for n_filters in filters:
        x = layers.Conv2D(n_filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(16, activation="relu")(x)
    x = layers.Dense(N_CLASSES)(x)
    return tf_keras.Model(inputs, layers.Softmax()(x))


def ours(filters: Sequence[int]) -> EpochSeconds:
    """Time ``workers.train.train_epochs``."""

    def run(split: Split, batch_size: int, epochs: int, prune: bool) -> list[float]:
        from workers.prune import Pruner
        from workers.train import steps_per_epoch, train_epochs

        model = build(filters)
        n_steps = epochs * steps_per_epoch(len(split), batch_size)
        ends: list[float] = []

        def on_epoch(epoch: int, metrics: object) -> bool:
            ends.append(time.perf_counter())
            return True

        start = time.perf_counter()
        train_epochs(
            model,
            split,
            Split(split.images[:1], split.labels[:1]),
            TrainingConfig(1e-3, batch_size),
            epochs=epochs,
            seed=0,
            pruner=Pruner(model, PRUNING, n_steps) if prune else None,
            on_epoch=on_epoch,
        )
        return [float(each) for each in np.diff([start, *ends])]

    return run


def fit(filters: Sequence[int]) -> EpochSeconds:
    """Time ``model.fit`` on float32 arrays."""

    def run(split: Split, batch_size: int, epochs: int, prune: bool) -> list[float]:
        import tf_keras

        from workers.prune import make_schedule
        from workers.train import steps_per_epoch

        model = build(filters)
        callbacks: list[Any] = []
        if prune:
            import tensorflow_model_optimization as tfmot

            n_steps = epochs * steps_per_epoch(len(split), batch_size)
            model = tfmot.sparsity.keras.prune_low_magnitude(
                model, pruning_schedule=make_schedule(PRUNING, n_steps)
            )
            callbacks.append(tfmot.sparsity.keras.UpdatePruningStep())
        images = split.images / np.float32(255)
        ends: list[float] = []
        callbacks.append(
            tf_keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
            )
        )
        model.compile(
            tf_keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        start = time.perf_counter()
        model.fit(
            images,
            split.labels,
            batch_size=batch_size,
            epochs=epochs,
            verbose=0,
            callbacks=callbacks,
        )
        return [float(each) for each in np.diff([start, *ends])]

    return run


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Training loop against model.fit")
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--filters", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    configure_tensorflow(threads=arguments.threads)
    rng = np.random.default_rng(0)
    split = Split(
        rng.integers(0, 256, (arguments.images, 28, 28, 1), dtype=np.uint8),
        rng.integers(0, N_CLASSES, arguments.images),
    )
    loops = {"model.fit": fit(arguments.filters), "ours": ours(arguments.filters)}
    few = Split(split.images[: max(BATCH_SIZES)], split.labels[: max(BATCH_SIZES)])
    for loop in loops.values():  # What is paid once in a process is not counted.
        loop(few, max(BATCH_SIZES), 1, True)

    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    print(
        f"{arguments.images} images 28x28, {build(arguments.filters).count_params()} parameters, "
        f"{arguments.threads} thread(s)\n"
    )
    print(f"{'loop':<10} {'batch':>5} {'pruning':>8} {'s an epoch':>11} {'s first step':>13}")
    for batch_size in BATCH_SIZES:
        batch = Split(split.images[:batch_size], split.labels[:batch_size])
        for prune in (False, True):
            for name, loop in loops.items():
                epoch_s = min(loop(split, batch_size, arguments.epochs, prune)[1:])
                first, *later = loop(batch, batch_size, 4, prune)
                print(
                    f"{name:<10} {batch_size:>5} {'yes' if prune else 'no':>8} {epoch_s:>11.2f} "
                    f"{first - min(later):>13.2f}"
                )


if __name__ == "__main__":
    main()
