"""Latencies that nodes of one kind measure for all, on a Ray of pretence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from spaces.errors import ConversionError, TrialFailedError, WorkersLostError
from tests.workers_tests.executors.fake_ray import FakeRay, WorkerCrashedError
from workers.devices.device import Device, Measurement
from workers.executors import latency_nodes
from workers.executors.latency_nodes import MAX_RETRIES, LatencyNodes, measure_here
from workers.messages.latency import Latency

FOUND = Measurement(Latency(1.0, 0.1, 0.9, 10, 1, 1, "board", "a runtime"), ram_bytes=7)


class Board(Device):
    """A device that only other nodes have."""

    name = "board"
    tells_ram = True
    note = "of the tests"

    def measure(self, tflite: bytes) -> Measurement:
        """Never called: who asks has no such device."""
        raise AssertionError("measured where the model was trained")

    def agreement(self, tflite: bytes, images: Any) -> float | None:
        """Need no other node."""
        return 0.5


class Windows:
    """Quiet windows that count how often, and whether, they were left."""

    n_left = 0
    is_left = False

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave them for a while."""
        self.n_left, self.is_left = self.n_left + 1, True
        yield
        self.is_left = False


UseRay = Callable[[FakeRay], Device]


@pytest.fixture
def windows() -> Windows:
    return Windows()


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch, windows: Windows) -> Iterator[UseRay]:
    """Gives a device on other nodes of a Ray."""

    def use(ray: FakeRay) -> Device:
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setattr(latency_nodes, "time", ray)
        latency_nodes._remote.cache_clear()
        nodes = LatencyNodes("bench", "a run")
        return nodes(Board(), "mine.py:BOARD", True, windows)  # type: ignore[arg-type]

    yield use
    latency_nodes._remote.cache_clear()


def test_a_model_is_measured_by_a_task_that_needs_such_a_node(
    device: UseRay, windows: Windows
) -> None:
    asked: list[Any] = []

    def answer(ask: Any) -> Measurement:
        assert windows.is_left
        asked.append(ask)
        return FOUND

    ray = FakeRay(answer, {"bench": 1.0})
    there = device(ray)
    assert there.measure(b"model") == FOUND and there.estimate(b"other") == FOUND
    (options, _) = ray.asked
    assert options == {"resources": {"bench": 1}, "num_cpus": 0, "max_retries": MAX_RETRIES}
    assert [(one.method, one.tflite, one.ref, one.with_ram) for one in asked] == [
        ("measure", b"model", "mine.py:BOARD", True),
        ("estimate", b"other", "mine.py:BOARD", True),
    ]
    assert windows.n_left == 2


def test_it_is_the_device_in_all_else(device: UseRay) -> None:
    there, board = device(FakeRay(lambda _: FOUND)), Board()
    assert not there.needs_quiet
    for name in ("name", "schemes", "tells_flash", "tells_ram", "compiles", "note"):
        assert getattr(there, name) == getattr(board, name)
    assert there.agreement(b"", None) == 0.5  # type: ignore[arg-type]


def test_what_goes_wrong_there_is_raised_here(device: UseRay) -> None:
    def refuse(_: Any) -> Measurement:
        raise ConversionError("The board cannot run it.")

    with pytest.raises(ConversionError, match="^The board cannot run it.$") as raised:
        device(FakeRay(refuse)).measure(b"model")
    assert "a traceback" in str(raised.value.__cause__)


def test_a_model_that_ends_every_process_is_one_trial_s_failure(device: UseRay) -> None:
    def crash(_: Any) -> Measurement:
        raise WorkerCrashedError("Some words of Ray's.\nThe worker died unexpectedly.")

    with pytest.raises(TrialFailedError, match="6 times.*'bench'.*died unexpectedly") as raised:
        device(FakeRay(crash)).measure(b"model")
    assert "\n" not in str(raised.value)


def test_a_node_that_comes_is_waited_for(device: UseRay) -> None:
    ray = FakeRay(lambda _: FOUND, has_room=False)
    begun = ray.now

    def pass_time(fake: FakeRay) -> None:
        passed = fake.now - begun
        # One comes after 20 min and leaves again, another after 45, and is busy for an hour.
        fake.resources = {"bench": 1.0} if 1200 < passed < 1300 or passed > 2700 else {}
        fake.has_room = passed > 6300

    ray.at_wait = pass_time
    assert device(ray).measure(b"model") == FOUND


def test_a_node_that_does_not_come_ends_the_run_in_one_line(
    device: UseRay, windows: Windows
) -> None:
    ray = FakeRay(lambda _: FOUND, {"CPU": 4.0}, has_room=False)
    with pytest.raises(WorkersLostError, match="'bench', but for 30 min.*ray start") as raised:
        device(ray).measure(b"model")
    assert "\n" not in str(raised.value) and len(ray.cancelled) == 1


def test_the_node_says_where_it_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    class Here(Board):
        def measure(self, tflite: bytes) -> Measurement:
            assert tflite == b"model"
            return FOUND

    monkeypatch.setattr("workers.devices.registry.get_device", lambda ref, with_ram: Here())
    ask = latency_nodes._Ask(LatencyNodes("bench", "tests"), "mine", True, tflite=b"model")
    found = measure_here(ask)
    assert found.latency.node == socket.gethostname()
    assert found.ram_bytes == 7 and found.latency.quiet is not None
