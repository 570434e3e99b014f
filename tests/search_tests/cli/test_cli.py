"""The command line as a whole: what there is, what it says of itself, and how light it is."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import click
import pytest

import search
from search.cli.export import PICKS
from search.cli.main import cli
from search.cli.options import STORAGE_VARIABLE
from search.front.picks import PICK_RULES
from search.run.options import SAMPLERS, SIZES
from search.sampling.samplers import SAMPLERS as KNOWN_SAMPLERS
from spaces.tasks.registry import builtin_tasks
from tests.search_tests.cli.typed import CHECKOUT, python, search_
from tests.search_tests.conftest import MakeStudy
from workers.messages.result import SIZE_METRICS

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


def test_without_a_command_it_says_what_there_is() -> None:
    result = search_()
    assert result.exit_code == 2
    assert result.stdout == search_("--help").stdout
    assert result.stderr == ""


def test_version_has_a_short_form() -> None:
    assert search_("-V").stdout == search_("--version").stdout == f"search {search.__version__}\n"


def test_storage_can_stand_in_the_environment(make_study: MakeStudy) -> None:
    storage = make_study(n_trials=1)
    result = search_("list", env={STORAGE_VARIABLE: f"sqlite:///{storage}"})
    assert result.exit_code == 0
    assert "fruit" in result.stdout


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
