"""A training whose worker or driver was killed goes on where it stood, to the same bytes.

While a trial trains, its checkpoint (:class:`workers.training.checkpoint.TrainingState`) is
written every so often; whoever tries the same configuration again starts there, if it is trained
by the same code, ours and the task's, with the same libraries. What hangs on more than can be kept
begins anew and keeps nothing: random numbers of dropout, callbacks and loops of one's own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import spaces
import workers
from spaces.errors import StorageError
from workers.messages.checkpoint import Checkpoint
from workers.training.checkpoint import Resume, TrainingState

MAX_BYTES = 512 * 2**20
"""What a checkpoint may take; larger trainings keep none."""

_ROOM = 4
"""How many checkpoints must have room on the disk, which is for other things too."""


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
        self._checkpoint = checkpoint or Checkpoint("", machine="")
        self._folder = self._checkpoint.folder
        self._pause = pause
        self._clock = clock
        self._made_by = "" if self._folder is None else _made_by(self._checkpoint.code)
        start = self._found(config_hash)
        self._before_s = 0.0 if start is None else start.seconds
        self.resume = _Timed(config_hash, start, self._begin)
        self._began = self._kept = clock()
        self._writing_s = 0.0

    @property
    def spared_s(self) -> float:
        """Seconds of training that earlier attempts took and this one need not."""
        return self._before_s if self.resume.first_epoch else 0.0

    def _begin(self) -> None:
        """Count the seconds of this training from now on: not of those that it branches from."""
        self._began = self._kept = self._clock()

    def keep(self) -> None:
        """Write where the training stands, if it is time; called between two epochs."""
        asked = self._checkpoint
        wait_s = max(asked.every_s, self._writing_s / asked.max_share)
        if self._folder is None or self._clock() - self._kept < wait_s:
            return
        state = self.resume.state() if self.resume.goes_on_exactly else None
        n_bytes = 0 if state is None else sum(value.nbytes for value in state.variables)
        if state is None or n_bytes > MAX_BYTES:
            self._folder = None
            return
        if self._pause is not None:
            self._pause()
        began = self._clock()
        seconds = self.spared_s + began - self._began
        try:
            state = replace(state, seconds=seconds, made_by=self._made_by)
            _write(state, self._folder, n_bytes)
        except OSError:  # Without room, a killed trial begins anew.
            self._folder = None
        self._kept = self._clock()
        self._writing_s = self._kept - began

    def _found(self, config_hash: str) -> TrainingState | None:
        """Return the latest sound checkpoint of the configuration, made as this one would be."""
        found: list[TrainingState] = []
        if self._folder is not None:
            for folder in (self._folder, *_unfinished(self._folder)):
                with suppress(StorageError):
                    found.append(TrainingState.load(folder))
        fitting = [
            state
            for state in found
            if (state.config_hash, state.made_by) == (config_hash, self._made_by)
        ]
        return max(fitting, key=lambda state: state.epochs, default=None)


class _Timed(Resume):
    """Tells when the training begins that it is for."""

    def __init__(
        self, config_hash: str, start: TrainingState | None, begins: Callable[[], None]
    ) -> None:
        super().__init__(config_hash, start)
        self._begins = begins

    def begin(
        self, variables: Sequence[Any], steps_function: Any, *, replay: bool = False
    ) -> list[tuple[float, ...]]:
        self._begins()
        return super().begin(variables, steps_function, replay=replay)


def _write(state: TrainingState, folder: Path, n_bytes: int) -> None:
    """Write a checkpoint in the place of the one before, of which one is there at any moment.

    A worker that was given up may still write its own: each has a folder to itself until it is
    whole.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder.parent).free < _ROOM * n_bytes:
        raise OSError("no room to spare")
    new = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
    try:
        new.mkdir()
        state.save(new)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise
    for left in _unfinished(folder):
        shutil.rmtree(left, ignore_errors=True)


def _unfinished(folder: Path) -> list[Path]:
    """Return what was being written, or had not got its place yet, when somebody was killed."""
    return sorted(folder.parent.glob(f"{folder.name}.*"))


def _made_by(code: str) -> str:
    """Return what tells code and libraries that train: with others, bytes would be others."""
    import tensorflow as tf

    from workers.training.keras_compat import versions

    gpus = [device.name for device in tf.config.list_physical_devices("GPU")]
    told = json.dumps([versions(), gpus, _own_source(), code], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@cache
def _own_source() -> str:
    """Return a hash of this program's source, as far as it trains."""
    digest = hashlib.sha256()
    for package in (spaces, workers):
        for root in package.__path__:
            for path in sorted(Path(root).rglob("*.py")):
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
