"""A study that several drivers write to, on one database server: each in its turn.

A turn begins by taking over what others did since the last one: trials that ended count, go to
the sampler and onto the front; those that run are nobody else's to start; those whose driver is
gone are tried again. So within a turn a driver is what it is alone: the only one that writes.
Files stay on the host that made them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.storage import attributes
from search.storage.batches import Batch
from search.storage.constraints import is_feasible
from search.storage.leases import Leases
from search.storage.reader import read_changed, read_study_attrs
from search.storage.recorder import RowRecorder
from search.storage.trial_attributes import interruption
from search.study.history import KILLED, read_past
from search.study.messages import Asked, Told
from search.study.model_files import Reported, values_of
from search.study.open_study import OpenStudy
from search.study.queue import MakeConfig
from search.study.running import expected_hashes
from spaces.config.trial import TrialConfig
from spaces.errors import StorageError
from spaces.space.search_space import SearchSpace
from workers.messages.result import TrialResult


@dataclass(frozen=True)
class Sharing:
    """What a study is shared by.

    Attributes:
        leases: Who lives.
        recorder: Writes to the study, and knows the rows of its trials.
        study_id: Id of the study.
    """

    leases: Leases
    recorder: RowRecorder
    study_id: int


def owner_of(trial: FrozenTrial) -> str | None:
    """Return the driver that runs a trial; None if nobody is named."""
    owner: str | None = trial.user_attrs.get(attributes.OWNER)
    return owner


class SharedStudy(OpenStudy):
    """A study that this process writes to beside others.

    Args:
        sharing: What it is shared by; this driver's turn has begun.
        *args: As for :class:`OpenStudy`.
        **kwargs: As for :class:`OpenStudy`.
    """

    def __init__(self, sharing: Sharing, settings: Any, trials: Any, **kwargs: Any) -> None:
        self._leases, self._rows = sharing.leases, sharing.recorder
        self._rows.guard = self._leases.check_turn
        self._study_id = sharing.study_id
        self._elsewhere: dict[int, FrozenTrial] = {}
        self._given_away: set[int] = set()
        self._signed_at = time.monotonic()
        living = sharing.leases.living()
        running = [trial for trial in trials if _is_run_by(trial, living)]
        others = {trial.number for trial in running}
        known = [trial for trial in trials if trial.number not in others]
        self._highest = max((trial._trial_id for trial in trials), default=-1)
        super().__init__(settings, known, **kwargs)
        for trial in running:
            self._leave(trial)

    @property
    def n_elsewhere(self) -> int:
        """Trials that other drivers run."""
        return len(self._elsewhere)

    def sign(self, *, now: bool = False) -> None:
        """Give a sign of life where one is due, and take over what others did."""
        if now or time.monotonic() - self._signed_at > self._leases.lease_s / 4:
            with self._turn():
                pass

    def ask(
        self,
        make_config: MakeConfig,
        user_attrs: Mapping[str, Any] | None = None,
        *,
        seconds_left: float = math.inf,
    ) -> Asked | None:
        """Start a trial, unless others have started the last ones meanwhile."""
        with self._turn():
            started = self.n_done + len(self._running) + self.n_elsewhere
            if self.target is not None and started >= self.target:
                return None
            owner = {attributes.OWNER: self._leases.owner}
            attrs = {**(user_attrs or {}), **owner}
            return super().ask(make_config, attrs, seconds_left=seconds_left)

    def set_target(self, target: int) -> None:
        """Store how many trials the study is to have."""
        with self._turn():
            super().set_target(target)

    def tell(self, number: int, result: TrialResult) -> Told:
        """End a trial, unless it was given to another driver meanwhile."""
        with self._turn():
            return self._lost(number) or super().tell(number, result)

    def fail(self, number: int, reason: str) -> Told:
        """End a trial as failed, unless it was given to another driver meanwhile."""
        with self._turn():
            return self._lost(number) or super().fail(number, reason)

    def interrupt(self, reason: str, number: int | None = None) -> int:
        """Give up all trials under way, or one, to be tried again."""
        with self._turn():
            for each in tuple(self._given_away):
                self._lost(each)
            if number is not None and number not in self._running:
                return 0
            return super().interrupt(reason, number)

    def close(self) -> None:
        """End this driver's lease: what it leaves running has no owner."""
        with suppress(StorageError):  # It ends by itself.
            self._leases.give_up()

    def _lost(self, number: int) -> Told | None:
        """Let go of a trial that another driver took over; None if it is ours."""
        if number not in self._given_away:
            return None
        self._given_away.discard(number)
        reason = "this driver gave no sign of life for too long, and another one tries it again"
        self._forget(number, interruption(reason))
        return Told(number, "interrupted", reason)

    # --- What others did ------------------------------------------------------------------

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._leases.turn():
            self._signed_at = time.monotonic()
            self._take_over_others()
            yield
            self._highest = max(self._highest, self._rows.highest_id)  # Our own is no news.

    def _take_over_others(self) -> None:
        watched = [trial._trial_id for trial in self._elsewhere.values()]
        own = self._rows.ids_of(self._running)
        changed = read_changed(
            self._rows.engine, self._study_id, self._highest, [*watched, *own.values()]
        )
        if changed:
            self._highest = max(self._highest, *(trial._trial_id for trial in changed))
            self._rows.note(changed)
            self._take(changed)
        orphans = self._orphans()
        if orphans:
            endings = {trial.number: interruption(KILLED) for trial in orphans}
            self._recorder.write(Batch(ended=endings))
            for trial in orphans:
                self._return(trial)
                self._queue.try_again(trial)

    def _take(self, changed: Sequence[FrozenTrial]) -> None:
        ended: list[FrozenTrial] = []
        for trial in changed:
            is_ours = trial.number in self._running
            if attributes.CONFIG not in trial.user_attrs or is_ours:
                if is_ours and trial.state != TrialState.RUNNING:
                    self._given_away.add(trial.number)
            elif trial.state == TrialState.RUNNING:
                self._leave(trial)
            elif owner_of(trial) != self._leases.owner:
                self._return(trial)
                ended.append(trial)
        if not ended:
            return
        past = read_past(ended, self._limits)
        self.n_points += past.n_points
        self.outcomes += past.outcomes
        self._queue.mark_tried(past.tried)
        for trial in past.known:
            self._mirror.add(trial)
        # The race judges by others' trainings too, or it would let pass what they dominate.
        self._shortcuts.remember(ended)
        for trial in past.retries:
            self._queue.try_again(trial)
        points = {
            trial.number: Reported((values[0], values[1], values[2]))
            for trial in past.known
            if (values := values_of(trial)) is not None and is_feasible(trial.system_attrs)
        }
        change = self._files.add(points)
        if change.dropped:
            self._recorder.write(Batch(files=change.dropped))
            self._files.remove_files(change)
        stored = read_study_attrs(self._rows.engine, self._study_id)
        space = self._space.merged(
            SearchSpace.from_list(stored[attributes.SEARCH_SPACE]).parameters
        )
        self._space = self._shortcuts.space = self._queue.space = space
        if self._baseline_ms is None:
            self._baseline_ms = stored.get(attributes.REFERENCE_MS)

    def _leave(self, trial: FrozenTrial) -> None:
        """Leave a trial to the driver that runs it, with all that its training will give."""
        self._elsewhere[trial.number] = trial
        self._queue.mark_tried(self._hashes_of(trial))

    def _return(self, trial: FrozenTrial) -> None:
        """What a trial was to give is nobody's any more."""
        if self._elsewhere.pop(trial.number, None) is not None:
            self._queue.forget(self._hashes_of(trial))

    def _hashes_of(self, trial: FrozenTrial) -> frozenset[str]:
        config = TrialConfig.from_dict(trial.user_attrs[attributes.CONFIG])
        return expected_hashes(config, self.settings.fan_out)

    def _orphans(self) -> list[FrozenTrial]:
        if not self._elsewhere:
            return []
        living = self._leases.living()
        return [trial for trial in self._elsewhere.values() if not _is_run_by(trial, living)]


def _is_run_by(trial: FrozenTrial, drivers: frozenset[str]) -> bool:
    return trial.state == TrialState.RUNNING and owner_of(trial) in drivers
