"""Functions run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest

from spaces.errors import DataError, SearchError
from workers.processes.child_process import run_job

HERE = __name__


def add(progress: Any, a: int, b: int) -> dict[str, int]:
    print("a library prints to stdout")
    for done in range(3):
        progress("adding", done + 1, 3)
    return {"sum": a + b, "pid": os.getpid()}


def refuse(progress: Any) -> None:
    raise DataError("No pictures here.")


def crash(progress: Any) -> None:
    raise ZeroDivisionError("a bug")


def die(progress: Any) -> None:
    os._exit(7)


def shout(progress: Any) -> str:
    os.write(2, b"x" * 1_000_000 + b"\n")
    return "done"


def test_a_job_runs_elsewhere_and_reports_on_the_way() -> None:
    seen: list[tuple[str, int, int]] = []
    result = run_job(f"{HERE}:add", {"a": 2, "b": 3}, lambda *event: seen.append(event))
    assert result["sum"] == 5
    assert result["pid"] != os.getpid()
    assert seen == [("adding", 1, 3), ("adding", 2, 3), ("adding", 3, 3)]


def test_errors_of_ours_come_back_as_they_are() -> None:
    with pytest.raises(DataError, match="^No pictures here.$"):
        run_job(f"{HERE}:refuse", {})


def test_a_bug_in_a_job_names_itself() -> None:
    with pytest.raises(SearchError, match="ZeroDivisionError: a bug"):
        run_job(f"{HERE}:crash", {})


def test_a_job_that_dies_is_not_waited_for() -> None:
    with pytest.raises(SearchError, match="ended with code 7"):
        run_job(f"{HERE}:die", {})


def test_a_job_that_says_a_lot_on_stderr_does_not_block() -> None:
    assert run_job(f"{HERE}:shout", {}) == "done"


def mumble(progress: Any) -> None:
    """Say what is no text, and much of it, then die in the middle of an answer."""
    os.write(2, b"bad name \xff\xfe\n" * 20_000 + b"the end")
    os.write(int(sys.argv[1]), b'{"result": 1')
    os._exit(3)


def test_a_cut_answer_and_bytes_that_are_no_text_end_in_one_line() -> None:
    with pytest.raises(SearchError, match="ended with code 3: the end"):
        run_job(f"{__name__}:mumble", {})


def sleep(progress: Any, marker: str) -> None:
    with open(marker, "w") as file:
        file.write(str(os.getpid()))
    progress("sleeping", 0, 1)
    time.sleep(60)


def test_an_interrupted_parent_ends_its_job(tmp_path: Any) -> None:
    def interrupt(*event: Any) -> None:
        raise KeyboardInterrupt

    marker = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt):
        run_job(f"{HERE}:sleep", {"marker": str(marker)}, interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


def leave_python(progress: Any, how: str) -> None:
    if how == "exit":
        raise SystemExit(0)
    raise KeyboardInterrupt


@pytest.mark.parametrize("how", ["exit", "interrupt"])
def test_a_job_whose_code_ends_its_process_says_so(how: str) -> None:
    with pytest.raises(SearchError, match="ended its process .(SystemExit: 0|KeyboardInterrupt)"):
        run_job(f"{HERE}:leave_python", {"how": how})


def test_a_job_that_hangs_is_ended_when_time_is_up(tmp_path: Any) -> None:
    marker = tmp_path / "pid"
    with pytest.raises(SearchError, match=r"^Reading took longer than the 3 s .* \(--timeout\)"):
        run_job(f"{HERE}:sleep", {"marker": str(marker)}, timeout_s=3, what="Reading")
    if marker.exists():  # Not, where the machine is so busy that it had not begun.
        with pytest.raises(ProcessLookupError):
            os.kill(int(marker.read_text()), 0)


def test_a_job_ends_with_its_parent(tmp_path: Any) -> None:
    """Also if that is killed, and so cannot end it."""
    marker = tmp_path / "pid"
    script = (
        "import sys; sys.path[:] = eval(sys.argv[1])\n"
        "from workers.processes.child_process import run_job\n"
        f"run_job({HERE + ':sleep'!r}, {{'marker': {str(marker)!r}}})\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, repr(sys.path)])
    while not (marker.exists() and marker.read_text()):
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(int(marker.read_text()), 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the job lives on")
