"""The loop: ask, submit, wait, tell. Sole writer of a study.

As many trials are under way as there are workers, and a few more are queued, so that no worker
waits for the driver. What happens to a trial is in its result and the run goes on; what an
executor raises is an error of ours or of the user's set-up and ends it. However the run ends,
trials under way are marked as interrupted, and the next run tries them again.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from search.run.events import Observer, RunProgress, Silent, UnderWay
from search.run.interrupts import Interrupts, signal_of
from search.run.patience import patience_s, trial_timeout_s
from search.run.report import RunReport
from search.run.wording import described, ended_line
from search.storage.settings import RunSettings
from search.study.messages import Asked, Told
from search.study.open_study import OpenStudy
from search.study.queue import MakeConfig
from spaces.errors import TrialFailedError, WorkersLostError
from spaces.wording import counted
from workers.messages.executor import Executor, Finished, Lost, Outcome, TimedOut
from workers.messages.result import TrialResult

WORKERS_A_QUEUED = 8
"""For so many workers, begun, one trial more than workers is asked for: as several get free before
the driver has told what the first one gave, so many next ones have to be there. More would be
proposed without knowing what those under way give."""

MAX_FAILURES_FROM_THE_START = 10
"""Trials that may fail, each with a reason of its own, before any has worked."""

MAX_NODE_LOSSES = 5
"""Times that the node may leave on which a trial runs: it may be what brings nodes down."""

_WAIT_S = 1.0
_POLL_S = 0.5

_NAMES = {int(signal.SIGINT): "Ctrl-C"}


@dataclass
class _Ticket:
    asked: Asked
    what: str  # For people; it is told again at every update.
    losses: int = 0
    node_losses: int = 0
    started: float | None = None  # When a worker got free for it.


@dataclass
class _State:
    started: float
    done_at_start: int
    last: str = ""
    losses_in_a_row: int = 0
    failures_from_the_start: int | None = 0  # None once a trial has worked.
    last_failure: str = ""
    longest_s: float | None = None  # Of the trials that were trained to their end.
    seconds: float = 0.0  # Of all trials that workers ended.
    n_ended: int = 0  # Of those, what counts towards the target.
    tickets: dict[int, _Ticket] = field(default_factory=dict)
    interrupts: Interrupts = field(default_factory=Interrupts)


class Driver:
    """Runs one study to its end.

    Args:
        study: The study, which this process alone writes to.
        executor: Evaluates trials; the caller shuts it down.
        make_config: Turns parameters into a configuration.
        settings: How long to go on; the target is stored with the study.
        observer: Shows the run.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        study: OpenStudy,
        executor: Executor,
        make_config: MakeConfig,
        settings: RunSettings,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study = study
        self._executor = executor
        self._make_config = make_config
        self._settings = settings
        self._observer: Observer = observer or Silent()
        self._clock = clock
        self._state = _State(clock(), study.n_done)

    def run(self) -> RunReport:
        """Run trials until the target is reached, time is up, or Ctrl-C.

        Raises:
            TrialFailedError: If none of the first trials worked.
            WorkersLostError: If workers keep dying.
            StorageError: If the database cannot be written any more.
            StudyError: If somebody else writes to the study.
        """
        self._state = _State(self._clock(), self._study.n_done)
        self._observer.start(self.progress())
        if self._study.n_interrupted:
            self._observer.message(
                f"{counted(self._study.n_interrupted, 'interrupted trial')} of an earlier run "
                f"will be tried again."
            )
        if self._study.n_elsewhere:
            self._observer.message(
                f"Other drivers run {counted(self._study.n_elsewhere, 'trial')} of this study: "
                f"the target is shared."
            )
        if self._study.n_damaged_models:
            self._observer.message(
                f"Damaged: {counted(self._study.n_damaged_models, 'model file')} of the front. "
                f"The figures stay; `search export` and `search retrain` make a model anew."
            )
        if self._study.n_absent_models:
            self._observer.message(
                f"Not where the study keeps them (artifacts/ beside the database, or its bucket): "
                f"{counted(self._study.n_absent_models, 'model file')} of the front. It goes on, "
                f"and finds them once they are back; `search export` and `search retrain` make a "
                f"model anew."
            )
        n_abandoned = number = 0
        try:
            with self._state.interrupts:
                self._study.set_target(self._settings.n_trials)
                try:
                    ended_by = self._loop()
                except KeyboardInterrupt as error:
                    ended_by, number = "interrupt", signal_of(error)
                    n_abandoned = self._abandon(_NAMES.get(number) or signal.Signals(number).name)
                if ended_by == "timeout" and self._study.running:
                    n_abandoned = self._abandon("--timeout")
        except KeyboardInterrupt:
            raise  # The second one: the next start marks what is left running.
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            self._observer.finish(self.progress())
        return RunReport(self.progress(), ended_by, n_abandoned, number)

    def _abandon(self, by: str) -> int:
        """Give up what is under way, to be tried again; return how much that was."""
        n_abandoned = self._study.interrupt(f"interrupted: stopped by {by}")
        self._observer.message(
            f"Stopped by {by}. {counted(n_abandoned, 'trial')} under way will be tried again by "
            f"the same command."
        )
        return n_abandoned

    def _loop(self) -> str:
        """Keep workers busy; return what ended the run."""
        ended_by = "target"
        while True:
            self._state.interrupts.check()
            ended_by = self._fill(ended_by)
            self._study.sign()
            if ended_by == "target" and not self._state.tickets and self._waits_for_others():
                time.sleep(_POLL_S)
                self._study.sign(now=True)
                continue
            if not self._state.tickets or (ended_by == "timeout" and self._is_patience_over()):
                return ended_by
            with self._state.interrupts.waiting():
                outcomes = self._executor.wait(_WAIT_S)
            ended_by = self._take_all(outcomes, ended_by)
            self._check_failures()

    def _take_all(self, outcomes: list[Outcome], ended_by: str) -> str:
        """Take what came back, and start others between; return what ended the run by now.

        What finished is told before anything else can end the run, an error of asking too.
        """
        error: Exception | None = None
        for outcome in sorted(outcomes, key=lambda one: not isinstance(one, Finished)):
            self._take(outcome)
            # Many come at once: the first workers to get free do not wait for the last.
            if error is None and not self._is_ending():
                try:
                    ended_by = self._fill(ended_by)
                except Exception as raised:
                    error = raised
        if error is not None:
            raise error
        return ended_by

    def _fill(self, ended_by: str) -> str:
        """Start as many trials as are wanted; return what ended the run by now."""
        if ended_by == "target" and self._is_time_up():
            ended_by = "timeout"
        while ended_by == "target" and self._wants_more():
            if not self._start():
                ended_by = "exhausted"
        return ended_by

    def _is_ending(self) -> bool:
        """Whether what came back is the last: somebody wants an end, or nothing works."""
        n_failures = self._state.failures_from_the_start or 0
        is_hopeless = n_failures >= MAX_FAILURES_FROM_THE_START
        return is_hopeless or self._state.interrupts.requested is not None

    def _wants_more(self) -> bool:
        n_running, n_workers = len(self._state.tickets), self._executor.n_workers
        n_everywhere = n_running + self._study.n_elsewhere
        return (
            n_running < n_workers + math.ceil(n_workers / WORKERS_A_QUEUED)
            and self._study.n_done + n_everywhere < self._settings.n_trials
        )

    def _waits_for_others(self) -> bool:
        """Whether other drivers run what is left: it is ours if they die."""
        return self._study.n_elsewhere > 0 and self._study.n_done < self._settings.n_trials

    def _seconds_left(self) -> float:
        """Return how long a trial may take that starts now, without the run waiting for it."""
        state, settings = self._state, self._settings
        left_s = trial_timeout_s(settings.trial_timeout_s, state.longest_s)
        if settings.timeout_s is not None:
            left_s = min(left_s, settings.timeout_s - (self._clock() - state.started))
        n_left = settings.n_trials - self._study.n_done
        trials_s = state.seconds * n_left / self._executor.n_workers / max(1, state.n_ended)
        return min(left_s, trials_s) if state.n_ended else left_s

    def _is_time_up(self) -> bool:
        timeout_s = self._settings.timeout_s
        return timeout_s is not None and self._clock() - self._state.started >= timeout_s

    def _is_patience_over(self) -> bool:
        """Whether those under way when time is up take too long, too: one of them may hang."""
        timeout_s = self._settings.timeout_s
        assert timeout_s is not None
        allowed_s = timeout_s + patience_s(timeout_s, self._state.longest_s)
        return self._clock() - self._state.started >= allowed_s

    def _start(self) -> bool:
        asked = self._study.ask(self._make_config, seconds_left=self._seconds_left())
        if asked is None:
            if not self._wants_more():
                return True  # Another driver started the last one meanwhile.
            self._observer.message(
                "No configuration turned up that was not tried before: the search space seems "
                "exhausted."
            )
            return False
        self._submit(_Ticket(asked, described(asked.config)))
        origin = "" if asked.parent is None else f" from the weights of trial {asked.parent}"
        self._update(f"trial {asked.number} started{origin}")
        return True

    def _submit(self, ticket: _Ticket) -> None:
        request = self._study.request(ticket.asked.number)
        timeout_s = trial_timeout_s(self._settings.trial_timeout_s, self._state.longest_s)
        request = replace(request, timeout_s=timeout_s)
        self._state.tickets[self._executor.submit(request)] = ticket

    def _take(self, outcome: Outcome) -> None:
        ticket = self._state.tickets.pop(outcome.ticket)
        if isinstance(outcome, Lost):
            self._take_loss(ticket, outcome)
            return
        self._state.losses_in_a_row = 0
        number = ticket.asked.number
        if isinstance(outcome, TimedOut):
            told = self._study.fail(number, outcome.reason)
            self._observer.message(f"Trial {number} failed. {outcome.reason}")
        else:
            told = self._study.tell(number, outcome.result)
            self._remember(outcome.result)
        self._update(ended_line(told))
        self._count_failure(told)

    def _remember(self, result: TrialResult) -> None:
        """Learn from a trial how long trials take, or, if it was complete, may take."""
        took_s = sum(result.seconds.values())
        self._state.seconds += took_s
        self._state.n_ended += result.outcome != "infeasible"
        if result.outcome == "complete":
            self._state.longest_s = max(self._state.longest_s or 0.0, took_s)

    def _count_failure(self, told: Told) -> None:
        state = self._state
        is_failure = told.outcome == "failed" and not told.n_derived
        if told.outcome == "failed":
            state.last_failure = told.reason
        if state.failures_from_the_start is not None:
            state.failures_from_the_start = (
                state.failures_from_the_start + 1 if is_failure else None
            )

    def _check_failures(self) -> None:
        """End a run in which nothing works: that is the task's fault, not the trials'."""
        n_failures = self._state.failures_from_the_start or 0
        if n_failures >= MAX_FAILURES_FROM_THE_START:
            raise TrialFailedError(
                f"The first {n_failures} trials all failed. The last one: "
                f"{self._state.last_failure}"
            )

    def _take_loss(self, ticket: _Ticket, loss: Lost) -> None:
        """Try a trial again whose worker died; once, as a trial may be what kills workers.

        What leaves with its node is no fault of it, and tried some times more.
        """
        number = ticket.asked.number
        if loss.with_node:
            ticket.node_losses += 1
        else:
            ticket.losses += 1
            self._state.losses_in_a_row += 1
        if self._state.losses_in_a_row >= 2 * self._executor.n_workers + 3:
            raise WorkersLostError(
                f"{self._state.losses_in_a_row} workers died in a row with no trial finished "
                f"between. The last one: {loss.reason}"
            )
        is_worth_it = ticket.losses < self._settings.max_losses
        if is_worth_it and ticket.node_losses < MAX_NODE_LOSSES:
            self._observer.message(f"Trial {number}: {loss.reason} Trying it once more.")
            ticket.started = None
            self._submit(ticket)
            self._update(f"trial {number} started again")
            return
        n_losses = ticket.losses + ticket.node_losses
        told = self._study.fail(
            number, f"Its worker died {n_losses} times. The last time: {loss.reason}"
        )
        self._update(ended_line(told))
        self._state.last_failure = told.reason

    def _give_up(self, error: BaseException) -> None:
        """Mark what is under way as interrupted, if the database still lets us."""
        try:
            self._study.interrupt(f"interrupted: {type(error).__name__}")
        except Exception:
            # It is the first error that counts; the next start marks them.
            self._observer.message("Trials under way will be tried again by the same command.")

    def _update(self, last: str) -> None:
        self._state.last = last
        self._observer.update(self.progress())

    def progress(self) -> RunProgress:
        """Return where the study stands."""
        study, state = self._study, self._state
        elapsed_s = self._clock() - state.started
        values = study.front.values
        progress = RunProgress(
            study_name=study.name,
            n_target=self._settings.n_trials,
            n_done=study.n_done,
            n_complete=study.outcomes["complete"],
            n_infeasible=study.outcomes["infeasible"],
            n_stopped=study.outcomes["stopped"],
            n_branches=study.n_branches,
            n_failed=study.outcomes["failed"],
            n_running=len(study.running),
            n_points=study.n_points,
            front_size=len(study.front),
            hypervolume=study.hypervolume,
            elapsed_s=elapsed_s,
            eta_s=self._eta_s(elapsed_s),
            last=state.last,
            under_way=tuple(self._under_way()),
        )
        if len(values) == 0:
            return progress
        return replace(
            progress,
            best_accuracy=float(values[:, 0].max()),
            smallest_bytes=float(values[:, 1].min()),
            fastest_ms=float(values[:, 2].min()),
            values=tuple((a, s, t) for a, s, t in values.tolist()),
        )

    def _under_way(self) -> Iterator[UnderWay]:
        """Tell what workers are at: they take what was submitted first."""
        now, n_workers = self._clock(), self._executor.n_workers
        for place, ticket in enumerate(self._state.tickets.values()):
            if place < n_workers and ticket.started is None:
                ticket.started = now
            seconds = None if ticket.started is None else now - ticket.started
            asked = ticket.asked
            yield UnderWay(asked.number, ticket.what, seconds, asked.parent)

    def _eta_s(self, elapsed_s: float) -> float | None:
        n_done_here = self._study.n_done - self._state.done_at_start
        n_left = max(0, self._settings.n_trials - self._study.n_done)
        return None if n_done_here <= 0 else elapsed_s / n_done_here * n_left
