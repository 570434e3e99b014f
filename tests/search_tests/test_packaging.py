"""The repository as a package: what is installed, what imports what, what is tracked.

Guards of rules that no single module can see broken: the wheel works alone, imports go down only,
importing costs nothing heavy, and no tracked file knows the machine it was written on.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[2]
DISTRIBUTION = "litefront"
FLOORS = ("spaces", "workers", "search")  # From the ground up: each may import those before it.
ROOMS = {
    # From the ground up: a room imports those before it on its floor, and the floors below.
    "spaces": ("config", "drawn_fruit", "data", "networks", "tasks", "space"),
    "workers": (
        "messages",
        "processes",
        "training",
        "conversion",
        "hypermodels",
        "latency",
        "devices",
        "firmware",
        "trial",
        "executors",
        "deploy",
        "ray_tune",
    ),
    "search": (
        "storage",
        "front",
        "sampling",
        "report",
        "deploy",
        "pages",
        "study",
        "run",
        "ray_tune",
        "doctor",
        "cli",
    ),
}
ON_TOP = {
    # Modules beside the rooms: what may be imported by all, and what imports all.
    "spaces": {"errors", "file_locks", "wording", "__init__"},
    "workers": {"__init__"},
    "search": {"options", "notebook", "tables", "units", "__init__", "__main__"},
}
UNTESTED = {"networks", "ray_tune"}  # Tested where they are trained, and by the floor above.
MAX_LINES = 400
HEAVY = {"keras", "keras_tuner", "optuna", "ray", "tensorflow", "tf_keras"}


def _run(*command: str | Path, cwd: Path = CHECKOUT) -> str:
    """Run a command with nothing of the checkout on its path; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} printed:\n{done.stdout}{done.stderr}"
    return done.stdout


def _project_files() -> list[Path]:
    """Files of the project relative to the checkout: tracked, and new ones not ignored."""
    names = _run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    paths = (Path(name) for name in names.split("\0") if name)
    return [path for path in paths if (CHECKOUT / path).is_file()]


