"""Run one function in a fresh Python process, with progress on the way.

What needs TensorFlow, or runs the user's code, must not do so in the driver. A job is a
function ``f(progress, **kwargs)`` that takes and returns plain JSON data. It speaks to its
parent in JSON lines over a pipe of its own, so that nothing printed by a library or by the
user's code can garble the answer; that goes to stderr.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from spaces import errors
from spaces.data.request import Progress, no_progress
from spaces.errors import SearchError
from workers.processes.import_path import python_command, python_path
from workers.processes.run_folder import RunFolder

Job = Callable[..., Any]

STOP_POLL_S = 0.5
"""How often it is looked whether a job is to be stopped."""


def run_job(
    target: str,
    kwargs: dict[str, Any],
    progress: Progress = no_progress,
    env: dict[str, str] | None = None,
    *,
    timeout_s: float | None = None,
    what: str = "A job",
    stop: threading.Event | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Any:
    """Run ``module:function`` in a fresh process and return what it returns.

    Args:
        target: Function to run, as ``module:function``; called as ``f(progress, **kwargs)``.
        kwargs: JSON data.
        progress: Called with what the job reports.
        env: Environment variables to add.
        timeout_s: Seconds it may take; None for as long as it takes.
        what: What it is, in an error.
        stop: Ends it, within half a second, when another thread sets it.
        meanwhile: Called once the process has begun. What it raises ends the process.

    Raises:
        SearchError: The same class and text that the job raised; or a plain
            ``SearchError`` with the end of the job's stderr if it died, or was stopped.
    """
    with _temporary_folder() as folder:
        whole = {**folder, **(env or {})}
        return _run(target, kwargs, progress, whole, timeout_s, what, stop, meanwhile)


def _run(
    target: str,
    kwargs: dict[str, Any],
    progress: Progress,
    env: dict[str, str],
    timeout_s: float | None,
    what: str,
    stop: threading.Event | None,
    meanwhile: Callable[[], None],
) -> Any:
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(
        python_command(__name__, "main", str(write_fd), target),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(write_fd,),
        env={**os.environ, "PYTHONPATH": python_path(), **env},
        text=True,
        errors="replace",  # File names need be no text, and must not end the reader.
        # Ctrl-C reaches the whole foreground group; the parent ends the job itself, so that
        # one interrupt does not print two tracebacks.
        start_new_session=True,
    )
    os.close(write_fd)
    tail = _Tail(process)
    try:
        assert process.stdin is not None
        try:
            with process.stdin as stdin:
                json.dump(kwargs, stdin)
        except BrokenPipeError:
            pass  # it died at once; what it said is in its stderr
        meanwhile()
        answer = _follow(read_fd, progress, deadline, stop)
        process.wait()
    except _StoppedError:
        raise SearchError(f"{what} was stopped.") from None
    except TimeoutError:
        raise SearchError(
            f"{what} took longer than the {timeout_s:,.0f} s it was given (--timeout). Give it "
            f"more time, or look what hangs."
        ) from None
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        tail.join()
    if answer is None:
        said = tail.last_line() or "it said nothing"
        raise SearchError(f"{target} ended with code {process.returncode}: {said}")
    if "error" in answer:
        kind = getattr(errors, answer["error"], SearchError)
        raise kind(answer["text"])
    return answer["result"]


class _StoppedError(Exception):
    """Another thread wants a job to end."""


def _follow(
    read_fd: int, progress: Progress, deadline: float | None, stop: threading.Event | None
) -> dict[str, Any] | None:
    """Read events until the pipe closes; return the last that is an answer.

    Raises:
        TimeoutError: If it is not closed in time.
        _StoppedError: If ``stop`` was set before.
    """
    answer = None
    pending = b""
    with os.fdopen(read_fd, "rb", buffering=0) as events:
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            if stop is not None:
                if stop.is_set():
                    raise _StoppedError
                left = STOP_POLL_S if left is None else min(left, STOP_POLL_S)
            if left is not None and not select.select([events], [], [], left)[0]:
                continue
            data = events.read(1 << 16)
            if not data:
                return answer
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if "progress" in event:
                    progress(*event["progress"])
                else:
                    answer = event


@contextmanager
def _temporary_folder() -> Iterator[dict[str, str]]:
    """Give a job a folder of its own for temporary files; what it leaves when killed goes with it.

    Yields:
        Environment variables; none where no folder can be made, which is no reason to fail.
    """
    try:
        folder = RunFolder()
    except OSError:
        yield {}
        return
    with folder:
        yield {"TMPDIR": str(folder.temporary)}


class _Tail:
    """Keeps the end of a process's stderr, reading it so that the process never blocks."""

    def __init__(self, process: subprocess.Popen[str], keep: int = 200) -> None:
        from collections import deque
        from threading import Thread

        self._lines: deque[str] = deque(maxlen=keep)
        self._thread = Thread(target=self._read, args=(process,), daemon=True)
        self._thread.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as stderr:
            self._lines.extend(stderr)

    def join(self) -> None:
        """Wait until everything is read."""
        self._thread.join(timeout=5)

    def last_line(self) -> str:
        """Return the last line that says something: the error's own, in a traceback."""
        lines = [line.strip() for line in self._lines if line.strip()]
        return lines[-1] if lines else ""


def main() -> int:
    """Run the job that the command line names; the other end of :func:`run_job`."""
    write_fd, target = int(sys.argv[1]), sys.argv[2]
    kwargs = json.load(sys.stdin)
    with os.fdopen(write_fd, "w", buffering=1) as events:

        def send(event: dict[str, Any]) -> None:
            events.write(json.dumps(event) + "\n")

        def progress(what: str, done: int, total: int) -> None:
            send({"progress": [what, done, total]})

        module_name, _, name = target.partition(":")
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        try:
            job: Job = getattr(importlib.import_module(module_name), name)
            send({"result": job(progress, **kwargs)})
        except SearchError as error:
            send({"error": type(error).__name__, "text": str(error)})
        except (SystemExit, KeyboardInterrupt) as error:
            said = f"{type(error).__name__}: {error}".rstrip(": ")
            text = f"The code of the task ended its process ({said}): a model's code must not."
            send({"error": "SearchError", "text": text})
    return 0


def _end_with(parent: int) -> None:
    """End when the parent does: nobody waits for the answer any more."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
