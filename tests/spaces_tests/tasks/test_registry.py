"""From what a person types to a task."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spaces.errors import SearchError, TaskError, UnknownTaskError
from spaces.tasks.registry import builtin_tasks, canonical_ref, is_builtin, resolve_task

TASK_FILE = """
from spaces.tasks.task import Task
TASK = Task(name="mine", description="", model=None, load_data=lambda request: None)
OTHER = Task(name="other", description="", model=None, load_data=lambda request: None)
NUMBER = 3
"""


MODEL_FILE = """
class MyHyperModel:
    def build(self, hp): ...
"""


@pytest.fixture
def task_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(TASK_FILE)
    return path


def test_builtin_tasks_are_found_by_their_own_names() -> None:
    for name, task in builtin_tasks().items():
        assert task.name == name
        assert is_builtin(name)
        assert resolve_task(name) is task or resolve_task(name) == task
        assert canonical_ref(name) == name


def test_listing_builtin_tasks_imports_nothing_heavy() -> None:
    code = (
        "import sys; from spaces.tasks.registry import builtin_tasks; builtin_tasks();"
        "print(sorted({'tensorflow', 'keras_tuner', 'ray', 'optuna', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("typed", "nearest"), [("friut", "fruit"), ("mnits", "mnist"), ("Fruit", "fruit")]
)
def test_unknown_task_names_the_nearest(typed: str, nearest: str) -> None:
    with pytest.raises(UnknownTaskError, match=f"Did you mean '{nearest}'") as error:
        resolve_task(typed)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


def test_unknown_task_far_from_all_names_the_known_ones() -> None:
    with pytest.raises(UnknownTaskError) as error:
        resolve_task("xyzzy")
    assert "Did you mean" not in str(error.value)
    assert "fruit, images, mnist" in str(error.value)


def test_file_with_and_without_a_name(task_file: Path) -> None:
    assert resolve_task(str(task_file)).name == "mine"
    assert resolve_task(f"{task_file}:OTHER").name == "other"


def test_file_is_named_absolutely_so_that_it_means_the_same_anywhere(
    task_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(task_file.parent)
    ref = canonical_ref("mine.py")
    monkeypatch.chdir("/")
    assert resolve_task(ref).name == "mine"


def test_package_and_module(task_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(task_file.parent)
    assert resolve_task("mine:OTHER").name == "other"


@pytest.mark.parametrize(
    ("content", "suffix", "kind", "says"),
    [
        (TASK_FILE, ":MISSING", TaskError, "OTHER, TASK"),
        (TASK_FILE, ":OTHERS", TaskError, "Did you mean 'OTHER'"),
        (TASK_FILE, ":NUMBER", TaskError, "int"),
        ("x = 1", ":MyHyperModel", TaskError, "no task named 'MyHyperModel'"),
        (MODEL_FILE, ":MyHyperModell", TaskError, "Did you mean 'MyHyperModel'"),
        (MODEL_FILE, ":TASK", TaskError, "Tasks in it: MyHyperModel.*Name another with"),
        ("import no_such_module_anywhere", "", TaskError, "no_such_module_anywhere"),
        ("1/0", "", TaskError, "ZeroDivisionError"),
        ("def broken(:", "", TaskError, "SyntaxError"),
    ],
)
def test_a_file_that_holds_no_task_gets_one_clear_line(
    tmp_path: Path, content: str, suffix: str, kind: type[SearchError], says: str
) -> None:
    path = tmp_path / "bad.py"
    path.write_text(content)
    with pytest.raises(kind, match=says) as error:
        resolve_task(f"{path}{suffix}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ref", ["nowhere.py", "nowhere.py:TASK", "no_such_package.tasks:TASK"])
def test_what_does_not_exist_is_unknown(ref: str) -> None:
    with pytest.raises(UnknownTaskError):
        resolve_task(ref)


class TestNeighbours:
    """What is named may import what lies beside it; that hides nothing which is installed."""

    @pytest.fixture(autouse=True)
    def path_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", list(sys.path))

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "beside_it.py").write_text("DESCRIPTION = 'from beside'\n")
        (folder / "random.py").write_text("raise RuntimeError('hides the library')\n")
        text = TASK_FILE.replace('description=""', "description=DESCRIPTION")
        head = "import random\nfrom beside_it import DESCRIPTION\n"
        (folder / "named_task.py").write_text(head + text)
        sys.modules.pop("beside_it", None)
        return folder

    def test_of_a_file_from_any_folder(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert resolve_task("project/named_task.py").description == "from beside"
        assert sys.path[-1] == str(folder) and sys.path.count(str(folder)) == 1

    def test_of_a_module_in_the_current_folder(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folder)
        assert resolve_task("named_task:TASK").description == "from beside"
        assert sys.path[-1] == str(folder)
        del sys.modules["named_task"]

    def test_a_built_in_task_is_no_code_of_anybody(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folder)
        before = list(sys.path)
        resolve_task("fruit")
        assert sys.path == before


@pytest.mark.parametrize("line", ["raise SystemExit(0)", "raise KeyboardInterrupt"])
def test_a_file_that_ends_python_fails_to_load(line: str, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(line + "\n")
    with pytest.raises(TaskError, match="failed to load: (SystemExit: 0|KeyboardInterrupt)"):
        resolve_task(str(path))
