"""What training on changed in studies: by how long a network had been trained, and what was left.

python -m benchmarks.replay.trained_on DATABASE:STUDY...

A row for all branches that trained a float32 model when it had been trained for as long as one
whole training (the second), two (the third), four (the fifth), and so on: which part of the errors
was left, as medians, and the exponent that a power of all epochs would have. Then those
of all studies together by how much there was left to learn.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import optuna

from search.sampling.branch_kinds import TRAIN_ON, kind_of
from search.storage import attributes
from search.storage.urls import storage_url
from search.study.learning import left_of
from spaces.config.trial import TrialConfig

_LEFT = (0.05, 0.2, 0.4, 0.7, 0.95)
"""Where what is left to learn is cut into rows."""
_SEEN = (attributes.TRAIN_ACCURACY, attributes.CURVE)


@dataclass(frozen=True)
class TrainedOn:
    """What one branch changed.

    Attributes:
        errors_left: Part of the float32 model's errors that is left.
        exponent: That a power of all epochs would have.
        left_to_learn: What its network had left to learn before.
    """

    errors_left: float
    exponent: float
    left_to_learn: float


Branches = Mapping[int, Sequence[TrainedOn]]


def trained_on(trials: Sequence[optuna.trial.FrozenTrial]) -> Branches:
    """Return what branches changed, by how long those before were, in whole trainings.

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
        seen, curve = (stored[parent].get(name) for name in _SEEN)
        to_learn = left_of(config.lineage[-2], seen, curve or ())
        found[round(before / epochs[0])].append(TrainedOn(left, exponent, to_learn))
    return found


def table(studies: Mapping[str, Branches]) -> str:
    """Return a table of studies by their names."""
    rows = ["| study | training | branches | errors left | exponent |", "| --- |" + " ---: |" * 4]
    for name, found in studies.items():
        for n_before, many in sorted(found.items()):
            left = statistics.median(one.errors_left for one in many)
            exponent = statistics.median(one.exponent for one in many)
            rows.append(
                f"| {name} | {n_before + 1}. | {len(many)} | {100 * left:.0f} % | {exponent:.2f} |"
            )
    return "\n".join(rows)


def table_by_left(studies: Iterable[Branches]) -> str:
    """Return a table of all branches by how much there was left to learn."""
    rows = ["| left to learn | branches | exponent | quartiles |", "| --- |" + " ---: |" * 3]
    many = [one for found in studies for branches in found.values() for one in branches]
    for low, high in pairwise((-math.inf, *_LEFT, math.inf)):
        found = sorted(o.exponent for o in many if low <= o.left_to_learn < high)
        if not found:
            continue
        first, middle, last = statistics.quantiles(found) if len(found) > 1 else found * 3
        name = f"{max(low, 0):g} to {min(high, 1):g}"
        rows.append(f"| {name} | {len(found)} | {middle:.2f} | {first:.2f} to {last:.2f} |")
    return "\n".join(rows)


def main() -> None:
    """Print the table of the studies that the command line names."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    studies = {}
    for given in sys.argv[1:]:
        database, _, name = given.rpartition(":")
        study = optuna.load_study(study_name=name, storage=storage_url(database))
        # Studies of several databases may be called the same.
        studies[given if name in studies else name] = trained_on(study.get_trials(deepcopy=False))
    print(table(studies))
    print(table_by_left(studies.values()))


if __name__ == "__main__":
    main()
