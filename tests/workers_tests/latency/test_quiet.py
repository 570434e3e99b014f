"""Quiet windows, between real processes: who pauses, who takes turns, and who dies."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from workers.latency import quiet_windows as quiet
from workers.latency.quiet_windows import QuietWindows

TRAINER = """
import sys, time
from pathlib import Path
from workers.latency.quiet_windows import QuietWindows
windows = QuietWindows(Path(sys.argv[1]))
with windows.busy(), open(sys.argv[2], "ab", buffering=0) as steps:
    while True:
        windows.pause()
        time.sleep(0.01)
        steps.write(b".")
"""

HOLDER = """
import sys, time
from pathlib import Path
from workers.latency.quiet_windows import QuietWindows
with QuietWindows(Path(sys.argv[1])).window() as is_quiet:
    print(is_quiet, flush=True)
    time.sleep(600)
"""

MEASURER = """
import sys, time
from pathlib import Path
from workers.latency.quiet_windows import QuietWindows
windows = QuietWindows(Path(sys.argv[1]), max_share=1)
for _ in range(10):
    with windows.busy(), windows.window() as is_quiet:
        start = time.monotonic()
        time.sleep(0.01)
        print(is_quiet, start, time.monotonic(), flush=True)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python with a program; what still runs at the end is killed."""
    with ExitStack() as stack:

        def run(code: str, *arguments: Path) -> subprocess.Popen[str]:
            command = [sys.executable, "-c", code, *map(str, arguments)]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            return process

        yield run


def n_steps(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def wait_for_steps(paths: list[Path], n: int = 5) -> None:
    """Wait until each trainer has made so many more steps."""
    wanted = [n_steps(path) + n for path in paths]
    while any(n_steps(path) < steps for path, steps in zip(paths, wanted, strict=True)):
        time.sleep(0.01)  # A trainer that never goes on fails by the suite's timeout.


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_all_pause_while_one_measures(tmp_path: Path, start: Start) -> None:
    steps = [tmp_path / f"steps{i}" for i in range(3)]
    for path in steps:
        start(TRAINER, tmp_path / "node", path)
    # They overlap: there is hardly a moment at which none of them works.
    wait_for_steps(steps)
    windows = QuietWindows(tmp_path / "node")
    with windows.busy(), windows.window() as is_quiet:
        assert is_quiet
        assert windows.refusal == ""
        before = list(map(n_steps, steps))
        time.sleep(0.1)
        assert list(map(n_steps, steps)) == before
    wait_for_steps(steps)


def test_a_worker_that_is_killed_within_a_window_blocks_nobody(
    tmp_path: Path, start: Start
) -> None:
    steps = tmp_path / "steps"
    start(TRAINER, tmp_path / "node", steps)
    wait_for_steps([steps])
    holder = start(HOLDER, tmp_path / "node")
    assert first_line(holder) == "True"
    before = n_steps(steps)
    time.sleep(0.1)
    assert n_steps(steps) == before
    holder.kill()
    wait_for_steps([steps])
    with QuietWindows(tmp_path / "node").window() as is_quiet:
        assert is_quiet


def test_a_worker_that_is_killed_while_it_trains_is_not_waited_for(
    tmp_path: Path, start: Start
) -> None:
    trainer = start(TRAINER, tmp_path / "node", tmp_path / "steps")
    wait_for_steps([tmp_path / "steps"])
    trainer.kill()
    trainer.wait()
    with QuietWindows(tmp_path / "node").window() as is_quiet:
        assert is_quiet


def test_who_hangs_within_a_window_is_waited_for_once(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = QuietWindows(tmp_path / "node")
    assert first_line(start(HOLDER, tmp_path / "node")) == "True"
    monkeypatch.setattr(quiet, "MAX_PAUSE_S", 0.05)
    with windows.busy():
        for _ in range(100):  # Each would take the whole time.
            windows.pause()
        monkeypatch.setattr(quiet, "MAX_PAUSE_S", 600)
        windows.pause()
    monkeypatch.setattr(quiet, "MAX_PAUSE_S", 0.05)
    with windows.window() as is_quiet:
        assert not is_quiet
        assert "too long" in windows.refusal


def test_two_who_measure_take_turns(tmp_path: Path, start: Start) -> None:
    start(TRAINER, tmp_path / "node", tmp_path / "steps")
    wait_for_steps([tmp_path / "steps"])
    measurers = [start(MEASURER, tmp_path / "node") for _ in range(2)]
    turns = []
    for measurer in measurers:
        out, _ = measurer.communicate()
        turns += [line.split() for line in out.splitlines()]
    assert len(turns) == 20
    assert {is_quiet for is_quiet, _, _ in turns} == {"True"}
    spans = sorted((float(begin), float(end)) for _, begin, end in turns)
    assert all(end <= begin for (_, end), (begin, _) in zip(spans, spans[1:], strict=False))


def test_windows_take_a_bounded_share_of_the_run(tmp_path: Path, start: Start) -> None:
    windows = QuietWindows(tmp_path / "node", max_share=1e-6)
    trainer = start(TRAINER, tmp_path / "node", tmp_path / "steps")
    wait_for_steps([tmp_path / "steps"])
    with windows.window() as is_quiet:
        assert is_quiet
        time.sleep(0.01)
    # What one worker spent counts for all of the node.
    for one in (windows, QuietWindows(tmp_path / "node", max_share=1e-6)):
        with one.window() as is_quiet:
            assert not is_quiet
            assert "of the run" in one.refusal
            wait_for_steps([tmp_path / "steps"])
    trainer.kill()
    trainer.wait()
    with windows.window() as is_quiet:  # Nobody has to wait for it.
        assert is_quiet


def test_a_worker_that_does_not_pause_makes_a_window_noisy(tmp_path: Path) -> None:
    one, other = (QuietWindows(tmp_path / "node") for _ in range(2))
    with one.busy():
        with other.window() as is_quiet:
            assert not is_quiet
            assert "did not pause" in other.refusal
        one.pause()  # It is over: nothing to wait for.
    with other.window() as is_quiet:
        assert is_quiet
        assert other.refusal == ""


def test_who_waits_for_another_node_leaves_the_floor(tmp_path: Path) -> None:
    one, other = (QuietWindows(tmp_path / "node") for _ in range(2))
    with one.busy():
        with one.aside(), other.window() as is_quiet:
            assert is_quiet
        with other.window() as is_quiet:  # It is back.
            assert not is_quiet


def test_a_window_within_a_window_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "MAX_PAUSE_S", 0.05)
    windows = QuietWindows(tmp_path / "node")
    other = QuietWindows(tmp_path / "node")
    with windows.busy(), windows.window() as outer:
        with windows.window() as inner:
            windows.pause()
            assert inner is outer is True
        with other.window() as is_quiet:
            assert not is_quiet  # The first one is not over.
    with other.window() as is_quiet:
        assert is_quiet


def test_an_error_within_a_window_ends_it(tmp_path: Path) -> None:
    windows = QuietWindows(tmp_path / "node")
    with pytest.raises(ZeroDivisionError), windows.window():
        raise ZeroDivisionError
    with QuietWindows(tmp_path / "node").window() as is_quiet:
        assert is_quiet


def test_nodes_without_locks_have_no_windows(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="for want of quiet windows"):
        windows = QuietWindows(tmp_path / "file" / "node")
    assert windows.problem
    with windows.busy():
        windows.pause()
        with windows.window() as is_quiet:
            assert not is_quiet
    assert windows.refusal == windows.problem
    windows.remove()


def test_a_run_finds_its_windows_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, other = QuietWindows.of_run("a"), QuietWindows.of_run("a")
    another_run = QuietWindows.of_run("b")
    with one.busy():
        with another_run.window() as is_quiet:
            assert is_quiet
        with other.window() as is_quiet:
            assert not is_quiet
    assert len(list(tmp_path.iterdir())) == 2
    for run in (one, another_run):
        run.remove()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_others_are_not_used(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "node").symlink_to(tmp_path / "theirs")
    with pytest.warns(UserWarning, match="belongs to somebody else"):
        assert QuietWindows(tmp_path / "node").problem
    assert list((tmp_path / "theirs").iterdir()) == []
