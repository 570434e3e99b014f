"""One contract, stated once, for every executor; evaluators here are plain Python."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.run.run_study import plain_dataset
from spaces.config.trial import TrainingConfig, TrialConfig
from spaces.data import cache_entries
from spaces.data.cache import mapped_file, open_dataset, save_dataset
from spaces.data.dataset import Dataset, Split
from spaces.errors import ConfigError, DataError, WorkersLostError
from tests.listening import listening
from workers.executors import worker
from workers.executors.memory import oom_kills
from workers.executors.ray_start import WORKER_NICENESS
from workers.executors.ray_watch import Watch
from workers.executors.ray_workers import RayExecutor
from workers.messages.executor import (
    Evaluator,
    Executor,
    Finished,
    InlineExecutor,
    Lost,
    Outcome,
    TimedOut,
)
from workers.messages.result import EvaluateRequest, TrialResult
from workers.processes.run_folder import PREFIX

MakeExecutor = Callable[..., Executor]
"""Takes an evaluator, and how many workers there are to be where that can be chosen."""


def request(seed: int = 0) -> EvaluateRequest:
    return EvaluateRequest(TrialConfig("task", "data", (), TrainingConfig(1e-3, 32), seed=seed))


def fail(request: EvaluateRequest) -> TrialResult:
    """Echo the seed of a request as the reason of a failed trial."""
    return TrialResult(request.config, "failed", reason=str(request.config.seed))


def collect(executor: Executor, n: int) -> dict[int, Outcome]:
    """Wait for at least ``n`` outcomes; return them by ticket."""
    outcomes: dict[int, Outcome] = {}
    while len(outcomes) < n:
        arrived = executor.wait(60)
        assert arrived, f"{n - len(outcomes)} tickets did not come back"
        for outcome in arrived:
            assert outcome.ticket not in outcomes, "a ticket came back twice"
            outcomes[outcome.ticket] = outcome
    return outcomes


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Finished)
    return outcome.result.reason


class ExecutorTestCase:
    """What every executor promises. Subclasses provide ``make``."""

    def test_every_ticket_comes_back_once_with_its_own_result(self, make: MakeExecutor) -> None:
        executor = make(fail, 2)
        assert isinstance(executor, Executor)
        assert executor.n_workers >= 1
        assert executor.wait() == []  # Nothing is under way: at once.
        seeds = {executor.submit(request(seed)): seed for seed in range(7)}
        outcomes = collect(executor, 7)
        assert {ticket: int(reason(o)) for ticket, o in outcomes.items()} == seeds
        assert executor.wait(0) == []
        # More may be submitted while some are under way.
        first = executor.submit(request(1))
        second = executor.submit(request(2))
        outcomes = collect(executor, 1)  # Or both of them, if they come back together.
        third = executor.submit(request(3))
        outcomes |= collect(executor, 3 - len(outcomes))
        assert sorted(outcomes) == sorted({first, second, third})
        assert not seeds.keys() & outcomes.keys()

    def test_what_an_evaluator_raises_is_raised_by_wait(self, make: MakeExecutor) -> None:
        def broken(request: EvaluateRequest) -> TrialResult:
            raise DataError("The pictures are gone.")

        executor = make(broken)
        executor.submit(request())
        with pytest.raises(DataError, match="^The pictures are gone.$"):
            collect(executor, 1)

    def test_what_finished_comes_before_what_raised(self, make: MakeExecutor) -> None:
        def evaluate(request: EvaluateRequest) -> TrialResult:
            if request.config.seed == 1:
                raise DataError("The pictures are gone.")
            return fail(request)

        executor = make(evaluate, 2)
        tickets = [executor.submit(request(seed)) for seed in (0, 1)]
        time.sleep(0.5)  # Likely, but not needed: both are back when they are waited for.
        found: list[Outcome] = []
        with pytest.raises(DataError, match="^The pictures are gone.$"):
            while True:
                found += executor.wait(60)
        assert [outcome.ticket for outcome in found] == tickets[:1]

    def test_a_trial_that_hangs_is_ended(self, make: MakeExecutor) -> None:
        def evaluate(request: EvaluateRequest) -> TrialResult:
            if request.config.seed == 1:
                time.sleep(1000)
            return fail(request)

        executor = make(evaluate)
        hung = executor.submit(replace(request(1), timeout_s=0.5))
        after = executor.submit(replace(request(2), timeout_s=500))
        outcomes = collect(executor, 2)
        ended = outcomes[hung]
        assert isinstance(ended, TimedOut)
        assert "longer than" in ended.reason and "--trial-timeout" in ended.reason
        assert reason(outcomes[after]) == "2"

    def test_shutdown_twice(self, make: MakeExecutor) -> None:
        executor = make(fail)
        executor.submit(request())
        executor.shutdown()
        executor.shutdown()
        assert executor.wait(0.0) == []  # Nothing is under way any more.


def work_until(executor: RayExecutor, is_reached: Callable[[], bool]) -> None:
    """Keep an executor busy, with one trial queued, until something holds."""
    deadline = time.monotonic() + 120
    while not is_reached():
        assert time.monotonic() < deadline
        for _ in range(executor.n_workers + 1):
            executor.submit(request())
        executor.wait(1)


def ray_node() -> Any:
    """Ray's node of this process, which has no public name."""
    import ray

    return ray._private.worker._global_node


