"""What our own sampler knows of a study: its trainings, those under way, and the front.

What it hands on to learn from is bounded, so that an ask takes as long with ten thousand trials
as with a thousand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from search.front.pareto import Front, ReferencePoint, counting, gains
from search.sampling.gaussian_process import Array
from search.sampling.space_moves import Params
from search.sampling.trainings import (
    QUANTIZATION,
    Key,
    Training,
    key_of,
    thinned,
    without_scheme,
)
from search.storage import attributes

MAX_ROWS = 200
"""Most trainings that a process learns from; a decomposition grows with the cube."""


class KnownTrainings:
    """What trials told so far.

    Args:
        reference: Where the hypervolume is measured from.

    Attributes:
        by_key: Every training that ended, by its parameters; a branch also by its parent.
        under_way: Parameters of those that did not, by trial number.
    """

    def __init__(self, reference: ReferencePoint) -> None:
        self.by_key: dict[Key, Training] = {}
        self.under_way: dict[int, Params] = {}
        self._reference = reference
        self._front = Front()
        self._owners: dict[int, Key] = {}
        self._n_read = 0
        self._unread: set[int] = set()

    def __len__(self) -> int:
        return len(self.by_key)

    def read(self, study: Study, number: int) -> None:
        """Take in what ended since the last time.

        Args:
            study: As the sampler sees it.
            number: Of the trial that is being asked for.
        """
        trials = study.get_trials(deepcopy=False)
        for index in sorted({*self._unread, *range(self._n_read, len(trials))}):
            trial = trials[index]
            self._unread.discard(index)
            self.under_way.pop(index, None)
            if trial.state.is_finished():
                self._learn(trial)
            else:
                self._unread.add(index)
                if index != number:
                    self.under_way[index] = without_scheme(trial.params)
        self._n_read = len(trials)

    def _learn(self, trial: FrozenTrial) -> None:
        params = without_scheme(trial.params)
        if not params:
            return
        key = key_of(params)
        parent = trial.user_attrs.get(attributes.BRANCHED_FROM)
        if parent is not None:  # Its parameters may be those of the training it started from.
            key = (*key, (attributes.BRANCHED_FROM, int(parent)))
        training = self.by_key.setdefault(key, Training(params))
        if parent is not None:
            training.teaches = False  # Its error owes much to the training it started from.
        scheme = str(trial.params.get(QUANTIZATION, ""))
        if seconds := trial.user_attrs.get(attributes.SECONDS):
            training.seconds = seconds
        if trial.state == TrialState.COMPLETE:
            accuracy, size_bytes, latency_ms = trial.values
            training.points[scheme] = (
                self.log_error(1 - accuracy),
                math.log(size_bytes),
                math.log(latency_ms),
            )
            if all(value <= 0 for value in trial.constraints.values()):
                is_on_front, left = self._front.add(trial.number, trial.values)
                if is_on_front:
                    self._owners[trial.number] = key
                for number in left:
                    del self._owners[number]
        elif hint := trial.user_attrs.get(attributes.HINT):
            for hinted, (error, size_bytes, latency_ms) in hint.items():
                training.points[hinted] = (
                    math.nan if error is None else self.log_error(error),
                    math.nan if size_bytes is None else math.log(size_bytes),
                    math.nan if latency_ms is None else math.log(latency_ms),
                )

    def log_error(self, error: float) -> float:
        """Return the logarithm of an error, as the hypervolume takes it."""
        return math.log(max(error, self._reference.error_floor))

    def counting(self) -> tuple[list[Key], Array]:
        """Return the trainings whose points on the front are worth anything, and their gains."""
        worth = counting(self._front.values, self._reference)
        numbers = [n for n, counts in zip(self._front.keys, worth, strict=True) if counts]
        owners = sorted({self._owners[number] for number in numbers}, key=repr)
        return owners, gains(self._front.values[worth], self._reference)

    def most_accurate(self, n: int) -> list[Key]:
        """Return the trainings of the most accurate points on the front, the best first."""
        order = np.argsort(-self._front.values[:, 0], kind="stable")
        ordered = (self._owners[self._front.keys[index]] for index in order)
        return list(dict.fromkeys(ordered))[:n]

    def chosen(self) -> Sequence[Training]:
        """Return the trainings to learn from: all, or the front's and a spread of the rest."""
        trainings = [t for t in self.by_key.values() if t.points and t.teaches]
        if len(trainings) <= MAX_ROWS:
            return trainings
        owners = {id(self.by_key[key]) for key in self._owners.values()}
        good = [t for t in trainings if id(t) in owners][-MAX_ROWS // 2 :]
        rest = [t for t in trainings if id(t) not in owners]
        return thinned(rest, MAX_ROWS - len(good)) + good
