"""Vela, in a process of its own: on some models it does not fail but crash.

Importing it takes 0.3 s and compiling a small network 5 ms, so the process stays for the next
model. It ends with whoever started it, or when it is asked for nothing more.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

from spaces.errors import ConversionError, DeviceError
from spaces.wording import one_line
from workers.processes.captured import captured
from workers.processes.import_path import python_command, python_path

TIMEOUT_S = 120.0
"""How long one compilation may take; small networks take milliseconds."""


class VelaProcess:
    """Runs Vela's command line; starts its process when it is first asked, and after a crash.

    **Who may call it.** One thread.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, arguments: list[str]) -> list[str]:
        """Run Vela; return the lines that it printed.

        Args:
            arguments: As on its command line.

        Raises:
            ConversionError: If it cannot compile the model.
            DeviceError: If it does not know the system, or is not installed.
        """
        answer = self._ask(arguments)
        if "device_error" in answer:
            raise DeviceError(f"Vela cannot be used: {answer['device_error']}")
        if "error" in answer:
            raise ConversionError(f"Vela cannot compile the model: {answer['error']}")
        return list(answer["said"])

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, arguments: list[str]) -> dict[str, Any]:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        line = ""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(arguments) + "\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], TIMEOUT_S)[0]:
                self.close()
                return {"error": f"it took more than {TIMEOUT_S:.0f} s"}
            line = process.stdout.readline()
        if line:
            return dict(json.loads(line))
        code = process.wait()
        self.close()
        return {"error": f"it crashed ({signal.strsignal(-code) if code < 0 else f'exit {code}'})"}

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                python_command(__name__, "serve"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": python_path()},
                text=True,
                start_new_session=True,  # Ctrl-C is for the driver, which ends its workers.
            )
            atexit.register(self.close)
        return self._process


def serve() -> None:
    """Answer a line of arguments with a line of what came of it, until there is no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


def _answer(arguments: list[str]) -> dict[str, Any]:
    try:
        from ethosu.vela.errors import CliOptionError, ConfigOptionError
        from ethosu.vela.vela import main
    except ImportError as error:
        return {"device_error": f"{error}; install it: pip install 'litefront[ethos-u]'"}

    printed = io.StringIO()
    failure: dict[str, Any] = {}
    with captured(1) as said, contextlib.redirect_stdout(printed):  # Half of it is C++.
        try:
            if main(arguments):
                failure = {"error": "it failed"}
        except (CliOptionError, ConfigOptionError) as error:
            failure = {"device_error": one_line(error, 300).rstrip(". ")}
        except Exception as error:
            failure = {"error": one_line(error, 300).rstrip(". ")}
        except SystemExit as error:
            failure = {"device_error": f"it does not take its arguments (exit {error.code})"}
    return failure or {"said": said.lines() + printed.getvalue().splitlines()}
