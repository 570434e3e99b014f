"""Which size counts where nobody says: flash where the device tells it, or as it was begun."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from search.cli.main import cli
from search.run.options import RunOptions
from search.run.preparation import study_settings, usual_size
from tests.search_tests.conftest import TASK
from workers.messages.result import SizeMetric


@pytest.mark.parametrize(
    ("device", "size", "expected"),
    [
        ("host", None, "gzip"),
        ("micro", None, "flash"),
        ("ethos-u55-128", None, "flash"),
        ("ethos-u55-128", "gzip", "gzip"),
        ("host", "tflite", "tflite"),
    ],
)
def test_on_a_device_with_flash_size_is_flash(
    tmp_path: Path, device: str, size: SizeMetric | None, expected: str
) -> None:
    options = RunOptions(device=device, size=size, storage=str(tmp_path / "studies.db"))
    assert usual_size(options) == expected
    assert study_settings(options, TASK).size_metric == expected


def test_a_device_of_ones_own_is_not_run_to_ask_it(tmp_path: Path) -> None:
    (tmp_path / "board.py").write_text("raise SystemExit\n")
    options = RunOptions(device=str(tmp_path / "board.py"))
    assert usual_size(options) == "gzip"


def test_a_study_keeps_the_size_it_was_begun_with(make_study: Callable[..., str]) -> None:
    storage = make_study(n_trials=1)  # By gzip.
    options = RunOptions(device="ethos-u55-128", storage=storage)
    assert study_settings(options, TASK).size_metric == "gzip"
    other = dataclasses.replace(options, study="another")
    assert study_settings(other, TASK).size_metric == "flash"


@pytest.mark.parametrize("command", ["run", "export"])
def test_help_says_which_size_a_limit_is_of(command: str) -> None:
    shown = " ".join(CliRunner().invoke(cli, [command, "--help"]).output.split())
    assert "--size" in shown.partition("--max-size")[2][:160]
