"""The commands that look at studies and manage them: what they print, ask and refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from search.cli.completion import VARIABLE
from search.cli.main import cli
from search.front.read import load_front, load_fronts
from tests.search_tests.analytic_studies import run_analytic


def search_(*arguments: str, storage: Path) -> Result:
    return CliRunner().invoke(
        cli, [*arguments, "--storage", str(storage)], prog_name="search", terminal_width=80
    )


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    run_analytic(tmp_path / "studies.db", "one", 6, fail_every=5)
    return tmp_path / "studies.db"


def names(storage: Path) -> list[str]:
    return [front.study for front in load_fronts(storage)]


def test_trials_and_one_of_them(storage: Path) -> None:
    listed = search_("trials", "one", storage=storage)
    assert (listed.exit_code, listed.stderr) == (0, "")
    assert "its loss is NaN" in listed.stdout
    data = json.loads(search_("trials", "one", "--json", storage=storage).stdout)
    rows = search_("trials", "one", "--csv", storage=storage).stdout.splitlines()
    assert len(rows) == 1 + len(data["trials"])
    (failed,) = [row["trial"] for row in data["trials"] if row["outcome"] == "failed"]
    assert "its loss is NaN" in search_("show", "one", str(failed), storage=storage).stdout
    shown = json.loads(search_("show", "one", str(failed), "--json", storage=storage).stdout)
    assert (shown["trial"], shown["outcome"]) == (failed, "failed")
    assert shown["stored"]["config"]
    chosen = search_("trials", "one", "--where", "outcome=failed", "--json", storage=storage)
    assert [row["trial"] for row in json.loads(chosen.stdout)["trials"]] == [failed]


def test_the_front_is_chosen_from_and_drawn(storage: Path) -> None:
    front = load_front("one", storage)
    small = [point.trial for point in front.points if point.size_bytes < 5000]
    asked = ("front", "one", "--where", "size<5KB", "--sort", "accuracy")
    data = json.loads(search_(*asked, "--json", storage=storage).stdout)
    assert sorted(row["trial"] for row in data["front"]) == sorted(small)
    accuracies = [row["accuracy"] for row in data["front"]]
    assert accuracies == sorted(accuracies, reverse=True)
    # Of the whole front all the same.
    assert data["hypervolume"] == front.hypervolume and data["front_size"] == len(front.points)
    plain, drawn = (
        search_("front", "one", *how, storage=storage).stdout for how in ((), ("--plot",))
    )
    assert "└" not in plain and drawn.startswith(plain)
    assert "└" in drawn and "K best compromise, B baseline" in drawn
    assert max(map(len, drawn.splitlines())) <= 80
    none = search_("front", "one", "--where", "size<2B", storage=storage)
    assert (none.exit_code, "None of its points is so" in none.stdout) == (0, True)


def test_delete_asks_and_takes_no_for_an_answer(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unasked = search_("delete", "one", storage=storage)
    assert unasked.exit_code == 2
    assert "trials and" in unasked.stderr and "add --yes" in unasked.stderr
    assert names(storage) == ["one"]
    monkeypatch.setattr("search.cli.studies.is_asked", lambda: True)
    for answer, code, left in (("n\n", 1, ["one"]), ("\n", 1, ["one"]), ("y\n", 0, [])):
        done = CliRunner().invoke(
            cli, ["delete", "one", "--storage", str(storage)], input=answer, prog_name="search"
        )
        assert (done.exit_code, names(storage)) == (code, left), done.output


def test_delete_with_yes_says_what_went(storage: Path) -> None:
    done = search_("delete", "one", "--yes", storage=storage)
    assert (done.exit_code, done.stdout, names(storage)) == (0, "", [])
    assert "Deleted study one: " in done.stderr


def test_rename_copy_compare_list(storage: Path) -> None:
    assert search_("copy", "one", "two", storage=storage).exit_code == 0
    assert search_("rename", "two", "three", storage=storage).exit_code == 0
    assert sorted(names(storage)) == ["one", "three"]
    compared = search_("compare", "one", "three", storage=storage)
    assert compared.exit_code == 0
    assert "Both fronts dominate the same volume." in compared.stdout
    data = json.loads(search_("compare", "one", "three", "--json", storage=storage).stdout)
    assert [study["n_dominated_by_other"] for study in data["studies"]] == [0, 0]
    listed = search_("list", storage=storage).stdout
    front = load_front("one", storage)
    assert f"{front.hypervolume:.4f}" in listed and "host" in listed
    assert max(map(len, listed.splitlines())) <= 80


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("trials", "on"), "Did you mean 'one'?"),
        (("show", "one", "9999"), "has no trial 9999"),
        (("compare", "one", "tow"), "There is no study 'tow'"),
        (("rename", "one", "one"), "There is a study 'one' already"),
        (("copy", "one", ""), "1 to 200 characters"),
        (("delete", "two", "--yes"), "There is no study 'two'"),
        (("front", "one", "--sort", "speed"), "Points are sorted by one of size"),
        (("front", "one", "--where", "size<20"), "20B, 20kB or 20KiB"),
    ],
)
def test_what_goes_wrong_is_one_line(
    storage: Path, command: tuple[str, ...], message: str
) -> None:
    result = search_(*command, storage=storage)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ") and message in line
    assert names(storage) == ["one"]


# --- Completion -----------------------------------------------------------------------------


def asked(*words: str) -> dict[str, str]:
    """Return what bash sets in the environment of the program that it asks."""
    return {
        VARIABLE: "bash_complete",
        "COMP_WORDS": " ".join(("search", *words)),
        "COMP_CWORD": str(len(words)),
    }


def offered(stdout: str) -> list[str]:
    """Return what bash would offer for the last word."""
    return [line.partition(",")[2] for line in stdout.split()]


def test_a_shell_asks_the_program(storage: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "search"],
        cwd=storage.parent,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
            **asked("run", "fruit", "--study", "o"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stderr, offered(done.stdout)) == ("", ["one"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("fr",), ["front"]),
        (("run", "fr"), ["fruit"]),
        (("run", "fruit", "--dev"), ["--device"]),
        (("run", "fruit", "--device", "ethos-u65"), ["ethos-u65-256", "ethos-u65-512"]),
        (("run", "fruit", "--sampler", "n"), ["nsga2"]),
        (("run", "fruit", "--study", "o"), ["one"]),
        (("front", ""), ["one"]),
        (("show", "o"), ["one"]),
        (("compare", "one", ""), ["one"]),
        (("front", "x"), []),
        (("front", "--storage", "none.db", "o"), []),
        (("completion", "z"), ["zsh"]),
    ],
)
def test_a_shell_completes(
    storage: Path, words: tuple[str, ...], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(storage.parent)
    before = set(storage.parent.iterdir())
    done = CliRunner().invoke(cli, [], prog_name="search", env=asked(*words))
    assert (done.stderr, offered(done.stdout)) == ("", expected)
    assert set(storage.parent.iterdir()) == before


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["completion", shell], prog_name="search")
    assert result.exit_code == 0
    assert VARIABLE in result.stdout
    if shell == "bash":
        script = tmp_path / "search.bash"
        script.write_text(result.stdout)
        assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
