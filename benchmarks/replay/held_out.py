"""How well a surrogate foretells trainings that it did not see."""

from __future__ import annotations

import math
from random import Random

import numpy as np

from benchmarks.replay.forest import Array
from benchmarks.replay.recordings import Recording
from benchmarks.replay.surrogate import Surrogate


def held_out(
    recording: Recording, n_folds: int = 5, seed: int = 0
) -> dict[str, tuple[Array, Array]]:
    """Return what was measured and what is foreseen of it by a surrogate that did not see it.

    Returns:
        By name of what it is: accuracies of the mean of both splits, sizes, latencies, seconds of
        training, and accuracies of branches.
    """
    rows = list(recording.rows)
    Random(seed).shuffle(rows)
    pairs: dict[str, list[tuple[float, float]]] = {}

    def compare(name: str, true: float, foreseen: float) -> None:
        pairs.setdefault(name, []).append((true, foreseen))

    for fold in range(n_folds):
        kept = [row for index, row in enumerate(rows) if index % n_folds != fold]
        model = Surrogate(recording.only(kept))
        for row in rows[fold::n_folds]:
            inputs = model.features(row["params"])
            level = model.expected_level(inputs)
            compare("accuracy, float32", _share(model.level_of(row)), _share(level))
            answer = model.training(row["params"])
            for scheme in ("float32", "int8", "dynamic_int4"):
                if scheme in row["points"]:
                    point = row["points"][scheme]
                    compare(f"size, {scheme}", point[2], answer.points[scheme][2])
                    compare(f"latency, {scheme}", point[3], answer.points[scheme][3])
            for scheme in ("int8", "dynamic_int4", "qat_int8"):
                if scheme in row["points"]:
                    true, test = row["points"][scheme][:2]
                    delta = model.scheme_delta(scheme, inputs, level)
                    true = true if test is None else (true + test) / 2
                    compare(f"accuracy, {scheme}", true, _share(level + delta))
            compare("seconds of training", row["seconds"]["train"], answer.seconds["train"])
        unseen = recording.only(rows[fold::n_folds])
        branches = [(row, one, one["final_sparsity"]) for row, one in unseen.branches]
        if model.trains_on:
            branches += [(row, one, None) for row, one in unseen.trained_on]
        for row, one, sparsity in branches:
            before = model.level_of(row)
            change = model.branch_change(row["params"], before, sparsity)
            name = "accuracy, trained on" if sparsity is None else "accuracy, pruned further"
            compare(name, _share(model.level_of(one)), _share(before + change))
    return {name: (np.array(p)[:, 0], np.array(p)[:, 1]) for name, p in pairs.items()}


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
