"""The Dockerfile agrees with the project. No container is built: that needs a daemon."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKOUT = Path(__file__).resolve().parents[2]
TEXT = (CHECKOUT / "Dockerfile").read_text()
LINES = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.M)).splitlines()
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def values_of(word: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{word} ")]


def test_its_python_is_one_of_ours() -> None:
    (image,) = {value.split()[0] for value in values_of("FROM")}
    version = re.fullmatch(r"python:(3\.\d+)-slim-\w+", image)
    assert version is not None
    assert f"Programming Language :: Python :: {version[1]}" in PROJECT["project"]["classifiers"]


def test_it_starts_our_command_and_not_as_root() -> None:
    (entry,) = values_of("ENTRYPOINT")
    assert entry == '["search"]' and "search" in PROJECT["project"]["scripts"]
    (user,) = values_of("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert values_of("WORKDIR")[-1] == "/work"


def test_what_it_copies_is_there_and_sent_along() -> None:
    copied = [value.split()[:-1] for value in values_of("COPY") if "--from" not in value]
    names = {name for row in copied for name in row}
    packages = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {name for name in packages if "*" not in name} < names
    sent = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in sent if line.startswith("!")} == names and "*" in sent
    for name in names:
        assert (CHECKOUT / name).exists(), name


def test_every_package_is_held_to_the_lock() -> None:
    (run,) = (value for value in values_of("RUN") if "pip install" in value)
    for command in run.split("&&"):
        if "pip install" in command:
            assert "--require-hashes" in command or "--constraint requirements.lock" in command


def test_a_linter_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed: make install")
    done = subprocess.run(
        [program, "--failure-threshold", "info", CHECKOUT / "Dockerfile"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
