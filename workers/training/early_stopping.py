"""Early stopping of one training by its own validation split, with the best weights kept.

This is for training in full, where epochs are plenty: a trial of a search has few of them, all
of which its learning-rate schedule needs, and is ended by the race (``workers.messages.race``),
which compares it with others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spaces.config.trial import TrialConfig
from spaces.errors import ConfigError
from workers.messages.race import settled_from

MONITORS = ("val_accuracy", "val_loss")


@dataclass(frozen=True)
class EarlyStopping:
    """When a training ends, and whose weights it ends with: those of its best epoch.

    Epochs whose pruning mask is not final yet are neither counted nor kept: a network that is
    not as sparse as it is to be is often better, and never what was asked for.

    Attributes:
        patience: Epochs without a better value after which training ends, at least 1. With as
            many as there are epochs it runs to its end, and the best weights are restored.
        monitor: ``val_accuracy`` or ``val_loss``.
        settled_from: Epochs (from 1) after which the mask is final; 0 without pruning.
            :func:`workers.training.loop.train` finds it out.
    """

    patience: int
    monitor: str = "val_accuracy"
    settled_from: int = 0

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ConfigError(f"`1 <= patience` must hold, but got (patience={self.patience}).")
        if self.monitor not in MONITORS:
            raise ConfigError(
                f"`monitor in ({', '.join(MONITORS)})` must hold, but got {self.monitor!r}."
            )

    def settled_with(self, config: TrialConfig) -> EarlyStopping:
        """Return the same rule for a configuration's pruning schedule."""
        return replace(self, settled_from=settled_from(config))

    def best_epoch(self, history: Mapping[str, Sequence[float]]) -> int | None:
        """Return the epoch (from 0) whose weights count; None if no mask was final yet.

        The first of equally good ones: more training did not pay.
        """
        first = max(0, self.settled_from - 1)
        values = history[self.monitor][first:]
        if not values:
            return None
        pick = max if self.monitor == "val_accuracy" else min
        return first + values.index(pick(values))

    def is_over(self, history: Mapping[str, Sequence[float]]) -> bool:
        """Whether training ends after the last epoch of a history."""
        best = self.best_epoch(history)
        return best is not None and len(history[self.monitor]) - 1 - best >= self.patience


class BestWeights:
    """The weights of a model's best epoch so far.

    Args:
        model: It is read after every epoch, and written once at the end.
        rule: What is best; None to keep nothing.
    """

    def __init__(self, model: Any, rule: EarlyStopping | None) -> None:
        self._model, self._rule = model, rule
        self._epoch = -1
        self._weights: Any = None

    def is_over(self, history: Mapping[str, Sequence[float]]) -> bool:
        """Keep the weights, if this epoch was the best; return whether training ends here."""
        if self._rule is None:
            return False
        last = len(history[self._rule.monitor]) - 1
        if self._rule.best_epoch(history) == last:
            self._epoch, self._weights = last, self._model.get_weights()
        return self._rule.is_over(history)

    def restore(self, n_epochs: int) -> None:
        """Give the model the best weights, unless it has them: those of the last epoch."""
        if self._weights is not None and self._epoch != n_epochs - 1:
            self._model.set_weights(self._weights)