def _imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level name of every absolute import in a file, nested ones too."""
    for line, name in _imported_modules(path):
        yield line, name.partition(".")[0]


def _imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every absolute import in a file, nested ones too."""
    for node in ast.walk(ast.parse((CHECKOUT / path).read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:  # `from search import storage` imports a room.
                yield node.lineno, f"{node.module}.{alias.name}"


def _sources(package: str) -> list[Path]:
    return [path.relative_to(CHECKOUT) for path in sorted((CHECKOUT / package).rglob("*.py"))]


# The wheel, alone in a clean environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that nothing left over in build/ can slip into it."""
    source = tmp_path_factory.mktemp("source")
    for path in _project_files():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes((CHECKOUT / path).read_bytes())
    # fmt: off
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist",
         source, cwd=source)
    # fmt: on
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def clean_bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of programs of an environment with the wheel, the dependencies, and no checkout."""
    environment = tmp_path_factory.mktemp("clean")
    _run(sys.executable, "-m", "venv", "--without-pip", environment)
    programs = environment / "bin"
    # fmt: off
    _run(sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet",
         "--no-deps", "--no-index", wheel, cwd=environment)
    # fmt: on
    # Dependencies come from the environment of the tests, so that no network is needed. A folder
    # named in a .pth file is searched, but its own .pth files, among them the one that makes the
    # checkout importable there, are not read.
    (site,) = environment.glob("lib/python*/site-packages")
    (ours,) = {Path(str(dist.locate_file(""))) for dist in _distributions("numpy")}
    (site / "dependencies.pth").write_text(f"{ours}\n")
    return programs


def _distributions(name: str) -> Iterable[importlib.metadata.Distribution]:
    return importlib.metadata.distributions(name=name)


def test_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.partition("/")[0] for name in names}
    metadata = {name for name in top if name.endswith(".dist-info")}
    assert top - metadata == set(FLOORS)
    assert len(metadata) == 1
    for package in FLOORS:
        assert f"{package}/py.typed" in names
        assert {path.as_posix() for path in _sources(package)} <= set(names)
    templates = {path for path in _project_files() if "templates" in path.parts}
    assert len(templates) > 4
    assert {path.as_posix() for path in templates} <= set(names)


def test_wheel_works_alone(clean_bin: Path, tmp_path: Path) -> None:
    where = _run(clean_bin / "python", "-c", "import search; print(search.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(clean_bin.parent)

    version = importlib.import_module("search").__version__
    assert version in _run(clean_bin / "search", "--version", cwd=tmp_path)
    assert version in _run(clean_bin / "python", "-m", "search", "--version", cwd=tmp_path)
    commands = _run(clean_bin / "search", "--help", cwd=tmp_path)
    assert "run" in commands
    assert "fruit" in _run(clean_bin / "search", "tasks", cwd=tmp_path)


# Versions and dependencies


def test_changelog_has_an_entry_for_this_version() -> None:
    version = importlib.import_module("search").__version__
    newest = re.search(r"^## \[(\d[^\]]*)\]", (CHECKOUT / "CHANGELOG.md").read_text(), re.M)
    assert newest is not None
    assert newest[1] == version


def test_lock_pins_with_hashes_and_names_no_place() -> None:
    text = (CHECKOUT / "requirements.lock").read_text()
    assert "://" not in text
    assert not re.search(r"^ *-(-index|-extra|-find|i|f|e)", text, re.M)
    requirements = [
        block for block in re.split(r"^(?=[A-Za-z])", text, flags=re.M) if block[0].isalpha()
    ]
    for block in requirements:
        assert re.match(r"[\w.\-\[\],]+==", block), block.partition("\n")[0]
        assert "--hash=sha256:" in block, block.partition("\n")[0]


def test_every_installed_dependency_supports_this_python() -> None:
    # uv ignores upper bounds on Python when it locks; pip refuses such a package outright.
    python = ".".join(map(str, sys.version_info[:3]))
    for dist in importlib.metadata.distributions():
        supported = dist.metadata["Requires-Python"]
        assert not supported or python in SpecifierSet(supported), (dist.name, supported)


def test_installed_dependencies_fit_together() -> None:
    # The lock is installed without resolving anything again.
    _run(sys.executable, "-m", "pip", "check")


def test_every_imported_distribution_is_declared() -> None:
    declared = {
        canonicalize_name(Requirement(line).name)
        for line in importlib.metadata.requires(DISTRIBUTION) or ()
    }
    # Not packages_distributions(): on Python 3.10 it overlooks most packages.
    owners: dict[str, set[str]] = {}
    for dist in importlib.metadata.distributions():
        for name in {file.parts[0].partition(".")[0] for file in dist.files or ()}:
            owners.setdefault(name, set()).add(canonicalize_name(dist.name))
    undeclared = [
        f"{path}:{line}: {name}"
        for package in FLOORS
        for path in _sources(package)
        for line, name in _imported(path)
        if name not in sys.stdlib_module_names
        and name not in FLOORS
        and not declared & owners.get(name, set())
    ]
    assert undeclared == []


# Imports


@pytest.mark.parametrize("package", FLOORS)
def test_imports_go_down_only(package: str) -> None:
    above = set(FLOORS[FLOORS.index(package) + 1 :])
    upward = [
        f"{path}:{line}: {name}"
        for path in _sources(package)
        for line, name in _imported(path)
        if name in above
    ]
    assert upward == []


def _room(floor: str, parts: tuple[str, ...]) -> str | None:
    """Room that a module of a floor stands in, by the parts of its name; None for its top."""
    return parts[1] if len(parts) > 1 and parts[0] == floor and parts[1] in ROOMS[floor] else None


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_between_rooms_run_one_way(floor: str) -> None:
    order = ROOMS[floor]
    upward = []
    for path in _sources(floor):
        room = _room(floor, path.with_suffix("").parts)
        for line, name in _imported_modules(path):
            other = _room(floor, tuple(name.split(".")))
            if room and other and order.index(other) > order.index(room):
                upward.append(f"{path}:{line}: {room} imports {other}")
    assert upward == []


@pytest.mark.parametrize("floor", FLOORS)
def test_every_module_stands_in_a_room_that_says_what_it_is_for(floor: str) -> None:
    folder = CHECKOUT / floor
    assert {path.stem for path in folder.glob("*.py")} == ON_TOP[floor]
    rooms = {path.parent.name for path in folder.glob("*/*.py")}
    assert rooms == set(ROOMS[floor])
    for room in rooms:
        doc = ast.get_docstring(ast.parse((folder / room / "__init__.py").read_text()))
        assert doc, room
        assert (CHECKOUT / "tests" / f"{floor}_tests" / room).is_dir() or room in UNTESTED, room


@pytest.mark.parametrize("floor", FLOORS)
def test_modules_hold_one_idea(floor: str) -> None:
    lines = {path: len((CHECKOUT / path).read_text().splitlines()) for path in _sources(floor)}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}


@pytest.mark.parametrize("package", FLOORS)
def test_import_is_cheap(package: str) -> None:
    loaded = _run(sys.executable, "-c", f"import sys, {package}; print(*sys.modules)").split()
    assert package in loaded
    assert HEAVY & set(loaded) == set()


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "sys.argv = ['search', '--help']\n"
        "from search.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print('loaded', *sys.modules)\n"
    )
    printed = _run(sys.executable, "-c", script, cwd=tmp_path)
    loaded = printed.rpartition("loaded ")[2].split()
    assert "search.cli.main" in loaded
    assert HEAVY & set(loaded) == set()


@pytest.mark.parametrize("package", FLOORS)
def test_all_is_sorted_and_true(package: str) -> None:
    module = importlib.import_module(package)
    names = list(module.__all__)
    assert names == sorted(set(names))
    for name in names:
        assert getattr(module, name) is not None, name


def test_names_of_python_are_what_the_readme_calls() -> None:
    """Also `retrain`, which a module is called too."""
    names = [name for name in importlib.import_module("search").__all__ if name[0].islower()]
    script = (
        f"from search import {', '.join(names)}\nprint(all(map(callable, ({', '.join(names)}))))"
    )
    assert _run(sys.executable, "-c", script) == "True\n"


# Tracked files


def _words_of_this_machine() -> re.Pattern[str]:
    """Paths of the machines it was made on and hosts of registries.

    Put together from pieces, so that this file does not hold what it looks for.
    """
    folders = [f"/{name}/" for name in ("work", "root", "farm", "opt")]
    hosts = [
        ".".join(parts)
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry", "npmjs"),
            ("deb", "debian"),
            ("files", "pythonhosted"),
        )
    ]
    # A folder counts at the start of a path only: below another folder it is no machine's.
    return re.compile(
        rf"(?<![\w.$}})])(?:{'|'.join(map(re.escape, folders))})|{'|'.join(map(re.escape, hosts))}"
    )


def test_no_file_knows_a_machine_or_a_registry() -> None:
    words = _words_of_this_machine()
    found = []
    for path in _project_files():
        text = (CHECKOUT / path).read_bytes().decode("utf-8", errors="replace")
        found += [
            f"{path}:{number}: {match[0]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if (match := words.search(line))
        ]
    assert found == []


def test_the_search_for_machines_finds_them() -> None:
    words = _words_of_this_machine()
    assert words.search("open('" + "/".join(("", "root", "x")) + "')")
    assert words.search("https://" + ".".join(("pypi", "org")) + "/simple")
    assert not words.search("spaces/network/x and ~/.keras/datasets/")
