"""What docs/ and README show is so: commands, code, links, and the command reference."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from search.cli.main import cli

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
GENERATED = "commands.md"


def typed_commands() -> Iterator[tuple[str, str]]:
    """Every command line of ours that a page shows in a block: the page's name, and the line."""
    for page in PAGES:
        if page.name == GENERATED:
            continue
        blocks = re.findall(r"```text\n(.*?)```", page.read_text(), re.DOTALL)
        indented = re.findall(r"^ {4}(search .*)$", page.read_text(), re.MULTILINE)
        for line in ("\n".join([*blocks, *indented])).splitlines():
            if line.startswith("search "):
                yield page.name, line


@pytest.mark.parametrize(("page", "line"), sorted(set(typed_commands())))
def test_a_shown_command_is_one(page: str, line: str) -> None:
    """It parses; nothing is run."""
    _, name, *arguments = shlex.split(line, comments=True)
    context = click.Context(cli, info_name="search")
    command = cli.get_command(context, name)
    assert command is not None, line
    command.make_context(name, arguments, parent=context)


@pytest.mark.parametrize("name", ["command_reference.py", "licences.py", "readme_figures.py"])
def test_what_scripts_write_is_of_today(name: str) -> None:
    script = CHECKOUT / "scripts" / name
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_site_has_no_broken_link(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path / "site"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "index.html").read_text()
    # It opens without a network: nothing is loaded from elsewhere.
    loaded = re.findall(r"<(?:script|img|link)[^>]*(?:src|href)=\"([^\"]*)\"", page)
    assert loaded and not [url for url in loaded if url.startswith(("http:", "https:", "//"))]
    assert (tmp_path / "site" / "search" / "search_index.json").is_file()


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != GENERATED])
def test_linked_files_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_readme_is_two_screens() -> None:
    lines = PAGES[0].read_text().splitlines()
    assert len(lines) <= 100
    assert max(map(len, lines)) <= 80


def python_blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            yield page.name, code


@pytest.mark.parametrize(("page", "code"), list(python_blocks()))
def test_shown_code_imports_what_there_is(page: str, code: str) -> None:
    """Every name that it takes from our packages is public there; nothing else is run."""
    taken = [node for node in ast.walk(ast.parse(code, page)) if isinstance(node, ast.ImportFrom)]
    for node in taken:
        assert node.module is not None
        if node.module in ("search", "spaces", "workers"):
            package = importlib.import_module(node.module)
            for alias in node.names:
                assert alias.name in package.__all__, alias.name


def test_the_device_of_ones_own_measures_as_shown() -> None:
    (code,) = (code for page, code in python_blocks() if page == "devices.md")
    shown: dict[str, Any] = {"ask_my_board": lambda tflite: len(tflite) / 4}
    exec(compile(code, "board.py", "exec"), shown)
    latency = shown["DEVICE"].measure(b"12345678").latency
    assert (latency.median_ms, latency.device) == (2.0, "board")


def test_the_database_is_read_as_shown(
    make_study: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_study(n_trials=8)
    monkeypatch.chdir(tmp_path)
    text = (CHECKOUT / "docs" / "database.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(code, "database.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines and all(re.match(r"\d+ \[0\.\d+, ", line) for line in lines)
