"""What ends a run or a trial: time, signals, and that nothing works."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.run.driver import MAX_FAILURES_FROM_THE_START, Driver
from search.run.events import RunProgress
from search.run.interrupts import AGAIN_S, Interrupts, ending_cleanly, signal_of
from search.run.report import RunReport
from search.storage import attributes
from search.storage.settings import RunSettings
from search.study.create_or_resume import open_study, study_for_run
from spaces.errors import TrialFailedError
from tests.search_tests import analytic
from tests.search_tests.run.driven import SETTINGS, Recording, drive, failing, trials_of
from workers.messages.executor import Finished, InlineExecutor, Outcome
from workers.messages.result import EvaluateRequest, TrialResult


class Kept:
    """Something that a weak reference can be to."""


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


def test_after_the_timeout_nothing_is_started_and_all_is_finished(
    storage: InMemoryStorage,
) -> None:
    now = 0.0

    def advancing(request: EvaluateRequest) -> TrialResult:
        nonlocal now
        now += 10
        return analytic.make_result(request)

    executor = InlineExecutor(advancing)
    settings = RunSettings(100, timeout_s=25)
    report = drive(storage, executor, settings, clock=lambda: now)
    assert report.ended_by == "timeout"
    assert 3 <= report.progress.n_done < 10
    assert not [t for t in trials_of(storage) if t.state != TrialState.COMPLETE]


class Batches:
    """An executor whose waits return what a script says, some of it at once.

    Args:
        make: Told all requests so far by ticket, and how often it was waited for.
    """

    n_workers = 2

    def __init__(self, make: Callable[[dict[int, EvaluateRequest], int], list[Outcome]]) -> None:
        self._make = make
        self.requests: dict[int, EvaluateRequest] = {}
        self.n_waits = 0

    def submit(self, request: EvaluateRequest) -> int:
        self.requests[len(self.requests)] = request
        return len(self.requests) - 1

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        self.n_waits += 1
        return self._make(self.requests, self.n_waits)

    def shutdown(self) -> None:
        pass


def test_all_that_comes_back_at_once_is_told(storage: InMemoryStorage) -> None:
    """What would end the run comes back in front of a trial that is done."""

    def make(requests: dict[int, EvaluateRequest], n_waits: int) -> list[Outcome]:
        *first, last = requests if n_waits == 1 else [max(requests)]
        failed: list[Outcome] = [Finished(t, failing(requests[t])) for t in first]
        return [*failed, Finished(last, analytic.make_result(requests[last]))]

    executor = Batches(make)
    executor.n_workers = MAX_FAILURES_FROM_THE_START
    report = drive(storage, executor, RunSettings(MAX_FAILURES_FROM_THE_START + 1))
    assert (report.progress.n_failed, report.progress.n_complete) == (10, 1)


class TestTrialsThatHang:
    def test_one_fails_with_its_reason_and_the_run_goes_on(self, storage: InMemoryStorage) -> None:
        def evaluate(request: EvaluateRequest) -> TrialResult:
            assert request.timeout_s == 0.2
            if not [t for t in trials_of(storage) if t.state.is_finished()]:
                time.sleep(1000)
            return analytic.make_result(request)

        observer = Recording()
        settings = RunSettings(4, trial_timeout_s=0.2)
        report = drive(storage, InlineExecutor(evaluate), settings, observer)
        assert (report.ended_by, report.progress.n_done) == ("target", 4)
        report.check_whole()
        [failed] = [t for t in trials_of(storage) if t.state == TrialState.FAIL]
        assert "longer than" in failed.user_attrs[attributes.REASON]
        assert observer.messages == [f"Trial 0 failed. {failed.user_attrs[attributes.REASON]}"]

    def test_what_a_trial_may_take_follows_from_the_longest(
        self, storage: InMemoryStorage
    ) -> None:
        def evaluate(request: EvaluateRequest) -> TrialResult:
            n_told = len(executor.seen)
            executor.seen.append(request.timeout_s)
            result = analytic.make_result(request)
            seconds = {0: 1.0, 1: 100.0, 2: 500.0}.get(n_told, 30.0)
            return replace(
                result, outcome="complete", seconds={"train": seconds - 0.5, "gate": 0.5}
            )

        class Seeing(InlineExecutor):
            seen: list[float | None] = []

        executor = Seeing(evaluate)
        settings = replace(SETTINGS, race=False)
        study = open_study(storage, settings)
        Driver(study, executor, analytic.make_config, RunSettings(8)).run()
        # One is queued ahead: two start before anything is known.
        assert executor.seen == [21600, 21600, 1200, 2000, 10000, 10000, 10000, 10000]

    @pytest.mark.parametrize(
        ("timeout_s", "longest_s", "ends_s"),
        [(60, None, 120), (3600, 10, 3900), (3600, 400, 4400)],
    )
    def test_after_the_timeout_it_is_given_up_and_tried_again(
        self, timeout_s: float, longest_s: float | None, ends_s: float, storage: InMemoryStorage
    ) -> None:
        now = 0.0

        def make(requests: dict[int, EvaluateRequest], n_waits: int) -> list[Outcome]:
            nonlocal now
            if n_waits == 1 and longest_s is not None:
                result = analytic.make_result(requests[0])
                return [Finished(0, replace(result, seconds={"train": longest_s}))]
            now += 20
            return []

        observer = Recording()
        settings = RunSettings(50, timeout_s=timeout_s)
        report = drive(storage, Batches(make), settings, observer, clock=lambda: now)
        assert (report.ended_by, now) == ("timeout", ends_s)
        assert report.n_abandoned == 3
        assert (
            "Stopped by --timeout. 3 trials under way will be tried again" in observer.messages[-1]
        )
        assert not [t for t in trials_of(storage) if t.state == TrialState.RUNNING]


class TestCtrlC:
    @pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
    def test_other_signals_stop_it_as_cleanly(self, name: str, storage: InMemoryStorage) -> None:
        def interrupted(request: EvaluateRequest) -> TrialResult:
            os.kill(os.getpid(), signal.Signals[name])
            return analytic.make_result(request)

        observer = Recording()
        report = drive(storage, InlineExecutor(interrupted), RunSettings(9), observer)
        assert (report.ended_by, report.signal_number) == ("interrupt", signal.Signals[name])
        assert f"Stopped by {name}. 2 trials" in observer.messages[-1]
        assert not [t for t in trials_of(storage) if t.state == TrialState.RUNNING]
        with pytest.raises(KeyboardInterrupt, match=name):  # A part is not taken for the whole.
            report.check_whole()

    def test_what_is_ignored_stays_so(self) -> None:
        """As `nohup` wants it."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with ending_cleanly(), Interrupts() as interrupts:
                os.kill(os.getpid(), signal.SIGHUP)
                interrupts.check()
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_outside_of_a_run_they_raise(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt) as error, ending_cleanly():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal_of(error.value) == signal.SIGTERM
        assert signal_of(KeyboardInterrupt()) == signal.SIGINT
        assert signal.getsignal(signal.SIGTERM) == before

    def test_once_stops_cleanly(self, storage: InMemoryStorage) -> None:
        n_calls = 0

        def interrupted(request: EvaluateRequest) -> TrialResult:
            nonlocal n_calls
            n_calls += 1
            if n_calls == 4:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(10)  # Ends at once: the driver waits, so it strikes here.
            return analytic.make_result(request)

        observer = Recording()
        report = drive(storage, InlineExecutor(interrupted), RunSettings(100), observer)
        assert report.ended_by == "interrupt"
        assert report.n_abandoned == 2
        assert "the same command" in observer.messages[-1]
        trials = trials_of(storage)
        assert not [t for t in trials if t.state == TrialState.RUNNING]
        assert report.progress.n_done == 3
        report = drive(storage, InlineExecutor(analytic.make_result), RunSettings(6))
        hashes = {
            t.user_attrs[attributes.CONFIG_HASH]
            for t in trials_of(storage)
            if t.state == TrialState.COMPLETE
        }
        assert all(t.user_attrs[attributes.CONFIG_HASH] in hashes for t in trials)

    def test_while_the_driver_works_it_waits_for_a_good_moment(
        self, storage: InMemoryStorage
    ) -> None:
        """It strikes while the observer is told, which is in the middle of things."""

        class Pressing(Recording):
            def update(self, progress: RunProgress) -> None:
                super().update(progress)
                if progress.n_done == 2:
                    os.kill(os.getpid(), signal.SIGINT)
                    self.calls.append("survived")

        observer = Pressing()
        report = drive(storage, InlineExecutor(analytic.make_result), RunSettings(100), observer)
        assert (report.ended_by, report.progress.n_done) == ("interrupt", 2)
        assert "survived" in observer.calls

    def test_twice_strikes_at_once(self) -> None:
        with pytest.raises(KeyboardInterrupt), Interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    @pytest.mark.parametrize("again_s", [0.0, AGAIN_S], ids=["at once", "a moment later"])
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    @pytest.mark.parametrize("is_waiting", [True, False])
    def test_one_that_strikes_where_python_swallows_it_comes_again(
        self,
        is_waiting: bool,
        number: signal.Signals,
        again_s: float,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """At once, it comes before what swallowed it has ended, as on a busy machine."""
        monkeypatch.setattr("search.run.interrupts.AGAIN_S", again_s)
        catching = Interrupts() if is_waiting else ending_cleanly()
        with pytest.raises(KeyboardInterrupt) as error, catching as interrupts:
            with interrupts.waiting() if interrupts else nullcontext():
                kept = Kept()
                reference = weakref.ref(kept, lambda _: signal.raise_signal(number))
                del kept
                assert reference() is None
                time.sleep(10)  # Ends at once.
        assert signal_of(error.value) == number
        assert "Traceback" not in capfd.readouterr().err

    def test_what_else_python_swallows_is_told_as_before(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[BaseException | None] = []
        monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_value))
        before = sys.unraisablehook

        def fail(_: object) -> None:
            raise ValueError("of somebody else")

        with Interrupts():
            kept = Kept()
            reference = weakref.ref(kept, fail)
            del kept
            assert reference() is None
        assert [str(error) for error in told] == ["of somebody else"]
        assert sys.unraisablehook is before

    def test_handlers_are_put_back(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        with Interrupts():
            assert signal.getsignal(signal.SIGINT) != before
        assert signal.getsignal(signal.SIGINT) == before

    def test_a_run_outside_the_main_thread(self, storage: InMemoryStorage) -> None:
        reports: list[RunReport] = []

        def run() -> None:
            reports.append(drive(storage, InlineExecutor(analytic.make_result), RunSettings(2)))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert reports[0].progress.n_done == 2


def test_a_run_in_which_nothing_works_ends(tmp_path: Path) -> None:
    with study_for_run(tmp_path / "studies.db", SETTINGS) as study:
        driver = Driver(study, InlineExecutor(failing), analytic.make_config, RunSettings(50))
        with pytest.raises(TrialFailedError, match="all failed.*OSError: no picture"):
            driver.run()
        assert study.outcomes["failed"] == MAX_FAILURES_FROM_THE_START


def test_failures_after_a_trial_that_worked_do_not_end_a_run(tmp_path: Path) -> None:
    def evaluate(request: EvaluateRequest) -> TrialResult:
        n_told = study.n_done
        return analytic.make_result(request) if n_told == 0 else failing(request)

    with study_for_run(tmp_path / "studies.db", SETTINGS) as study:
        n_trials = MAX_FAILURES_FROM_THE_START + 5
        executor = InlineExecutor(evaluate)
        driver = Driver(study, executor, analytic.make_config, RunSettings(n_trials))
        assert driver.run().progress.n_failed == n_trials - 1
