"""What the commands of a search print, hand on and write."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from search.cli.next_steps import say_what_next
from search.cli.options import STORAGE_VARIABLE
from search.front.read import load_front
from search.run.events import RunProgress
from search.run.report import RunReport
from tests.search_tests import retrained
from tests.search_tests.cli.typed import CHECKOUT, error_of, search_
from tests.search_tests.conftest import MakeStudy


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
    result = search_(*words, "--patience", "4", "--no-float", "--tta", "--onnx")
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
                "with_validation": False,
                "onnx": True,
                "weights": None,
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
