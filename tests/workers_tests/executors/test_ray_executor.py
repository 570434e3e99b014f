"""The executor on Ray keeps the contract, and what it promises beside."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.run.run_study import plain_dataset
from spaces.data import cache_entries
from spaces.data.cache import mapped_file, open_dataset, save_dataset
from spaces.data.dataset import Dataset, Split
from spaces.errors import DataError, WorkersLostError
from tests.listening import listening
from tests.workers_tests.executors.contract import (
    ExecutorTestCase,
    MakeExecutor,
    MakeRay,
    collect,
    fail,
    ignore_payload,
    ray_node,
    reason,
    request,
)
from workers.executors.ray_start import WORKER_NICENESS
from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import Evaluator, Lost
from workers.messages.result import EvaluateRequest, TrialResult


def work_until(executor: RayExecutor, is_reached: Callable[[], bool]) -> None:
    """Keep an executor busy, with one trial queued, until something holds."""
    deadline = time.monotonic() + 120
    while not is_reached():
        assert time.monotonic() < deadline
        for _ in range(executor.n_workers + 1):
            executor.submit(request())
        executor.wait(1)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_data_in_the_cache_is_mapped_and_needs_no_room_in_rays_store(
    make_ray: MakeRay, tmp_path: Path
) -> None:
    def split(n: int) -> Split:
        return Split(np.full((n, 512, 512, 3), n, np.uint8), np.arange(n) % 2)

    made = Dataset("squares", split(64), split(4), split(2), ("a", "b"))
    directory = tmp_path / "datasets" / "entry"
    save_dataset(made, directory)
    dataset = plain_dataset(open_dataset(directory))  # As a run gives it.

    def make_evaluator(payload: Dataset) -> Evaluator:
        def look(request: EvaluateRequest) -> TrialResult:
            facts = (
                mapped_file(payload.train.images),
                payload.train.images.flags.writeable,
                payload.with_true_fingerprint().fingerprint,
                directory in cache_entries._held,
            )
            return TrialResult(request.config, "failed", reason=str(facts))

        return look

    executor = make_ray(make_evaluator, dataset)
    import ray

    assert ray.cluster_resources()["object_store_memory"] < 256 * 2**20 + made.train.images.nbytes
    executor.submit(request())
    [outcome] = collect(executor, 1).values()
    expected = (
        directory / "train_images.npy",
        False,
        made.with_true_fingerprint().fingerprint,
        True,
    )
    assert reason(outcome) == str(expected)


@pytest.mark.slow
class TestRayExecutor(ExecutorTestCase):
    @pytest.fixture(scope="class", autouse=True)
    def ray(self) -> Iterator[None]:
        """One Ray for the whole class: it takes seconds to start."""
        first = RayExecutor(ignore_payload(fail), None, n_workers=2)
        import ray  # Not before: an executor says how Ray is to start before it imports it.

        assert ray.is_initialized()
        # Executors made now find a running Ray, and leave it running. This one's workers hold
        # its two cores, so they have to go.
        for pid in first.worker_pids:
            os.kill(pid, signal.SIGKILL)
        yield
        first.shutdown()
        assert not ray.is_initialized()

    @pytest.fixture
    def make(self, make_ray: MakeRay) -> MakeExecutor:
        return lambda evaluate, n_workers=1: make_ray(
            ignore_payload(evaluate), n_workers=n_workers
        )

    def test_arrays_are_shared_and_not_copied(self, make_ray: MakeRay) -> None:
        def make_evaluator(payload: dict[str, Any]) -> Evaluator:
            def look(request: EvaluateRequest) -> TrialResult:
                array = payload["images"]
                facts = (array.flags.owndata, array.flags.writeable, int(array.sum()))
                return TrialResult(request.config, "failed", reason=str(facts))

            return look

        images = np.ones((100, 32, 32, 3), np.uint8)
        executor = make_ray(make_evaluator, {"images": images})
        executor.submit(request())
        [outcome] = collect(executor, 1).values()
        assert reason(outcome) == str((False, False, images.size))

    def test_workers_stand_back_and_are_not_starved(self, make: MakeExecutor) -> None:
        def niceness(request: EvaluateRequest) -> TrialResult:
            return TrialResult(request.config, "failed", reason=str(os.nice(0)))

        executor = make(niceness)
        executor.submit(request())
        [outcome] = collect(executor, 1).values()
        assert int(reason(outcome)) - os.nice(0) == WORKER_NICENESS

    def test_they_step_back_when_they_are_ready(self, make_ray: MakeRay) -> None:
        """A person waits for what they import."""

        def make_evaluator(_: object) -> Evaluator:
            before = os.nice(0)
            return lambda request: TrialResult(request.config, "failed", reason=str(before))

        executor = make_ray(make_evaluator, None)
        executor.submit(request())
        [outcome] = collect(executor, 1).values()
        assert int(reason(outcome)) == os.nice(0)

    def test_an_evaluator_is_made_once_a_worker(self, make_ray: MakeRay, tmp_path: Path) -> None:
        def make_evaluator(folder: Path) -> Evaluator:
            (folder / f"{time.time_ns()}").touch()
            return fail

        executor = make_ray(make_evaluator, tmp_path)
        for seed in range(5):
            executor.submit(request(seed))
        collect(executor, 5)
        assert len(list(tmp_path.iterdir())) == 1

    def test_who_submits_gives_work_to_those_who_got_free(
        self, make: MakeExecutor, tmp_path: Path
    ) -> None:
        def note(request: EvaluateRequest) -> TrialResult:
            (tmp_path / str(request.config.seed)).touch()
            return fail(request)

        executor = make(note)
        seeds = {executor.submit(request(0)): 0}
        for seed in range(1, 4):  # Nobody waits meanwhile: the first result is still to come back.
            give_up_at = time.monotonic() + 60
            while not (tmp_path / str(seed - 1)).exists():
                assert time.monotonic() < give_up_at, f"nobody began with {seed - 1}"
                time.sleep(0.1)
            time.sleep(0.5)
            seeds[executor.submit(request(seed))] = seed
        outcomes = collect(executor, 4)
        assert {ticket: int(reason(o)) for ticket, o in outcomes.items()} == seeds

    def test_a_killed_worker_is_a_loss_and_is_replaced(self, make_ray: MakeRay) -> None:
        def die_on_one(request: EvaluateRequest) -> TrialResult:
            if request.config.seed == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return fail(request)

        executor = make_ray(ignore_payload(die_on_one))
        [before] = executor.worker_pids
        tickets = [executor.submit(request(seed)) for seed in range(3)]
        outcomes = collect(executor, 3)
        lost = outcomes[tickets[1]]
        assert isinstance(lost, Lost)
        assert f"process {before}" in lost.reason and "died" in lost.reason
        assert "\n" not in lost.reason
        assert reason(outcomes[tickets[2]]) == "2"
        assert executor.worker_pids != (before,)

    def test_a_worker_makes_room_for_a_new_one(self, make_ray: MakeRay) -> None:
        def own_pid(request: EvaluateRequest) -> TrialResult:
            return TrialResult(request.config, "failed", reason=str(os.getpid()))

        executor = make_ray(ignore_payload(own_pid), trials_a_worker=2)
        for seed in range(4):
            executor.submit(request(seed))
        pids = [reason(outcome) for outcome in collect(executor, 4).values()]
        assert len(set(pids)) == 2

    def test_an_evaluator_that_cannot_be_made_ends_the_start(self, make_ray: MakeRay) -> None:
        def make_evaluator(payload: Any) -> Evaluator:
            raise DataError("There are no pictures.")

        with pytest.raises(DataError, match="^There are no pictures.$"):
            make_ray(make_evaluator)

    def test_workers_that_die_while_they_start_end_the_start(self, make_ray: MakeRay) -> None:
        def make_evaluator(payload: Any) -> Evaluator:
            os.kill(os.getpid(), signal.SIGKILL)
            return fail

        with pytest.raises(WorkersLostError, match="while it started"):
            make_ray(make_evaluator)

    def test_waiting_ends_when_time_is_up(self, make_ray: MakeRay) -> None:
        def slow(request: EvaluateRequest) -> TrialResult:
            time.sleep(5)
            return fail(request)

        executor = make_ray(ignore_payload(slow))
        executor.submit(request())
        assert executor.wait(0.05) == []

    def test_a_cluster_with_too_few_cores_begins_with_what_there_is(
        self, make_ray: MakeRay, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workers.executors.cluster.ROOM_S", 0.5)
        first = make_ray(ignore_payload(fail))
        said: list[str] = []
        second = make_ray(ignore_payload(fail), n_workers=2, notice=said.append)
        (line,) = said
        assert "has 1 free core for 2 workers: 1 of them begin" in line
        assert second.n_workers == 1
        second.submit(request(4))
        assert reason(collect(second, 1)[0]) == "4"
        first.shutdown()  # The other worker comes when there is room.
        work_until(second, lambda: second.n_workers == 2)

    def test_a_full_cluster_is_waited_for_aloud(
        self, make_ray: MakeRay, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workers.executors.cluster.ROOM_S", 0.5)
        make_ray(ignore_payload(fail), n_workers=2)
        said: list[str] = []
        with pytest.raises(WorkersLostError, match="Time is up"):
            make_ray(ignore_payload(fail), start_timeout_s=1, notice=said.append)
        (line,) = said
        assert "has no free core" in line and "Ctrl-C" in line

    def test_room_that_comes_is_used(
        self, make_ray: MakeRay, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workers.executors.ray_workers._GROW_S", 0.0)
        first = make_ray(ignore_payload(fail))
        second = make_ray(ignore_payload(fail), n_workers=None, at_most=5)
        assert second.n_workers == 1
        first.shutdown()
        work_until(second, lambda: second.n_workers == 2)

    def test_workers_that_do_not_start_in_time(self, make_ray: MakeRay) -> None:
        with pytest.raises(WorkersLostError, match="^Time is up .--timeout., and the workers"):
            make_ray(lambda payload: time.sleep(1000), start_timeout_s=1)

    def test_it_listens_on_loopback_only(self, make_ray: MakeRay) -> None:
        """Every socket of every process of Ray, while it works."""
        executor = make_ray(ignore_payload(fail))
        executor.submit(request(4))
        assert reason(collect(executor, 1)[0]) == "4"
        folder = ray_node().get_temp_dir_path()
        found = listening(os.getpid(), named=folder)
        assert {one.command.split()[0].rpartition("/")[2] for one in found} >= {
            "raylet",
            "gcs_server",
        }
        assert [one for one in found if not one.is_loopback] == []
