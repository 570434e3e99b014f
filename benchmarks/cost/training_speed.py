"""Seconds of an epoch, beside ``model.fit``, and of what a trial costs beside its epochs.

Run it from the checkout; it needs no data:

    python -m benchmarks.cost.training_speed [--before REVISION] [--write]

The loop of ``workers.training.loop`` and ``model.fit`` train the same networks on the same
generated pictures, with Adam, plain and while pruning (``fit`` with TFMOT's wrappers and callback,
as its guide has it), in turns. The first epoch of each holds the tracing and is not counted; of
the others the fastest counts, since a busy machine only ever adds, and the one with the least
processor time, that of all threads: with a worker on every core it is what an epoch costs. What
is paid once a trial comes from ``benchmarks.cost.trial_stages``, for this checkout and, in turns,
for an older revision.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.cost.trial_stages import compare, to_markdown
from benchmarks.results import RESULTS, write_section
from spaces.config.trial import PruningConfig, TrainingConfig
from spaces.data.dataset import Split
from workers.training.hooks import Hooks
from workers.training.keras_compat import configure_tensorflow, seed_everything, versions

BATCH_SIZES = (32, 128)
N_CLASSES = 10
PRUNING = PruningConfig("polynomial", 0.8, begin=0.1, end=0.9)
TITLE = "## Training loop, and the fixed cost of a trial"


class Case(NamedTuple):
    """A network and its data."""

    shape: tuple[int, int, int]
    filters: tuple[int, ...]
    n_images: int

    def split(self) -> Split:
        """Return pictures and labels at random."""
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (self.n_images, *self.shape), dtype=np.uint8)
        return Split(images, rng.integers(0, N_CLASSES, self.n_images))

    def __str__(self) -> str:
        return f"{self.shape[0]}x{self.shape[1]}, filters {', '.join(map(str, self.filters))}"


CASES = (
    Case((28, 28, 1), (8, 16), 12_000),
    Case((24, 24, 3), (16, 32, 32), 3_000),
    Case((48, 48, 3), (16, 32, 32), 1_500),
)

Seconds = tuple[float, float]
"""Wall clock and processor time, that of all threads."""

EpochSeconds = Callable[[Split, int, int, bool], list[Seconds]]
"""Takes images, batch size, epochs and whether to prune; gives the seconds of each epoch."""


class Clock:
    """Takes the seconds between one call and the next."""

    def __init__(self) -> None:
        self.laps: list[Seconds] = []
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def __call__(self, *_: object) -> bool:
        """End a lap, as a callback after every epoch; training goes on."""
        wall, processor = time.perf_counter(), time.process_time()
        self.laps.append((wall - self._wall, processor - self._processor))
        self._wall, self._processor = wall, processor
        return True


def build(shape: Sequence[int], filters: Sequence[int]) -> Any:
    """Blocks of convolution, normalization, ReLU and pooling, and a dense head."""
    import tf_keras

    seed_everything(0)
    layers = tf_keras.layers
    inputs = x = tf_keras.Input(shape)
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
    """Time ``workers.training.loop.train_epochs``."""

    def run(split: Split, batch_size: int, epochs: int, prune: bool) -> list[Seconds]:
        from workers.training.loop import steps_per_epoch, train_epochs
        from workers.training.prune import Pruner

        model = build(split.images.shape[1:], filters)
        n_steps = epochs * steps_per_epoch(len(split), batch_size)
        clock = Clock()
        train_epochs(
            model,
            split,
            Split(split.images[:1], split.labels[:1]),
            TrainingConfig(1e-3, batch_size),
            epochs=epochs,
            seed=0,
            pruner=Pruner(model, PRUNING, n_steps) if prune else None,
            hooks=Hooks(on_epoch=clock),
        )
        return clock.laps

    return run


def fit(filters: Sequence[int]) -> EpochSeconds:
    """Time ``model.fit`` on float32 arrays."""

    def run(split: Split, batch_size: int, epochs: int, prune: bool) -> list[Seconds]:
        import tf_keras

        from workers.training.loop import steps_per_epoch
        from workers.training.prune import make_schedule

        model = build(split.images.shape[1:], filters)
        callbacks: list[Any] = []
        if prune:
            import tensorflow_model_optimization as tfmot

            n_steps = epochs * steps_per_epoch(len(split), batch_size)
            model = tfmot.sparsity.keras.prune_low_magnitude(
                model, pruning_schedule=make_schedule(PRUNING, n_steps)
            )
            callbacks.append(tfmot.sparsity.keras.UpdatePruningStep())
        images = split.images / np.float32(255)
        model.compile(
            tf_keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        clock = Clock()
        callbacks.append(tf_keras.callbacks.LambdaCallback(on_epoch_end=clock))
        model.fit(
            images,
            split.labels,
            batch_size=batch_size,
            epochs=epochs,
            verbose=0,
            callbacks=callbacks,
        )
        return clock.laps

    return run


def measure_epochs(case: Case, rounds: int) -> list[str]:
    """Return rows of a table: both loops in turns, at every batch size, plain and pruning."""
    split = case.split()
    loops = {"fit": fit(case.filters), "ours": ours(case.filters)}
    rows = []
    for batch_size in BATCH_SIZES:
        for prune in (False, True):
            epochs: dict[str, list[Seconds]] = {name: [] for name in loops}
            for _ in range(rounds):
                for name, loop in loops.items():
                    epochs[name] += loop(split, batch_size, 3, prune)[1:]
            cells = [str(case), str(batch_size), "yes" if prune else "no"]
            for clock in (0, 1):
                theirs, our = (min(laps[clock] for laps in epochs[loop]) for loop in loops)
                cells += [f"{theirs:.2f}", f"{our:.2f}", f"{theirs / our:.1f}"]
            rows.append(f"| {' | '.join(cells)} |")
            print(rows[-1], flush=True)
    return rows


def machine() -> str:
    """Return what a reader needs to compare."""
    cpu = platform.processor() or platform.machine()
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        cpu = found[1] if found else cpu
    except OSError:
        pass
    libraries = ", ".join(f"{name} {version}" for name, version in versions().items())
    load = os.getloadavg()[0]
    today = time.strftime("%Y-%m-%d")
    return f"{cpu}, {os.cpu_count()} cores, load {load:.1f} at the start; {libraries}; {today}."


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description="Training loop against model.fit")
    parser.add_argument("--rounds", type=int, default=3, help="of everything")
    parser.add_argument("--trials", type=int, default=4, help="in each process, for the stages")
    parser.add_argument("--before", metavar="REVISION", help="to compare the stages with")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    options = parser.parse_args()

    facts = machine()
    print(facts, flush=True)
    stages = to_markdown(compare(options.before, options.rounds, options.trials))
    print(f"\n{stages}\n", flush=True)
    configure_tensorflow(threads=options.threads)
    table = [
        "| network | batch | pruning | `fit`, s an epoch | ours | ratio "
        "| `fit`, processor s | ours | ratio |",
        f"| --- | ---: | --- |{' ---: |' * 6}",
    ]
    print("\n".join(table))
    for case in CASES:
        few = case._replace(n_images=max(BATCH_SIZES)).split()
        for loop in (fit(case.filters), ours(case.filters)):
            loop(few, max(BATCH_SIZES), 1, True)  # Paid once in a process.
        table += measure_epochs(case, options.rounds)
    if options.write:
        before = "" if options.before is None else f" --before {options.before}"
        rows = "\n".join(table)
        write_section(
            TITLE,
            f"{TITLE}\n\n`python -m benchmarks.cost.training_speed{before}`: "
            f"{', '.join(f'{case.n_images:,} images of {case}' for case in CASES)}; "
            f"{options.threads} thread(s), the fastest epoch of {2 * options.rounds}.\n\n"
            f"{facts}\n\n{rows}\n\n"
            f"A trial of one epoch over 256 pictures of 96x96, pruned, with all six schemes "
            f"judged on 600: the fastest of {options.rounds * options.trials}, stage by stage.\n"
            f"\n{stages}\n",
        )


if __name__ == "__main__":
    main()
