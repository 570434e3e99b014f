"""What a training recipe adds to an epoch, as a ratio to the plain one.

Run it from the checkout; it needs no data:

    python -m benchmarks.cost.augmentation_speed [--write]

The same networks as in ``benchmarks.cost.training_speed`` are trained on generated pictures, with
each part of a recipe alone and with what a task would use, in turns with plain training. The
first epoch of each holds the tracing and is not counted; of the others the one with the least
processor time counts, since a busy machine only ever adds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from benchmarks.cost.training_speed import Case, Clock, build, machine
from benchmarks.results import RESULTS, write_section
from spaces.config.trial import TrainingConfig
from spaces.data.dataset import Split
from workers.training.hooks import Hooks
from workers.training.keras_compat import configure_tensorflow

TITLE = "## What a training recipe adds to an epoch"

CASES = (Case((28, 28, 1), (8, 16), 12_000), Case((96, 96, 3), (16, 32, 32), 400))

POLICIES = (
    "flip",
    "shift",
    "flip+shift",
    "shift+rotation+zoom",
    "colour",
    "flip+shift+rotation+zoom+colour",
    "randaugment",
    "mixup",
    "cutmix",
)

RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    **{policy: {"augmentation": policy} for policy in POLICIES},
    "label smoothing": {"label_smoothing": 0.1},
    "averaged weights": {"ema": 0.05},
    "class weights": {"class_weights": "balanced"},
}


def epoch_seconds(case: Case, split: Split, config: TrainingConfig, epochs: int) -> float:
    """Return the processor time of the fastest epoch but the first."""
    from workers.training.loop import train_epochs

    model = build(case.shape, case.filters)
    clock = Clock()
    few = Split(split.images[:1], split.labels[:1])
    train_epochs(model, split, few, config, epochs=epochs, seed=0, hooks=Hooks(on_epoch=clock))
    return min(processor for _, processor in clock.laps[1:])


def measure(case: Case, batch_size: int, rounds: int, epochs: int) -> dict[str, float]:
    """Return the seconds of an epoch by recipe."""
    split = case.split()
    fastest: dict[str, float] = {}
    for _ in range(rounds):
        for name, changes in RECIPES.items():
            config = replace(TrainingConfig(1e-3, batch_size), **changes)
            seconds = epoch_seconds(case, split, config, epochs)
            fastest[name] = min(seconds, fastest.get(name, seconds))
    return fastest


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description="What a training recipe adds to an epoch")
    parser.add_argument("--rounds", type=int, default=2, help="of everything")
    parser.add_argument("--epochs", type=int, default=4, help="of each training, the first apart")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"update {RESULTS.name}")
    options = parser.parse_args()

    facts = machine()
    print(facts, flush=True)
    configure_tensorflow(threads=options.threads)
    found = [measure(case, options.batch_size, options.rounds, options.epochs) for case in CASES]
    lines = [
        f"| recipe | {' | '.join(f'{case}, s | ratio' for case in CASES)} |",
        f"| --- |{' ---: | ---: |' * len(CASES)}",
    ]
    for name in RECIPES:
        cells = [
            f"{seconds[name]:.2f} | {seconds[name] / seconds['plain']:.2f}" for seconds in found
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    table = "\n".join(lines)
    print(table)
    if options.write:
        pictures = " and ".join(f"{case.n_images:,} pictures of {case}" for case in CASES)
        write_section(
            TITLE,
            f"{TITLE}\n\n`python -m benchmarks.cost.augmentation_speed`: processor seconds of an "
            f"epoch over {pictures}, batch {options.batch_size}, {options.threads} thread(s); the "
            f"fastest of {options.rounds * (options.epochs - 1)}.\n\n{facts}\n\n{table}\n",
        )


if __name__ == "__main__":
    main()
