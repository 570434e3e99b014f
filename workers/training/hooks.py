"""What others may ask of a training while it runs, in one object that is handed on whole.

A training is asked for in one place, and runs some calls below it. Whoever stands between knows
nothing of what is asked: a new hook is a field here, and a line where the loop heeds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.training.checkpoint import Resume
    from workers.training.early_stopping import EarlyStopping

OnEpoch = Callable[[int, Mapping[str, float]], bool]
"""Told the epoch (from 0) and its metrics; whether to go on."""

Pause = Callable[[], None]
"""Called between two batches; returns when the next one may begin, usually at once."""


@dataclass(frozen=True)
class Hooks:
    """What is asked of a training; nothing, by default.

    None of them changes what is trained: only when it waits, where it begins and when it ends.

    Attributes:
        on_epoch: Called after every epoch; training ends when it returns False.
        pause: Called every ``workers.training.loop.CHUNK_S`` or so, between two batches; it may
            take its time.
        early_stopping: When to end before the last epoch, and to take the best one's weights
            (of those whose pruning mask is final); None to take the last ones.
        resume: Where to go on, and who may ask how training stands after an epoch; None to
            begin.
    """

    on_epoch: OnEpoch | None = None
    pause: Pause | None = None
    early_stopping: EarlyStopping | None = None
    resume: Resume | None = None

    def goes_on(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Tell of an epoch; return whether training goes on."""
        return self.on_epoch is None or self.on_epoch(epoch, metrics)

    def wait(self) -> None:
        """Return when the next batch may begin."""
        if self.pause is not None:
            self.pause()

    def with_on_epoch(self, on_epoch: OnEpoch) -> Hooks:
        """Return the same with another who is told of epochs."""
        return replace(self, on_epoch=on_epoch)

    @property
    def of_another_phase(self) -> Hooks:
        """What holds for the trainings before and after the one that is asked about, too."""
        return Hooks(pause=self.pause)


NO_HOOKS = Hooks()
"""Of a training that nobody asks anything of."""
