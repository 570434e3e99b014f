"""Wrong use and what was raised: one line, and the exit code of it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from spaces.errors import StudyError
from tests.search_tests.cli.typed import error_of, python, search_
from tests.search_tests.conftest import MakeStudy
from workers.messages.executor import Interrupted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rnu", "fruit"), "No such command 'rnu'. Did you mean 'run'?"),
        (("run",), "Missing argument 'TASK'"),
        (("run", "fruit", "--trails", "5"), "--trials"),
        (("run", "fruit", "--trials", "0"), "at least 1, but got 0. For trials on top"),
        (("run", "fruit", "--trials", "-3"), "at least 1, but got -3"),
        (("run", "fruit", "--trials", "many"), "at least 1, but got many"),
        (("run", "fruit", "--more", "0"), "at least 1, but got 0"),
        (("run", "fruit", "--workers", "0"), "at least 1, but got 0"),
        (("run", "fruit", "--trials", "5", "--more", "5"), "Only one of --trials and --more"),
        (("run", "fruit", "--max-size", "20"), "20B, 20kB or 20KiB, but got '20'"),
        (("run", "fruit", "--max-latency", "2"), "2us, 2ms or 2s, but got '2'"),
        (("run", "fruit", "--timeout", "30"), "30s, 30m or 30h, but got '30'"),
        (("trials", "fruit", "--json", "--csv"), "Only one of --json and --csv"),
        (("show", "fruit", "best"), "at least 0, but got best"),
        (("completion", "tcsh"), "'bash', 'zsh', 'fish'"),
        (("run", "fruit", "--max-size", "big"), "such as 100KB, but got 'big'"),
        (("run", "fruit", "--max-latency", "0ms"), "such as 5ms, but got '0ms'"),
        (("run", "fruit", "--max-ram", "little"), "such as 100KB, but got 'little'"),
        (("run", "fruit", "--size", "zip"), "'gzip', 'tflite', 'flash'"),
        (("run", "fruit", "--min-accuracy", "95"), "0.9 or 90%, but got '95'"),
        (("run", "fruit", "--timeout", "soon"), "such as 30m, but got 'soon'"),
        (("run", "fruit", "--sampler", "best"), "'tpe', 'nsga2', 'random'"),
        (("run", "fruit", "--seed", "-1"), "at least 0, but got -1"),
        (("front",), "Missing argument 'STUDY'"),
        (("front", "fruit", "--json", "--csv"), "Only one of --json and --csv"),
        (("front", "fruit", "--budgets", "--csv"), "Only one of --budgets and --csv"),
        (("export", "fruit"), "Missing option '-o'"),
        (
            ("export", "f", "-o", "x", "--trial", "1", "--pick", "size"),
            "neither --pick nor a limit",
        ),
        (("export", "f", "-o", "x", "--trial", "1", "--max-size", "1kB"), "neither --pick nor"),
        (("retrain", "best.json"), "Missing option '-o'"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    result = search_(*arguments)
    assert result.exit_code == 2
    line = error_of(result)
    assert message in line
    assert "--help" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--device", "hots"), "Unknown device 'hots'. Known devices: host, micro, ethos-u55-32"),
        (("--device", "ethos-u55-12"), "Did you mean 'ethos-u55-128'?"),
        (("--device", "gone.py"), "Device file 'gone.py' does not exist."),
        (("--size", "flash"), "only on a device which tells it, but got 'host'"),
    ],
)
def test_a_device_that_cannot_be_used_leaves_no_database_behind(
    options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    result = search_("run", "fruit", "--storage", str(tmp_path / "studies.db"), *options)
    assert result.exit_code == 2
    assert message in error_of(result)
    assert list(tmp_path.iterdir()) == []


def test_data_that_are_missing_leave_no_database_behind(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    result = search_(
        "run", "fruit", "--storage", str(tmp_path / "studies.db"), "--data", str(missing)
    )
    assert result.exit_code == 1
    assert f"No such folder: {missing}." in error_of(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("front", "fruit", "--storage", "none.db"), 1, "There is no database 'none.db'"),
        (("list", "--storage", "none.db"), 1, "There is no database"),
        (("export", "fruit", "-o", "-", "--storage", "none.db"), 1, "There is no database"),
        (("dashboard", "--storage", "none.db", "--no-open"), 1, "There is no database"),
        (("retrain", "none.json", "-o", "deploy"), 1, "none.json does not exist"),
        (("tasks", "friut"), 2, "Did you mean 'fruit'"),
        (("tasks", "images"), 1, "name a folder with one folder a class"),
        (("tasks", "animals10"), 1, "name its folder with --data"),
        (("run", "friut"), 2, "Did you mean 'fruit'"),
    ],
)
def test_what_is_missing_is_one_line(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = search_(*arguments)
    assert message in error_of(result)
    assert result.exit_code == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("--debug", "front", "x", "--storage", "."), ("front", "x", "--storage", ".", "--debug")],
)
def test_debug_shows_the_traceback_wherever_it_stands(arguments: tuple[str, ...]) -> None:
    result = search_(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback")
    assert result.stderr.splitlines()[-1].startswith("Error: A database is a file")
    assert "Traceback" not in search_("front", "x", "--storage", ".").stderr


def fails_with(monkeypatch: pytest.MonkeyPatch, error: BaseException, *options: str) -> Result:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("search.front.read.load_front", fail)
    return search_("front", "fruit", *options)


def test_exit_codes_are_those_of_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    result = fails_with(monkeypatch, StudyError("Rule,\n  got, fix."))
    assert result.exit_code == 2
    assert error_of(result) == "Error: Rule, got, fix."


def test_the_unexpected_is_one_line_with_what_to_report(monkeypatch: pytest.MonkeyPatch) -> None:
    result = fails_with(monkeypatch, ZeroDivisionError("division by zero"))
    assert result.exit_code == 1
    line = error_of(result)
    assert "ZeroDivisionError: division by zero" in line
    assert "report" in line and "--debug" in line
    assert "Traceback" in fails_with(monkeypatch, ZeroDivisionError(), "--debug").stderr


def test_a_full_disk_is_not_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    result = fails_with(monkeypatch, OSError(28, "No space left on device", "out/model.tflite"))
    assert result.exit_code == 1
    assert error_of(result) == "Error: No space left on device: out/model.tflite"


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    result = fails_with(monkeypatch, KeyboardInterrupt())
    assert result.exit_code == 130
    assert "Traceback" not in result.stderr


def test_what_fails_as_a_signal_strikes_is_the_signal_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's code was cut short, and its clean-up finds a state that cannot be."""
    error = AssertionError()
    error.__context__ = Interrupted(signal.SIGHUP)
    result = fails_with(monkeypatch, error)
    assert (result.exit_code, result.stderr) == (129, "Interrupted by SIGHUP.\n")


@pytest.mark.parametrize(
    "command",
    [
        ["front", "fruit", "--json"],
        ["front", "fruit"],
        ["front", "fruit", "--csv"],
        ["trials", "fruit"],
        ["list"],
    ],
)
def test_a_closed_pipe_is_quiet(command: list[str], make_study: MakeStudy) -> None:
    storage = make_study(n_trials=10)
    code = (
        "import os, sys; from search.cli.main import main; "
        "read, write = os.pipe(); os.dup2(write, 1); os.close(write); os.close(read); "
        f"sys.argv = ['search', *{command!r}, '--storage', {storage!r}]; main()"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
