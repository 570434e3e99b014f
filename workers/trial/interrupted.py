"""A training whose worker or driver was killed goes on where it stood, to the same bytes.

While a trial trains, its checkpoint (:class:`workers.training.checkpoint.TrainingState`) is
written every so often; whoever tries the same configuration again starts there. Trainings that
draw random numbers whose state cannot be kept, those with dropout, begin anew and keep nothing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from spaces.errors import StorageError
from workers.messages.checkpoint import Checkpoint
from workers.training.checkpoint import Resume, TrainingState

MAX_BYTES = 512 * 2**20
"""What a checkpoint may take; larger trainings keep none."""


class InterruptedTraining:
    """Finds how far an earlier attempt came, and keeps how far this one does.

    Args:
        checkpoint: Where; None for nowhere.
        config_hash: Of the configuration that is trained.
        pause: Called before anything is written, as latencies may be measured just then.
        clock: Seconds, for tests.

    Attributes:
        resume: What the training is handed.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        config_hash: str,
        pause: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoint = checkpoint or Checkpoint("", host="")
        self._folder = self._checkpoint.folder
        self._pause = pause
        self._clock = clock
        start = self._found(config_hash)
        self._before_s = 0.0 if start is None else start.seconds
        self.resume = Resume(config_hash, start)
        self._began = self._kept = clock()
        self._writing_s = 0.0

    @property
    def spared_s(self) -> float:
        """Seconds of training that earlier attempts took and this one need not."""
        return self._before_s if self.resume.first_epoch else 0.0

    def begin(self) -> None:
        """Count the seconds of training from now on."""
        self._began = self._kept = self._clock()

    def keep(self) -> None:
        """Write where the training stands, if it is time; called between two epochs."""
        asked = self._checkpoint
        wait_s = max(asked.every_s, self._writing_s / asked.max_share)
        if self._folder is None or self._clock() - self._kept < wait_s:
            return
        if not self.resume.goes_on_exactly:
            self._folder = None
            return
        state = self.resume.state()
        if state is None or sum(value.nbytes for value in state.variables) > MAX_BYTES:
            self._folder = None
            return
        if self._pause is not None:
            self._pause()
        began = self._clock()
        seconds = self.spared_s + began - self._began
        try:
            _write(replace(state, seconds=seconds), self._folder)
        except OSError:  # Without room, a killed trial begins anew.
            with suppress(OSError):
                shutil.rmtree(_new(self._folder))
            self._folder = None
        self._kept = self._clock()
        self._writing_s = self._kept - began

    def _found(self, config_hash: str) -> TrainingState | None:
        """Return the latest sound checkpoint of the configuration."""
        found: list[TrainingState] = []
        if self._folder is not None:
            for folder in (self._folder, _new(self._folder)):
                with suppress(StorageError):
                    found.append(TrainingState.load(folder))
        fitting = [state for state in found if state.config_hash == config_hash]
        return max(fitting, key=lambda state: state.epochs, default=None)


def _write(state: TrainingState, folder: Path) -> None:
    """Write a checkpoint in the place of the one before, of which one is there at any moment."""
    new = _new(folder)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    state.save(new)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def _new(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.new")
