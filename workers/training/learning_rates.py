"""Learning-rate schedules: which rate every step of a training has.

Schedules are fractions of a training, as those of pruning are, so that they mean the same at
every batch size and length.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from spaces.config.trial import TrainingConfig

if TYPE_CHECKING:
    import numpy.typing as npt

WARMUP_SHARE = 0.1
"""Part of a training in which ``cosine_warmup`` raises the rate, in a straight line."""

PLATEAU_FACTOR = 0.3
PLATEAU_SHARE = 0.1
"""``plateau`` lowers the rate to this part after so large a part of all epochs (one at least)
without a better loss on the validation split. Keras's callback of that name waits for ten epochs
before it lowers the rate to a tenth: as long as a whole trial."""


class LearningRates:
    """The rates of one training, epoch by epoch.

    - ``cosine``: along half a cosine from the highest rate to zero.
    - ``constant``: the highest rate throughout.
    - ``cosine_warmup``: up to the highest rate, and from there along half a cosine to zero.
    - ``plateau``: the highest rate, lowered whenever the validation loss stops falling.

    Args:
        config: Learning rate and schedule.
        epochs: Of the training.
        n_steps: Steps of each.
    """

    def __init__(self, config: TrainingConfig, epochs: int, n_steps: int) -> None:
        self._schedule, self._n_steps = config.lr_schedule, n_steps
        self._factors = _factors(config.lr_schedule, epochs * n_steps)
        self._rate = config.learning_rate
        self._patience = max(1, round(PLATEAU_SHARE * epochs))
        self._best, self._waited = math.inf, 0

    def of_epoch(self, epoch: int) -> npt.NDArray[np.float32]:
        """Return the rate of each step of an epoch, counted from 0."""
        factors = self._factors[epoch * self._n_steps : (epoch + 1) * self._n_steps]
        rates: npt.NDArray[np.float32] = (self._rate * factors).astype(np.float32)
        return rates

    def note(self, val_loss: float) -> None:
        """Take the loss on the validation split after an epoch."""
        if self._schedule != "plateau":
            return
        self._waited += 1
        if val_loss < self._best:
            self._best, self._waited = val_loss, 0
        elif self._waited >= self._patience:
            self._rate, self._waited = self._rate * PLATEAU_FACTOR, 0


def _factors(schedule: str, n_steps: int) -> npt.NDArray[np.float64]:
    """Return which part of the highest rate every step has."""
    if schedule in ("constant", "plateau"):
        return np.ones(n_steps)
    n_warmup = 0
    if schedule == "cosine_warmup":
        n_warmup = min(max(1, round(WARMUP_SHARE * n_steps)), n_steps - 1)
    up = np.arange(1, n_warmup + 1) / (n_warmup + 1)
    progress = np.arange(n_steps - n_warmup) / (n_steps - n_warmup)
    return np.concatenate([up, 0.5 * (1 + np.cos(np.pi * progress))])
