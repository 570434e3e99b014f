"""The command line: what it takes, prints and exits with."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import search
from search.cli.export import PICKS
from search.cli.main import cli
from search.cli.next_steps import say_what_next
from search.cli.options import STORAGE_VARIABLE
from search.front.picks import PICK_RULES
from search.front.read import load_front
from search.run.driver import RunReport
from search.run.events import RunProgress
from search.run.options import SAMPLERS, SIZES
from search.sampling.samplers import SAMPLERS as KNOWN_SAMPLERS
from spaces.errors import StudyError
from spaces.tasks.registry import builtin_tasks
from tests.search_tests import retrained
from tests.search_tests.conftest import MakeStudy
from workers.messages.result import SIZE_METRICS

CHECKOUT = Path(__file__).resolve().parents[3]
COMMANDS = (
    "run",
    "tasks",
    "list",
    "front",
    "trials",
    "show",
    "compare",
    "dashboard",
    "demo",
    "export",
    "finalists",
    "report",
    "retrain",
    "classify",
    "import",
    "rename",
    "copy",
    "delete",
    "doctor",
    "cache",
    "completion",
)
HEAVY = ("tensorflow", "tf_keras", "keras_tuner", "ray", "optuna", "sqlalchemy", "rich")


def search_(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="search", env=env)


def python(
    *arguments: str, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def error_of(result: Result) -> str:
    """Return the one line that an error is."""
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


# --- Guardians ------------------------------------------------------------------------------


def test_commands_are_the_promised_ones() -> None:
    assert tuple(cli.commands) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_is_documented_with_an_example(name: str, flag: str) -> None:
    result = search_(name, flag)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert re.search(rf"\n  Examples:\n    search {name}\b", result.stdout)
    assert max(map(len, result.stdout.splitlines())) <= 80
    command = cli.commands[name]
    assert command.help and command.help[0].isupper()
    assert "..." not in command.get_short_help_str(limit=62), "it is cut off in `search --help`"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help and parameter.help.endswith((".", "]")), parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_can_be_typed(name: str) -> None:
    """Options and arguments of examples exist: parsing goes through."""
    epilog = cli.commands[name].epilog or ""
    examples = re.findall(rf"^  search {name}(.*)$", epilog, re.MULTILINE)
    assert examples
    for example in examples:
        context = cli.commands[name].make_context(name, shlex.split(example))
        context.close()


def test_every_command_is_in_the_readme() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    for name in COMMANDS:
        assert f"search {name}" in readme, name


def test_help_imports_nothing_heavy_and_works_from_anywhere(tmp_path: Path) -> None:
    done = python("-X", "importtime", "-m", "search", "--help", cwd=tmp_path)
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & set(HEAVY)
    assert list(tmp_path.iterdir()) == []


def test_listing_tasks_does_not_wait_for_tensorflow(tmp_path: Path) -> None:
    done = python("-X", "importtime", "-m", "search", "tasks", cwd=tmp_path)
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert not imported & {"tensorflow", "tf_keras", "keras_tuner", "ray", "optuna"}
    assert "fruit" in done.stdout


def test_the_api_is_the_same_verbs_and_imported_late() -> None:
    assert search.__all__ == sorted(search.__all__)
    for name in search.__all__:
        assert getattr(search, name) is not None
    assert set(search.__all__) == set(dir(search))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = search.nothing
    code = f"import search, sys; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    assert ast.literal_eval(python("-c", code).stdout) == []


def test_names_that_are_repeated_to_stay_light_agree() -> None:
    assert PICKS == PICK_RULES
    assert SIZES == SIZE_METRICS
    assert set(SAMPLERS) == set(KNOWN_SAMPLERS)


# --- Wrong use ------------------------------------------------------------------------------


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


def test_without_a_command_it_says_what_there_is() -> None:
    result = search_()
    assert result.exit_code == 2
    assert result.stdout == search_("--help").stdout
    assert result.stderr == ""


def test_version_has_a_short_form() -> None:
    assert search_("-V").stdout == search_("--version").stdout == f"search {search.__version__}\n"


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


# --- What was raised ------------------------------------------------------------------------


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


# --- Studies --------------------------------------------------------------------------------


def test_front(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=6)
    table = search_("front", "fruit", "--storage", storage)
    assert table.exit_code == 0
    assert table.stderr == ""
    assert "hypervolume" in table.stdout
    front = load_front("fruit", storage)
    data = json.loads(search_("front", "fruit", "--storage", storage, "--json").stdout)
    assert [row["trial"] for row in data["front"]] == [point.trial for point in front.points]
    lines = search_("front", "fruit", "--storage", storage, "--csv").stdout.splitlines()
    assert len(lines) == 1 + len(front.points)


def test_storage_can_stand_in_the_environment(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=1)
    result = search_("list", env={STORAGE_VARIABLE: f"sqlite:///{storage}"})
    assert result.exit_code == 0
    assert "fruit" in result.stdout


def test_list(make_study: MakeStudy) -> None:
    make_study("one", n_trials=1)
    storage = make_study("two", n_trials=2)
    table = search_("list", "--storage", storage).stdout
    names = [line.split()[0] for line in table.splitlines() if not line.startswith(" ")]
    assert names == ["study", "two", "one"]
    assert "generated" in table
    rows = json.loads(search_("list", "--storage", storage, "--json").stdout)
    assert [(row["study"], row["n_trials"]) for row in rows] == [("two", 2), ("one", 1)]
    assert rows[0]["generated_pictures"] is True


def test_names_are_text_even_if_they_look_like_markup(make_study: MakeStudy) -> None:
    storage = make_study("[red]:smile:[/red]", n_trials=1)
    for arguments in (("list",), ("front", "[red]:smile:[/red]")):
        assert "[red]:smile:[/red]" in search_(*arguments, "--storage", storage).stdout


def test_export_to_a_file_and_to_stdout(make_study: MakeStudy, tmp_path: Path) -> None:
    storage = make_study(n_trials=6)
    path = tmp_path / "best file.json"
    command = ("export", "fruit", "--storage", storage, "--pick", "accuracy")
    result = search_(*command, "-o", str(path))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"search retrain '{path}'" in result.stderr
    best = load_front("fruit", storage).pick("accuracy")
    assert json.loads(path.read_text())["trial"] == best.trial
    again = search_(*command, "-o", str(path))
    assert again.exit_code == 1
    assert "--force" in error_of(again)
    assert search_(*command, "-o", str(path), "--force").exit_code == 0
    to_stdout = search_(*command, "-o", "-")
    assert to_stdout.stdout == path.read_text()
    assert to_stdout.stderr == ""


def test_export_under_limits(make_study: MakeStudy, tmp_path: Path) -> None:
    storage = make_study(n_trials=6)
    command = ("export", "fruit", "--storage", storage, "-o", "-")
    smallest = load_front("fruit", storage).points[0]
    limit = f"{smallest.size_bytes}B"
    found = json.loads(search_(*command, "--pick", "accuracy", "--max-size", limit).stdout)
    assert found["measured"]["size_bytes"] == smallest.size_bytes
    result = search_(*command, "--max-size", "1B")
    assert result.exit_code == 2
    assert "Closest: --max-size" in error_of(result)


def test_export_of_one_trial(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=3)
    result = search_("export", "fruit", "--storage", storage, "-o", "-", "--trial", "0")
    assert json.loads(result.stdout)["trial"] == 0


# --- Runs -----------------------------------------------------------------------------------


@pytest.fixture
def ended_by() -> list[str]:
    """What ends the runs of a test; the first entry counts."""
    return ["target"]


@pytest.fixture
def run_calls(
    make_study: MakeStudy, ended_by: list[str], monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """Calls of a ``run_study`` that makes a small study instead of training for minutes."""
    calls: list[dict[str, Any]] = []

    def run_study(task: str, **options: Any) -> RunReport:
        calls.append({"task": task, **options})
        name = options["study"] or task
        make_study(name, n_trials=3)
        options["progress"]("drawing pictures", 1, 1)
        return RunReport(RunProgress(study_name=name, n_target=3), ended_by=ended_by[0])

    monkeypatch.setattr("search.run.run_study.run_study", run_study)
    return calls


def test_run_ends_with_the_front_and_what_to_type_next(run_calls: Any, tmp_path: Path) -> None:
    storage = str(tmp_path / "studies.db")
    result = search_("run", "fruit", "--storage", storage, "--trials", "3", "--study", "my fruit")
    assert result.exit_code == 0, result.stderr
    for name in ("best accuracy", "best compromise", "smallest", "fastest", "generated"):
        assert name in result.stdout
    assert "drawing pictures" in result.stderr and "drawing" not in result.stdout
    for command in (
        f"search front 'my fruit' --storage {storage}",
        f"search dashboard --storage {storage}",
        f"search export 'my fruit' --storage {storage} -o best.json",
        f"search run fruit --study 'my fruit' --more 50 --storage {storage}",
    ):
        assert command in result.stderr


def test_the_command_that_goes_on_asks_for_the_same(run_calls: Any, tmp_path: Path) -> None:
    """Without them the study would refuse the run, or judge its points by other limits."""
    typed = (
        *("--epochs", "2", "--max-size", "50KB", "--max-latency", "1.5ms", "--seed", "7"),
        *("--sampler", "nsga2", "--no-fan-out", "--timeout", "30m", "--min-accuracy", "90%"),
    )
    storage = ("--storage", str(tmp_path / "studies.db"))
    result = search_("run", "fruit", *storage, "--trials", "3", *typed)
    assert result.exit_code == 0, result.stderr
    (line,) = [line for line in result.stderr.splitlines() if "--more 50" in line]
    again = search_(*line.split("  ")[1].split()[1:])
    assert again.exit_code == 0, again.stderr
    first, second = run_calls
    for name in ("trials", "more", "observer", "progress"):
        del first[name], second[name]
    assert first == second
    assert (first["max_size_bytes"], first["timeout_s"], first["fan_out"]) == (50_000, 1800, False)


def test_the_next_commands_tell_no_password(
    make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    front = load_front("fruit", make_study(n_trials=1))
    url = "postgresql+psycopg://me:secret@db.example/studies"
    say_what_next(front, url, ["search", "run", "fruit"], "target")
    assert "'postgresql+psycopg://me:***@db.example/studies'" in capsys.readouterr().err
    monkeypatch.setenv(STORAGE_VARIABLE, url)
    say_what_next(front, url, ["search", "run", "fruit"], "target")
    assert "--storage" not in capsys.readouterr().err


def test_an_interrupted_run_says_how_to_go_on(
    run_calls: Any, ended_by: list[str], tmp_path: Path
) -> None:
    ended_by[0] = "interrupt"
    storage = str(tmp_path / "studies.db")
    result = search_("run", "fruit", "--storage", storage, "--trials", "9")
    assert result.exit_code == 130
    assert "best accuracy" in result.stdout
    assert f"search run fruit --trials 9 --storage {storage}" in result.stderr


def test_a_run_that_is_out_of_time_or_of_ideas_says_so(
    run_calls: Any, ended_by: list[str], tmp_path: Path
) -> None:
    command = ("run", "fruit", "--storage", str(tmp_path / "studies.db"))
    ended_by[0] = "timeout"
    late = search_(*command, "--timeout", "1s")
    assert (late.exit_code, "Time is up" in late.stderr) == (0, True)
    ended_by[0] = "exhausted"
    done = search_(*command)
    assert (done.exit_code, "nothing new left" in done.stderr) == (0, True)
    assert "search run" not in done.stderr


def test_run_hands_everything_on_in_our_units(run_calls: Any, tmp_path: Path) -> None:
    storage = str(tmp_path / "studies.db")
    result = search_(
        *("run", "fruit", "--storage", storage, "--more", "7", "--workers", "3", "--epochs", "4"),
        *("--data", "photos", "--device", "host", "--size", "tflite", "--max-size", "100KB"),
        *("--max-latency", "5ms", "--min-accuracy", "90%", "--max-ram", "64KB"),
        *("--sampler", "nsga2"),
        *("--timeout", "30m", "--seed", "7", "--address", "auto", "--no-fan-out", "--json"),
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["study"] == "fruit"
    (call,) = run_calls
    assert (call["trials"], call["more"], call["workers"], call["epochs"]) == (None, 7, 3, 4)
    assert call["data"] == Path("photos")
    assert (call["device"], call["size"], call["address"]) == ("host", "tflite", "auto")
    assert (call["max_size_bytes"], call["max_latency_ms"]) == (100_000, 5)
    assert call["max_ram_bytes"] == 64_000
    assert call["min_accuracy"] == pytest.approx(0.9)
    assert (call["sampler"], call["timeout_s"], call["seed"]) == ("nsga2", 1800, 7)
    assert call["fan_out"] is False


def test_a_browser_opens_where_there_is_one(
    make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("search.pages.dashboard.Dashboard.serve", lambda _: None)
    monkeypatch.setattr("click.launch", lambda url: opened.append(url))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    command = ("dashboard", "--storage", make_study(n_trials=1), "--port", "0")
    monkeypatch.delenv("DISPLAY", raising=False)
    search_(*command)
    monkeypatch.setenv("DISPLAY", ":0")
    search_(*command, "--no-open")
    assert opened == []
    result = search_(*command)
    assert opened == result.stdout.split()


def test_retrain_puts_what_was_promised_beside_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    metrics = retrained.metrics()

    def retrain(*arguments: Any, progress: Any, **options: Any) -> dict[str, Any]:
        calls.append((arguments, options))
        progress("training", 1, 2)
        return metrics

    # Not by its dotted name: there, `search.deploy.retrain` is the function.
    monkeypatch.setattr(importlib.import_module("search.deploy.retrain"), "retrain", retrain)
    words = ["retrain", "best.json", "-o", "deploy", "--epochs", "9", "--force", "--seeds", "3"]
    result = search_(*words, "--patience", "4", "--no-float", "--tta")
    assert result.exit_code == 0, result.stderr
    assert calls == [
        (
            (Path("best.json"), Path("deploy")),
            {
                "epochs": 9,
                "patience": 4,
                "data": None,
                "seeds": 3,
                "float_model": False,
                "tta": True,
                "task": None,
                "device": None,
                "force": True,
            },
        )
    ]
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["accuracy,", "validation", "95.0", "%", "96.0", "%"] in rows
    assert ["size", "12.3", "kB", "12.4", "kB"] in rows
    assert "93.33 %" in result.stdout and "60 test images" in result.stdout
    assert "generated" in result.stdout
    assert "byte for byte" not in result.stdout
    assert "training: 1/2" in result.stderr and "report.html" in result.stderr
    metrics["identical_to_trial"] = True
    assert "byte for byte" in search_("retrain", "best.json", "-o", "deploy").stdout
    as_json = search_("retrain", "best.json", "-o", "deploy", "--json")
    assert json.loads(as_json.stdout) == metrics


def test_the_dashboard_runs_until_ctrl_c(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=1)
    command = [sys.executable, "-m", "search", "dashboard", "--storage", storage]
    process = subprocess.Popen(
        [*command, "--port", "0", "--no-open"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell in the background ignores Ctrl-C, and so do all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert b"Optuna Dashboard" in answer.read()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert errors.split() == ["Ctrl-C", "ends", "it."]


def test_tasks() -> None:
    result = search_("tasks")
    assert result.exit_code == 0
    assert "fruit" in result.stdout and "mnist" in result.stdout
    for name in ("accuracy", "size_bytes", "latency_ms", "learning_rate", "quantization"):
        assert name in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    rows = json.loads(search_("tasks", "--json").stdout)
    assert [row["task"] for row in rows] == list(builtin_tasks())
    assert {"name", "kind"} <= set(rows[0]["parameters"][0])
    for row in rows:
        assert row["data"] and row["baseline_note"] and row["baseline"]["family"]
        assert row["baseline"]["family"] in row["families"]
        assert all(family in result.stdout for family in row["families"])


def test_colour_is_for_terminals_only(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=2)
    piped = python("-m", "search", "front", "fruit", "--storage", storage)
    assert "\x1b" not in piped.stdout + piped.stderr
