"""What training on changed in studies that are there: by how long a network had been trained.

python -m benchmarks.replay.trained_on DATABASE:STUDY...

A row for all branches that trained a float32 model for the second, third, ... time: which part of
the errors was left, as medians, and the exponent that a power of all epochs would have.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from search.sampling.branch_kinds import TRAIN_ON, kind_of
from search.storage import attributes
from search.storage.urls import storage_url
from spaces.config.trial import TrialConfig

Branches = Mapping[int, Sequence[tuple[float, float]]]


def trained_on(trials: Sequence[optuna.trial.FrozenTrial]) -> Branches:
    """Return what is left of errors, and the exponent, by how many trainings there were before.

    Args:
        trials: Of one study.
    """
    accuracies: dict[int, float] = {}
    stored: dict[int, dict[str, Any]] = {}
    for trial in trials:
        attrs = trial.user_attrs
        if attributes.CONFIG not in attrs:
            continue
        owner = int(attrs.get(attributes.DERIVED_FROM, trial.number))
        if trial.values and attrs[attributes.CONFIG]["quantization"] == "float32":
            accuracies[owner] = trial.values[0]
        if owner == trial.number:
            stored[owner] = attrs
    found = defaultdict(list)
    for number, attrs in stored.items():
        if attributes.BRANCHED_FROM not in attrs:
            continue
        config = TrialConfig.from_dict(attrs[attributes.CONFIG])
        parent = int(attrs[attributes.BRANCHED_FROM])
        errors = [1 - accuracies.get(one, 1.0) for one in (parent, number)]
        if kind_of(config) is not TRAIN_ON or min(errors) <= 0:
            continue
        epochs = [step.training.epochs for step in config.lineage]
        before, left = sum(epochs[:-1]), errors[1] / errors[0]
        exponent = -math.log(left) / math.log(sum(epochs) / before)
        found[round(before / epochs[-1])].append((left, exponent))
    return found


def table(studies: Mapping[str, Branches]) -> str:
    """Return a table of studies by their names."""
    rows = ["| study | training | branches | errors left | exponent |", "| --- |" + " ---: |" * 4]
    for name, found in studies.items():
        for n_before, many in sorted(found.items()):
            left, exponent = (statistics.median(values) for values in zip(*many, strict=True))
            rows.append(
                f"| {name} | {n_before + 1}. | {len(many)} | {100 * left:.0f} % | {exponent:.2f} |"
            )
    return "\n".join(rows)


def main() -> None:
    """Print the table of the studies that the command line names."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    studies = {}
    for given in sys.argv[1:]:
        database, _, name = given.rpartition(":")
        study = optuna.load_study(study_name=name, storage=storage_url(database))
        studies[name] = trained_on(study.get_trials(deepcopy=False))
    print(table(studies))


if __name__ == "__main__":
    main()
