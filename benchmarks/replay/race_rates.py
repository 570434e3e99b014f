"""What the race saves and loses on recorded trainings that come in some order."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from benchmarks.replay.recordings import Recording, Row
from search.front.pareto import Front, ReferencePoint, counting, hypervolume
from workers.messages.race import USUAL_RECIPE, Curve, Race

QUANTILES = (0.5, 0.8, 0.95, 1.0)


@dataclass(frozen=True)
class RaceRates:
    """What the race did.

    Attributes:
        epochs_saved: Share of all epochs.
        points_lost: Share of the points on the front of all trainings that the race lost; of
            those that are of any use.
        hypervolume_lost: Share of the hypervolume.
    """

    epochs_saved: float
    points_lost: float
    hypervolume_lost: float


def settled_epoch(row: Row, epochs: int) -> int:
    """Return after how many epochs the pruning mask of a recorded training was final."""
    if "final_sparsity" not in row["params"]:
        return 0
    return math.ceil(float(row["params"]["pruning_end"]) * epochs)


def race_rates(recording: Recording, quantile: float, seed: int) -> RaceRates:
    """Let all recorded trainings race, one after the other in an order of their own."""
    about = recording.about
    n_val = about["settings"]["n_val"]
    reference = ReferencePoint.for_classes(len(about["class_names"]), n_val)
    rows = list(recording.rows)
    random.Random(seed).shuffle(rows)
    everything, kept = Front(), Front()
    curves: list[Curve] = []
    stopped: set[int] = set()
    n_epochs = n_trained = 0
    for index, row in enumerate(rows):
        points = [
            (point[0], point[2], point[3])
            for scheme, point in row["points"].items()
            if scheme != "qat_int8"
        ]
        accuracies = tuple(row["val_accuracy"])
        recipe = str(row["params"].get("lr_schedule", USUAL_RECIPE))
        settled = settled_epoch(row, len(accuracies))
        # As `search.study.learning` has it.
        race = Race(
            tuple(map(tuple, kept.values.tolist())),
            tuple(curves),
            quantile,
            useful=reference.min_accuracy if counting(kept.values, reference).any() else 0.0,
            least_error=reference.error_floor,
            n_images=n_val,
        )
        bar = race.bar([(size, latency) for _, size, latency in points])
        n_epochs += len(accuracies)
        trained = next(
            (
                epoch
                for epoch in range(1, len(accuracies))
                if race.can_judge
                and race.verdict(accuracies[:epoch], len(accuracies), settled, bar, recipe)
            ),
            len(accuracies),
        )
        n_trained += trained
        for number, point in enumerate(points):
            everything.add(100 * index + number, point)
        if trained < len(accuracies):
            stopped.add(index)
            continue
        curves.append(Curve(accuracies, settled, recipe))
        for number, point in enumerate(points):
            kept.add(100 * index + number, point)
    worth = counting(everything.values, reference)
    whole = [key for key, counts in zip(everything.keys, worth, strict=True) if counts]
    lost = [key for key in whole if key // 100 in stopped]
    before, after = (hypervolume(front.values, reference) for front in (everything, kept))
    return RaceRates(1 - n_trained / n_epochs, len(lost) / len(whole), 1 - after / before)
