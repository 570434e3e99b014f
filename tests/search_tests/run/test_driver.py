"""The driver: what it starts, tells and tries again."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.run.driver import MAX_FAILURES_FROM_THE_START, MAX_NODE_LOSSES, Driver
from search.run.events import RunProgress, Silent
from search.storage import attributes
from search.storage.database import open_storage
from search.storage.settings import RunSettings, StudySettings
from search.study.create_or_resume import open_study, study_for_run
from spaces.config.trial import ParamValue, TrialConfig
from spaces.errors import DataError, StorageError, TrialFailedError, WorkersLostError
from tests.search_tests import analytic
from tests.search_tests.run.driven import SETTINGS, Recording, drive, failing, trials_of
from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import Finished, InlineExecutor, Lost, Outcome
from workers.messages.result import EvaluateRequest, TrialResult


class Scripted:
    """An executor with two workers; a script says which trials lose theirs.

    Args:
        is_lost: Told how often this configuration was submitted, and its hash.
        with_node: Whether the whole node leaves.
    """

    n_workers = 2

    def __init__(self, is_lost: Callable[[int, str], bool], *, with_node: bool = False) -> None:
        self._is_lost = is_lost
        self._with_node = with_node
        self._queue: deque[tuple[int, EvaluateRequest]] = deque()
        self.submitted: list[EvaluateRequest] = []
        self.longest_queue = 0

    def submit(self, request: EvaluateRequest) -> int:
        self.submitted.append(request)
        self._queue.append((len(self.submitted), request))
        self.longest_queue = max(self.longest_queue, len(self._queue))
        return len(self.submitted)

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        if not self._queue:
            return []
        ticket, request = self._queue.popleft()
        times = sum(other.config == request.config for other in self.submitted)
        if self._is_lost(times, request.config.hash):
            return [Lost(ticket, "A worker (process 7) died: it was killed.", self._with_node)]
        return [Finished(ticket, analytic.make_result(request))]

    def shutdown(self) -> None:
        self._queue.clear()


@pytest.fixture
def storage() -> InMemoryStorage:
    return InMemoryStorage()


def test_progress(storage: InMemoryStorage) -> None:
    observer = Recording()
    report = drive(storage, InlineExecutor(analytic.make_result), RunSettings(8), observer)
    assert observer.calls[0] == "start" and observer.calls[-1] == "finish"
    assert set(observer.calls[1:-1]) == {"update"}
    done = [progress.n_done for progress in observer.updates]
    assert done == sorted(done) and done[-1] == 8
    volumes = [progress.hypervolume for progress in observer.updates]
    assert volumes == sorted(volumes) and volumes[-1] > 0
    last = report.progress
    assert (last.n_target, last.n_complete, last.n_running) == (8, 8, 0)
    assert last.eta_s == 0
    trials = [t for t in trials_of(storage) if t.state == TrialState.COMPLETE]
    assert last.n_points == len(trials)
    assert last.best_accuracy == max(t.values[0] for t in trials)
    assert last.smallest_bytes == min(t.values[1] for t in trials)
    assert last.fastest_ms == min(t.values[2] for t in trials)
    derived = Counter(t.user_attrs.get(attributes.DERIVED_FROM) for t in trials)
    ended = [told for one in observer.updates if (told := re.match(r"trial (\d+): ", one.last))]
    assert len(ended) == 8 and max(derived.values()) > 1
    for told in ended:
        n_points = derived[int(told[1])]
        assert (f", +{n_points} point" in told.string) == (n_points > 0)


def test_no_worker_waits_for_the_driver(storage: InMemoryStorage) -> None:
    executor = Scripted(lambda times, _: False)
    drive(storage, executor, RunSettings(10))
    assert executor.longest_queue == executor.n_workers + 1
    assert len(executor.submitted) == 10


class Together:
    """An executor whose workers all get free at once.

    Args:
        evaluate: Evaluates a trial.
    """

    n_workers = 16

    def __init__(
        self, evaluate: Callable[[EvaluateRequest], TrialResult] = analytic.make_result
    ) -> None:
        self._evaluate = evaluate
        self._queue: deque[tuple[int, EvaluateRequest]] = deque()
        self.n_submitted = self.longest_queue = 0

    def submit(self, request: EvaluateRequest) -> int:
        self.n_submitted += 1
        self._queue.append((self.n_submitted, request))
        self.longest_queue = max(self.longest_queue, len(self._queue))
        return self.n_submitted

    def wait(self, timeout_s: float | None = None) -> list[Outcome]:
        taken = [self._queue.popleft() for _ in range(min(self.n_workers, len(self._queue)))]
        return [Finished(ticket, self._evaluate(request)) for ticket, request in taken]

    def shutdown(self) -> None:
        self._queue.clear()


class TestManyAtOnce:
    def test_more_are_queued_where_more_may_get_free_at_once(
        self, storage: InMemoryStorage
    ) -> None:
        executor = Together()
        drive(storage, executor, RunSettings(40))
        assert executor.longest_queue == executor.n_workers + 2
        assert executor.n_submitted == 40

    def test_the_first_one_has_its_next_before_the_last_one_is_told(
        self, storage: InMemoryStorage
    ) -> None:
        observer = Recording()
        drive(storage, Together(), RunSettings(40), observer)
        is_start = [
            progress.last.partition(" ")[2].count("started") for progress in observer.updates
        ]
        assert is_start[:18] == [1] * 18
        assert is_start[18:50] == [0, 1] * 16

    def test_nothing_is_started_once_an_end_is_wanted(self, storage: InMemoryStorage) -> None:
        executor = Together()

        class Impatient(Recording):
            def update(self, progress: RunProgress) -> None:
                super().update(progress)
                if progress.n_done == 3:
                    os.kill(os.getpid(), signal.SIGINT)

        report = drive(storage, executor, RunSettings(40), Impatient())
        assert report.ended_by == "interrupt"
        # All that came back with the third one is told.
        assert report.progress.n_done == executor.n_workers
        assert executor.n_submitted == executor.n_workers + 2 + 2

    def test_what_finished_is_told_though_asking_fails(self, storage: InMemoryStorage) -> None:
        executor = Together()
        study = open_study(storage, SETTINGS)

        def make_config(params: Mapping[str, ParamValue]) -> TrialConfig:
            if study.n_done:
                raise StorageError("The disk is full.")
            return analytic.make_config(params)

        with pytest.raises(StorageError):
            Driver(study, executor, make_config, RunSettings(40)).run()
        assert study.n_done == executor.n_workers

    def test_nothing_is_started_once_nothing_works(self, storage: InMemoryStorage) -> None:
        executor = Together(failing)
        with pytest.raises(TrialFailedError):
            drive(storage, executor, RunSettings(40))
        assert executor.n_submitted == executor.n_workers + 2 + MAX_FAILURES_FROM_THE_START - 1
        failed = [
            t for t in trials_of(storage) if t.user_attrs.get(attributes.OUTCOME) == "failed"
        ]
        assert len(failed) == executor.n_workers


def test_the_target_is_the_study_s(storage: InMemoryStorage) -> None:
    executor = Scripted(lambda times, _: False)
    drive(storage, executor, RunSettings(4))
    drive(storage, executor, RunSettings(10))
    assert len(executor.submitted) == 10
    report = drive(storage, executor, RunSettings(10))
    assert (len(executor.submitted), report.ended_by) == (10, "target")


def test_requests_say_what_the_study_measures(storage: InMemoryStorage) -> None:
    executor = Scripted(lambda times, _: False)
    settings = replace(SETTINGS, size_metric="tflite", device="cortex-m4", fan_out=False)
    study = open_study(storage, settings)
    Driver(study, executor, analytic.make_config, RunSettings(1)).run()
    [request] = executor.submitted
    assert (request.size_metric, request.device, request.fan_out) == ("tflite", "cortex-m4", False)


class TestLosses:
    def test_a_lost_trial_is_tried_once_more(self, storage: InMemoryStorage) -> None:
        observer = Recording()
        executor = Scripted(lambda times, config_hash: times == 1 and config_hash < "4")
        report = drive(storage, executor, RunSettings(10), observer)
        assert report.progress.n_complete == 10
        assert len(executor.submitted) == 10 + len(observer.messages) > 10
        assert all("Trying it once more" in text for text in observer.messages)

    def test_a_trial_that_kills_workers_fails_and_the_run_goes_on(
        self, storage: InMemoryStorage
    ) -> None:
        executor = Scripted(lambda _, config_hash: config_hash < "4")
        report = drive(storage, executor, RunSettings(10))
        assert (report.ended_by, report.progress.n_done) == ("target", 10)
        assert report.progress.n_failed > 0
        failed = [t for t in trials_of(storage) if t.state == TrialState.FAIL]
        assert len(failed) == report.progress.n_failed
        for trial in failed:
            assert trial.user_attrs[attributes.OUTCOME] == "failed"
            assert "died 2 times" in trial.user_attrs[attributes.REASON]
            assert "process 7" in trial.user_attrs[attributes.REASON]

    def test_nodes_that_leave_cost_attempts_only(self, storage: InMemoryStorage) -> None:
        executor = Scripted(lambda times, _: times < MAX_NODE_LOSSES, with_node=True)
        report = drive(storage, executor, RunSettings(10))
        assert (report.progress.n_done, report.progress.n_failed) == (10, 0)
        assert len(executor.submitted) == 10 * MAX_NODE_LOSSES

    def test_a_trial_that_brings_nodes_down_fails(self, storage: InMemoryStorage) -> None:
        executor = Scripted(lambda _, config_hash: config_hash < "4", with_node=True)
        report = drive(storage, executor, RunSettings(10))
        assert (report.ended_by, report.progress.n_done) == ("target", 10)
        failed = [t for t in trials_of(storage) if t.state == TrialState.FAIL]
        assert failed
        for trial in failed:
            assert f"died {MAX_NODE_LOSSES} times" in trial.user_attrs[attributes.REASON]

    def test_workers_that_keep_dying_end_the_run(self, storage: InMemoryStorage) -> None:
        with pytest.raises(WorkersLostError, match="7 workers died in a row.*process 7"):
            drive(storage, Scripted(lambda *_: True), RunSettings(100))
        assert not [t for t in trials_of(storage) if t.state == TrialState.RUNNING]


def test_what_an_evaluator_raises_ends_the_run(storage: InMemoryStorage) -> None:
    def broken(request: EvaluateRequest) -> TrialResult:
        raise DataError("The pictures are gone.")

    observer = Recording()
    with pytest.raises(DataError, match="The pictures are gone"):
        drive(storage, InlineExecutor(broken), RunSettings(5), observer)
    assert observer.calls[-1] == "finish"
    outcomes = {t.user_attrs[attributes.OUTCOME] for t in trials_of(storage)}
    assert outcomes == {"interrupted"}
    # The error mended, the same command tries the same configurations.
    report = drive(storage, InlineExecutor(analytic.make_result), RunSettings(5))
    assert report.progress.n_complete == 5
    assert trials_of(storage)[2].user_attrs[attributes.RETRY_OF] == 0


@pytest.mark.slow
def test_on_ray_with_a_worker_killed_on_the_way(tmp_path: Path) -> None:
    """Two workers, a database, and a kill -9: the run ends as if nothing had happened."""

    def make_evaluator(folder: Path) -> Callable[[EvaluateRequest], TrialResult]:
        def evaluate(request: EvaluateRequest) -> TrialResult:
            killed = folder / "killed"
            if request.config.quantization != "float32":
                try:
                    killed.touch(exist_ok=False)
                except FileExistsError:
                    pass
                else:
                    os.kill(os.getpid(), signal.SIGKILL)
            return analytic.make_result(request)

        return evaluate

    executor = RayExecutor(make_evaluator, tmp_path, n_workers=2)
    observer = Recording()
    try:
        settings = replace(SETTINGS, n_start=1, race=False)
        with study_for_run(tmp_path / "studies.db", settings) as study:
            driver = Driver(study, executor, analytic.make_config, RunSettings(12), observer)
            report = driver.run()
    finally:
        executor.shutdown()
    assert (report.progress.n_complete, report.ended_by) == (12, "target")
    assert len(observer.messages) == 1
    storage = open_storage(tmp_path / "studies.db")
    trials = storage.get_all_trials(storage.get_study_id_from_name("analytic"))
    assert {t.state for t in trials} == {TrialState.COMPLETE}


def test_it_tells_what_workers_are_at() -> None:
    """The first that were submitted are at work, the next one waits; time counts for each."""
    seen: list[RunProgress] = []

    class Watch(Silent):
        def update(self, progress: RunProgress) -> None:
            seen.append(progress)

    storage = InMemoryStorage()
    study = open_study(storage, StudySettings("analytic", analytic.task_info(), sampler="random"))
    now = [0.0]

    def evaluate(request: EvaluateRequest) -> TrialResult:
        now[0] += 7.0
        return analytic.make_result(request)

    settings = RunSettings(n_trials=12)
    executor = InlineExecutor(evaluate)
    Driver(study, executor, analytic.make_config, settings, Watch(), clock=lambda: now[0]).run()
    both = [progress.under_way for progress in seen if len(progress.under_way) == 2]
    assert both
    for working, waiting in both:
        assert working.seconds is not None and waiting.seconds is None
        assert working.number < waiting.number
        assert "epoch" in working.what
    last = seen[-1]
    assert last.under_way == ()
    assert len(last.values) == last.front_size
    assert max(last.values)[0] == last.best_accuracy
