"""Hashes of the source that a task is made of."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from spaces.tasks.source import describe_change, source_hashes

NET = "import json\nimport numpy\nfrom parts import wide\nimport package.deep\nUNITS = 2\n"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    files = {
        "net.py": NET,
        "parts.py": "def wide():\n    import late\n    return 1\n",
        "late.py": "N = 1\n",
        "unused.py": "N = 1\n",
        "package/__init__.py": "",
        "package/deep.py": "from . import near\nfrom .near import N\n",
        "package/near.py": "N = 1\n",
        "package/unused.py": "N = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "net.py"


def test_a_file_is_made_of_itself_and_what_it_imports_beside_it(net: Path) -> None:
    found = source_hashes(f"{net}:TASK")
    assert list(found) == [
        "late.py",
        "net.py",
        "package/__init__.py",
        "package/deep.py",
        "package/near.py",
        "parts.py",
    ]
    assert found == source_hashes(str(net))


def test_names_of_models_and_of_modules_in_texts_count(net: Path) -> None:
    net.write_text('import importlib\nM = "parts:wide"\nimportlib.import_module("unused")\n')
    assert list(source_hashes(str(net))) == ["late.py", "net.py", "parts.py", "unused.py"]


@pytest.mark.parametrize("name", ["net.py", "parts.py", "late.py", "package/near.py"])
def test_a_change_of_any_of_them_is_told_by_name(net: Path, name: str) -> None:
    before = {"task": source_hashes(str(net))}
    path = net.parent / name
    path.write_text(path.read_text() + "M = 3\n")
    assert describe_change(before, {"task": source_hashes(str(net))}) == name


@pytest.mark.parametrize(
    "text",
    [
        NET.replace("UNITS = 2", "UNITS = 2  # two"),
        "# a net\n\n\n" + NET,
        NET.replace("\n", "\r\n"),
        NET.rstrip("\n"),
    ],
)
def test_comments_blank_lines_and_line_ends_change_nothing(net: Path, text: str) -> None:
    before = source_hashes(str(net))
    net.write_bytes(text.encode())
    assert source_hashes(str(net)) == before


@pytest.mark.parametrize("text", ["UNITS = '# 3'\n", "UNITS = '''a\n\nb'''\n", "if x:\n  y = (\n"])
def test_what_looks_like_a_comment_inside_a_text_counts(net: Path, text: str) -> None:
    net.write_text(text)
    before = source_hashes(str(net))
    net.write_text(text.replace("# 3", "# 4").replace("\n\nb", "\nb").replace("y", "z"))
    assert source_hashes(str(net)) != before


def test_another_folder_with_the_same_code_is_the_same(net: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in [*tmp_path.iterdir()]:
        if path != moved:
            path.rename(moved / path.name)
    before = source_hashes(str(moved / "net.py"))
    assert len(before) == 6
    assert source_hashes(f"{moved.parent}/moved/../moved/net.py") == before


def test_a_module_of_a_package_is_looked_up_from_the_packages_folder(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (net.parent / "bundle_x").mkdir()
    (net.parent / "bundle_x" / "__init__.py").write_text("")
    (net.parent / "bundle_x" / "net.py").write_text("import parts\nfrom . import near_x\n")
    (net.parent / "bundle_x" / "near_x.py").write_text("from .. import nowhere\n")
    monkeypatch.syspath_prepend(net.parent)
    with pytest.raises(ImportError):
        importlib.import_module("bundle_x.net")
    assert source_hashes("bundle_x.net:TASK") == {}  # it was not loaded
    (net.parent / "bundle_x" / "near_x.py").write_text("")
    importlib.invalidate_caches()
    importlib.import_module("bundle_x.net")
    assert list(source_hashes("bundle_x.net:TASK")) == [
        "bundle_x/__init__.py",
        "bundle_x/near_x.py",
        "bundle_x/net.py",
        "late.py",
        "parts.py",
    ]


def test_of_an_installed_module_only_its_own_package_counts() -> None:
    importlib.import_module("click.core")
    found = source_hashes("click.core:Command")
    assert "core.py" in found or "click/core.py" in found
    assert not any("typing_extensions" in name for name in found)


def test_code_without_source_has_no_hashes() -> None:
    assert source_hashes("sys:path") == {}
