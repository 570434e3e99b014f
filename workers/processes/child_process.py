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
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from spaces import errors
from spaces.data.request import Progress, no_progress
from spaces.errors import SearchError

Job = Callable[..., Any]


def run_job(
    target: str,
    kwargs: dict[str, Any],
    progress: Progress = no_progress,
    env: dict[str, str] | None = None,
) -> Any:
    """Run ``module:function`` in a fresh process and return what it returns.

    Args:
        target: Function to run, as ``module:function``; called as ``f(progress, **kwargs)``.
        kwargs: JSON data.
        progress: Called with what the job reports.
        env: Environment variables to add.

    Raises:
        SearchError: The same class and text that the job raised; or a plain
            ``SearchError`` with the end of the job's stderr if it died.
    """
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.processes.child_process", str(write_fd), target],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(write_fd,),
        env={**os.environ, "PYTHONPATH": import_path(), **(env or {})},
        text=True,
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
        answer = _follow(read_fd, progress)
        process.wait()
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


def _follow(read_fd: int, progress: Progress) -> dict[str, Any] | None:
    """Read events until the pipe closes; return the last that is an answer."""
    answer = None
    with os.fdopen(read_fd) as events:
        for line in events:
            event = json.loads(line)
            if "progress" in event:
                progress(*event["progress"])
            else:
                answer = event
    return answer


def import_path() -> str:
    """Let the child import what this process can, also from a checkout or a notebook."""
    return os.pathsep.join(entry or os.getcwd() for entry in sys.path)


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


def _main(argv: list[str]) -> int:
    write_fd, target = int(argv[0]), argv[1]
    kwargs = json.load(sys.stdin)
    with os.fdopen(write_fd, "w", buffering=1) as events:

        def send(event: dict[str, Any]) -> None:
            events.write(json.dumps(event) + "\n")

        def progress(what: str, done: int, total: int) -> None:
            send({"progress": [what, done, total]})

        module_name, _, name = target.partition(":")
        try:
            job: Job = getattr(importlib.import_module(module_name), name)
            send({"result": job(progress, **kwargs)})
        except SearchError as error:
            send({"error": type(error).__name__, "text": str(error)})
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