def sleep_long(request: EvaluateRequest) -> TrialResult:
    time.sleep(1000)
    return fail(request)


class TestInlineExecutor(ExecutorTestCase):
    @pytest.fixture
    def make(self) -> MakeExecutor:
        return lambda evaluate, n_workers=1: InlineExecutor(evaluate)


def ignore_payload(evaluate: Evaluator) -> Callable[[Any], Evaluator]:
    return lambda payload: evaluate


MakeRay = Callable[..., RayExecutor]


@pytest.fixture
def make_ray() -> Iterator[MakeRay]:
    made: list[RayExecutor] = []

    def start(
        make_evaluator: Callable[[Any], Evaluator], payload: Any = None, **options: Any
    ) -> RayExecutor:
        made.append(RayExecutor(make_evaluator, payload, **{"n_workers": 1, **options}))
        return made[-1]

    yield start
    for executor in made:
        executor.shutdown()


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


@pytest.mark.slow
class TestRayStartedForARun:
    """Ray of its own: whatever else the machine has, and whatever becomes of it."""

    @pytest.fixture
    def folders(self) -> Callable[[], set[str]]:
        return lambda: {path.name for path in Path("/tmp").glob(f"{PREFIX}{os.getuid()}-*")}

    def test_elsewhere(
        self,
        make_ray: MakeRay,
        folders: Callable[[], set[str]],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """RAY_ADDRESS of another cluster, a folder too long for sockets, traps as neighbours."""
        for name in ("random", "workers", "numpy"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('was run')\n")
        long = tmp_path / ("long" * 30)
        long.mkdir()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("RAY_ADDRESS", "192.0.2.1:6379")
        monkeypatch.setenv("TMPDIR", str(long))
        monkeypatch.setattr(sys, "path", ["", *sys.path])
        handler = signal.getsignal(signal.SIGTERM)

        def look(request: EvaluateRequest) -> TrialResult:
            import numpy

            import workers

            assert numpy.__file__ and workers.__file__
            try:
                raise KeyboardInterrupt  # A task's own, in a worker: no Ctrl-C gets there.
            except KeyboardInterrupt:
                is_ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            facts = (str(tmp_path) in sys.path, os.getcwd() == str(tmp_path), is_ignored)
            return TrialResult(request.config, "failed", reason=str(facts))

        before = folders()
        notices: list[str] = []
        executor = make_ray(ignore_payload(look), notice=notices.append)

        # Others may start one in the same moment.
        new = Path(ray_node().get_temp_dir_path()).name
        assert new in folders() - before
        executor.submit(request())
        assert reason(collect(executor, 1)[0]) == str((False, True, True))
        assert len(notices) == 1 and "192.0.2.1" in notices[0] and "--address" in notices[0]
        assert signal.getsignal(signal.SIGTERM) == handler
        executor.shutdown()
        assert new not in folders()

    @pytest.mark.parametrize("kind", ["raylet", "gcs_server"])
    def test_ray_that_is_killed_is_one_line(self, kind: str, make_ray: MakeRay) -> None:
        """Left alone, Ray ends this process from C++."""
        executor = make_ray(ignore_payload(sleep_long))
        executor.submit(request())
        import ray

        [info] = ray_node().all_processes[kind]
        os.kill(info.process.pid, signal.SIGKILL)
        with pytest.raises(WorkersLostError, match=f"{kind} .* was ended by SIGKILL.*goes on"):
            collect(executor, 1)
        executor.shutdown()
        assert not ray.is_initialized()


CHECKOUT = Path(__file__).parents[3]

DIES_BEFORE = """
import importlib, os, signal, sys
import ray
from workers.executors import ray_watch
from workers.executors.ray_start import StartedRay

ray_watch.PATIENCE_S = 2.0
module, name = importlib.import_module(sys.argv[1]), sys.argv[2]
holder = getattr(module, "Node", module) if name.startswith("_") else module
called = getattr(holder, name)
node = None

def make(self, *args, **options):
    global node
    node = self
    return start(self, *args, **options)

def too_late(*args, **options):
    [info] = node.all_processes["gcs_server"]
    os.kill(info.process.pid, signal.SIGKILL)
    info.process.wait()
    return called(*args, **options)

node_class = importlib.import_module("ray._private.node").Node
start, node_class.start_head_processes = node_class.start_head_processes, make
setattr(holder, name, too_late)
StartedRay(None, 1, 1, None)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [("ray._private.worker", "connect"), ("ray._private.node", "_write_cluster_info_to_kv")],
)
def test_ray_that_dies_while_it_starts_is_one_line(call: tuple[str, str], tmp_path: Path) -> None:
    """Left alone, Ray waits in C++ for a minute, and then ends the process without a word."""
    done = subprocess.run(
        [sys.executable, "-c", DIES_BEFORE, *call],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(CHECKOUT)},
    )
    last = done.stderr.strip().rpartition("\n")[2]
    assert re.match(r"Error: Ray's process gcs_server \(\d+\) was ended by SIGKILL", last), done
    assert done.returncode == 1
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_a_death_that_is_noticed_ends_no_process() -> None:
    died = threading.Event()

    def check() -> None:
        died.set()
        raise WorkersLostError("Ray died.")

    watch = Watch(check, lambda: pytest.fail("The process was to be ended."))
    died.wait()
    watch.stop()
    watch.stop()


@pytest.mark.parametrize(
    ("error", "n_kills", "told"),
    [
        (RuntimeError("node running low on memory"), 0, "the machine runs out of memory"),
        (RuntimeError("connection lost"), 1, "killed by the kernel for want of memory"),
        (RuntimeError("connection lost"), 0, "it was killed, ran out of memory, or crashed"),
    ],
)
def test_why_a_worker_died(
    error: Exception, n_kills: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text(f"low 0\nhigh 0\nmax 3\noom 3\noom_kill {5 + n_kills}\n")
    slot = worker.Slot(None, None, pid=7, oom_kills=5)
    monkeypatch.setattr(worker, "oom_kills", lambda: oom_kills([tmp_path / "no", counter]))
    reason = worker.why_it_died(slot, error)
    assert told in reason and "process 7" in reason


def test_ray_that_cannot_write_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/small/disk")

    monkeypatch.setattr("workers.executors.ray_start.RunFolder", full)
    with pytest.raises(WorkersLostError, match="No space left on device: /small/disk.*TMPDIR"):
        RayExecutor(ignore_payload(fail), None, n_workers=1)


def test_no_workers() -> None:
    with pytest.raises(ConfigError, match="1 <= workers.*workers=0"):
        RayExecutor(ignore_payload(fail), None, n_workers=0)
